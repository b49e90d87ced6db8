//! Real files, read where they stand, against what other readers made of them.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde_json::Value;
use unicode_normalization::UnicodeNormalization;
use windrow::formats::marc21::{CONTROL_VALUE, Marc};
use windrow::formats::{ReadOptions, SourceRecord, by_name};
use windrow::source::{BatchLimit, DumpReader};

use crate::support::project;

/// As many of each file as the others' readings have.
const RECORDS_OF_A_FILE: usize = 200;

fn shared() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let shared = std::env::var_os("WINDROW_SHARED").map_or_else(beside, PathBuf::from);
    let found = shared.join("data/truth").is_dir();
    if !found {
        eprintln!("ignored: no ../shared");
    }
    found.then_some(shared)
}

#[derive(Default)]
struct Tally {
    read: usize,
    decoded: usize,
    compared: usize,
    codes: BTreeMap<&'static str, usize>,
    /// By file and number of the record, what is read otherwise.
    differences: BTreeMap<(String, String), String>,
}

impl Tally {
    fn differ(&mut self, name: &str, index: usize, what: String) {
        self.differences.insert((name.to_owned(), format!("#{}", index + 1)), what);
    }
}

type Truth = HashMap<String, Vec<Value>>;

fn truth(shared: &Path, prefix: &str, source: &str) -> Truth {
    let path = shared.join(format!("data/truth/{prefix}{source}.jsonl.gz"));
    let mut truth = Truth::new();
    let Ok(file) = std::fs::File::open(path) else { return truth };
    let lines = BufReader::new(flate2::read::MultiGzDecoder::new(file)).lines();
    for line in lines {
        let entry: Value = serde_json::from_str(&line.unwrap()).unwrap();
        truth.entry(entry["file"].as_str().unwrap().to_owned()).or_default().push(entry);
    }
    truth
}

fn as_truth(marc: &Marc) -> Value {
    let nfc = |text: &str| text.nfc().collect::<String>();
    let fields = marc.fields().map(|field| {
        let subfields: Vec<_> = field.subfields().collect();
        match subfields.first() {
            Some(value) if value.code == CONTROL_VALUE => {
                serde_json::json!([field.tag().to_string(), null, nfc(value.value)])
            }
            _ => serde_json::json!([
                field.tag().to_string(),
                field.indicators().iter().collect::<String>(),
                subfields
                    .iter()
                    .map(|sub| (sub.code.to_string(), nfc(sub.value)))
                    .collect::<Vec<_>>(),
            ]),
        }
    });
    Value::Array(fields.collect())
}

fn read_file<'t>(path: &Path, name: &str, format: &str, truth: &'t [Value]) -> Tally {
    let mut tally = Tally::default();
    let mut reader = DumpReader::open(path, name, by_name(format)).unwrap();
    let (mut record, mut warnings) = (SourceRecord::default(), Vec::new());
    let limit = BatchLimit { records: RECORDS_OF_A_FILE, bytes: usize::MAX };
    let batch = match reader.read_batch(limit) {
        Ok(Some(batch)) => batch,
        Ok(None) => return tally,
        Err(error) => panic!("{name}: {error}"),
    };
    for (index, raw) in batch.records.iter().enumerate() {
        tally.read += 1;
        if let Some(damage) = &raw.damage {
            *tally.codes.entry(damage.code).or_default() += 1;
            continue;
        }
        let options = ReadOptions::default();
        let format = by_name(format).unwrap();
        if let Err(error) = format.read(batch.bytes(raw), &options, &mut record, &mut warnings) {
            *tally.codes.entry(error.code).or_default() += 1;
            continue;
        }
        tally.decoded += 1;
        let SourceRecord::Marc(marc) = &record else { panic!("no MARC") };
        let entry = truth.iter().find(|entry| match entry["offset"].as_u64() {
            Some(offset) => offset == raw.byte,
            None => entry["index"].as_u64() == Some(index as u64),
        });
        // Where the two other readers differ, either will do.
        let answers = |entry: &'t Value| -> Vec<&'t Value> {
            let answers = [&entry["fields"], &entry["fields_yaz"]];
            answers.into_iter().filter(|fields| fields.is_array()).collect()
        };
        let Some(entry) = entry.filter(|entry| !answers(entry).is_empty()) else { continue };
        tally.compared += 1;
        let found = as_truth(marc);
        let same_leader = |stated: &str| {
            let (found, expected) = (marc.leader().as_str().as_bytes(), stated.as_bytes());
            // leader/09 is what the other reader made of it.
            expected.len() != 24 || (0..24).all(|at| at == 9 || found[at] == expected[at])
        };
        if !same_leader(entry["leader"].as_str().unwrap_or_default()) {
            tally.differ(name, index, format!("leader {}", entry["leader"]));
        } else if !answers(entry).contains(&&found) {
            let found = found.as_array().unwrap();
            let expected = answers(entry)[0].as_array().unwrap();
            let at = found.iter().zip(expected).position(|(a, b)| a != b);
            let pair = at.map(|at| (found[at].to_string(), expected[at].to_string()));
            tally.differ(name, index, format!("{pair:?}"));
        }
    }
    for warning in warnings {
        *tally.codes.entry(warning.code).or_default() += 1;
    }
    tally
}

