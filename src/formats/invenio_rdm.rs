//! InvenioRDM record JSON: `metadata` and what stands beside it, alone or in the REST API's hits.
//!
//! <https://inveniordm.docs.cern.ch/reference/metadata/>

use serde_json::Value;

use super::json::{self, JsonFraming};
use super::{DecodeError, Format, Model, Reading, Writing};

/// The row of [`crate::formats::FORMATS`].
pub const FORMAT: Format = Format {
    name: "invenio_rdm",
    title: "InvenioRDM record JSON",
    media_type: "application/vnd.inveniordm.v1+json",
    extensions: &["json"],
    model: Model::Json,
    reading: Some(Reading {
        sniff: |_| false,
        framing: || JsonFraming::boxed(&["hits", "hits"]),
        decode: |bytes, options, record, warnings| {
            let check = |value, _: &mut Vec<_>| is_record(&value).map(|()| value);
            json::read_as(check, bytes, options, record, warnings)
        },
    }),
    writing: Some(Writing {
        open: |_| String::new(),
        between: "\n",
        close: "\n",
        encode: |record, _, out, _| json::write_as(is_record, record, out),
    }),
};

// What other systems of the same family write has the same frame and other metadata.
fn is_record(value: &Value) -> Result<(), DecodeError> {
    let metadata = value.get("metadata").filter(|metadata| metadata.is_object());
    let of = |key| metadata.and_then(|metadata| metadata.get(key));
    let is_rdm_type = |kind: &Value| kind.get("id").is_some() || kind.get("type").is_none();
    let found = if value.get("conceptrecid").is_some() || of("upload_type").is_some() {
        "a record of Zenodo's older JSON"
    } else if of("titles").is_some() {
        "a record of INSPIRE or of DataCite"
    } else if !of("resource_type").is_none_or(is_rdm_type) {
        "a record of an older Invenio"
    } else if metadata.is_some() || value.get("tombstone").is_some_and(Value::is_object) {
        return Ok(());
    } else if value.get("attributes").is_some() || value.get("creators").is_some() {
        "DataCite JSON"
    } else {
        "an object without `metadata`"
    };
    let message = format!("found {found}, expected a record of InvenioRDM");
    Err(DecodeError::new("invenio_rdm.dialect", message))
}
