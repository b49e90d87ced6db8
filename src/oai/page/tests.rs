//! Pages as endpoints really send them.

use super::*;
use crate::record::Granularity;

const OPEN: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
    <OAI-PMH xmlns=\"http://www.openarchives.org/OAI/2.0/\">\
    <responseDate>2026-01-31T12:00:00Z</responseDate>\
    <request verb=\"ListRecords\">http://hay.example/oai</request>";

fn record(number: u32, title: &str) -> String {
    format!(
        "<record><header><identifier>oai:hay.example:{number}</identifier>\
         <datestamp>2026-01-0{number}</datestamp><setSpec>meadow</setSpec></header><metadata>\
         <oai_dc:dc xmlns:oai_dc=\"http://www.openarchives.org/OAI/2.0/oai_dc/\" \
         xmlns:dc=\"http://purl.org/dc/elements/1.1/\"><dc:title>{title}</dc:title></oai_dc:dc>\
         </metadata></record>"
    )
}

fn list(inside: &str) -> String {
    format!("{OPEN}<ListRecords>{inside}</ListRecords></OAI-PMH>")
}

fn read(text: &str) -> Page {
    Page::read(text.as_bytes(), None, Options { repair: true }).unwrap()
}

fn codes(warnings: &[Warning]) -> Vec<&str> {
    warnings.iter().map(|warning| warning.code).collect()
}

#[test]
fn a_page_gives_its_records_one_by_one_and_what_surrounds_them() {
    let token = "<resumptionToken cursor=\"0\" completeListSize=\"7\" \
                 expirationDate=\"2026-02-01T00:00:00Z\">a+b/c=&amp; d\n</resumptionToken>";
    let page = read(&list(&(record(1, "Hay") + &record(2, "Straw") + token)));
    assert_eq!(page.response_date.unwrap().to_string(), "2026-01-31T12:00:00Z");
    assert_eq!(page.verb.as_deref(), Some("ListRecords"));
    assert_eq!((page.cut_short, page.warnings), (None, vec![]));
    let token = page.token.unwrap();
    assert_eq!((token.text.as_str(), token.cursor), ("a+b/c=& d", Some(0)));
    assert_eq!(token.complete_list_size, Some(7));
    assert_eq!(token.expires.as_deref(), Some("2026-02-01T00:00:00Z"));
    let identifiers: Vec<_> = page.records.iter().map(|record| &record.identifier).collect();
    assert_eq!(identifiers, ["oai:hay.example:1", "oai:hay.example:2"]);
    let first = &page.records[0];
    assert_eq!((first.datestamp.as_str(), first.set_specs.len()), ("2026-01-01", 1));
    assert!(first.has_metadata && !first.deleted && first.damage.is_none());
    let declared = "<record xmlns=\"http://www.openarchives.org/OAI/2.0/\"><header>";
    assert!(first.xml.starts_with(declared), "{}", first.xml);
    let mut tree = crate::xml::tree::Tree::default();
    tree.read(&first.xml, Options::default(), &mut Vec::new()).unwrap();
    let (metadata, about) = parts(&tree);
    assert!(metadata.unwrap().contains("<dc:title>Hay</dc:title>"));
    assert!(about.is_empty());
}

#[test]
fn headers_deletions_and_records_in_records_are_told_apart() {
    let headers = format!(
        "{OPEN}<ListIdentifiers><header status=\"deleted\"><identifier>oai:hay.example:1\
         </identifier><datestamp>2026-01-01</datestamp></header><resumptionToken/>\
         </ListIdentifiers></OAI-PMH>"
    );
    let page = read(&headers);
    assert!(page.records[0].deleted);
    assert_eq!(page.token, Some(Continuation::default()));
    let marc = "<record><header><identifier>m</identifier><datestamp>2026-01-01</datestamp>\
                </header><metadata><record xmlns=\"http://www.loc.gov/MARC21/slim\"><leader/>\
                </record></metadata></record>";
    let page = read(&list(&(marc.to_owned() + &record(2, "Straw"))));
    assert_eq!(page.records.len(), 2);
    assert!(page.records[0].has_metadata);
}

