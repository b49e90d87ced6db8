//! Provenance: where a record was harvested, as the `about` of a record says it.
//!
//! <https://www.openarchives.org/OAI/2.0/guidelines-provenance.htm>

use jiff::Timestamp;

use super::NAMESPACE;
use super::container::open;
use crate::record::{Datestamp, Origin, Warning};
use crate::xml::tree::{Element, Tree};
use crate::xml::writer::Writer;

/// So many repositories may have passed a record on; more are not read.
const MAX_EARLIER: usize = 32;

/// The origin of the record `tree`, which was harvested from `base_url` by an answer of the moment
/// `harvest_date`; `None` when it is no record of OAI-PMH with metadata.
///
/// Warning: `oai.provenance` (what the endpoint says of an earlier origin, or the datestamp, is not
/// what the schema of provenance allows, and left out).
#[must_use]
pub fn read(
    tree: &Tree,
    base_url: &str,
    harvest_date: Datestamp,
    warnings: &mut Vec<Warning>,
) -> Option<Origin> {
    let root = tree.root().filter(|root| is_own(*root, "record"))?;
    let part = |name: &'static str| root.elements().filter(move |element| is_own(*element, name));
    let header = part("header").next()?;
    let text = |name: &str| {
        let found = header.elements().find(|element| is_own(*element, name));
        found.map(|element| element.text().trim().to_owned()).filter(|text| !text.is_empty())
    };
    let metadata = part("metadata").find_map(|metadata| metadata.elements().next())?;
    let (identifier, datestamp) = (text("identifier")?, text("datestamp")?);
    let mut warn = |message: String| warnings.push(Warning::new("oai.provenance", message));
    if !is_date(&datestamp) {
        warn(format!("no provenance: the datestamp is {datestamp:?}, expected a date of ISO 8601"));
        return None;
    }
    let containers = part("about").flat_map(Element::elements);
    let mut provenances = containers.filter(|element| is_provenance(*element, "provenance"));
    let earlier = match provenances.next().map(|element| earlier(element, MAX_EARLIER)) {
        Some(Err(message)) => {
            warn(format!("the endpoint's own provenance is left out: {message}"));
            None
        }
        Some(Ok(earlier)) => earlier,
        None => None,
    };
    Some(Origin {
        base_url: base_url.to_owned(),
        identifier,
        datestamp,
        metadata_namespace: metadata.namespace().to_owned(),
        harvest_date: harvest_date.to_string(),
        altered: false,
        earlier,
    })
}

// The originDescription in an element, with those in it; `left` of them are read.
fn earlier(parent: Element<'_>, left: usize) -> Result<Option<Box<Origin>>, String> {
    let found = parent.elements().find(|element| is_provenance(*element, "originDescription"));
    let Some(description) = found else { return Ok(None) };
    if left == 0 {
        return Err(format!("more than {MAX_EARLIER} origins, one in the other"));
    }
    let text = |name: &str| {
        let found = description.elements().find(|element| is_provenance(*element, name));
        let text = found.map(|element| element.text().trim().to_owned());
        text.ok_or_else(|| format!("originDescription has no {name}"))
    };
    let attribute = |name: &str| {
        let found = description.attribute("", name).map(|attribute| attribute.value().trim());
        found.ok_or_else(|| format!("originDescription has no {name}"))
    };
    let date = |name: &str, value: &str| match is_date(value) {
        true => Ok(value.to_owned()),
        false => Err(format!("{name} is {value:?}, expected a date of ISO 8601")),
    };
    let altered = match attribute("altered")? {
        "true" | "1" => true,
        "false" | "0" => false,
        other => return Err(format!("altered is {other:?}, expected true or false")),
    };
    Ok(Some(Box::new(Origin {
        base_url: text("baseURL")?,
        identifier: text("identifier")?,
        datestamp: date("datestamp", &text("datestamp")?)?,
        metadata_namespace: text("metadataNamespace")?,
        harvest_date: date("harvestDate", attribute("harvestDate")?)?,
        altered,
        earlier: earlier(description, left - 1)?,
    })))
}

// A date or dateTime of XML Schema, of those that name a moment.
fn is_date(text: &str) -> bool {
    Datestamp::parse(text).is_ok() || (text.contains('T') && text.parse::<Timestamp>().is_ok())
}

// Files are found in which nobody declares the protocol's namespace: none is as good.
fn is_own(element: Element<'_>, local: &str) -> bool {
    element.local() == local && matches!(element.namespace(), NAMESPACE | "")
}

fn is_provenance(element: Element<'_>, local: &str) -> bool {
    let namespace = element.namespace().strip_prefix(NAMESPACE);
    element.local() == local && namespace == Some("provenance")
}

