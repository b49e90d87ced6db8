//! What a harvest came to: what was delivered, mended and missed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::journal::{JournalWindow, Standing};
use super::window::Window;
use crate::record::Warning;

/// So many messages of one kind are kept.
const SAMPLES: usize = 5;
/// So many broken records are named.
const NAMED: usize = 100;

/// The report of one harvest.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq)]
pub struct Report {
    /// The endpoint.
    pub url: String,
    /// metadataPrefix
    pub prefix: String,
    /// Whether everything that was asked for came.
    pub complete: bool,
    /// Requests, repeated ones included.
    pub requests: u64,
    /// Of these, repetitions.
    pub retries: u64,
    /// Pages with records.
    pub pages: u64,
    /// Bytes of pages, unpacked.
    pub bytes: u64,
    /// Records delivered: tombstones included, duplicates and broken ones not.
    pub records: u64,
    /// Of these, tombstones.
    pub deleted: u64,
    /// Records that came again as they were.
    pub duplicates: u64,
    /// Records that cannot be read.
    pub broken: u64,
    /// The first of them.
    pub broken_records: Vec<Broken>,
    /// What was odd or mended, by code.
    pub repairs: BTreeMap<String, Repairs>,
    /// The windows that the list was asked for in.
    pub windows: Vec<WindowReport>,
    /// Where the next harvest begins.
    pub next_from: Option<String>,
    /// Seconds it took.
    pub seconds: f64,
    /// deletedRecord of the endpoint, if it is one of the three words.
    #[serde(default)]
    pub deletions: Option<String>,
}

/// A record that cannot be read.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
pub struct Broken {
    /// Its identifier, as far as it can be told.
    pub identifier: String,
    /// A stable code.
    pub code: String,
    /// What is wrong.
    pub message: String,
}

/// Warnings of one code.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq)]
pub struct Repairs {
    /// How many.
    pub count: u64,
    /// The first few, with the record's identifier in front where one has it.
    pub samples: Vec<String>,
}

/// How one window went.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
pub struct WindowReport {
    /// What it asked for.
    #[serde(flatten)]
    pub window: Window,
    /// How far it has come.
    pub standing: Standing,
    /// Why it is open or was split.
    pub reason: Option<String>,
    /// Pages with records.
    pub pages: u64,
    /// Records in them, whatever became of them.
    pub records: u64,
    /// What the endpoint said there were.
    pub complete_list_size: Option<u64>,
}

impl WindowReport {
    /// A window of which nothing has come yet.
    #[must_use]
    pub fn new(window: &JournalWindow) -> WindowReport {
        WindowReport {
            window: window.window.clone(),
            standing: window.standing,
            reason: window.reason.clone(),
            pages: 0,
            records: 0,
            complete_list_size: None,
        }
    }
}

impl Report {
    /// Counts what was odd.
    pub fn warn(&mut self, identifier: &str, warnings: &[Warning]) {
        for Warning { code, message } in warnings {
            let repairs = self.repairs.entry((*code).to_owned()).or_default();
            repairs.count += 1;
            if repairs.samples.len() < SAMPLES {
                let sample = match identifier {
                    "" => message.clone(),
                    identifier => format!("{identifier}: {message}"),
                };
                repairs.samples.push(sample);
            }
        }
    }

    /// Adds what asking for something beside came to: requests and what was odd.
    pub fn absorb(&mut self, other: &Report) {
        self.requests += other.requests;
        self.retries += other.retries;
        for (code, more) in &other.repairs {
            let repairs = self.repairs.entry(code.clone()).or_default();
            repairs.count += more.count;
            let room = SAMPLES.saturating_sub(repairs.samples.len());
            repairs.samples.extend(more.samples.iter().take(room).cloned());
        }
    }

    /// Whether the list came from its beginning to its end, without anything that makes one doubt:
    /// what is not in it is not at the endpoint.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let doubts = ["oai.empty_page", "oai.short_list"];
        self.complete
            && self.broken == 0
            && !doubts.iter().any(|doubt| self.repairs.contains_key(*doubt))
    }

    /// Counts a record that cannot be read.
    pub fn broken(&mut self, identifier: &str, code: &str, message: &str) {
        self.broken += 1;
        if self.broken_records.len() < NAMED {
            self.broken_records.push(Broken {
                identifier: identifier.to_owned(),
                code: code.to_owned(),
                message: message.to_owned(),
            });
        }
    }
}
