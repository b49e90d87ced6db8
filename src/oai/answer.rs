//! Answers: what each verb gives, and the XML document around it (§3.2, §4).

use super::{ErrorCode, NAMESPACE, OaiError, SCHEMA};
use crate::record::{Datestamp, SetSpec};
use crate::xml::writer::{Writer, push_text};

/// What stands behind the last element of every answer.
const END: &str = "</OAI-PMH>";

/// What every answer says about its request.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'e> {
    /// Whatever was changed before this moment is in the answer, or in an earlier one: a harvester
    /// that asks from it on next time misses nothing.
    pub response_date: Datestamp,
    /// The endpoint's URL, as `Identify` gives it.
    pub base_url: &'e str,
    /// The arguments of the request, decoded.
    pub arguments: &'e [(String, String)],
}

impl Envelope<'_> {
    /// The document up to the verb's element.
    #[must_use]
    pub fn open(&self) -> String {
        self.open_with(self.arguments)
    }

    fn open_with(&self, arguments: &[(String, String)]) -> String {
        let mut writer = Writer::document();
        let location = format!("{NAMESPACE} {SCHEMA}");
        let root = [
            ("xmlns", NAMESPACE),
            ("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance"),
            ("xsi:schemaLocation", location.as_str()),
        ];
        writer.open("OAI-PMH", &root);
        writer.leaf("responseDate", &[], &self.response_date.to_string());
        let arguments: Vec<_> =
            arguments.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        writer.leaf("request", &arguments, self.base_url);
        writer.unfinished()
    }
}

/// What a repository says of records that were deleted (§2.5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeletedRecord {
    /// Nothing: they are just not there any more.
    No,
    /// They are told for ever.
    Persistent,
    /// They are told for a time.
    Transient,
}

impl DeletedRecord {
    /// The words on the wire.
    pub const NAMES: &'static [(&'static str, DeletedRecord)] = &[
        ("no", DeletedRecord::No),
        ("persistent", DeletedRecord::Persistent),
        ("transient", DeletedRecord::Transient),
    ];

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        let found = DeletedRecord::NAMES.iter().find(|(_, policy)| *policy == self);
        found.map_or("", |(name, _)| name)
    }
}

/// The repository, as `Identify` describes it. Granularity is seconds.
#[derive(Debug, Clone)]
pub struct Identify {
    /// Its name for people.
    pub repository_name: String,
    /// At least one address.
    pub admin_emails: Vec<String>,
    /// No datestamp is older.
    pub earliest_datestamp: Datestamp,
    /// What becomes of deleted records.
    pub deleted_record: DeletedRecord,
    /// The encodings of HTTP that it can give beside identity.
    pub compressions: Vec<&'static str>,
    /// What stands in each description: one XML element that declares its namespaces.
    pub descriptions: Vec<String>,
}

/// A row of `ListMetadataFormats`.
#[derive(Debug, Clone)]
pub struct MetadataFormat {
    /// metadataPrefix
    pub prefix: String,
    /// Location of its XSD.
    pub schema: String,
    /// Its XML namespace.
    pub namespace: String,
}

/// A row of `ListSets`.
#[derive(Debug, Clone)]
pub struct SetEntry {
    /// setSpec
    pub spec: SetSpec,
    /// setName
    pub name: String,
    /// Given in a setDescription, as Dublin Core.
    pub description: Option<String>,
}

/// The header of a record.
#[derive(Debug, Clone, Copy)]
pub struct Header<'h> {
    /// A URI.
    pub identifier: &'h str,
    /// When the record was last created, changed or deleted.
    pub datestamp: Datestamp,
    /// Whether it is a tombstone.
    pub deleted: bool,
    /// The sets it is in.
    pub set_specs: &'h [SetSpec],
}

/// The resumptionToken element of a page.
#[derive(Debug, Clone)]
pub struct PageToken {
    /// The token; `None` on the last page, where the element is empty (§3.5).
    pub token: Option<String>,
    /// How many items came before this page.
    pub cursor: u64,
    /// How many items the list has, where that is known.
    pub complete_list_size: Option<u64>,
}

/// What an answer holds beside its envelope. Lists hold at least one element. What has records in
/// it is written by a [`RecordWriter`].
#[derive(Debug, Clone)]
pub enum Answer {
    /// Errors in place of what was asked for; at least one.
    Errors(Vec<OaiError>),
    /// §4.2
    Identify(Identify),
    /// §4.4
    ListMetadataFormats(Vec<MetadataFormat>),
    /// §4.6
    ListSets(Vec<SetEntry>),
}

