//! The repositories that the rules are asked of: one with sets and deletions, one that is empty.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::Stdio;

use crate::endpoint_on_stores::Server;
use crate::oai_endpoint::client::{Client, all, pieces};
use crate::support::{Folder, end, project};

/// Records on a page of the repository.
pub const PAGE_SIZE: u32 = 30;

/// The second at which the servers' clocks stand still, for what is changed while they serve.
pub const NOW: &str = "1700000000";

/// A header, as a list gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub identifier: String,
    pub datestamp: String,
    pub deleted: bool,
    pub sets: BTreeSet<String>,
}

/// A repository of some 300 records, 33 of them deleted, with sets in sets, and one of none.
pub struct Site {
    pub folder: Folder,
    pub server: Server,
    pub empty: Server,
    /// What ListIdentifiers gave for `oai_dc`, in its order.
    pub headers: Vec<Header>,
    /// Makes a folder with a store of the same keeper.
    pub another_folder: fn() -> Folder,
    _empty: Folder,
}

impl Site {
    pub fn new(another_folder: fn() -> Folder) -> Site {
        let (folder, none) = (another_folder(), another_folder());
        let pipeline = project("pipelines/quickstart.yaml");
        let loaded = end(folder
            .windrow(&["run", pipeline.to_str().unwrap()])
            .env("SOURCE_DATE_EPOCH", "1600000000"));
        assert_eq!(loaded.status, Some(0), "{}", loaded.stderr);
        let sets = ["hay", "hay:meadow", "hay:meadow:wet", "hay:orchard", "straw"];
        let lines: String = (0..40)
            .map(|n| record(&format!("hay{n}"), &format!("Row {n} <&>"), sets[n % 5]))
            .collect();
        records(&folder, "1650000000", &["create"], &lines);
        let loaded: Vec<String> = (1..=25).map(|n| format!("wr{:08}", n * 8)).collect();
        let created = (0..40).step_by(5).map(|n| format!("hay{n}"));
        let gone: Vec<String> = loaded.into_iter().chain(created).collect();
        let mut delete = vec!["delete"];
        delete.extend(gone.iter().map(String::as_str));
        records(&folder, "1680000000", &delete, "");
        // A store that has never had a record.
        records(&none, "1600000000", &["create"], "");

        let server = Server::start(&folder, PAGE_SIZE);
        let empty = Server::start(&none, PAGE_SIZE);
        let headers = headers(&server.address, "ListIdentifiers", "metadataPrefix=oai_dc");
        assert_eq!(headers.len(), 300);
        assert_eq!(headers.iter().filter(|header| header.deleted).count(), 33);
        Site { folder, server, empty, headers, another_folder, _empty: none }
    }

    pub fn client(&self) -> Client {
        Client::new(&self.server.address)
    }

    /// The metadataPrefixes that the repository offers.
    pub fn prefixes(&self) -> Vec<String> {
        all(&self.client().get("verb=ListMetadataFormats"), "metadataPrefix")
    }

    /// The first header of its kind.
    pub fn first(&self, deleted: bool) -> &Header {
        self.headers.iter().find(|header| header.deleted == deleted).unwrap()
    }
}

/// A record as a line of JSON.
pub fn record(id: &str, title: &str, set: &str) -> String {
    let value = serde_json::json!({
        "id": id, "collections": [set], "metadata": { "title": title },
    });
    format!("{value}\n")
}

/// `windrow records VERB` at a second of the past, with this on stdin.
pub fn records(folder: &Folder, second: &str, arguments: &[&str], stdin: &str) {
    let mut command = folder.windrow(&["records"]);
    command.args(arguments).env("SOURCE_DATE_EPOCH", second);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
}

/// The headers of a whole list.
pub fn headers(address: &str, verb: &str, query: &str) -> Vec<Header> {
    let pages = Client::new(address).pages(verb, query);
    pages.iter().flat_map(|page| headers_of(page)).collect()
}

/// The headers of one page.
pub fn headers_of(page: &str) -> Vec<Header> {
    let header = |piece: &&str| {
        let (_, header) = piece.rsplit_once("<header").unwrap();
        Header {
            identifier: all(header, "identifier").remove(0),
            datestamp: all(header, "datestamp").remove(0),
            deleted: header.starts_with(" status=\"deleted\""),
            sets: all(header, "setSpec").into_iter().collect(),
        }
    };
    pieces(page, "header").iter().map(header).collect()
}

/// The value of an attribute of the first element of this name, as it is written.
pub fn attribute(xml: &str, element: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{element} "))?;
    let (attributes, _) = rest.split_once('>')?;
    let attributes = format!(" {attributes}");
    let (_, rest) = attributes.split_once(&format!(" {name}=\""))?;
    rest.split_once('"').map(|(value, _)| value.to_owned())
}
