//! The real server over a real store, as a harvester sees it.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::time::Duration;

use flate2::read::GzDecoder;

use crate::oai_conformance::http;
use crate::oai_endpoint::client::{Client, all, codes, pieces, token};
use crate::oai_endpoint::{
    check_bad_requests, check_dates, check_lists, check_sets, check_tokens, check_whole_lists,
};
use crate::quickstart::generator::write;
use crate::support::{Folder, Process, brief_record, count, end, project};

/// `windrow serve` on a free port, over the store of a folder; it ends with the value.
pub struct Server {
    pub address: String,
    process: Process,
}

impl Server {
    pub fn start(folder: &Folder, page_size: u32) -> Server {
        Server::of(folder.windrow(&["serve", "--listen", "127.0.0.1:0"]), page_size)
    }

    /// The same, by the machine's clock.
    pub fn start_now(folder: &Folder, page_size: u32) -> Server {
        let mut command = folder.windrow(&["serve", "--listen", "127.0.0.1:0"]);
        command.env_remove("SOURCE_DATE_EPOCH");
        Server::of(command, page_size)
    }

    fn of(mut command: std::process::Command, page_size: u32) -> Server {
        command.args(["--repository-id", "example.org", "--admin-email", "admin@example.org"]);
        command.args(["--page-size", &page_size.to_string()]);
        Server::run(command)
    }

    /// A server that a command starts.
    pub fn run(command: std::process::Command) -> Server {
        Server::with_log(command).0
    }

    /// The same, and its log, which somebody may read.
    pub fn with_log(
        mut command: std::process::Command,
    ) -> (Server, BufReader<std::process::ChildStderr>) {
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut process = Process(child);
        let mut line = String::new();
        let mut log = BufReader::new(process.0.stderr.take().unwrap());
        log.read_line(&mut line).unwrap();
        let url = line.strip_prefix("OAI-PMH at http://").unwrap_or_else(|| panic!("{line}"));
        let address = url.split_once("/oai").unwrap().0.to_owned();
        (Server { address, process }, log)
    }

    /// Asks it to end, and waits.
    pub fn end(mut self) -> std::process::ExitStatus {
        let pid = self.process.0.id().to_string();
        assert!(
            std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success()
        );
        self.process.0.wait().unwrap()
    }

    pub fn client(&self) -> Client {
        Client::new(&self.address)
    }
}

/// Loads the records of fixtures/quickstart by the pipeline that users start with.
pub fn quickstart_store(folder: &Folder) {
    let pipeline = project("pipelines/quickstart.yaml");
    let pipeline = pipeline.to_str().unwrap();
    let report = end(&mut folder.windrow(&["run", pipeline, "--json"])).report(0);
    assert_eq!((count(&report, "read"), count(&report, "created")), (261, 260));
    assert_eq!((count(&report, "unchanged"), count(&report, "quarantined")), (1, 0));
}

// Every check runs on every keeper; a keeper is one module here.
macro_rules! checks {
    ($($check:ident)*) => {
        mod on_sqlite {
            $(
                #[test]
                fn $check() {
                    super::$check(&crate::support::Folder::new());
                }
            )*
        }

        #[cfg(unix)]
        mod on_postgres {
            $(
                #[test]
                fn $check() {
                    let Some(database) = crate::private_postgres::database() else { return };
                    super::$check(&crate::support::Folder::on(database));
                }
            )*
        }
    };
}

checks! {
    what_holds_of_any_endpoint_holds_of_the_real_one
    pages_of_every_size_make_the_list_of_all_that_was_loaded
    all_six_verbs_answer_and_every_record_is_given_in_every_format
    a_harvest_from_the_last_day_gives_exactly_what_changed
    a_page_that_is_kept_is_given_as_long_as_nothing_on_it_has_changed
}

fn what_holds_of_any_endpoint_holds_of_the_real_one(folder: &Folder) {
    quickstart_store(folder);
    let server = Server::start(folder, 30);
    let mut client = server.client();
    check_bad_requests(&mut client);
    check_sets(&mut client);
    check_dates(&mut client);
    check_tokens(&mut client);
}