impl Answer {
    /// The whole document.
    #[must_use]
    pub fn write(&self, envelope: &Envelope<'_>) -> String {
        let mut writer = Writer::fragment();
        // A junk value among the arguments would make the document invalid (§3.2).
        let mut arguments = envelope.arguments;
        match self {
            Answer::Errors(errors) => {
                let wrong = [ErrorCode::BadVerb, ErrorCode::BadArgument];
                if errors.iter().any(|error| wrong.contains(&error.code)) {
                    arguments = &[];
                }
                write_errors(&mut writer, errors);
            }
            Answer::Identify(identify) => write_identify(&mut writer, identify, envelope.base_url),
            Answer::ListMetadataFormats(formats) => write_formats(&mut writer, formats),
            Answer::ListSets(sets) => write_sets(&mut writer, sets),
        }
        let mut document = envelope.open_with(arguments);
        document.push_str(&writer.finish());
        document.push_str(END);
        document
    }
}

const MOST_RESERVED: usize = 256 * 1024;

/// Writes headers and records, one after another: what stands in the element of `GetRecord`,
/// `ListIdentifiers` or `ListRecords`, to the end of the document.
#[derive(Debug)]
pub struct RecordWriter {
    verb: &'static str,
    out: String,
}

impl RecordWriter {
    /// Opens the verb's element.
    #[must_use]
    pub fn new(verb: &'static str) -> RecordWriter {
        RecordWriter { verb, out: format!("<{verb}>") }
    }

    /// Makes room for so many times what is written so far, up to 256 KiB: a text that grows by and
    /// by is moved again and again.
    pub fn reserve(&mut self, times: usize) {
        self.out.reserve(self.out.len().saturating_mul(times).min(MOST_RESERVED));
    }

    /// A header alone.
    pub fn header(&mut self, header: &Header<'_>) {
        let status = if header.deleted { " status=\"deleted\"" } else { "" };
        self.out.extend(["<header", status, "><identifier>"]);
        push_text(&mut self.out, header.identifier);
        self.out.push_str("</identifier><datestamp>");
        self.out.push_str(&header.datestamp.to_string());
        self.out.push_str("</datestamp>");
        for set_spec in header.set_specs {
            self.out.push_str("<setSpec>");
            push_text(&mut self.out, set_spec.as_str());
            self.out.push_str("</setSpec>");
        }
        self.out.push_str("</header>");
    }

    /// A record of which there is no more than the header: a tombstone.
    pub fn tombstone(&mut self, header: &Header<'_>) {
        self.out.push_str("<record>");
        self.header(header);
        self.out.push_str("</record>");
    }

    /// A record. `metadata` appends one XML element that declares its own namespaces; `about` are
    /// such elements.
    ///
    /// # Errors
    /// That of `metadata`; then nothing is written.
    pub fn record<E>(
        &mut self,
        header: &Header<'_>,
        about: &[&str],
        metadata: impl FnOnce(&mut String) -> Result<(), E>,
    ) -> Result<(), E> {
        let begin = self.out.len();
        self.out.push_str("<record>");
        self.header(header);
        self.out.push_str("<metadata>");
        if let Err(error) = metadata(&mut self.out) {
            self.out.truncate(begin);
            return Err(error);
        }
        self.out.push_str("</metadata>");
        for about in about {
            self.out.extend(["<about>", about, "</about>"]);
        }
        self.out.push_str("</record>");
        Ok(())
    }

    /// Tells in a comment of a record that could not be written.
    pub fn left_out(&mut self, identifier: &str) {
        let mut comment = Writer::fragment();
        comment.comment(&format!("{identifier} is left out: it cannot be written"));
        self.out.push_str(&comment.finish());
    }

    /// What was written since the last time.
    pub fn take(&mut self) -> String {
        std::mem::take(&mut self.out)
    }

