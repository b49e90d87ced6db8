//! A page that has come: onto disk, then its records one by one to whoever takes them.

use super::Harvest;
use crate::oai::ListVerb;
use crate::oai::page::{Page, PageRecord};
use crate::record::{Datestamp, Warning};
use crate::source::oai_pmh::client::Reply;
use crate::source::oai_pmh::journal::Entry;
use crate::source::oai_pmh::records::hold_to;
use crate::source::oai_pmh::{HarvestError, lists};

impl Harvest<'_> {
    // Puts a page on disk; answers its records, those that were broken as they were had alone.
    pub(super) async fn keep(
        &mut self,
        index: usize,
        arguments: &[(&'static str, String)],
        entry: Entry,
        body: &[u8],
        page: Page,
    ) -> Result<Vec<PageRecord>, HarvestError> {
        let records = page.records.len() as u64;
        let window = self.windows.get(index).map_or(0, |window| window.id);
        if let Some(journal) = &mut self.journal {
            let arguments = arguments.iter();
            let arguments = arguments.map(|(name, value)| ((*name).to_owned(), value.clone()));
            let entry = Entry { window, records, arguments: arguments.collect(), ..entry };
            journal.append(entry, body)?;
        }
        self.report.pages += 1;
        self.report.bytes += body.len() as u64;
        self.report.warn("", &page.warnings);
        if let Some(report) = self.reports.get_mut(index) {
            report.pages += 1;
            report.records += records;
        }
        let mut records = page.records;
        for record in &mut records {
            if record.damage.is_some() && !record.identifier.is_empty() {
                self.alone(window, record).await?;
            }
        }
        Ok(records)
    }

    // Gives the records of a page out, one by one.
    pub(super) fn give(&mut self, records: Vec<PageRecord>) -> Result<(), HarvestError> {
        records.into_iter().try_for_each(|record| self.record(record))
    }

    pub(super) fn record(&mut self, mut record: PageRecord) -> Result<(), HarvestError> {
        self.unproven.iter_mut().for_each(|parts| parts.note(&record));
        hold_to(self.client.endpoint().policy, &mut record);
        if let Some((code, message)) = &record.damage {
            self.report.broken(&record.identifier, code, message);
            return Ok((self.take)(record)?);
        }
        if !self.seen.is_new(&record) {
            self.report.duplicates += 1;
            return Ok(());
        }
        if !record.has_metadata && !record.deleted && self.verb == ListVerb::ListRecords {
            let message = "a record without metadata that is not deleted".to_owned();
            record.warnings.push(Warning::new("oai.no_metadata", message));
        }
        let fits = match Datestamp::parse(&record.datestamp) {
            Ok((_, granularity)) => granularity == self.granularity,
            Err(_) => false,
        };
        if !fits {
            let message = format!("datestamp is {:?}", record.datestamp);
            record.warnings.push(Warning::new("oai.datestamp", message));
        }
        self.report.records += 1;
        self.report.deleted += u64::from(record.deleted);
        self.report.warn(&record.identifier, &record.warnings);
        Ok((self.take)(record)?)
    }

    // A record that is broken in its list may be whole alone.
    async fn alone(&mut self, window: u64, record: &mut PageRecord) -> Result<(), HarvestError> {
        if self.verb != ListVerb::ListRecords {
            return Ok(());
        }
        let (client, prefix) = (self.client, self.selection.prefix.clone());
        let asked = lists::record(client, &record.identifier, &prefix, &mut self.report).await;
        match asked {
            Ok((alone, reply))
                if alone.damage.is_none() && alone.identifier == record.identifier =>
            {
                self.keep_alone(window, &record.identifier, &reply)?;
                let message = "broken in its list, whole alone".to_owned();
                self.report.warn(&record.identifier, &[Warning::new("oai.alone", message)]);
                *record = alone;
                Ok(())
            }
            Ok(_) | Err(HarvestError::Endpoint(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    // Puts a record that was had alone on disk.
    pub(super) fn keep_alone(
        &mut self,
        window: u64,
        identifier: &str,
        reply: &Reply,
    ) -> Result<(), HarvestError> {
        let Some(journal) = &mut self.journal else { return Ok(()) };
        let arguments = lists::of_record(identifier, &self.selection.prefix);
        let arguments = arguments.map(|(name, value)| (name.into(), value.into())).to_vec();
        let entry = Entry { window, arguments, records: 1, ..Entry::of(reply) };
        journal.append(entry, &reply.body)
    }
}
