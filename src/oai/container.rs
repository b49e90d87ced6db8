//! What may stand in `description` and `about`: one XML element each, by the guidelines of OAI-PMH.

use super::NAMESPACE;
use crate::xml::writer::Writer;

const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// The picture of a collection (branding guidelines).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Icon {
    /// Where it is.
    pub url: String,
    /// Where a click on it leads.
    pub link: Option<String>,
    /// What it is called.
    pub title: Option<String>,
    /// In pixels.
    pub width: Option<u64>,
    /// In pixels.
    pub height: Option<u64>,
}

/// The scheme of the identifiers, with an example.
#[must_use]
pub fn oai_identifier(namespace: &str, sample: &str) -> String {
    let mut writer = Writer::fragment();
    open(&mut writer, "oai-identifier", "oai-identifier", "oai-identifier.xsd");
    writer.leaf("scheme", &[], "oai");
    writer.leaf("repositoryIdentifier", &[], namespace);
    writer.leaf("delimiter", &[], ":");
    writer.leaf("sampleIdentifier", &[], sample);
    writer.finish()
}

/// Other repositories, by their base URLs.
#[must_use]
pub fn friends(base_urls: &[String]) -> String {
    let mut writer = Writer::fragment();
    open(&mut writer, "friends", "friends/", "friends.xsd");
    for base_url in base_urls {
        writer.leaf("baseURL", &[], base_url);
    }
    writer.finish()
}

/// How the repository wants to be shown.
#[must_use]
pub fn branding(icon: &Icon) -> String {
    let mut writer = Writer::fragment();
    open(&mut writer, "branding", "branding/", "branding.xsd");
    writer.open("collectionIcon", &[]);
    let number = |number: Option<u64>| number.map(|number| number.to_string());
    let leaves = [
        ("url", Some(icon.url.clone())),
        ("link", icon.link.clone()),
        ("title", icon.title.clone()),
        ("width", number(icon.width)),
        ("height", number(icon.height)),
    ];
    for (name, text) in leaves {
        if let Some(text) = text {
            writer.leaf(name, &[], &text);
        }
    }
    writer.finish()
}

/// What may be done with the metadata, by the URL that says so.
#[must_use]
pub fn rights(reference: &str) -> String {
    let mut writer = Writer::fragment();
    open(&mut writer, "rights", "rights/", "rights.xsd");
    writer.leaf("rightsReference", &[("ref", reference)], "");
    writer.finish()
}

/// Opens the root of a container of the protocol's own.
pub(super) fn open<'n>(writer: &mut Writer<'n>, name: &'n str, namespace: &str, schema: &str) {
    let namespace = format!("{NAMESPACE}{namespace}");
    let location = format!("{namespace} {NAMESPACE}{schema}");
    let attributes =
        [("xmlns", &*namespace), ("xmlns:xsi", XSI), ("xsi:schemaLocation", &*location)];
    writer.open(name, &attributes);
}
