//! MODS 3, read in any of its versions and written as it was read, in one `modsCollection`.
//!
//! <https://www.loc.gov/standards/mods/>

use super::envelope::{RecordFraming, Shape, sniff};
use super::{Format, Model, Reading, Writing};
use crate::xml::tree::{Element, Tree};

/// The namespace of all versions of MODS 3.
pub const NAMESPACE: &str = "http://www.loc.gov/mods/v3";

/// The row of [`super::FORMATS`].
pub const FORMAT: Format = Format {
    name: "mods",
    title: "MODS",
    media_type: "application/mods+xml",
    extensions: &["xml", "mods"],
    model: Model::Xml,
    reading: Some(Reading {
        sniff: |first_bytes| sniff(first_bytes) == Some(SHAPE.name),
        framing: || RecordFraming::boxed(&["record", "mets", "mods"]),
        decode: |bytes, options, record, warnings| SHAPE.decode(bytes, options, record, warnings),
    }),
    writing: Some(Writing {
        // With a prefix, so that what is in no namespace stays there.
        open: |_| {
            let declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
            format!("{declaration}\n<mods:modsCollection xmlns:mods=\"{NAMESPACE}\">\n")
        },
        between: "\n",
        close: "\n</mods:modsCollection>\n",
        encode: |record, options, out, warnings| SHAPE.encode(record, options, out, warnings),
    }),
};

const SHAPE: Shape = Shape {
    name: "mods",
    no_root: "mods.root",
    namespace: "mods.namespace",
    root: "<mods> of http://www.loc.gov/mods/v3",
    is_root: |element| element.name().local == "mods",
    is_bound: |element| element.name().is(NAMESPACE, "mods"),
};

/// The `<mods>` of a record; `None` when the record is deleted.
#[must_use]
pub fn mods(tree: &Tree) -> Option<Element<'_>> {
    SHAPE.find(tree)
}
