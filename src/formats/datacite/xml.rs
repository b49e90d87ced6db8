//! DataCite XML: kernels 2 to 4.7 read, 4.3 to 4.7 written.
//!
//! The version is told by `xsi:schemaLocation`, else by the namespace. What is written says the
//! version it is written in, by both. A record of an older kernel becomes one of kernel 4 where
//! that is a matter of its namespace and its list of rights; where it is not, writing it is an
//! error.
//! <https://schema.datacite.org/>

use super::{Version, grammar, vocabulary};
use crate::formats::envelope::{self, CLOSE, OPEN, RecordFraming, Shape, sniff};
use crate::formats::{EncodeError, Format, Model, Reading, SourceRecord, WriteOptions, Writing};
use crate::record::Warning;
use crate::xml::tree::{Attribute, Builder, Element, Node, Tree, XML_NAMESPACE, XSI_NAMESPACE};

/// The namespace of all of kernel 4.
pub const NAMESPACE: &str = "http://datacite.org/schema/kernel-4";
/// The namespaces of the kernels; 2.0 has none.
const NAMESPACES: [&str; 4] = [
    "http://datacite.org/schema/kernel-2.1",
    "http://datacite.org/schema/kernel-2.2",
    "http://datacite.org/schema/kernel-3",
    NAMESPACE,
];
const ANY_KERNEL: &str = "http://datacite.org/schema/kernel";

/// The row of [`crate::formats::FORMATS`].
pub const FORMAT: Format = Format {
    name: "datacite_xml",
    title: "DataCite XML",
    media_type: "application/vnd.datacite.datacite+xml",
    extensions: &["xml"],
    model: Model::Xml,
    reading: Some(Reading {
        sniff: |first_bytes| sniff(first_bytes) == Some(SHAPE.name),
        framing: || RecordFraming::boxed(&["record", "mets", "oai_datacite", "resource"]),
        decode: |bytes, options, record, warnings| SHAPE.decode(bytes, options, record, warnings),
    }),
    writing: Some(Writing { open: |_| OPEN.to_owned(), between: "\n", close: CLOSE, encode }),
};

const SHAPE: Shape = Shape {
    name: "datacite_xml",
    no_root: "datacite_xml.root",
    namespace: "datacite_xml.namespace",
    root: "<resource> of http://datacite.org/schema/kernel-4 or older",
    is_root: |element| {
        let name = element.name();
        let is_kernel = name.namespace.starts_with(ANY_KERNEL)
            || (name.namespace.is_empty() && element.child("", "identifier").is_some());
        name.local == "resource" && is_kernel
    },
    is_bound: |element| NAMESPACES.contains(&element.name().namespace),
};

/// The `<resource>` of a record; `None` when the record is deleted.
#[must_use]
pub fn resource(tree: &Tree) -> Option<Element<'_>> {
    SHAPE.find(tree)
}

/// The version that a `<resource>` says it is of.
#[must_use]
pub fn version(resource: Element<'_>) -> Option<Version> {
    let location = |name| resource.attribute(XSI_NAMESPACE, name);
    let of_location = location("schemaLocation").or_else(|| location("noNamespaceSchemaLocation"));
    let kernel = |text: &str| {
        let (_, rest) = text.rsplit_once("kernel-")?;
        let is_number = |c: char| c.is_ascii_digit() || c == '.';
        Version::parse(rest.get(..rest.find(|c| !is_number(c)).unwrap_or(rest.len()))?)
    };
    let found = of_location.and_then(|location| {
        location
            .value()
            .split_ascii_whitespace()
            .rfind(|word| word.contains("kernel-"))
            .and_then(kernel)
    });
    found.or_else(|| kernel(resource.name().namespace))
}

/// Writes one record in a version of kernel 4, [`Version::WRITTEN`] unless the options say another.
///
/// What no version knows is written all the same when the record was of kernel 4 already, with a
/// warning `datacite_xml.element`, `.attribute` or `.value`.
///
/// # Errors
/// `datacite_xml.version` for what came with a later version, or is not known to kernel 4 in a
/// record of an older kernel, or when the version is not one that is written;
/// `datacite_xml.root` when the record is no DataCite.
fn encode(
    record: &SourceRecord,
    options: &WriteOptions,
    out: &mut Vec<u8>,
    warnings: &mut Vec<Warning>,
) -> Result<(), EncodeError> {
    let (tree, root) = SHAPE.root_to_write(record)?;
    let Some(root) = root else {
        envelope::write(tree, out, warnings);
        return Ok(());
    };
    let minor = written_minor(options)?;
    let mut check =
        Check { minor, is_older: root.name().namespace != NAMESPACE, found: Vec::new() };
    for element in root.descendants() {
        check.element(element)?;
    }
    let mut translated = Tree::default();
    let mut builder = Builder::new(&mut translated);
    if let Some(whole) = tree.root() {
        Translation { minor, root }.copy(whole, false, &mut builder);
    }
    builder.finish();
    warnings.append(&mut check.found);
    envelope::write(&translated, out, warnings);
    Ok(())
}

fn written_minor(options: &WriteOptions) -> Result<u8, EncodeError> {
    let asked = options.version.as_deref().map(Version::parse);
    match asked.unwrap_or(Some(Version::WRITTEN)) {
        Some(Version { major: 4, minor: Some(minor @ 3..=7) }) => Ok(minor),
        _ => {
            let asked = options.version.as_deref().unwrap_or_default();
            let message = format!("version {asked:?}, expected one of 4.3 to 4.7");
            Err(EncodeError::new("datacite_xml.version", message))
        }
    }
}

