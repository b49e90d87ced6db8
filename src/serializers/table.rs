//! The metadata formats that windrow offers out of the box.

use std::path::Path;
use std::sync::Arc;

use super::Serializer;
use crate::crosswalk::{Crosswalk, CrosswalkError, Runner};
use crate::formats::marc21::marcxml;
use crate::formats::{self, ReadOptions, SourceRecord};
use crate::store::{Item, ItemContent};

/// The crosswalk behind `oai_dc`, as it is shipped.
const RECORD_TO_OAI_DC: &str = include_str!("../../crosswalks/record-to-oai_dc.yaml");

/// All serializers, sorted by prefix; `crosswalks` is a folder whose `record-to-oai_dc.yaml`
/// replaces the one that is built in.
///
/// # Errors
/// [`CrosswalkError`] when a crosswalk has mistakes.
pub fn serializers(crosswalks: Option<&Path>) -> Result<Vec<Serializer>, CrosswalkError> {
    let oai_dc = match crosswalks {
        Some(folder) => Crosswalk::load(&folder.join("record-to-oai_dc.yaml"))?,
        None => {
            let name = "record-to-oai_dc.yaml".to_owned();
            Crosswalk::parse(name, RECORD_TO_OAI_DC.to_owned(), Path::new(""))
                .map_err(CrosswalkError::Invalid)?
        }
    };
    let oai_dc = Arc::new(oai_dc);
    Ok(vec![
        Serializer::new(
            "marc21",
            marcxml::NAMESPACE,
            "http://www.loc.gov/standards/marcxml/schema/MARC21slim.xsd",
            ItemContent::Source,
            marc21,
        ),
        Serializer::new(
            "oai_dc",
            "http://www.openarchives.org/OAI/2.0/oai_dc/",
            "http://www.openarchives.org/OAI/2.0/oai_dc.xsd",
            ItemContent::Json,
            move |item| through(&oai_dc, item),
        ),
    ])
}

/// The record's JSON through a crosswalk.
fn through(crosswalk: &Crosswalk, item: &Item) -> Result<String, String> {
    let json = item.json.as_deref().ok_or("it has no JSON")?;
    let record = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    let mut out = Vec::new();
    Runner::new(crosswalk.plan())
        .run(&SourceRecord::Json(record), &mut out)
        .map_err(|held| format!("{} [{}, rule {}]", held.message, held.code, held.rule))?;
    String::from_utf8(out).map_err(|error| error.to_string())
}

/// MARC as it came, whatever serialization it came in.
fn marc21(item: &Item) -> Result<String, String> {
    let source = item.source.as_ref().ok_or("its source bytes were not kept")?;
    let format = formats::by_name(&source.format)
        .ok_or_else(|| format!("its source is in the unknown format {}", source.format))?;
    let mut record = SourceRecord::default();
    format
        .read(&source.bytes, &ReadOptions::default(), &mut record, &mut Vec::new())
        .map_err(|error| error.to_string())?;
    match record {
        SourceRecord::Marc(marc) => {
            let mut out = String::with_capacity(source.bytes.len() * 2);
            marcxml::write(&marc, &mut out);
            Ok(out)
        }
        SourceRecord::Json(_) | SourceRecord::Xml(_) => {
            Err(format!("its source is {}, not MARC", source.format))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_its_built_in_crosswalk_compiles() {
        let table = serializers(None).unwrap();
        assert!(table.is_sorted_by(|a, b| a.prefix < b.prefix));
    }
}