fn files_of(shared: &Path, room: &str) -> Vec<PathBuf> {
    let base = shared.join("data").join(room);
    windrow::source::expand(&["**".to_owned()], &base).unwrap()
}

fn check(room: &str, format: &str, prefix: &str) {
    let Some(shared) = shared() else { return };
    let files = files_of(&shared, room);
    let mut sources: BTreeMap<String, Vec<(PathBuf, String)>> = BTreeMap::new();
    for file in files {
        let name = file.strip_prefix(shared.join("data")).unwrap().display().to_string();
        let source = name.split('/').nth(1).unwrap().to_owned();
        sources.entry(source).or_default().push((file, name));
    }
    let tallies: Vec<(String, Tally)> = sources
        .into_par_iter()
        .flat_map_iter(|(source, files)| {
            let truth = truth(&shared, prefix, &source);
            files.into_iter().map(move |(path, name)| {
                let of_file = truth.get(&format!("_shared/{name}")).map_or(&[][..], Vec::as_slice);
                let tally = read_file(&path, &name, format, of_file);
                (name, tally)
            })
        })
        .collect();
    let mut all = Tally::default();
    for (name, tally) in &tallies {
        if tally.read != tally.decoded {
            eprintln!("{name}: {} read, {} decoded, {:?}", tally.read, tally.decoded, tally.codes);
        }
        all.read += tally.read;
        all.decoded += tally.decoded;
        all.compared += tally.compared;
        all.differences.extend(tally.differences.clone());
        for (code, count) in &tally.codes {
            *all.codes.entry(code).or_default() += count;
        }
    }
    eprintln!(
        "{room}: {} files, {} records read, {} decoded, {} compared, {} differ, {:?}",
        tallies.len(),
        all.read,
        all.decoded,
        all.compared,
        all.differences.len(),
        all.codes
    );
    let known = known_differences();
    let unknown = all.differences.iter().filter(|(place, _)| !known.contains_key(*place));
    let unknown: Vec<_> =
        unknown.map(|((file, at), what)| format!("{file} {at}: {what}")).collect();
    assert!(unknown.is_empty(), "not listed in known_differences.tsv:\n{}", unknown.join("\n"));
}

/// Where we read otherwise than others, by file and place, with the reason.
pub fn known_differences() -> BTreeMap<(String, String), String> {
    let text = std::fs::read_to_string(project("fixtures/marc/known_differences.tsv")).unwrap();
    let rows = text.lines().skip(1).map(|line| {
        let [file, place, reason] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("three columns: {line}");
        };
        assert!(!reason.is_empty(), "{line}");
        ((file.to_owned(), place.to_owned()), reason.to_owned())
    });
    rows.collect()
}

#[test]
fn iso2709_files_read_as_others_read_them() {
    check("marc", "iso2709", "");
}

#[test]
fn marcxml_files_read_as_others_read_them() {
    check("marcxml", "marcxml", "marcxml__");
}
