//! What ends the list of a window: its last page, an error of the protocol, an end that is none.

use super::{End, Harvest, MAX_EMPTY_PAGES, Progress};
use crate::formats::Policy;
use crate::oai::page::Page;
use crate::record::{Granularity, Warning};
use crate::source::oai_pmh::asking::Trouble;

impl Harvest<'_> {
    // Whether a page with so many records and this token is the last of its list, and how it ends.
    pub(super) fn end(
        &mut self,
        index: usize,
        progress: &mut Progress,
        (count, spotless): (usize, bool),
        token: Option<String>,
    ) -> Option<End> {
        if !spotless && self.client.endpoint().policy == Policy::Strict {
            let reason = "a page is not as the protocol says, and the policy is strict";
            return Some(End::Suspect(reason.to_owned()));
        }
        let ends_by_token = token.is_some();
        let Some(token) = token.filter(|token| !token.is_empty()) else {
            let window = self.windows.get(index);
            let is_all = window.is_some_and(|window| window.window.from.is_none());
            if count == 0 && progress.token.is_none() && is_all {
                let reason = "the list is empty, without noRecordsMatch";
                return Some(End::Suspect(reason.to_owned()));
            }
            return Some(self.end_of_list(index, ends_by_token));
        };
        progress.empty_pages = if count == 0 { progress.empty_pages + 1 } else { 0 };
        if count == 0 {
            let message = "a page without records, and with a token".to_owned();
            self.report.warn("", &[Warning::new("oai.empty_page", message)]);
        }
        if progress.empty_pages > MAX_EMPTY_PAGES {
            return Some(End::Suspect(format!("{MAX_EMPTY_PAGES} pages without records")));
        }
        if !progress.tokens.insert(token.clone()) {
            return Some(End::Suspect(format!("the list goes in a circle at token {token:?}")));
        }
        progress.token = Some(token);
        None
    }

    // What the endpoint's errors mean: an end, a trouble, or that days are to be used instead.
    pub(super) fn errors(
        &mut self,
        index: usize,
        progress: &Progress,
        asked: Granularity,
        page: &Page,
    ) -> Result<Option<End>, Trouble> {
        let Some(first) = page.errors.first() else { return Ok(None) };
        self.report.warn("", &page.warnings);
        let has = |code: &str| page.errors.iter().any(|error| error.code.trim() == code);
        let shown = format!("{}: {}", first.code, first.message);
        if has("badResumptionToken") {
            return Err(Trouble::Token(shown));
        }
        if has("noRecordsMatch") {
            if progress.token.is_none() {
                self.note_begun_at(page.response_date);
                return Ok(Some(End::Complete));
            }
            let end = End::Suspect(format!("a token leads to {shown}"));
            return Ok(Some(if self.is_full(index) { End::Complete } else { end }));
        }
        let lower = first.message.to_ascii_lowercase();
        if lower.contains("too many") || lower.contains("too large") {
            return Err(Trouble::TooMuch(shown));
        }
        let window = self.windows.get(index).map(|window| &window.window);
        let dated = window.is_some_and(|window| window.from.is_some() || window.until.is_some());
        if has("badArgument") && dated && asked == Granularity::Second {
            if self.granularity == Granularity::Second {
                let message = format!("seconds are not accepted, days are used: {shown}");
                self.report.warn("", &[Warning::new("oai.granularity", message)]);
                self.granularity = Granularity::Day;
            }
            return Ok(None);
        }
        Err(Trouble::Lasting(shown))
    }

    // Whether all has come, only the size can tell: with an empty token the endpoint says that this
    // is all, and sizes may be estimates; without one, the token may have been lost.
    pub(super) fn end_of_list(&mut self, index: usize, ends_by_token: bool) -> End {
        let Some(report) = self.reports.get(index) else { return End::Complete };
        let Some(size) = report.complete_list_size.filter(|size| *size > report.records) else {
            return End::Complete;
        };
        let message = format!("{} records came, completeListSize is {size}", report.records);
        if ends_by_token {
            self.report.warn("", &[Warning::new("oai.short_list", message)]);
            return End::Complete;
        }
        End::Suspect(message)
    }

    fn is_full(&self, index: usize) -> bool {
        let report = self.reports.get(index);
        report.is_some_and(|report| report.complete_list_size == Some(report.records))
    }
}

// Whether it makes no sense to ask for another window.
pub(super) fn is_fatal(trouble: &Trouble) -> bool {
    matches!(
        trouble,
        Trouble::Unreachable(_) | Trouble::Failing(_) | Trouble::TryLater(_) | Trouble::Lasting(_)
    )
}
