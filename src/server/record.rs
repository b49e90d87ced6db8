//! Items as the protocol shows them: headers, records, tombstones, and what is left out.

use super::Shared;
use crate::oai::{DeletedRecord, Header, RecordWriter, oai_identifier, provenance};
use crate::serializers::{ItemWriter, SerializeError, Serializer};
use crate::store::Item;

/// Where items are written in one format, and counted.
pub(super) struct Bench<'s> {
    shared: &'s Shared,
    serializer: &'s Serializer,
    writer: ItemWriter<'s>,
    scratch: String,
    /// Headers or records that were written.
    pub given: u64,
    /// Records that should have been.
    pub left_out: u64,
}

impl<'s> Bench<'s> {
    pub fn new(shared: &'s Shared, serializer: &'s Serializer) -> Bench<'s> {
        let (writer, scratch) = (serializer.writer(), String::new());
        Bench { shared, serializer, writer, scratch, given: 0, left_out: 0 }
    }

    /// The header of an item, if it has the format. `surely` when nobody needs to look.
    pub fn header(&mut self, item: &Item, surely: bool, out: &mut RecordWriter) {
        if self.shared.is_hidden(item) || !(surely || self.has(item)) {
            return;
        }
        out.header(&header(item, &self.identifier(item)));
        self.given += 1;
    }

    /// Whether any of the items would be shown.
    pub fn has_any(&mut self, items: &[Item]) -> bool {
        items.iter().any(|item| !self.shared.is_hidden(item) && self.has(item))
    }

    /// Whether an item has the format.
    fn has(&mut self, item: &Item) -> bool {
        self.scratch.clear();
        item.header.deleted
            || self.serializer.is_total
            || self.writer.write(item, &mut self.scratch).is_ok()
    }

    /// The record of an item, if it has the format; a tombstone has no metadata. One that should
    /// have it and cannot be written is told of.
    pub fn record(&mut self, item: &Item, out: &mut RecordWriter) {
        match self.try_record(item, out) {
            Ok(true) => self.given += 1,
            Ok(false) => {}
            Err(error) if self.serializer.is_total => {
                let identifier = self.identifier(item);
                self.shared.note_left_out(&identifier, &error);
                out.left_out(&identifier);
                self.left_out += 1;
            }
            Err(error) => tracing::debug!(%error, "not to be had in this format"),
        }
    }

    /// Writes the record of an item; `false` when the item is not shown at all.
    ///
    /// # Errors
    /// [`SerializeError`] when it cannot be written in this format.
    fn try_record(&mut self, item: &Item, out: &mut RecordWriter) -> Result<bool, SerializeError> {
        if self.shared.is_hidden(item) {
            return Ok(false);
        }
        let identifier = self.identifier(item);
        let header = header(item, &identifier);
        if item.header.deleted {
            out.tombstone(&header);
            return Ok(true);
        }
        let about = self.shared.state.config.about.iter().map(String::as_str);
        let provenance = item
            .origin
            .as_ref()
            .map(|origin| provenance::write(origin, self.serializer.alters(item, origin)));
        let about: Vec<&str> = provenance.as_deref().into_iter().chain(about).collect();
        out.record(&header, &about, |metadata| self.writer.write(item, metadata))?;
        Ok(true)
    }

    fn identifier(&self, item: &Item) -> String {
        let namespace = &self.shared.state.config.repository_identifier;
        oai_identifier(namespace, &item.header.pid_value)
    }
}

impl Shared {
    /// Whether an item is not to be told of: a deleted one where those are not.
    pub(super) fn is_hidden(&self, item: &Item) -> bool {
        item.header.deleted && self.state.config.deleted_record == DeletedRecord::No
    }
}

fn header<'i>(item: &'i Item, identifier: &'i str) -> Header<'i> {
    let header = &item.header;
    Header {
        identifier,
        datestamp: header.datestamp,
        deleted: header.deleted,
        set_specs: &header.set_specs,
    }
}