#[test]
fn an_error_is_given_with_its_own_code() {
    let text = format!("{OPEN}<error code=\"noRecordsMatch\">None &amp; nothing</error></OAI-PMH>");
    let page = read(&text);
    let expected = PageFault { code: "noRecordsMatch".into(), message: "None & nothing".into() };
    assert_eq!(page.errors, [expected]);
    assert!(page.records.is_empty() && page.verb.is_none());
}

#[test]
fn junk_around_the_document_and_missing_namespaces_are_warnings() {
    let whole = list(&record(1, "Hay"));
    let notices = format!("<br />\n<b>Notice</b>: Undefined index\n{whole}\n<!-- 12 ms -->\nDone");
    let page = read(&notices);
    assert_eq!(codes(&page.warnings), ["oai.junk_before", "oai.junk_behind"]);
    assert_eq!(page.records.len(), 1);
    let bare = whole.replace(" xmlns=\"http://www.openarchives.org/OAI/2.0/\"", "");
    let page = read(&bare);
    assert_eq!((codes(&page.warnings), page.records.len()), (vec!["oai.namespace"], 1));
    let prefixed = "<oai:OAI-PMH xmlns:oai=\"http://www.openarchives.org/OAI/2.0/\"><oai:ListRecords>\
        <oai:record><oai:header><oai:identifier>a</oai:identifier></oai:header><oai:metadata><x/>\
        </oai:metadata></oai:record><oai:resumptionToken>t</oai:resumptionToken></oai:ListRecords>\
        </oai:OAI-PMH>";
    let page = read(prefixed);
    assert_eq!((page.records.len(), page.token.unwrap().text), (1, "t".to_owned()));
    assert!(page.records[0].has_metadata);
    assert_eq!(page.warnings, []);
}

#[test]
fn a_record_that_is_scanned_is_read_as_any_other() {
    let about = "<about><x xmlns=\"urn:x\">&#228;</x></about>";
    let header = "<header status=' deleted '><identifier> a&amp;b </identifier>\
                  <datestamp>2026-01-01</datestamp><setSpec>s</setSpec><setSpec> </setSpec></header>";
    for (plain, cut) in [
        (true, record(1, "Heu &amp; Stroh")),
        (true, record(1, "Heu").replace("</record>", &format!("{about}</record>"))),
        (true, header.to_owned()),
        (true, format!("<record>{header}<metadata>\n</metadata></record>")),
        (false, header.replace("status=", "status='' status=")),
        (false, header.replace(" deleted ", "&#32;deleted")),
        (false, record(1, "Heu\r\n")),
        (false, record(1, "Heu\u{FFFE}")),
        (false, record(1, "Heu &#xFFFF;")),
        (false, record(1, "Heu &#7;")),
        (false, record(1, "Heu &nbsp;")),
        (false, record(1, "Heu & Stroh")),
        (false, record(1, "<![CDATA[Heu]]>")),
        (false, record(1, "Heu</dc:titel>")),
        (false, "<record><header/></record>".to_owned()),
    ] {
        let scanned = record::read_plain(&cut, None);
        assert_eq!(scanned.is_some(), plain, "{cut}");
        if let Some(scanned) = scanned {
            assert_eq!(scanned, record::read(cut.as_bytes(), None, Options::default()), "{cut}");
        }
    }
}

#[test]
fn what_is_broken_in_a_record_stays_there() {
    let records = record(1, "Kühe &nbsp; & Heu \u{3}&#x1F;!")
        + "<record><header><identifier>b</identifier></header><metadata><a></b></metadata></record>"
        + &record(3, "Straw");
    let page = read(&list(&records));
    let damage: Vec<_> = page.records.iter().map(|record| record.damage.is_some()).collect();
    assert_eq!(damage, [false, true, false]);
    assert_eq!(page.records[1].identifier, "b");
    let first = &page.records[0];
    assert_eq!(codes(&first.warnings), ["oai.control_character", "xml.entity", "xml.ampersand"]);
    assert!(first.xml.contains("& Heu   !"), "{}", first.xml);
    let latin = list(&record(1, "K~he")).replace(" encoding=\"UTF-8\"", "");
    let latin: Vec<u8> = latin.bytes().map(|byte| if byte == b'~' { 0xFC } else { byte }).collect();
    let page = Page::read(&latin, None, Options { repair: true }).unwrap();
    assert!(page.records[0].xml.contains("<dc:title>Kühe"), "{}", page.records[0].xml);
    assert_eq!(codes(&page.records[0].warnings), ["xml.utf8"]);
    let page = Page::read(&latin, Some("ISO-8859-1"), Options::default()).unwrap();
    assert!(page.records[0].damage.is_none());
    let page = Page::read(&latin, None, Options::default()).unwrap();
    assert_eq!(page.records[0].damage.as_ref().unwrap().0, "xml.utf8");
    assert_eq!(page.records[0].identifier, "oai:hay.example:1");
}

