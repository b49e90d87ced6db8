//! Pages of `ListIdentifiers` and `ListRecords`; their rules stand in [`super::oai_pmh`].
//!
//! A page is made in chunks. The first one is made before the answer begins, so that what fails
//! there is still an answer; those behind it are made while the client reads.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::cache::{CachedPage, PageEnd, PageText};
use super::oai_pmh::{Moment, RecordPieces, Records, Refusal, no_set_hierarchy, no_such_format};
use super::record::Bench;
use super::{ServerError, Shared};
use crate::oai::{
    DeletedRecord, ErrorCode, ListStart, ListVerb, OaiError, PageToken, RecordWriter,
    ResumptionToken, Selection,
};
use crate::record::Clock;
use crate::store::{Item, ItemContent, ItemQuery};

/// So many items are read and written at once.
const CHUNK: u32 = 100;

/// How often and how long a page that would end in the current second waits for the next.
const MOST_WAITS: u32 = 50;
const A_WHILE: Duration = Duration::from_millis(100);

/// So many items of a format that every record has may be left out on end.
const MOST_LEFT_OUT: u64 = 10_000;

/// The page of a list that `start` leads to.
pub(super) async fn list(
    shared: &Arc<Shared>,
    verb: ListVerb,
    start: &ListStart,
    (moment, in_gzip): (Moment, bool),
) -> Result<Records, Refusal> {
    let mut page = Page::begin(shared, verb, start, moment)?;
    let key = page.key(start, in_gzip);
    // What is not kept needs no fingerprint: its items tell that when they are read.
    if shared.cache.has(&key)
        && let Some(cached) = page.kept(&key).await?
    {
        return Ok(page.again(cached).await?);
    }
    while page.given == 0 {
        if page.is_done {
            return Err(page.nothing().await?.into());
        }
        page.step().await?;
    }
    if !page.is_done {
        return Ok(stream(page));
    }
    let text = PageText::of(page.writer.take(), in_gzip).await?;
    let (records, more, after) = (page.given, page.more, page.query.after);
    // What could not be written is told of anew each time.
    let fingerprint = page.state.take().filter(|_| !page.is_capped && page.left_out == 0);
    if let Some(fingerprint) = fingerprint {
        let (shared, text) = (Arc::clone(shared), text.clone());
        let end = PageEnd { records, more, after };
        // Nobody waits for that: who asks before it is done has the page made anew.
        spawn_blocking(move || shared.cache.put(key, &fingerprint, text, end));
    }
    Ok(page.whole(text).await?)
}

/// Goes on with a page while the client reads.
fn stream(mut page: Page) -> Records {
    // One piece is on its way while the next is made: no more is held, however long the page.
    let (sender, receiver) = mpsc::channel(1);
    let first = Bytes::from(page.writer.take());
    let records = page.given;
    tokio::spawn(async move {
        while !page.is_done {
            let before = page.given;
            let piece = page.step_to_end().await.map(|()| Bytes::from(page.writer.take()));
            page.shared.metrics.records_out(page.given - before);
            let failed = piece.is_err();
            if let Err(error) = &piece {
                tracing::error!(code = error.code(), %error, "answer broke off");
            }
            // Nobody reads any more.
            if sender.send(piece).await.is_err() || failed {
                return;
            }
        }
    });
    Records { pieces: RecordPieces::Coming(first, receiver), records }
}

/// A page in the making.
struct Page {
    shared: Arc<Shared>,
    verb: ListVerb,
    selection: Selection,
    /// Its place among the serializers.
    serializer: usize,
    query: ItemQuery,
    /// Nothing newer is given.
    moment: Moment,
    /// Whether it was asked for with a token.
    resumed: bool,
    /// How many items came before it.
    cursor: u64,
    /// How many items the list has, once known, where it is told.
    complete_list_size: Option<u64>,
    writer: RecordWriter,
    /// Headers or records on this page so far.
    given: u64,
    /// Those that should be on it and could not be written.
    left_out: u64,
    /// Something was too new to be given.
    is_capped: bool,
    /// All of the page but its end is written.
    is_done: bool,
    /// There is more behind it.
    more: bool,
    /// What the items of its first and only chunk amount to, where it may be kept.
    state: Option<String>,
    /// Chunks read so far.
    chunks: u64,
}

