//! Pages of `ListIdentifiers` and `ListRecords`; their rules stand in [`super::oai_pmh`].

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::task::spawn_blocking;

use super::oai_pmh::{Refusal, no_set_hierarchy, no_such_format};
use super::{ServerError, Shared};
use crate::oai::{
    Answer, ErrorCode, Header, ListEntry, ListStart, ListVerb, OaiError, PageToken, Record,
    ResumptionToken, Selection, oai_identifier,
};
use crate::serializers::Serializer;
use crate::store::{Item, ItemContent, ItemHeader, ItemQuery};

/// How many chunks without a single record that can be written are passed over in one request.
const MAX_CHUNKS_PASSED_OVER: usize = 100;

/// The page of a list that `start` leads to.
pub(super) async fn list(
    shared: &Arc<Shared>,
    verb: ListVerb,
    start: ListStart,
) -> Result<Answer, Refusal> {
    let mut page = Page::begin(shared, verb, start)?;
    let mut entries = Vec::new();
    for _ in 0..MAX_CHUNKS_PASSED_OVER {
        let (items, more) = page.read_chunk(shared).await?;
        if items.is_empty() {
            return Err(page.nothing(shared).await?.into());
        }
        page.passed += items.len();
        let answer = match verb {
            ListVerb::ListIdentifiers => {
                let header = |item: Item| oai_header(shared, &item.header);
                let headers = items.into_iter().map(header).collect();
                Answer::ListIdentifiers(headers, page.token(shared, more).await?)
            }
            ListVerb::ListRecords => {
                entries.extend(write_records(shared, page.serializer, items).await?);
                if !entries.iter().any(|entry| matches!(entry, ListEntry::Record(_))) {
                    continue;
                }
                Answer::ListRecords(entries, page.token(shared, more).await?)
            }
        };
        return Ok(answer);
    }
    let prefix = page.selection.metadata_prefix;
    Err(ServerError::SerializerBroken { prefix, left_out: page.passed }.into())
}

/// A page in the making.
struct Page {
    verb: ListVerb,
    selection: Selection,
    /// Its place among the serializers.
    serializer: usize,
    query: ItemQuery,
    /// Whether it was asked for with a token.
    resumed: bool,
    /// How many items came before it.
    cursor: u64,
    /// How many items the list has, once known.
    complete_list_size: Option<u64>,
    /// Items of the list that this page has dealt with, left out ones included.
    passed: usize,
}

impl Page {
    fn begin(shared: &Shared, verb: ListVerb, start: ListStart) -> Result<Page, Refusal> {
        let state = &shared.state;
        let (selection, token) = match start {
            ListStart::Selection(selection) => (selection, None),
            ListStart::Token(text) => {
                let token = ResumptionToken::open(&text, &state.token_key, verb)?;
                (token.selection.clone(), Some(token))
            }
        };
        let prefix = &selection.metadata_prefix;
        let found = state.serializers.iter().enumerate().find(|(_, row)| row.prefix == prefix);
        let Some((serializer, row)) = found else {
            let mut error = no_such_format(prefix);
            if token.is_some() {
                error.code = ErrorCode::BadResumptionToken;
            }
            return Err(error.into());
        };
        // Headers need no content; but which items are in the list may depend on the source.
        let content = match (verb, row.content) {
            (ListVerb::ListIdentifiers, ItemContent::Json) => ItemContent::Header,
            (_, content) => content,
        };
        let query = ItemQuery {
            after: token.as_ref().map(|token| token.after),
            from: selection.from,
            until: selection.until,
            set_spec: selection.set_spec.clone(),
            limit: state.config.page_size.clamp(1, u32::MAX - 1) + 1,
            content,
        };
        Ok(Page {
            verb,
            selection,
            serializer,
            query,
            resumed: token.is_some(),
            cursor: token.as_ref().map_or(0, |token| token.cursor),
            complete_list_size: token.map(|token| token.complete_list_size),
            passed: 0,
        })
    }

    /// The next items, and whether there are more behind them: one is read ahead.
    async fn read_chunk(&mut self, shared: &Shared) -> Result<(Vec<Item>, bool), Refusal> {
        let mut items = shared.state.store.items(&self.query).await?;
        let more = items.len() >= self.query.limit as usize;
        items.truncate(self.query.limit as usize - 1);
        if let Some(last) = items.last() {
            self.query.after = Some((last.header.datestamp, last.header.id));
        }
        Ok((items, more))
    }

    /// The token element of the page, when the list has more than this page.
    async fn token(&self, shared: &Shared, more: bool) -> Result<Option<PageToken>, Refusal> {
        if !more && !self.resumed {
            return Ok(None);
        }
        let counted = match self.complete_list_size {
            Some(size) => size,
            None => {
                let whole = ItemQuery { after: None, ..self.query.clone() };
                shared.state.store.count_items(&whole).await?
            }
        };
        // The list may have changed since it was counted; it is never shorter than what was given.
        let given = self.cursor.saturating_add(self.passed as u64);
        let complete_list_size = counted.max(given.saturating_add(u64::from(more)));
        let token = self.query.after.filter(|_| more).map(|after| {
            let token = ResumptionToken {
                verb: self.verb,
                selection: self.selection.clone(),
                after,
                cursor: given,
                complete_list_size,
            };
            token.seal(&shared.state.token_key)
        });
        Ok(Some(PageToken { token, cursor: self.cursor, complete_list_size }))
    }

    /// Why there is nothing to give.
    async fn nothing(&self, shared: &Shared) -> Result<OaiError, Refusal> {
        let asks_for_set = !self.resumed && self.selection.set_spec.is_some();
        if asks_for_set && shared.state.store.sets().await?.is_empty() {
            return Ok(no_set_hierarchy());
        }
        let message = if self.resumed { "the list has ended" } else { "no record matches" };
        Ok(OaiError::new(ErrorCode::NoRecordsMatch, message))
    }
}

/// Writes items off the async threads, since a page can take milliseconds.
async fn write_records(
    shared: &Arc<Shared>,
    serializer: usize,
    items: Vec<Item>,
) -> Result<Vec<ListEntry>, ServerError> {
    let shared = Arc::clone(shared);
    let work = spawn_blocking(move || match shared.state.serializers.get(serializer) {
        Some(row) => items.iter().map(|item| write_record(&shared, row, item)).collect(),
        None => Vec::new(),
    });
    work.await.map_err(|error| ServerError::Unfinished(error.to_string()))
}

/// The record of an item; a tombstone has no metadata.
pub(super) fn write_record(shared: &Shared, serializer: &Serializer, item: &Item) -> ListEntry {
    let header = oai_header(shared, &item.header);
    if item.header.deleted {
        return ListEntry::Record(Record { header, metadata: None });
    }
    if !serializer.can_write(item) {
        return ListEntry::LeftOut(header.identifier);
    }
    match serializer.write(item) {
        Ok(metadata) => ListEntry::Record(Record { header, metadata: Some(metadata) }),
        Err(error) => {
            shared.left_out.fetch_add(1, Ordering::Relaxed);
            tracing::error!(identifier = header.identifier, %error, "record left out");
            ListEntry::LeftOut(header.identifier)
        }
    }
}

fn oai_header(shared: &Shared, header: &ItemHeader) -> Header {
    Header {
        identifier: oai_identifier(&shared.state.config.repository_identifier, &header.pid_value),
        datestamp: header.datestamp,
        deleted: header.deleted,
        set_specs: header.set_specs.clone(),
    }
}