#[test]
fn a_document_that_breaks_off_gives_what_is_whole() {
    let whole =
        list(&(record(1, "Hay") + &record(2, "Straw") + "<resumptionToken>t</resumptionToken>"));
    for end in (whole.find("<ListRecords>").unwrap()..whole.len()).step_by(7) {
        let part = whole.split_at(end).0;
        let page = read(part);
        assert!(page.cut_short.is_some(), "{end}");
        let good = page.records.iter().filter(|record| record.damage.is_none()).count();
        assert_eq!(good, part.matches("</record>").count(), "{end}");
    }
}

#[test]
fn what_is_no_answer_is_named() {
    let read = |text: &str| Page::read(text.as_bytes(), None, Options::default()).unwrap_err();
    assert_eq!(read("  \n"), PageError::Empty);
    let title = "Down for\n maintenance";
    let html = format!("<!DOCTYPE html><html><head><title>{title}</title></head></html>");
    assert_eq!(read(&html), PageError::Html { title: "Down for maintenance".into() });
    assert_eq!(read("<html><body>404</body></html>"), PageError::Html { title: String::new() });
    assert_eq!(read("{\"error\":1}"), PageError::Foreign { found: "{\"error\":1}".into() });
    assert_eq!(read("<rss/>"), PageError::Foreign { found: "<rss/>".into() });
    let entity = format!(
        "<!DOCTYPE r [<!ENTITY e SYSTEM \"file:///etc/hostname\">]>{}",
        list(&record(1, "&e;"))
    );
    assert_eq!(read(&entity), PageError::Doctype);
    assert!(matches!(read("<OAI-PMH><a></OAI-PMH>"), PageError::Malformed(_)));
}

#[test]
fn what_an_endpoint_says_of_itself_is_read() {
    let text = format!(
        "{OPEN}<Identify><repositoryName>Hay &amp; Straw</repositoryName><baseURL>http://hay.example\
         </baseURL><protocolVersion>2.0</protocolVersion><adminEmail>a@hay.example</adminEmail>\
         <earliestDatestamp>2020-01-01</earliestDatestamp><deletedRecord>transient</deletedRecord>\
         <granularity>YYYY-MM-DDThh:mm:ssZ</granularity><compression>gzip</compression>\
         <description><toolkit xmlns=\"urn:t\"><title>T</title></toolkit></description></Identify>\
         </OAI-PMH>"
    );
    let repository = Catalog::read(text.as_bytes()).unwrap().repository.unwrap();
    assert_eq!(repository.name, "Hay & Straw");
    assert_eq!(repository.earliest.unwrap().to_string(), "2020-01-01T00:00:00Z");
    assert_eq!(repository.deletions, Some(Deletions::Transient));
    assert_eq!(repository.granularity, Some(Granularity::Second));
    assert!(repository.descriptions[0].starts_with("<toolkit xmlns=\"urn:t\">"));
    let text = format!(
        "{OPEN}<ListSets><set><setSpec>a:b</setSpec><setName>A B</setName></set>\
         <resumptionToken>x</resumptionToken></ListSets></OAI-PMH>"
    );
    let catalog = Catalog::read(text.as_bytes()).unwrap();
    assert_eq!((catalog.sets[0].spec.as_str(), catalog.sets[0].name.as_str()), ("a:b", "A B"));
    assert_eq!(catalog.token.unwrap().text, "x");
    assert!(Catalog::read(&text.as_bytes()[..text.len() - 9]).is_err());
}
