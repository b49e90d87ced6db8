//! Where harvested records came from, told to those who harvest them from us, on every keeper.

use super::double::{Answer, Double, Request};
use super::repository::{RESPONSE_DATE, Repository};
use super::{changed, pipeline::NOW};
use crate::endpoint_on_stores::Server;
use crate::oai_endpoint::client::all;
use crate::private_postgres::database;
use crate::support::{Folder, count, project};

const MARC: &str = "http://www.loc.gov/MARC21/slim";
const DC: &str = "http://www.openarchives.org/OAI/2.0/oai_dc/";

fn folders() -> Vec<Folder> {
    let mut folders = vec![Folder::new()];
    folders.extend(database().map(Folder::on));
    folders
}

fn harvest(folder: &Folder, url: &str, prefix: &str, keys: &str) -> u64 {
    folder.write(
        "pipeline.yaml",
        format!(
            "pipeline: meadow\nsource: {{ type: oai-pmh, url: '{url}', metadata_prefix: {prefix} }}\n\
             crosswalk: {}\n{keys}",
            project(&format!("crosswalks/{prefix}-to-record.yaml")).display()
        ),
    );
    let report = folder.run(&[]).report(0);
    count(&report, "read")
}

/// Of each record its `about`, by number.
fn abouts(folder: &Folder, prefix: &str) -> Vec<Vec<String>> {
    let server = Server::start(folder, 10);
    // Each answer is held against the schema of provenance, too.
    let mut client = server.client();
    let abouts = |answer: &str| -> Vec<Vec<String>> {
        answer.split("<record><header").skip(1).map(|record| all(record, "about")).collect()
    };
    let list = client.get(&format!("verb=ListRecords&metadataPrefix={prefix}"));
    let found = abouts(&list);
    let headers = list.split("<record><header").skip(1);
    for (record, about) in headers.zip(&found) {
        let identifier = &all(record, "identifier")[0];
        let query = format!("verb=GetRecord&metadataPrefix={prefix}&identifier={identifier}");
        assert_eq!(abouts(&client.get(&query)), std::slice::from_ref(about));
    }
    found
}

#[test]
fn a_record_that_is_passed_on_says_where_it_was_harvested() {
    for first in folders() {
        let double = changed(Repository::new(3, 10), |_, answer| answer);
        // Whom we are there is nobody's business.
        let url = double.url().replace("http://", "http://rake:secret@");
        assert_eq!(harvest(&first, &url, "oai_dc", ""), 3);
        let mut found = abouts(&first, "oai_dc");
        found.sort_by_key(|about| all(&about[0], "identifier"));
        assert_eq!(found.len(), 3);
        for (about, number) in found.iter().zip(1..) {
            let [about] = &about[..] else { panic!("{about:?}") };
            assert_eq!(all(about, "baseURL"), [double.url()]);
            assert_eq!(all(about, "identifier"), [format!("oai:meadow.example:{number}")]);
            assert_eq!(all(about, "datestamp"), [format!("2026-01-01T0{number}:00:00Z")]);
            assert_eq!(all(about, "metadataNamespace"), [DC]);
            let harvested = format!("harvestDate=\"{RESPONSE_DATE}\" altered=\"true\"");
            assert!(about.contains(&harvested), "{about}");
        }
        // Whoever harvests us passes on both.
        let server = Server::start(&first, 10);
        let second = Folder::new();
        assert_eq!(harvest(&second, &format!("http://{}/oai", server.address), "oai_dc", ""), 3);
        for about in abouts(&second, "oai_dc") {
            let urls = [format!("http://{}/oai", server.address), double.url()];
            assert_eq!(all(&about[0], "baseURL"), urls);
            assert_eq!(about[0].matches("<originDescription ").count(), 2);
            assert!(
                about[0].contains(&format!("harvestDate=\"{RESPONSE_DATE}\" altered=\"true\""))
            );
        }
    }
}

fn marc(request: &Request, answer: Answer) -> Answer {
    if !request.is_list() {
        return answer;
    }
    let text = answer.text();
    let mut parts = text.split("<metadata>");
    let mut out = parts.next().unwrap().to_owned();
    for (part, number) in parts.zip(1..) {
        let (_, behind) = part.split_once("</metadata>").unwrap();
        out += &format!(
            "<metadata><record xmlns=\"{MARC}\"><leader>00000nam a2200000 a 4500</leader>\
             <controlfield tag=\"001\">hay{number}</controlfield>\
             <datafield tag=\"245\" ind1=\"0\" ind2=\"0\"><subfield code=\"a\">Hay {number}\
             </subfield></datafield></record></metadata>{behind}"
        );
    }
    Answer::xml(out)
}

#[test]
fn what_is_given_out_as_it_came_is_not_altered() {
    for folder in folders() {
        let double: Double = changed(Repository::new(2, 10), marc);
        assert_eq!(harvest(&folder, &double.url(), "marc21", ""), 2);
        for (prefix, altered) in [("marc21", "false"), ("oai_dc", "true")] {
            for about in abouts(&folder, prefix) {
                assert_eq!(all(&about[0], "metadataNamespace"), [MARC]);
                assert!(about[0].contains(&format!("altered=\"{altered}\"")), "{about:?}");
            }
        }
    }
}

#[test]
fn an_origin_goes_with_the_source_bytes() {
    for folder in folders() {
        let repository = std::sync::Arc::new(std::sync::Mutex::new(Repository::new(2, 10)));
        let kept = std::sync::Arc::clone(&repository);
        let double = Double::new(move |request| kept.lock().unwrap().answer(request));
        harvest(&folder, &double.url(), "oai_dc", "");
        // Only the datestamp moves there.
        repository.lock().unwrap().records[1].stamp = NOW + 7;
        harvest(&folder, &double.url(), "oai_dc", "");
        let found = abouts(&folder, "oai_dc");
        let moved =
            found.iter().any(|about| all(&about[0], "datestamp") == ["2026-02-01T00:00:07Z"]);
        assert!(moved && found.len() == 2, "{found:?}");
        // Bytes that nobody wants kept have no origin either.
        repository.lock().unwrap().records[0].title = "Straw".to_owned();
        repository.lock().unwrap().records[0].stamp = NOW + 9;
        harvest(&folder, &double.url(), "oai_dc", "load: { keep_source: false }\n");
        let with: usize = abouts(&folder, "oai_dc").iter().map(Vec::len).sum();
        assert_eq!(with, 1);
        let rows = "select count(*) || ' ' || (select count(*) from windrow_source) \
                    from windrow_origin";
        assert_eq!(folder.text(rows), "1 1");
    }
}