impl Page {
    fn begin(
        shared: &Arc<Shared>,
        verb: ListVerb,
        start: &ListStart,
        moment: Moment,
    ) -> Result<Page, Refusal> {
        let state = &shared.state;
        let (selection, token) = match start {
            ListStart::Selection(selection) => (selection.clone(), None),
            ListStart::Token(text) => {
                let token = ResumptionToken::open(text, &state.token_keys, verb)?;
                (token.selection.clone(), Some(token))
            }
        };
        let prefix = &selection.metadata_prefix;
        let found = state.serializers.iter().enumerate().find(|(_, row)| row.prefix == *prefix);
        let Some((serializer, row)) = found else {
            let mut error = no_such_format(prefix);
            if token.is_some() {
                error.code = ErrorCode::BadResumptionToken;
            }
            return Err(error.into());
        };
        // Which items have a format that not all have shows only when they are written.
        let only_header = verb == ListVerb::ListIdentifiers && row.is_total;
        let query = ItemQuery {
            after: token.as_ref().map(|token| token.after),
            from: selection.from,
            until: selection.until,
            set_spec: selection.set_spec.clone(),
            limit: 0,
            content: if only_header { ItemContent::Header } else { row.content },
        };
        Ok(Page {
            shared: Arc::clone(shared),
            verb,
            selection,
            serializer,
            query,
            moment,
            resumed: token.is_some(),
            cursor: token.as_ref().map_or(0, |token| token.cursor),
            complete_list_size: token.and_then(|token| token.complete_list_size),
            writer: RecordWriter::new(verb.as_str()),
            given: 0,
            left_out: 0,
            is_capped: false,
            is_done: false,
            more: false,
            state: None,
            chunks: 0,
        })
    }

    /// What the page is known by as long as the store is unchanged.
    fn key(&self, start: &ListStart, in_gzip: bool) -> String {
        let coding = if in_gzip { "gzip " } else { "" };
        match start {
            ListStart::Token(token) => format!("{coding}{token}"),
            ListStart::Selection(selection) => {
                format!("{coding}{} {selection:?}", self.verb.as_str())
            }
        }
    }

    /// Whether every item that the store lists is shown.
    fn shows_all(&self) -> bool {
        let state = &self.shared.state;
        state.serializers.get(self.serializer).is_some_and(|row| row.is_total)
            && state.config.deleted_record != DeletedRecord::No
    }

    /// Reads and writes the next chunk, and the end of the page when it is reached.
    async fn step(&mut self) -> Result<(), ServerError> {
        let page_size = u64::from(self.shared.state.config.page_size.max(1));
        let passed = self.given + self.left_out;
        let room = if self.given == 0 { page_size } else { page_size.saturating_sub(passed) };
        let wanted = u32::try_from(room).unwrap_or(CHUNK).clamp(1, CHUNK);
        // One is read ahead, to know whether there is more.
        self.query.limit = wanted + 1;
        let mut items = self.shared.state.store.items(&self.query).await?;
        self.chunks += 1;
        self.state = self.state_of(&items);
        let mut more = items.len() > wanted as usize;
        items.truncate(wanted as usize);
        let settled = items.partition_point(|item| self.moment.holds(item.header.datestamp));
        if settled < items.len() {
            (self.is_capped, more) = (true, false);
            items.truncate(settled);
        }
        let ends_here = more && passed + items.len() as u64 >= page_size;
        let mut is_short = false;
        if ends_here && self.is_real_time() {
            let over = items.partition_point(|item| self.moment.is_over(item.header.datestamp));
            is_short = over < items.len();
            items.truncate(over);
            if items.is_empty() && self.given == 0 {
                return self.wait().await;
            }
        }
        if let Some(last) = items.last() {
            self.query.after = Some((last.header.datestamp, last.header.id));
        }
        self.write(items).await?;
        if self.left_out > MOST_LEFT_OUT && self.given == 0 {
            let prefix = self.selection.metadata_prefix.clone();
            return Err(ServerError::SerializerBroken { prefix, left_out: self.left_out });
        }
        let is_full = self.given > 0 && (is_short || self.given + self.left_out >= page_size);
        (self.is_done, self.more) = (!more || is_full, more);
        if is_full && more && !is_short && !self.shows_all() {
            self.more = self.is_followed().await?;
        }
        Ok(())
    }

