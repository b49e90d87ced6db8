//! The metadata formats that windrow offers out of the box.

use std::path::Path;
use std::sync::Arc;

use super::{Serializer, Way};
use crate::crosswalk::{Crosswalk, CrosswalkError};
use crate::formats::Model;
use crate::store::ItemContent;

/// The metadataPrefix that every repository offers, for every record (OAI-PMH 2.0 §3.4).
pub const OAI_DC: &str = "oai_dc";

/// What a row is written from.
enum Kind {
    /// The record's JSON, through a crosswalk, between these.
    Json(&'static str, &'static str),
    /// MARC as it came; other records through a crosswalk.
    Marc,
}

struct Row {
    prefix: &'static str,
    namespace: &'static str,
    schema: &'static str,
    crosswalk: &'static str,
    kind: Kind,
}

static SERIALIZERS: &[Row] = &[
    Row {
        prefix: "datacite",
        namespace: "http://datacite.org/schema/kernel-4",
        schema: "https://schema.datacite.org/meta/kernel-4.6/metadata.xsd",
        crosswalk: "record-to-datacite.yaml",
        kind: Kind::Json("", ""),
    },
    Row {
        prefix: "marc21",
        namespace: "http://www.loc.gov/MARC21/slim",
        schema: "http://www.loc.gov/standards/marcxml/schema/MARC21slim.xsd",
        crosswalk: "record-to-marc21.yaml",
        kind: Kind::Marc,
    },
    Row {
        prefix: "mods",
        namespace: "http://www.loc.gov/mods/v3",
        schema: "http://www.loc.gov/standards/mods/v3/mods-3-8.xsd",
        crosswalk: "record-to-mods.yaml",
        kind: Kind::Json("", ""),
    },
    // DataCite's own envelope, version 1.1. Who registered the DOI is not known here.
    Row {
        prefix: "oai_datacite",
        namespace: "http://schema.datacite.org/oai/oai-1.1/",
        schema: "https://schema.datacite.org/oai/oai-1.1/oai.xsd",
        crosswalk: "record-to-datacite.yaml",
        kind: Kind::Json(
            "<oai_datacite xmlns=\"http://schema.datacite.org/oai/oai-1.1/\" \
             xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
             xsi:schemaLocation=\"http://schema.datacite.org/oai/oai-1.1/ \
             https://schema.datacite.org/oai/oai-1.1/oai.xsd\"><schemaVersion>4.6</schemaVersion>\
             <datacentreSymbol/><payload>",
            "</payload></oai_datacite>",
        ),
    },
    Row {
        prefix: OAI_DC,
        namespace: "http://www.openarchives.org/OAI/2.0/oai_dc/",
        schema: "http://www.openarchives.org/OAI/2.0/oai_dc.xsd",
        crosswalk: "record-to-oai_dc.yaml",
        kind: Kind::Json("", ""),
    },
];

/// All formats of the table, sorted by prefix. A file of `crosswalks` that has the name of one
/// that is built in, `record-to-oai_dc.yaml` and the like, replaces it.
///
/// # Errors
/// [`CrosswalkError`] when a crosswalk has mistakes.
pub fn serializers(crosswalks: Option<&Path>) -> Result<Vec<Serializer>, CrosswalkError> {
    let serializer = |row: &Row| {
        let own = crosswalks.map(|folder| folder.join(row.crosswalk)).filter(|path| path.exists());
        let crosswalk = Arc::new(match own {
            Some(path) => Crosswalk::load(&path)?,
            None => Crosswalk::built_in(row.crosswalk)?,
        });
        let (content, way) = match row.kind {
            Kind::Json(before, behind) => {
                (ItemContent::Json, Way::Json { crosswalk, before, behind })
            }
            Kind::Marc => (ItemContent::Source, Way::Marc(crosswalk)),
        };
        let is_total = matches!(way, Way::Marc(_)) || row.prefix == OAI_DC;
        let serializer = Serializer::of(row.prefix, row.namespace, row.schema, content, way);
        Ok(Serializer { is_total, ..serializer })
    };
    SERIALIZERS.iter().map(serializer).collect()
}

/// A format of the site's own: records through its crosswalk.
///
/// # Errors
/// What is wrong with the crosswalk for this purpose.
pub fn custom(
    prefix: &str,
    namespace: &str,
    schema: &str,
    crosswalk: Crosswalk,
) -> Result<Serializer, String> {
    let plan = crosswalk.plan();
    if plan.output.model == Model::Json {
        return Err(format!("{} writes JSON, expected XML or MARC", crosswalk.name()));
    }
    if plan.input.model() != Model::Json {
        return Err(format!("{} does not read JSON, of which records are", crosswalk.name()));
    }
    let way = Way::Json { crosswalk: Arc::new(crosswalk), before: "", behind: "" };
    Ok(Serializer::of(prefix, namespace, schema, ItemContent::Json, way))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_its_built_in_crosswalks_compile() {
        let table = serializers(None).unwrap();
        assert!(table.is_sorted_by(|a, b| a.prefix < b.prefix));
        assert!(table.iter().any(|row| row.prefix == OAI_DC));
    }
}