/// The container that says where a record was harvested; `altered` is whether it is given out
/// otherwise than it came.
#[must_use]
pub fn write(origin: &Origin, altered: bool) -> String {
    let mut writer = Writer::fragment();
    open(&mut writer, "provenance", "provenance", "provenance.xsd");
    let (mut here, mut altered) = (Some(origin), altered);
    let mut opened = 0;
    while let Some(origin) = here {
        let is_altered = if altered { "true" } else { "false" };
        let attributes = [("harvestDate", origin.harvest_date.as_str()), ("altered", is_altered)];
        writer.open("originDescription", &attributes);
        writer.leaf("baseURL", &[], &origin.base_url);
        writer.leaf("identifier", &[], &origin.identifier);
        writer.leaf("datestamp", &[], &origin.datestamp);
        writer.leaf("metadataNamespace", &[], &origin.metadata_namespace);
        opened += 1;
        here = origin.earlier.as_deref();
        altered = here.is_some_and(|earlier| earlier.altered);
    }
    for _ in 0..opened {
        writer.close();
    }
    writer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(datestamp: &str, about: &str) -> (Option<Origin>, Vec<Warning>) {
        let text = format!(
            "<o:record xmlns:o='{NAMESPACE}'><o:header><o:identifier>oai:a:1</o:identifier>\
             <o:datestamp>{datestamp}</o:datestamp></o:header><o:metadata><hay xmlns='urn:hay'/>\
             </o:metadata>{about}</o:record>"
        );
        let (mut tree, mut warnings) = (Tree::default(), Vec::new());
        tree.read(&text, crate::xml::Options::default(), &mut warnings).unwrap();
        (read(&tree, "http://a.example/oai", Datestamp::from_second(0), &mut warnings), warnings)
    }

    fn about(harvest_date: &str, inner: &str) -> String {
        let open = format!("<originDescription harvestDate='{harvest_date}' altered='1'>");
        let leaves = "<baseURL>http://b.example/?a&amp;b</baseURL><identifier>oai:b:7</identifier>\
                      <datestamp>2001-02-03</datestamp><metadataNamespace>urn:straw\
                      </metadataNamespace>";
        format!(
            "<o:about><provenance xmlns='{NAMESPACE}provenance'>{open}{leaves}{inner}\
             </originDescription></provenance></o:about>"
        )
    }

    #[test]
    fn the_chain_of_origins_is_read_and_written_in_its_order() {
        let inner = about("2002-03-04T05:06:07Z", "");
        let inner = inner.split_once("<originDescription").unwrap().1;
        let inner = format!("<originDescription{}", inner.split_once("</provenance>").unwrap().0);
        let (origin, warnings) = record("2026-01-31", &about("2003-01-01T00:00:00+01:00", &inner));
        assert_eq!(warnings, []);
        let origin = origin.unwrap();
        assert_eq!(origin.metadata_namespace, "urn:hay");
        let earlier = origin.earlier.as_deref().unwrap();
        assert_eq!(earlier.base_url, "http://b.example/?a&b");
        assert!(earlier.altered && earlier.earlier.is_some());
        let xml = write(&origin, false);
        assert_eq!(xml.matches("<originDescription").count(), 3);
        // What is written is read as what it was.
        let (again, warnings) = record("2026-01-31", &format!("<o:about>{xml}</o:about>"));
        assert_eq!((again.unwrap().earlier.as_deref(), warnings), (Some(&origin), Vec::new()));
        let json = serde_json::to_string(&origin).unwrap();
        assert_eq!(serde_json::from_str::<Origin>(&json).unwrap(), origin);
    }

    #[test]
    fn what_the_schema_does_not_allow_is_left_out_and_told() {
        let (origin, warnings) = record("2026-01-31T00:00:00Z", &about("yesterday", ""));
        assert_eq!(origin.unwrap().earlier, None);
        assert!(warnings[0].message.contains("harvestDate is \"yesterday\""), "{warnings:?}");
        let (origin, warnings) = record("31.1.2026", "");
        assert_eq!((origin, warnings.len()), (None, 1));
        let deep = (0..40).fold(String::new(), |inner, _| {
            let one = about("2002-03-04T05:06:07Z", &inner);
            let one = one.split_once("<originDescription").unwrap().1.to_owned();
            format!("<originDescription{}", one.rsplit_once("</provenance>").unwrap().0)
        });
        let deep = format!(
            "<o:about><provenance xmlns='{NAMESPACE}provenance'>{deep}</provenance></o:about>"
        );
        let (origin, warnings) = record("2026-01-31", &deep);
        assert_eq!((origin.unwrap().earlier, warnings.len()), (None, 1));
    }
}
