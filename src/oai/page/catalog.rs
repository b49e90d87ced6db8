//! What an endpoint says about itself: Identify, ListSets, ListMetadataFormats, as read.

use super::{Continuation, Page, PageError, PageFault, surroundings};
use crate::record::{Datestamp, Granularity, Warning};
use crate::xml::tree::{Element, Tree};

/// An answer that is no list of records.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    /// Each `<error>`.
    pub errors: Vec<PageFault>,
    /// What `Identify` says.
    pub repository: Option<Repository>,
    /// Each `<set>`.
    pub sets: Vec<ListedSet>,
    /// Each `<metadataFormat>`.
    pub formats: Vec<ListedFormat>,
    /// The resumptionToken of a list of sets.
    pub token: Option<Continuation>,
    /// `responseDate`
    pub response_date: Option<Datestamp>,
    /// What was odd.
    pub warnings: Vec<Warning>,
}

/// What the endpoint does with the headers of deleted records (§2.5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletions {
    /// It forgets them.
    No,
    /// It keeps them for some time.
    Transient,
    /// It keeps them for ever.
    Persistent,
}

impl Deletions {
    /// The word of the protocol.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Deletions::No => "no",
            Deletions::Transient => "transient",
            Deletions::Persistent => "persistent",
        }
    }
}

/// The answer to Identify (§4.2); what is missing is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// repositoryName
    pub name: String,
    /// baseURL
    pub base_url: String,
    /// protocolVersion
    pub protocol_version: String,
    /// Each adminEmail.
    pub admin_emails: Vec<String>,
    /// earliestDatestamp, if it is a datestamp.
    pub earliest: Option<Datestamp>,
    /// earliestDatestamp as it stands there.
    pub earliest_text: String,
    /// deletedRecord; `None` when it is none of the three words.
    pub deletions: Option<Deletions>,
    /// granularity; `None` when it is neither of the two.
    pub granularity: Option<Granularity>,
    /// Each compression.
    pub compressions: Vec<String>,
    /// The element in each description, as XML.
    pub descriptions: Vec<String>,
}

/// A row of ListSets (§4.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedSet {
    /// setSpec
    pub spec: String,
    /// setName
    pub name: String,
    /// The element in each setDescription, as XML.
    pub descriptions: Vec<String>,
}

/// A row of ListMetadataFormats (§4.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedFormat {
    /// metadataPrefix
    pub prefix: String,
    /// schema
    pub schema: String,
    /// metadataNamespace
    pub namespace: String,
}

impl Catalog {
    /// Reads the answer to `Identify`, `ListSets` or `ListMetadataFormats`.
    ///
    /// # Errors
    /// [`PageError`] when it is no answer of an OAI-PMH endpoint, or breaks off.
    pub fn read(bytes: &[u8]) -> Result<Catalog, PageError> {
        let mut page = Page::default();
        let tree = surroundings::read_tree(bytes, &mut page)?;
        let mut catalog = Catalog {
            errors: page.errors,
            token: page.token,
            response_date: page.response_date,
            warnings: page.warnings,
            ..Catalog::default()
        };
        for verb in tree.root().into_iter().flat_map(Element::elements) {
            match verb.name().local {
                "Identify" => catalog.repository = Some(repository(verb)),
                "ListSets" => catalog.sets = all(verb, "set").map(set).collect(),
                "ListMetadataFormats" => {
                    catalog.formats = all(verb, "metadataFormat").map(format).collect();
                }
                _ => {}
            }
        }
        Ok(catalog)
    }
}

fn repository(element: Element<'_>) -> Repository {
    let earliest_text = one(element, "earliestDatestamp");
    Repository {
        name: one(element, "repositoryName"),
        base_url: one(element, "baseURL"),
        protocol_version: one(element, "protocolVersion"),
        admin_emails: texts(element, "adminEmail"),
        earliest: Datestamp::parse(&earliest_text).ok().map(|(datestamp, _)| datestamp),
        earliest_text,
        deletions: match one(element, "deletedRecord").to_ascii_lowercase().as_str() {
            "no" => Some(Deletions::No),
            "transient" => Some(Deletions::Transient),
            "persistent" => Some(Deletions::Persistent),
            _ => None,
        },
        granularity: match one(element, "granularity").to_ascii_uppercase().as_str() {
            "YYYY-MM-DD" => Some(Granularity::Day),
            "YYYY-MM-DDTHH:MM:SSZ" => Some(Granularity::Second),
            _ => None,
        },
        compressions: texts(element, "compression"),
        descriptions: inner(element, "description"),
    }
}

fn set(element: Element<'_>) -> ListedSet {
    ListedSet {
        spec: one(element, "setSpec"),
        name: one(element, "setName"),
        descriptions: inner(element, "setDescription"),
    }
}

fn format(element: Element<'_>) -> ListedFormat {
    ListedFormat {
        prefix: one(element, "metadataPrefix"),
        schema: one(element, "schema"),
        namespace: one(element, "metadataNamespace"),
    }
}

fn all<'t>(element: Element<'t>, name: &'static str) -> impl Iterator<Item = Element<'t>> {
    element.elements().filter(move |child| child.name().local == name)
}

fn texts(element: Element<'_>, name: &'static str) -> Vec<String> {
    all(element, name).filter_map(Element::only_text).map(|text| text.trim().to_owned()).collect()
}

fn one(element: Element<'_>, name: &'static str) -> String {
    texts(element, name).into_iter().next().unwrap_or_default()
}

fn inner(element: Element<'_>, name: &'static str) -> Vec<String> {
    let xml = |child: Element<'_>| {
        let mut xml = String::new();
        child.write(&mut xml);
        xml
    };
    all(element, name).flat_map(Element::elements).map(xml).collect()
}

/// The metadata and each about of a record that [`super::Page`] gave, as XML that declares its own
/// namespaces.
#[must_use]
pub fn parts(tree: &Tree) -> (Option<String>, Vec<String>) {
    let Some(root) = tree.root() else { return (None, Vec::new()) };
    (inner(root, "metadata").into_iter().next(), inner(root, "about"))
}