    /// Whether any of the items behind the page has the format: a token must lead to something.
    async fn is_followed(&self) -> Result<bool, ServerError> {
        let mut query = ItemQuery { limit: CHUNK, ..self.query.clone() };
        loop {
            let mut items = self.shared.state.store.items(&query).await?;
            let is_last = items.len() < CHUNK as usize;
            items.retain(|item| self.moment.holds(item.header.datestamp));
            let Some(last) = items.last() else { return Ok(false) };
            query.after = Some((last.header.datestamp, last.header.id));
            let (shared, serializer) = (Arc::clone(&self.shared), self.serializer);
            let work = spawn_blocking(move || {
                let row = shared.state.serializers.get(serializer);
                row.is_some_and(|row| Bench::new(&shared, row).has_any(&items))
            });
            let is_found =
                work.await.map_err(|error| ServerError::Unfinished(error.to_string()))?;
            if is_found || is_last {
                return Ok(is_found);
            }
        }
    }

    fn is_real_time(&self) -> bool {
        matches!(self.shared.state.clock, Clock::System)
    }

    /// Waits until the second is over that the page would end in: a token must not lead on behind
    /// an item of a second in which more may appear before it.
    async fn wait(&mut self) -> Result<(), ServerError> {
        for _ in 0..MOST_WAITS {
            tokio::time::sleep(A_WHILE).await;
            let now = Moment::of(&self.shared.state).await?;
            if now.is_after(self.moment) {
                self.moment = now;
                return Ok(());
            }
        }
        Err(ServerError::TooSlow)
    }

    /// As [`Page::step`], with the token and the end of the document where the page ends.
    async fn step_to_end(&mut self) -> Result<(), ServerError> {
        self.step().await?;
        if self.is_done {
            self.close().await?;
        }
        Ok(())
    }

    /// The page that was kept, if it would be the same now. The generation is asked for before the
    /// items are looked at: what is committed in between makes another one of it.
    async fn kept(&mut self, key: &str) -> Result<Option<CachedPage>, ServerError> {
        let Shared { state, cache, .. } = &*self.shared;
        let generation = state.store.generation().await?;
        if let Some(page) = cache.at(key, generation.as_deref()) {
            return Ok(Some(page));
        }
        self.query.limit = state.config.page_size + 1;
        let fingerprint = state.store.fingerprint(&self.query).await?;
        Ok(fingerprint.and_then(|fingerprint| cache.get(key, &fingerprint, generation)))
    }

    /// The same of items that were read, where the page is made of them alone and may be kept.
    fn state_of(&self, items: &[Item]) -> Option<String> {
        let is_whole = self.chunks == 1 && self.shared.state.config.page_size <= CHUNK;
        if self.shared.cache.is_off() || !is_whole || items.iter().any(|i| i.state.is_empty()) {
            return None;
        }
        let lines: Vec<&str> = items.iter().map(|item| item.state.as_str()).collect();
        Some(lines.join("\n"))
    }

    /// A page that was given before, with a token of now.
    async fn again(mut self, cached: CachedPage) -> Result<Records, ServerError> {
        self.writer.take();
        let CachedPage { text, end: PageEnd { records, more, after } } = cached;
        (self.given, self.more, self.query.after) = (records, more, after);
        self.whole(text).await
    }

    /// The page with its end.
    async fn whole(mut self, text: PageText) -> Result<Records, ServerError> {
        self.close().await?;
        let behind = Bytes::from(self.writer.take());
        Ok(Records { pieces: RecordPieces::Whole(text, behind), records: self.given })
    }