fn pages_of_every_size_make_the_list_of_all_that_was_loaded(folder: &Folder) {
    quickstart_store(folder);
    let sql = "select string_agg('oai:example.org:' || pid_value, ',') from pidstore_pid";
    let stored = folder.text(sql);
    let stored: BTreeSet<&str> = stored.split(',').collect();
    let mut first = None;
    for page_size in [7, 100, 260, 261] {
        let server = Server::start(folder, page_size);
        let mut client = server.client();
        let listed = check_whole_lists(&mut client, "metadataPrefix=oai_dc");
        assert_eq!(check_whole_lists(&mut client, "metadataPrefix=marc21"), listed);
        assert_eq!(listed.iter().map(String::as_str).collect::<BTreeSet<_>>(), stored);
        assert_eq!(first.get_or_insert_with(|| listed.clone()), &listed);
        let in_set = check_lists(&mut client, "metadataPrefix=oai_dc&set=thesis");
        assert!(in_set.len() >= 60 && in_set.len() < listed.len(), "{}", in_set.len());
    }
}

fn all_six_verbs_answer_and_every_record_is_given_in_every_format(folder: &Folder) {
    quickstart_store(folder);
    let server = Server::start(folder, 1000);
    let mut client = server.client();
    let identify = client.get("verb=Identify");
    assert_eq!(all(&identify, "repositoryIdentifier"), ["example.org"]);
    assert_eq!(all(&identify, "earliestDatestamp"), ["2023-11-14T22:13:20Z"]);
    assert_eq!(all(&identify, "baseURL"), [format!("http://{}/oai", server.address)]);
    let prefixes = all(&client.get("verb=ListMetadataFormats"), "metadataPrefix");
    assert_eq!(prefixes, ["datacite", "marc21", "mods", "oai_datacite", "oai_dc"]);
    assert!(all(&client.get("verb=ListSets"), "setSpec").contains(&"thesis".to_owned()));
    for prefix in ["oai_dc", "marc21"] {
        let list = client.get(&format!("verb=ListRecords&metadataPrefix={prefix}"));
        let metadata = |xml: &str| {
            let inner =
                xml.split_once("<metadata>").and_then(|(_, rest)| rest.split_once("</metadata>"));
            inner.map(|(inner, _)| inner.to_owned()).unwrap_or_else(|| panic!("{xml}"))
        };
        let headers = pieces(&list, "header");
        assert_eq!(headers.len(), 260);
        let bodies = list.split("<header>").skip(1);
        for body in bodies {
            let identifier = &all(body, "identifier")[0];
            let query = format!("metadataPrefix={prefix}&identifier={identifier}");
            let answer = client.get(&format!("verb=GetRecord&{query}"));
            assert_eq!(metadata(&answer), metadata(body), "{identifier}");
        }
    }
    let query = "verb=ListMetadataFormats&identifier=oai:example.org:wr00000001";
    assert_eq!(
        all(&client.get(query), "metadataPrefix"),
        ["datacite", "marc21", "mods", "oai_datacite", "oai_dc"]
    );
    let unknown = "verb=GetRecord&metadataPrefix=oai_dc&identifier=oai:example.org:wr99999999";
    assert_eq!(codes(&client.get(unknown)), ["idDoesNotExist"]);
}

fn same(page: &str) -> [String; 2] {
    [page.to_owned(), page.to_owned()]
}

