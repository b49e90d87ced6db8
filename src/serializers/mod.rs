//! How records leave: a table of metadata formats, each with its writer.

mod table;

use std::sync::Arc;

use thiserror::Error;

pub use table::{OAI_DC, custom, serializers};

use crate::crosswalk::{Crosswalk, Held, Runner};
use crate::formats::marc21::marcxml;
use crate::formats::{self, ReadOptions, SourceRecord};
use crate::json::tree::Tree;
use crate::record::Origin;
use crate::store::{Item, ItemContent, SourceBytes};

/// A record that is not written in a format.
#[derive(Debug, Error)]
#[error("{pid_value} cannot be written as {prefix}: {message}")]
pub struct SerializeError {
    /// The record.
    pub pid_value: String,
    /// The metadataPrefix.
    pub prefix: String,
    /// The reason.
    pub message: String,
}

/// What a record of MARCXML begins with, and what harvesters like to have behind it.
const MARC_ROOT: &str = "<record xmlns=\"http://www.loc.gov/MARC21/slim\"";
const MARC_LOCATION: &str = " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
                             xsi:schemaLocation=\"http://www.loc.gov/MARC21/slim \
                             http://www.loc.gov/standards/marcxml/schema/MARC21slim.xsd\"";

type Write = dyn Fn(&Item) -> Result<String, String> + Send + Sync;

/// How an item becomes metadata.
enum Way {
    /// Whatever this does.
    Function(Box<Write>),
    /// The record's JSON through a crosswalk that writes XML or MARC, in an envelope.
    Json { crosswalk: Arc<Crosswalk>, before: &'static str, behind: &'static str },
    /// MARC as it came, whatever its serialization was; what came otherwise, through a crosswalk.
    Marc(Arc<Crosswalk>),
}

/// One metadata format that the endpoint offers.
pub struct Serializer {
    /// metadataPrefix.
    pub prefix: String,
    /// XML namespace of its root.
    pub namespace: String,
    /// Location of its XSD.
    pub schema: String,
    /// What it is written from.
    pub content: ItemContent,
    /// Whether every record has this format, so that one that cannot be written is a fault. Of
    /// the others some records just lack what the format demands.
    pub is_total: bool,
    way: Way,
}

impl Serializer {
    /// A serializer that writes with `write`: one XML element, without XML declaration.
    pub fn new(
        prefix: &str,
        namespace: &str,
        schema: &str,
        content: ItemContent,
        write: impl Fn(&Item) -> Result<String, String> + Send + Sync + 'static,
    ) -> Serializer {
        let way = Way::Function(Box::new(write));
        Serializer::of(prefix, namespace, schema, content, way)
    }

    fn of(
        prefix: &str,
        namespace: &str,
        schema: &str,
        content: ItemContent,
        way: Way,
    ) -> Serializer {
        let [prefix, namespace, schema] = [prefix, namespace, schema].map(str::to_owned);
        Serializer { is_total: prefix == OAI_DC, prefix, namespace, schema, content, way }
    }

    /// Whether an item is given out otherwise than it was harvested: its metadata came in another
    /// format, or went through crosswalks.
    #[must_use]
    pub fn alters(&self, item: &Item, origin: &Origin) -> bool {
        let gives_source =
            matches!(self.way, Way::Marc(_)) && item.source.as_ref().is_some_and(is_marc);
        !gives_source || origin.metadata_namespace != self.namespace
    }

    /// Something to write many items with, memory reused.
    #[must_use]
    pub fn writer(&self) -> ItemWriter<'_> {
        let runner = match &self.way {
            Way::Function(_) => None,
            Way::Json { crosswalk, .. } | Way::Marc(crosswalk) => {
                Some(Runner::without_account(crosswalk.plan()))
            }
        };
        ItemWriter { serializer: self, runner, source: SourceRecord::default(), out: Vec::new() }
    }
}

/// Writes items in one format.
pub struct ItemWriter<'s> {
    serializer: &'s Serializer,
    /// Of the crosswalk, where the format has one.
    runner: Option<Runner<'s>>,
    source: SourceRecord,
    out: Vec<u8>,
}

impl ItemWriter<'_> {
    /// Appends the item's metadata: one XML element that declares its own namespaces.
    ///
    /// # Errors
    /// [`SerializeError`] names the record and the reason; `xml` is then as it was.
    pub fn write(&mut self, item: &Item, xml: &mut String) -> Result<(), SerializeError> {
        let begin = xml.len();
        self.try_write(item, xml).map_err(|message| {
            xml.truncate(begin);
            SerializeError {
                pid_value: item.header.pid_value.clone(),
                prefix: self.serializer.prefix.clone(),
                message,
            }
        })
    }

    fn try_write(&mut self, item: &Item, xml: &mut String) -> Result<(), String> {
        match &self.serializer.way {
            Way::Function(write) => xml.push_str(&write(item)?),
            Way::Json { before, behind, .. } => {
                xml.push_str(before);
                xml.push_str(self.mapped(item)?);
                xml.push_str(behind);
            }
            Way::Marc(_) => {
                let begin = xml.len();
                match item.source.as_ref().filter(|source| is_marc(source)) {
                    Some(source) => self.marc(source, xml)?,
                    None => xml.push_str(self.mapped(item)?),
                }
                if xml.get(begin..).is_some_and(|record| record.starts_with(MARC_ROOT)) {
                    xml.insert_str(begin + MARC_ROOT.len(), MARC_LOCATION);
                }
            }
        }
        Ok(())
    }

    /// The record's JSON through the crosswalk.
    fn mapped(&mut self, item: &Item) -> Result<&str, String> {
        let json = item.json.as_deref().ok_or("it has no JSON")?;
        let json = std::str::from_utf8(json).map_err(|error| error.to_string())?;
        let record = Tree::parse(json).map_err(|error| error.to_string())?;
        let runner = self.runner.as_mut().ok_or("the format has no crosswalk")?;
        let name = &item.header.pid_value;
        runner.run_json(&record, name, &mut self.out).map_err(|held| reason(&held))?;
        std::str::from_utf8(&self.out).map_err(|error| error.to_string())
    }

    fn marc(&mut self, source: &SourceBytes, xml: &mut String) -> Result<(), String> {
        let format = formats::by_name(&source.format)
            .ok_or_else(|| format!("its source is in the unknown format {}", source.format))?;
        format
            .read(&source.bytes, &ReadOptions::default(), &mut self.source, &mut Vec::new())
            .map_err(|error| error.to_string())?;
        let marc = self.source.marc().map_err(|error| error.to_string())?;
        marcxml::write(marc, xml);
        Ok(())
    }
}

fn is_marc(source: &SourceBytes) -> bool {
    formats::by_name(&source.format).is_some_and(|format| format.model == formats::Model::Marc)
}

fn reason(held: &Held) -> String {
    format!("{} [{}, rule {}]", held.message, held.code, held.rule)
}
