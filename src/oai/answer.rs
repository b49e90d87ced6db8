//! Answers: what each verb gives, and the XML document around it (§3.2, §4).

use super::{ErrorCode, NAMESPACE, OaiError, SCHEMA};
use crate::record::{Datestamp, SetSpec};
use crate::xml::writer::Writer;

/// What every answer says about its request.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'e> {
    /// When the request was taken up, before anything was read for it: a harvester that asks
    /// from this moment on next time misses nothing.
    pub response_date: Datestamp,
    /// The endpoint's URL, as `Identify` gives it.
    pub base_url: &'e str,
    /// The arguments of the request, decoded.
    pub arguments: &'e [(String, String)],
}

/// The repository, as `Identify` describes it. Granularity is seconds, deletions are persistent.
#[derive(Debug, Clone)]
pub struct Identify {
    /// Its name for people.
    pub repository_name: String,
    /// At least one address.
    pub admin_emails: Vec<String>,
    /// No datestamp is older.
    pub earliest_datestamp: Datestamp,
    /// Namespace and example of `oai:` identifiers, when the namespace is a domain name.
    pub oai_identifier: Option<(String, String)>,
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
#[derive(Debug, Clone)]
pub struct Header {
    /// A URI.
    pub identifier: String,
    /// When the record was last created, changed or deleted.
    pub datestamp: Datestamp,
    /// Whether it is a tombstone.
    pub deleted: bool,
    /// The sets it is in.
    pub set_specs: Vec<SetSpec>,
}

/// A record: header, and metadata unless it is deleted.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its header.
    pub header: Header,
    /// One XML element that declares its own namespaces; `None` for a tombstone.
    pub metadata: Option<String>,
}

/// What stands in `ListRecords`.
#[derive(Debug, Clone)]
pub enum ListEntry {
    /// A record.
    Record(Record),
    /// The identifier of a record that could not be written; a comment tells of it.
    LeftOut(String),
}

/// The resumptionToken element of a page.
#[derive(Debug, Clone)]
pub struct PageToken {
    /// The token; `None` on the last page, where the element is empty (§3.5).
    pub token: Option<String>,
    /// How many items came before this page.
    pub cursor: u64,
    /// How many items the list has; at least 1.
    pub complete_list_size: u64,
}

/// What an answer holds beside its envelope. Lists hold at least one element.
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
    /// §4.1
    GetRecord(Record),
    /// §4.3; a list of one page has no token element.
    ListIdentifiers(Vec<Header>, Option<PageToken>),
    /// §4.5; a list of one page has no token element.
    ListRecords(Vec<ListEntry>, Option<PageToken>),
}

impl Answer {
    /// The whole document.
    #[must_use]
    pub fn write(&self, envelope: &Envelope<'_>) -> String {
        let mut writer = Writer::document();
        let location = format!("{NAMESPACE} {SCHEMA}");
        let root = [
            ("xmlns", NAMESPACE),
            ("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance"),
            ("xsi:schemaLocation", location.as_str()),
        ];
        writer.open("OAI-PMH", &root);
        writer.leaf("responseDate", &[], &envelope.response_date.to_string());
        writer.leaf("request", &self.request_attributes(envelope.arguments), envelope.base_url);
        match self {
            Answer::Errors(errors) => write_errors(&mut writer, errors),
            Answer::Identify(identify) => write_identify(&mut writer, identify, envelope.base_url),
            Answer::ListMetadataFormats(formats) => write_formats(&mut writer, formats),
            Answer::ListSets(sets) => write_sets(&mut writer, sets),
            Answer::GetRecord(record) => {
                writer.open("GetRecord", &[]);
                write_record(&mut writer, record);
            }
            Answer::ListIdentifiers(headers, token) => {
                writer.open("ListIdentifiers", &[]);
                for header in headers {
                    write_header(&mut writer, header);
                }
                write_token(&mut writer, token.as_ref());
            }
            Answer::ListRecords(entries, token) => {
                writer.open("ListRecords", &[]);
                for entry in entries {
                    write_entry(&mut writer, entry);
                }
                write_token(&mut writer, token.as_ref());
            }
        }
        writer.finish()
    }