    /// The token element, where there is one, and the end of the document.
    pub fn close(&mut self, token: Option<&PageToken>) {
        if let Some(token) = token {
            let mut writer = Writer::fragment();
            let size = token.complete_list_size.map(|size| size.max(1).to_string());
            let cursor = token.cursor.to_string();
            let size = size.as_deref().map(|size| ("completeListSize", size));
            let attributes: Vec<_> = size.into_iter().chain([("cursor", &*cursor)]).collect();
            writer.leaf("resumptionToken", &attributes, token.token.as_deref().unwrap_or_default());
            self.out.push_str(&writer.finish());
        }
        self.out.extend(["</", self.verb, ">", END]);
    }
}

fn write_errors(writer: &mut Writer<'_>, errors: &[OaiError]) {
    for error in errors {
        writer.leaf("error", &[("code", error.code())], &error.message);
    }
}

fn write_identify(writer: &mut Writer<'_>, identify: &Identify, base_url: &str) {
    writer.open("Identify", &[]);
    writer.leaf("repositoryName", &[], &identify.repository_name);
    writer.leaf("baseURL", &[], base_url);
    writer.leaf("protocolVersion", &[], "2.0");
    for email in &identify.admin_emails {
        writer.leaf("adminEmail", &[], email);
    }
    writer.leaf("earliestDatestamp", &[], &identify.earliest_datestamp.to_string());
    writer.leaf("deletedRecord", &[], identify.deleted_record.as_str());
    writer.leaf("granularity", &[], "YYYY-MM-DDThh:mm:ssZ");
    for compression in &identify.compressions {
        writer.leaf("compression", &[], compression);
    }
    for description in &identify.descriptions {
        writer.open("description", &[]);
        writer.raw(description);
        writer.close();
    }
}

fn write_formats(writer: &mut Writer<'_>, formats: &[MetadataFormat]) {
    writer.open("ListMetadataFormats", &[]);
    for format in formats {
        writer.open("metadataFormat", &[]);
        writer.leaf("metadataPrefix", &[], &format.prefix);
        writer.leaf("schema", &[], &format.schema);
        writer.leaf("metadataNamespace", &[], &format.namespace);
        writer.close();
    }
}

fn write_sets(writer: &mut Writer<'_>, sets: &[SetEntry]) {
    writer.open("ListSets", &[]);
    for set in sets {
        writer.open("set", &[]);
        writer.leaf("setSpec", &[], set.spec.as_str());
        writer.leaf("setName", &[], &set.name);
        if let Some(description) = &set.description {
            writer.open("setDescription", &[]);
            let location = "http://www.openarchives.org/OAI/2.0/oai_dc/ \
                            http://www.openarchives.org/OAI/2.0/oai_dc.xsd";
            let attributes = [
                ("xmlns:oai_dc", "http://www.openarchives.org/OAI/2.0/oai_dc/"),
                ("xmlns:dc", "http://purl.org/dc/elements/1.1/"),
                ("xsi:schemaLocation", location),
            ];
            writer.open("oai_dc:dc", &attributes);
            writer.leaf("dc:description", &[], description);
            writer.close();
            writer.close();
        }
        writer.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE_URL: &str = "https://example.org/oai";

    #[test]
    fn arguments_are_given_back_unless_they_were_wrong() {
        let write = |code| {
            let arguments = [("verb".to_owned(), "GetRecord".to_owned())];
            let response_date = Datestamp::from_second(0);
            let envelope = Envelope { response_date, base_url: BASE_URL, arguments: &arguments };
            Answer::Errors(vec![OaiError::new(code, "x")]).write(&envelope)
        };
        let wrong = write(ErrorCode::BadArgument);
        assert!(wrong.contains("<request>https://example.org/oai</request>"), "{wrong}");
        let right = write(ErrorCode::IdDoesNotExist);
        assert!(right.contains("<request verb=\"GetRecord\">"), "{right}");
    }

    #[test]
    fn a_record_that_cannot_be_written_leaves_nothing_behind() {
        let header = Header {
            identifier: "oai:example.org:1",
            datestamp: Datestamp::from_second(0),
            deleted: false,
            set_specs: &[],
        };
        let mut writer = RecordWriter::new("ListRecords");
        let failed = writer.record(&header, &[], |out| {
            out.push_str("<half");
            Err("broken")
        });
        assert_eq!(failed, Err("broken"));
        writer.tombstone(&Header { deleted: true, ..header });
        writer.close(None);
        let xml = writer.take();
        assert!(xml.starts_with("<ListRecords><record><header status=\"deleted\">"), "{xml}");
        assert!(xml.ends_with("</header></record></ListRecords></OAI-PMH>"), "{xml}");
    }
}