// Holds a record against the version that it is to be written in.
struct Check {
    minor: u8,
    /// Whether the record says it is of a kernel before 4.
    is_older: bool,
    found: Vec<Warning>,
}

impl Check {
    fn element(&mut self, element: Element<'_>) -> Result<(), EncodeError> {
        let name = element.name();
        for child in element.elements() {
            let child = child.name();
            if self.is_older && name.local == "resource" && child.local == "rights" {
                continue;
            }
            let is_foreign = child.namespace != name.namespace;
            let since = grammar::since(name.local, child.local).filter(|_| !is_foreign);
            self.judge(since, "datacite_xml.element", || {
                format!("element {} in {}", child.local, name.local)
            })?;
        }
        for attribute in element.attributes() {
            let attribute_name = attribute.name();
            let written = match attribute_name.namespace {
                XSI_NAMESPACE => continue,
                XML_NAMESPACE => format!("@xml:{}", attribute_name.local),
                _ => format!("@{}", attribute_name.local),
            };
            let since = grammar::since(name.local, &written);
            self.judge(since, "datacite_xml.attribute", || {
                format!("attribute {} of {}", attribute_name.local, name.local)
            })?;
            if let Some(list) = vocabulary::list_of(attribute_name.local) {
                let since = vocabulary::since(list, attribute.value());
                self.judge(since, "datacite_xml.value", || {
                    let value: String = attribute.value().chars().take(60).collect();
                    format!("{} {value:?}", attribute_name.local)
                })?;
            }
        }
        Ok(())
    }

    fn judge(
        &mut self,
        since: Option<u8>,
        code: &'static str,
        what: impl Fn() -> String,
    ) -> Result<(), EncodeError> {
        let minor = self.minor;
        match since {
            Some(since) if since <= minor => Ok(()),
            Some(since) => {
                let message =
                    format!("{} came with version 4.{since}, not known to 4.{minor}", what());
                Err(EncodeError::new("datacite_xml.version", message))
            }
            None if self.is_older => {
                let message = format!("{} of an older kernel, not known to 4.{minor}", what());
                Err(EncodeError::new("datacite_xml.version", message))
            }
            None => {
                let warning = Warning::new(code, format!("{} is not known to 4.{minor}", what()));
                if !self.found.contains(&warning) {
                    self.found.push(warning);
                }
                Ok(())
            }
        }
    }
}

// A record as it is, but of another version.
struct Translation<'t> {
    minor: u8,
    root: Element<'t>,
}

impl Translation<'_> {
    // `inside`: whether the element stands in the root, not around it.
    fn copy(&self, element: Element<'_>, inside: bool, builder: &mut Builder<'_>) {
        let inside = inside || element.index() == self.root.index();
        let name = element.name();
        let kernel = self.root.name().namespace;
        let namespace =
            |namespace| if inside && namespace == kernel { NAMESPACE } else { namespace };
        let wrapper = element.parent().map_or("", |parent| parent.name().local);
        // Kernel 3 put the rights into a list.
        let lists =
            inside && kernel != NAMESPACE && (wrapper, name.local) == ("resource", "rights");
        if lists {
            builder.open(NAMESPACE, name.prefix, "rightsList");
        }
        builder.open(namespace(name.namespace), name.prefix, name.local);
        for (prefix, declared) in element.declarations() {
            builder.declare(prefix, namespace(declared));
        }
        for attribute in element.attributes() {
            let name = attribute.name();
            match self.location(attribute).filter(|_| inside) {
                Some(location) => {
                    builder.attribute(XSI_NAMESPACE, name.prefix, "schemaLocation", &location);
                }
                None => {
                    let value = attribute.value();
                    builder.attribute(name.namespace, name.prefix, name.local, value);
                }
            }
        }
        if (wrapper, name.local) == ("oai_datacite", "schemaVersion") {
            builder.text(&format!("4.{}", self.minor));
        } else {
            for child in element.children() {
                match child {
                    Node::Element(child) => self.copy(child, inside, builder),
                    Node::Text(text) => builder.text(text.value()),
                }
            }
        }
        builder.close();
        if lists {
            builder.close();
        }
    }

    // The value of `xsi:schemaLocation` if the attribute says where the kernel's schema is: pairs
    // of namespace and address, in which only the kernel's is another.
    fn location(&self, attribute: Attribute<'_>) -> Option<String> {
        let minor = self.minor;
        let kernel =
            format!("{NAMESPACE} https://schema.datacite.org/meta/kernel-4.{minor}/metadata.xsd");
        let name = attribute.name();
        if name.is(XSI_NAMESPACE, "noNamespaceSchemaLocation") {
            return Some(kernel);
        }
        if !name.is(XSI_NAMESPACE, "schemaLocation") {
            return None;
        }
        let words: Vec<&str> = attribute.value().split_ascii_whitespace().collect();
        let is_kernel =
            |pair: &[&str]| pair.first().is_some_and(|word| word.starts_with(ANY_KERNEL));
        let pair = |pair: &[&str]| if is_kernel(pair) { kernel.clone() } else { pair.join(" ") };
        words
            .chunks(2)
            .any(is_kernel)
            .then(|| words.chunks(2).map(pair).collect::<Vec<_>>().join(" "))
    }
}
