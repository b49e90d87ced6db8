//! A pipeline of an endpoint: harvested into its journal, loaded from there, night after night.

use std::sync::{Arc, Mutex};

use super::double::{Answer, Double, Request};
use super::repository::{Kept, Repository};
use crate::support::{Folder, count, project};

/// 2026-02-01, the responseDate of the double.
pub const NOW: i64 = 1_769_904_000;

pub struct Night {
    pub folder: Folder,
    pub repository: Arc<Mutex<Repository>>,
    pub double: Double,
    broken: Arc<Mutex<bool>>,
}

impl Night {
    fn new(count: usize) -> Night {
        Night::with(Repository::new(count, 4), "", |_, answer| answer)
    }

    /// A pipeline with these keys more, two spaces before each of its source.
    pub fn with(
        repository: Repository,
        keys: &str,
        change: impl Fn(&Request, Answer) -> Answer + Send + Sync + 'static,
    ) -> Night {
        Night::on(Folder::new(), repository, keys, change)
    }

    /// As [`Night::with`], with the store of this folder.
    pub fn on(
        folder: Folder,
        repository: Repository,
        keys: &str,
        change: impl Fn(&Request, Answer) -> Answer + Send + Sync + 'static,
    ) -> Night {
        let repository = Arc::new(Mutex::new(repository));
        let broken = Arc::new(Mutex::new(false));
        let (kept, is_broken) = (Arc::clone(&repository), Arc::clone(&broken));
        let double = Double::new(move |request| {
            let answer = kept.lock().unwrap().answer(request);
            let is_second = request.argument("resumptionToken").is_some();
            if is_second && *is_broken.lock().unwrap() {
                return Answer::status(404, "Gone");
            }
            change(request, answer)
        });
        folder.write(
            "pipeline.yaml",
            format!(
                "pipeline: meadow\nsource:\n  type: oai-pmh\n  url: {}\n  retries: 1\n  \
                 first_wait: 0.01\n{keys}crosswalk: {}\nbatch: {{ records: 3 }}\n",
                double.url(),
                project("crosswalks/oai_dc-to-record.yaml").display()
            ),
        );
        Night { folder, repository, double, broken }
    }

    pub fn rows(&self, sql: &str) -> String {
        self.folder.text(sql)
    }
}

pub const LIVE: &str = "select count(*) || ' of ' || (select count(*) from windrow_oai) from windrow_oai \
                    where not deleted";

#[test]
fn each_night_brings_what_is_new_and_takes_what_is_gone() {
    let night = Night::new(10);
    let report = night.folder.run(&[]).report(0);
    assert_eq!((count(&report, "read"), count(&report, "created")), (10, 10));
    assert_eq!(report["harvests"][0]["records"], 10);
    assert_eq!(night.rows(LIVE), "10 of 10");
    {
        let mut repository = night.repository.lock().unwrap();
        repository.records[2] = Kept { number: 3, stamp: NOW, deleted: true, title: String::new() };
        repository.records[3].title = "Straw".to_owned();
        repository.records[3].stamp = NOW + 1;
        repository.records.push(Kept {
            number: 11,
            stamp: NOW + 2,
            deleted: false,
            title: "New".to_owned(),
        });
        // Never seen here: nothing to delete.
        repository.records.push(Kept { number: 12, stamp: NOW, deleted: true, title: "".into() });
    }
    let report = night.folder.run(&[]).report(0);
    let fates = ["read", "created", "updated", "deleted", "unchanged"];
    assert_eq!(fates.map(|fate| count(&report, fate)), [4, 1, 1, 1, 1]);
    assert_eq!(night.rows(LIVE), "10 of 11");
    let pids = "select group_concat(pid_value) || ' of ' || (select count(*) from pidstore_pid) \
                from pidstore_pid where status = 'D'";
    assert_eq!(night.rows(pids), "oai:meadow.example:3 of 11");
    // Nothing is new: what overlaps is known.
    let report = night.folder.run(&[]).report(0);
    assert_eq!((count(&report, "read"), count(&report, "unchanged")), (4, 4));
    // All of the journal again, without the endpoint.
    let asked = night.double.requests().len();
    let report = night.folder.run(&["--replay"]).report(0);
    assert_eq!(count(&report, "read"), 10 + 4 + 4);
    assert_eq!(night.double.requests().len(), asked);
    assert_eq!(night.rows(LIVE), "10 of 11");
}

#[test]
fn what_came_is_loaded_even_when_the_harvest_is_not_complete() {
    let night = Night::new(10);
    *night.broken.lock().unwrap() = true;
    let ended = night.folder.run(&[]);
    assert_eq!(ended.status, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("not complete"), "{}", ended.stderr);
    assert_eq!(night.rows(LIVE), "4 of 4");
    *night.broken.lock().unwrap() = false;
    let report = night.folder.run(&[]).report(0);
    assert_eq!(count(&report, "created"), 6);
    assert_eq!(night.rows(LIVE), "10 of 10");
}

#[test]
fn a_dry_run_asks_nobody() {
    let night = Night::new(3);
    let report = night.folder.run(&["--dry-run"]).report(0);
    assert_eq!(count(&report, "read"), 0);
    assert!(night.double.requests().is_empty());
    assert!(!night.folder.path("journal").exists());
}