fn a_page_that_is_kept_is_given_as_long_as_nothing_on_it_has_changed(folder: &Folder) {
    quickstart_store(folder);
    let server = Server::start_now(folder, 20);
    let token = token(&server.client().get("verb=ListRecords&metadataPrefix=oai_dc")).unwrap();
    let page = format!("verb=ListRecords&resumptionToken={token}");
    // As it is, and in gzip.
    let of_now = |server: &Server| {
        let reply = http::get(&server.address, &page, "Accept-Encoding: gzip\r\n");
        assert_eq!(reply.field("content-encoding"), Some("gzip"));
        let mut unpacked = String::new();
        GzDecoder::new(&*reply.body).read_to_string(&mut unpacked).unwrap();
        [server.client().get(&page), unpacked]
            .map(|answer| answer.split_once("</request>").unwrap().1.to_owned())
    };
    // Made, looked at, given without a look; and again when a second is over, in which the server
    // has written by itself.
    let [mut kept, _] = of_now(&server);
    for _ in 0..2 {
        assert_eq!((of_now(&server), of_now(&server)), (same(&kept), same(&kept)));
        std::thread::sleep(Duration::from_millis(1100));
    }
    // As others write it: another revision of the record, and nothing else. A server that has just
    // begun has kept nothing.
    for n in 0..2 {
        let name = all(&kept, "identifier").remove(7);
        let name = name.strip_prefix("oai:example.org:").unwrap_or_else(|| panic!("{name}"));
        folder.execute(&format!(
            "update records_metadata set version_id = version_id + 1, \
             json = '{{\"metadata\":{{\"title\":\"Changed {n}\"}}}}' \
             where id = (select object_uuid from pidstore_pid where pid_value = '{name}')"
        ));
        let is_found = (0..50).any(|_| {
            let [anew, _] = of_now(&Server::start_now(folder, 20));
            std::thread::sleep(Duration::from_millis(100));
            (0..3).all(|_| of_now(&server) == same(&anew)) && anew != kept
        });
        assert!(is_found, "change {n} is not told of");
        [kept, _] = of_now(&server);
        assert_eq!(pieces(&kept, "header").len(), 20);
    }
}

fn a_harvest_from_the_last_day_gives_exactly_what_changed(folder: &Folder) {
    let dump = |changed: &dyn Fn(u64) -> bool, numbers: std::ops::Range<u64>| -> Vec<u8> {
        let record = |n| brief_record(if changed(n) { 2 } else { 1 }, n);
        numbers.flat_map(|n| write::iso2709(&record(n)).unwrap()).collect()
    };
    let load = |epoch: &str| {
        let mut command = folder.windrow(&["run", "pipeline.yaml", "--json"]);
        end(command.env("SOURCE_DATE_EPOCH", epoch)).report(0)
    };
    folder.write("dump.mrc", dump(&|_| false, 0..300));
    folder.brief_pipeline("dump.mrc");
    assert_eq!(count(&load("1700000000"), "created"), 300);
    let server = Server::start(folder, 20);
    let mut client = server.client();
    let nothing = "verb=ListRecords&metadataPrefix=marc21&from=2023-11-15T00:00:00Z";
    assert_eq!(codes(&client.get(nothing)), ["noRecordsMatch"]);

    // The server goes on while the next dump comes in: every seventh record is another, ten are new.
    let changed = |n: u64| n.is_multiple_of(7) && n < 300;
    folder.write("dump.mrc", dump(&changed, 0..310));
    let report = load("1700086400");
    assert_eq!((count(&report, "updated"), count(&report, "created")), (43, 10));
    // And once more, with nothing new.
    assert_eq!(count(&load("1700172800"), "unchanged"), 310);

    // Nothing is told of what is still to come by the server's clock; another one is later.
    let changes = "verb=ListRecords&metadataPrefix=marc21&from=2023-11-15";
    assert_eq!(codes(&client.get(changes)), ["noRecordsMatch"]);
    let mut command = folder.windrow(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("SOURCE_DATE_EPOCH", "1700259200");
    let server = Server::of(command, 20);
    let mut client = server.client();
    let expected: BTreeSet<String> = (0..310)
        .filter(|&n| changed(n) || n >= 300)
        .map(|n| format!("oai:example.org:wr{:08}", n + 1))
        .collect();
    for from in ["2023-11-15", "2023-11-15T22:13:20Z"] {
        let date = format!("metadataPrefix=marc21&from={from}");
        for verb in ["ListRecords", "ListIdentifiers"] {
            let listed = client.identifiers(verb, &date);
            assert_eq!(listed.len(), expected.len());
            assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), expected, "{verb} {from}");
        }
    }
    let before = client.identifiers("ListIdentifiers", "metadataPrefix=oai_dc&until=2023-11-14");
    assert_eq!(before.len(), 300 - 43);
    let later = "verb=ListRecords&metadataPrefix=marc21&from=2023-11-15T22:13:21Z";
    assert_eq!(codes(&client.get(later)), ["noRecordsMatch"]);
}
