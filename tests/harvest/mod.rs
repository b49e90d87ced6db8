//! The harvester against endpoints that keep the protocol and endpoints that do not.

#![cfg(unix)]

mod cases;
mod doctor;
pub mod double;
mod journal;
mod lists;
mod pipeline;
mod provenance;
mod reconcile;
mod repository;
mod schedule;
mod twins;
mod windows;

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

use crate::support::{Folder, windrow};
use double::{Answer, Double, Request};

/// What a harvest came to, as its user sees it.
pub struct Harvested {
    pub status: i32,
    /// By identifier, in the order of stdout.
    pub records: Vec<Value>,
    pub report: Value,
    pub stderr: String,
}

impl Harvested {
    pub fn numbers(&self) -> Vec<usize> {
        let number = |record: &Value| {
            let identifier = record["identifier"].as_str().unwrap();
            identifier.rsplit(':').next().unwrap().parse().unwrap()
        };
        let mut numbers: Vec<usize> = self.records.iter().map(number).collect();
        numbers.sort_unstable();
        numbers
    }

    pub fn codes(&self) -> BTreeMap<String, u64> {
        let Some(repairs) = self.report["repairs"].as_object() else { return BTreeMap::new() };
        let count = |row: &Value| row["count"].as_u64().unwrap();
        repairs.iter().map(|(code, row)| (code.clone(), count(row))).collect()
    }
}

/// `windrow harvest VERB URL` with little patience.
pub fn command(folder: &Folder, verb: &str, url: &str, options: &[&str]) -> Command {
    let mut command = windrow();
    command.args(["harvest", verb, url]);
    command.args(["--first-wait", "0.01", "--longest-wait", "5"]);
    if !options.contains(&"--retries") {
        command.args(["--retries", "3"]);
    }
    for [name, value] in [["--timeout", "5"], ["--idle-timeout", "0.3"]] {
        if !options.contains(&name) {
            command.args([name, value]);
        }
    }
    command.arg("--report").arg(folder.path("report.json"));
    command.args(options).env("NO_PROXY", "*").env_remove("http_proxy");
    command
}

pub fn harvest(double: &Double, options: &[&str]) -> Harvested {
    let folder = Folder::new();
    let output = command(&folder, "records", &double.url(), options).output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let report = std::fs::read(folder.path("report.json")).unwrap_or_default();
    Harvested {
        status: output.status.code().unwrap(),
        records: lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
        report: serde_json::from_slice(&report).unwrap_or_default(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A double that answers as `repository` does, but for what `change` makes of it.
pub fn changed(
    repository: repository::Repository,
    change: impl Fn(&Request, Answer) -> Answer + Send + Sync + 'static,
) -> Double {
    Double::new(move |request| change(request, repository.answer(request)))
}
