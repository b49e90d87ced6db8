//! Dublin Core in XML: `oai_dc`, the fifteen elements, and `dcterms`, the qualified terms.
//!
//! A record of `oai_dc` is an element `<dc>`, in the namespace of OAI-PMH's mandatory format or
//! (with a warning) in another or none, as `<simpledc>` too. Qualified Dublin Core has no root of
//! its own that all use: any element that holds elements of Dublin Core is one. Order, `xml:lang`
//! and `xsi:type` are kept. Several records in one file stand in `<records>`.
//! <https://www.dublincore.org/specifications/dublin-core/dc-xml-guidelines/>
//! <https://www.openarchives.org/OAI/2.0/oai_dc.xsd>

use super::envelope::{CLOSE, DC_NAMESPACE, DCTERMS_NAMESPACE, OPEN, RecordFraming, Shape, sniff};
use super::{Format, Model, Reading, Writing};
use crate::xml::tree::{Element, Tree};

/// The namespace of the root of `oai_dc`.
pub const OAI_DC_NAMESPACE: &str = "http://www.openarchives.org/OAI/2.0/oai_dc/";

/// The row of [`super::FORMATS`] for the fifteen elements.
pub const OAI_DC: Format = Format {
    name: "oai_dc",
    title: "Dublin Core (oai_dc)",
    media_type: "application/xml",
    extensions: &["xml"],
    model: Model::Xml,
    reading: Some(Reading {
        sniff: |first_bytes| sniff(first_bytes) == Some(SIMPLE.name),
        framing: || RecordFraming::boxed(&["record", "mets", "dc", "simpledc"]),
        decode: |bytes, options, record, warnings| SIMPLE.decode(bytes, options, record, warnings),
    }),
    writing: Some(Writing {
        open: |_| OPEN.to_owned(),
        between: "\n",
        close: CLOSE,
        encode: |record, options, out, warnings| SIMPLE.encode(record, options, out, warnings),
    }),
};

/// The row of [`super::FORMATS`] for the qualified terms.
pub const DCTERMS: Format = Format {
    name: "dcterms",
    title: "Qualified Dublin Core (dcterms)",
    media_type: "application/xml",
    extensions: &["xml"],
    model: Model::Xml,
    reading: Some(Reading {
        sniff: |first_bytes| sniff(first_bytes) == Some(QUALIFIED.name),
        framing: || {
            RecordFraming::boxed(&[
                "record",
                "mets",
                "qualifieddc",
                "qdc",
                "dcterms",
                "dc",
                "metadata",
            ])
        },
        decode: |bytes, options, record, warnings| {
            QUALIFIED.decode(bytes, options, record, warnings)
        },
    }),
    writing: Some(Writing {
        open: |_| OPEN.to_owned(),
        between: "\n",
        close: CLOSE,
        encode: |record, options, out, warnings| QUALIFIED.encode(record, options, out, warnings),
    }),
};

const SIMPLE: Shape = Shape {
    name: "oai_dc",
    no_root: "oai_dc.root",
    namespace: "oai_dc.namespace",
    root: "<dc> of http://www.openarchives.org/OAI/2.0/oai_dc/",
    is_root: |element| matches!(element.local(), "dc" | "simpledc"),
    is_bound: |element| element.name().is(OAI_DC_NAMESPACE, "dc"),
};

const QUALIFIED: Shape = Shape {
    name: "dcterms",
    no_root: "dcterms.root",
    namespace: "dcterms.namespace",
    root: "that holds elements of Dublin Core",
    is_root: |element| {
        let is_named = matches!(element.name().local, "qualifieddc" | "qdc" | "dcterms" | "dc");
        is_named || holds_terms(element)
    },
    is_bound: |element| holds_terms(element) || element.elements().next().is_none(),
};

fn holds_terms(element: Element<'_>) -> bool {
    let mut children = element.elements();
    children.any(|child| matches!(child.name().namespace, DC_NAMESPACE | DCTERMS_NAMESPACE))
}

/// The `<dc>` of a record of `oai_dc`; `None` when the record is deleted.
#[must_use]
pub fn oai_dc(tree: &Tree) -> Option<Element<'_>> {
    SIMPLE.find(tree)
}

/// The element that holds the terms of a record of `dcterms`; `None` when the record is deleted.
#[must_use]
pub fn dcterms(tree: &Tree) -> Option<Element<'_>> {
    QUALIFIED.find(tree)
}