    /// The request's arguments, but none when the request itself was wrong (§3.2): a junk value
    /// would make the document invalid.
    fn request_attributes<'a>(&self, arguments: &'a [(String, String)]) -> Vec<(&'a str, &'a str)> {
        if let Answer::Errors(errors) = self {
            let wrong = [ErrorCode::BadVerb, ErrorCode::BadArgument];
            if errors.iter().any(|error| wrong.contains(&error.code)) {
                return Vec::new();
            }
        }
        arguments.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
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
    writer.leaf("deletedRecord", &[], "persistent");
    writer.leaf("granularity", &[], "YYYY-MM-DDThh:mm:ssZ");
    if let Some((namespace, sample)) = &identify.oai_identifier {
        writer.open("description", &[]);
        let location = "http://www.openarchives.org/OAI/2.0/oai-identifier \
                        http://www.openarchives.org/OAI/2.0/oai-identifier.xsd";
        let attributes = [
            ("xmlns", "http://www.openarchives.org/OAI/2.0/oai-identifier"),
            ("xsi:schemaLocation", location),
        ];
        writer.open("oai-identifier", &attributes);
        writer.leaf("scheme", &[], "oai");
        writer.leaf("repositoryIdentifier", &[], namespace);
        writer.leaf("delimiter", &[], ":");
        writer.leaf("sampleIdentifier", &[], sample);
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

fn write_entry(writer: &mut Writer<'_>, entry: &ListEntry) {
    match entry {
        ListEntry::Record(record) => write_record(writer, record),
        ListEntry::LeftOut(identifier) => {
            writer.comment(&format!("{identifier} is left out: it cannot be written"));
        }
    }
}

fn write_record(writer: &mut Writer<'_>, record: &Record) {
    writer.open("record", &[]);
    write_header(writer, &record.header);
    if let Some(metadata) = &record.metadata {
        writer.open("metadata", &[]);
        writer.raw(metadata);
        writer.close();
    }
    writer.close();
}

fn write_header(writer: &mut Writer<'_>, header: &Header) {
    let attributes: &[(&str, &str)] = if header.deleted { &[("status", "deleted")] } else { &[] };
    writer.open("header", attributes);
    writer.leaf("identifier", &[], &header.identifier);
    writer.leaf("datestamp", &[], &header.datestamp.to_string());
    for set_spec in &header.set_specs {
        writer.leaf("setSpec", &[], set_spec.as_str());
    }
    writer.close();
}

fn write_token(writer: &mut Writer<'_>, token: Option<&PageToken>) {
    let Some(token) = token else { return };
    let size = token.complete_list_size.max(1).to_string();
    let cursor = token.cursor.to_string();
    let attributes = [("completeListSize", size.as_str()), ("cursor", cursor.as_str())];
    writer.leaf("resumptionToken", &attributes, token.token.as_deref().unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(answer: &Answer) -> String {
        let arguments = [("verb".to_owned(), "GetRecord".to_owned())];
        let base_url = "https://example.org/oai";
        let response_date = Datestamp::from_second(0);
        answer.write(&Envelope { response_date, base_url, arguments: &arguments })
    }

    #[test]
    fn arguments_are_given_back_unless_they_were_wrong() {
        let errors = |code| Answer::Errors(vec![OaiError::new(code, "x")]);
        let wrong = write(&errors(ErrorCode::BadArgument));
        assert!(wrong.contains("<request>https://example.org/oai</request>"), "{wrong}");
        let right = write(&errors(ErrorCode::IdDoesNotExist));
        assert!(right.contains("<request verb=\"GetRecord\">"), "{right}");
    }

    #[test]
    fn a_tombstone_has_a_status_and_no_metadata() {
        let header = Header {
            identifier: "oai:example.org:1".to_owned(),
            datestamp: Datestamp::from_second(0),
            deleted: true,
            set_specs: Vec::new(),
        };
        let xml = write(&Answer::GetRecord(Record { header, metadata: None }));
        assert!(xml.contains("<header status=\"deleted\">"), "{xml}");
        assert!(!xml.contains("<metadata"), "{xml}");
    }
}
