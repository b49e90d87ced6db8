//! A window that is too much even for one granule: asked for set by set, and proven to be whole.
//!
//! A record may be in several sets, and in none. Those in several are known when they come again.
//! For those in none the parts prove nothing: the window's size does, if the endpoint told it, or
//! the list of its identifiers, of which each that did not come is asked for alone.

use std::collections::{BTreeSet, HashSet};
use std::future::Future;
use std::pin::Pin;

use super::{End, Harvest};
use crate::oai::ListVerb;
use crate::oai::page::PageRecord;
use crate::record::{Datestamp, Warning};
use crate::source::oai_pmh::asking::Trouble;
use crate::source::oai_pmh::report::Report;
use crate::source::oai_pmh::window::Window;
use crate::source::oai_pmh::{Client, HarvestError, Selection, lists};

/// So many records of a window that was split by set are asked for alone.
const MAX_ALONE: usize = 10_000;

/// What has come of a window that was split by set.
#[derive(Debug)]
pub(super) struct Parts {
    /// The window's number.
    pub(super) id: u64,
    window: Window,
    came: HashSet<String>,
}

impl Parts {
    pub(super) fn new(id: u64, window: Window) -> Parts {
        Parts { id, window, came: HashSet::new() }
    }

    /// Notes a record, if its datestamp is the window's.
    pub(super) fn note(&mut self, record: &PageRecord) {
        let Ok((stamp, _)) = Datestamp::parse(&record.datestamp) else { return };
        let second = stamp.as_second();
        let is_in = self.window.from.is_none_or(|from| from <= second)
            && self.window.until.is_none_or(|until| second <= until);
        if is_in {
            self.came.insert(record.identifier.clone());
        }
    }
}

/// Asks for all identifiers of a list, and gives each header to `take`. Complete is what
/// [`Report::is_whole`] says.
pub(crate) fn identifiers<'a>(
    client: &'a Client,
    selection: Selection,
    mut take: impl FnMut(PageRecord) + Send + 'a,
) -> Pin<Box<dyn Future<Output = Result<Report, HarvestError>> + Send + 'a>> {
    Box::pin(async move {
        let mut take = |record| {
            take(record);
            Ok(())
        };
        let verb = ListVerb::ListIdentifiers;
        Harvest::new(client, verb, selection, None, &mut take).run().await
    })
}

impl Harvest<'_> {
    /// The parts of a window by set; none when that cannot help.
    pub(super) async fn by_set(
        &mut self,
        index: usize,
        trouble: &Trouble,
    ) -> Result<Vec<Window>, HarvestError> {
        let smaller_may_do =
            matches!(trouble, Trouble::TooMuch(_) | Trouble::Failing(_) | Trouble::Token(_));
        let window = self.windows.get(index).map(|window| window.window.clone());
        let (true, ListVerb::ListRecords, Some(window)) = (smaller_may_do, self.verb, window)
        else {
            return Ok(Vec::new());
        };
        if self.sets.is_none() {
            let sets = match lists::sets(self.client, &mut self.report).await {
                Ok(sets) => sets.into_iter().map(|set| set.spec).collect(),
                Err(HarvestError::Endpoint(reason)) => {
                    let message = format!("a window cannot be split by set: {reason}");
                    self.report.warn("", &[Warning::new("oai.sets", message)]);
                    Vec::new()
                }
                Err(error) => return Err(error),
            };
            self.sets = Some(sets);
        }
        let parts = below(self.sets.as_deref().unwrap_or_default(), window.set.as_deref());
        let part = |set: &str| Window { set: Some(set.to_owned()), ..window.clone() };
        Ok(parts.into_iter().map(part).collect())
    }

    /// How a window ended whose parts by set have all been asked for.
    pub(super) async fn prove(&mut self, parts: Parts) -> Result<End, HarvestError> {
        let Parts { id, window, mut came } = parts;
        let index = self.windows.iter().position(|window| window.id == id);
        let size = index.and_then(|index| self.reports.get(index)?.complete_list_size);
        // More than the endpoint said that there are: it does not know, and proves nothing.
        if size == Some(came.len() as u64) {
            return Ok(End::Complete);
        }
        let selection = Selection {
            prefix: self.selection.prefix.clone(),
            set: window.set.clone(),
            from: window.from.map(Datestamp::from_second),
            until: window.until.map(Datestamp::from_second),
        };
        let mut missing = Vec::new();
        let listed = identifiers(self.client, selection, |header| {
            if came.insert(header.identifier.clone()) {
                missing.push(header.identifier);
            }
        });
        let report = match listed.await {
            Ok(report) => report,
            Err(HarvestError::Endpoint(reason)) => {
                let why = "records in no set may be missing, and identifiers cannot be listed";
                return Ok(End::Suspect(format!("{why}: {reason}")));
            }
            Err(error) => return Err(error),
        };
        let is_whole = report.is_whole();
        self.report.absorb(&report);
        if !is_whole {
            let why = "records in no set may be missing: the list of identifiers is not whole";
            return Ok(End::Suspect(why.to_owned()));
        }
        if missing.len() > MAX_ALONE {
            return Ok(End::Suspect(format!("{} records are in no set", missing.len())));
        }
        for identifier in missing {
            if let Err(reason) = self.stray(id, &identifier).await? {
                return Ok(End::Suspect(format!("{identifier} is in no set: {reason}")));
            }
        }
        Ok(End::Complete)
    }

    // A record that no set has is asked for alone.
    async fn stray(
        &mut self,
        window: u64,
        identifier: &str,
    ) -> Result<Result<(), String>, HarvestError> {
        let (client, prefix) = (self.client, self.selection.prefix.clone());
        match lists::record(client, identifier, &prefix, &mut self.report).await {
            Ok((record, reply)) => {
                self.keep_alone(window, identifier, &reply)?;
                let message = "in no set, had alone".to_owned();
                self.report.warn(identifier, &[Warning::new("oai.no_set", message)]);
                self.record(record)?;
                Ok(Ok(()))
            }
            Err(HarvestError::Endpoint(reason)) => Ok(Err(reason)),
            Err(error) => Err(error),
        }
    }
}

/// Of the setSpecs, those right below `set` (§4.6: `a:b` is below `a`), or of all those that are
/// below no other: a set holds what is in the sets below it.
fn below<'s>(sets: &'s [String], set: Option<&str>) -> Vec<&'s str> {
    let is_below =
        |spec: &str, over: &str| spec.strip_prefix(over).is_some_and(|rest| rest.starts_with(':'));
    let inside: BTreeSet<&str> = sets
        .iter()
        .map(String::as_str)
        .filter(|spec| set.is_none_or(|set| is_below(spec, set)))
        .collect();
    let tops = inside.iter().filter(|spec| !inside.iter().any(|over| is_below(spec, over)));
    tops.copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_below_no_other_are_the_parts() {
        let sets = ["a:b", "a", "ab", "c:d", "c:d:e", "a:b:c"].map(str::to_owned);
        assert_eq!(below(&sets, None), ["a", "ab", "c:d"]);
        assert_eq!(below(&sets, Some("a")), ["a:b"]);
        assert_eq!(below(&sets, Some("ab")), [""; 0]);
    }
}