    /// Writes the token, where the list has more than this page, and the end of the document.
    async fn close(&mut self) -> Result<(), ServerError> {
        let token = self.token(self.more).await?;
        self.writer.close(token.as_ref());
        Ok(())
    }

    /// Writes items off the async threads where that can take milliseconds.
    async fn write(&mut self, items: Vec<Item>) -> Result<(), ServerError> {
        let shared = Arc::clone(&self.shared);
        let (verb, serializer) = (self.verb, self.serializer);
        let mut writer = std::mem::replace(&mut self.writer, RecordWriter::new(""));
        let only_headers = self.query.content == ItemContent::Header;
        let work = move || {
            let Some(row) = shared.state.serializers.get(serializer) else {
                return (writer, 0, 0);
            };
            let mut bench = Bench::new(&shared, row);
            for (number, item) in items.iter().enumerate() {
                match verb {
                    ListVerb::ListIdentifiers => bench.header(item, only_headers, &mut writer),
                    ListVerb::ListRecords => bench.record(item, &mut writer),
                }
                if number == 0 {
                    writer.reserve(items.len());
                }
            }
            (writer, bench.given, bench.left_out)
        };
        let (writer, given, left_out) = if only_headers {
            work()
        } else {
            let work = spawn_blocking(work).await;
            work.map_err(|error| ServerError::Unfinished(error.to_string()))?
        };
        self.writer = writer;
        self.given += given;
        self.left_out += left_out;
        Ok(())
    }

    /// The token element of the page, when the list has more than this page.
    async fn token(&self, more: bool) -> Result<Option<PageToken>, ServerError> {
        if !more && !self.resumed {
            return Ok(None);
        }
        let shared = &self.shared;
        // How many there are is not known where some are not shown.
        let is_counted = shared.state.config.counts_lists && self.shows_all();
        let counted = match self.complete_list_size {
            None if is_counted && !self.resumed => Some(self.count().await?),
            known => known,
        };
        // The list may have changed since it was counted; it is never shorter than what was given.
        let given = self.cursor.saturating_add(self.given + self.left_out);
        let complete_list_size =
            counted.map(|size| size.max(given.saturating_add(u64::from(more))));
        let token = self.query.after.filter(|_| more).map(|after| ResumptionToken {
            verb: self.verb,
            selection: self.selection.clone(),
            after,
            cursor: given,
            complete_list_size,
        });
        let token = token.zip(shared.state.token_keys.first()).map(|(token, key)| token.seal(key));
        Ok(Some(PageToken { token, cursor: self.cursor, complete_list_size }))
    }

    /// How many items the list has, or had a moment ago.
    async fn count(&self) -> Result<u64, ServerError> {
        let Selection { set_spec, from, until, .. } = &self.selection;
        let key = format!("{set_spec:?} {from:?} {until:?}");
        if let Some(count) = self.shared.cache.count(&key) {
            return Ok(count);
        }
        let begin = Instant::now();
        let whole = ItemQuery { after: None, ..self.query.clone() };
        let count = self.shared.state.store.count_items(&whole).await?;
        self.shared.cache.put_count(key, count, begin.elapsed());
        Ok(count)
    }

    /// Why there is nothing to give.
    async fn nothing(&self) -> Result<OaiError, Refusal> {
        let asks_for_set = !self.resumed && self.selection.set_spec.is_some();
        if asks_for_set && self.shared.state.store.sets().await?.is_empty() {
            return Ok(no_set_hierarchy());
        }
        let message = if self.resumed { "the list has ended" } else { "no record matches" };
        Ok(OaiError::new(ErrorCode::NoRecordsMatch, message))
    }
}

impl Shared {
    /// Notes that a record could not be written that should have been.
    pub(super) fn note_left_out(&self, identifier: &str, error: &dyn std::fmt::Display) {
        self.left_out.fetch_add(1, Ordering::Relaxed);
        self.metrics.left_out();
        tracing::error!(identifier, %error, "record left out");
    }
}
