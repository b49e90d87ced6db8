//! Real files of many libraries through the whole way in: nothing panics, nothing is lost.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use windrow::formats::Model;
use windrow::pipeline::{Definition, Options, Progress, Report, run};
use windrow::record::Clock;
use windrow::source::{DumpReader, SourceError, expand};
use windrow::store::{self, Counts};

use crate::support::{Folder, project, shared, value};

/// The files of a room of the shared data that are MARC; the others must say so clearly.
fn marc_files(room: &str) -> Vec<(PathBuf, String)> {
    let Some(shared) = shared() else { return Vec::new() };
    let data = shared.join("data");
    let files = expand(&["**".to_owned()], &data.join(room)).unwrap();
    let mut marc = Vec::new();
    let mut other = Vec::new();
    for path in files {
        let name = path.strip_prefix(&data).unwrap().display().to_string();
        match DumpReader::open(&path, &name, None) {
            Ok(reader) if reader.format().model == Model::Marc => marc.push((path, name)),
            Ok(reader) => other.push(format!("{name} is {}", reader.format().name)),
            Err(error @ SourceError::UnknownFormat { .. }) => {
                let message = error.to_string();
                assert!(message.starts_with(&format!("{name} begins with ")), "{message}");
                assert!(message.contains("iso2709, "), "{message}");
                other.push(message);
            }
            Err(error) => panic!("{name}: {error}"),
        }
    }
    eprintln!("{room}: {} files of MARC, {} of no known format", marc.len(), other.len());
    for message in other {
        eprintln!("  {message}");
    }
    marc
}

/// The quickstart's pipeline over other files.
fn definition(files: Vec<(PathBuf, String)>) -> Arc<Definition> {
    let mut definition = Definition::load(&project("pipelines/quickstart.yaml")).unwrap();
    definition.files = files;
    Arc::new(definition)
}

/// Without optimization, of a long file only so many records are read: it has more of the same.
const RECORDS_OF_A_LONG_FILE: u64 = 1000;

fn is_long((path, _): &(PathBuf, String)) -> bool {
    let packed = path.extension().is_some_and(|extension| extension == "gz");
    cfg!(debug_assertions) && packed && path.metadata().unwrap().len() > 400_000
}

async fn load(
    files: Vec<(PathBuf, String)>,
    limit: Option<u64>,
    folder: Option<&Folder>,
) -> Report {
    let url = folder.map(|folder| format!("sqlite:{}", folder.store().display()));
    let store = match url {
        Some(url) => Some(store::open(&url).await.unwrap()),
        None => None,
    };
    let clock = Clock::Fixed(jiff::Timestamp::from_second(1_700_000_000).unwrap());
    let options = Options { limit, ..Options::new(store, clock) };
    run(definition(files), options, Arc::new(Progress::default())).await.unwrap()
}

/// Takes all files of a room the whole way, into one store when there is a folder for it.
/// Identifiers of one file meet those of another there: such a record is then an update.
fn check(room: &str, folder: Option<&Folder>) {
    let begun = Instant::now();
    let files = marc_files(room);
    if files.is_empty() {
        return;
    }
    let (long, files): (Vec<_>, Vec<_>) = files.into_iter().partition(is_long);
    let report = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut report = load(files, None, folder).await;
        for file in long {
            eprintln!("  {}: the first {RECORDS_OF_A_LONG_FILE} records", file.1);
            let part = load(vec![file], Some(RECORDS_OF_A_LONG_FILE), folder).await;
            report.balanced &= part.balanced;
            report.counts.add(&part.counts);
            report.splits.extend(part.splits);
            report.account.add(part.account);
            for (reason, count) in part.reasons {
                *report.reasons.entry(reason).or_default() += count;
            }
        }
        report
    });
    for split in &report.splits {
        let counts = &split.counts;
        let passed = counts.created + counts.updated + counts.unchanged;
        assert_eq!(counts.read, passed + counts.quarantined, "{}", split.name);
        if counts.read == 0 {
            eprintln!("  {} has no records", split.name);
        }
    }
    assert!(report.balanced);
    let Counts { read, created, updated, unchanged, quarantined, .. } = report.counts;
    let (values, bytes) = report.account.coverage();
    eprintln!(
        "{room}: {} files, {read} read = {created} created + {updated} updated + {unchanged} \
         unchanged + {quarantined} quarantined; {values:.1} % of values and {bytes:.1} % of bytes \
         covered; {:.1?}\n  {:?}\n  {:?}",
        report.splits.len(),
        begun.elapsed(),
        report.reasons,
        report.account.warnings
    );
    if let Some(folder) = folder {
        let stored: i64 = value(&folder.store(), "select count(*) from records_metadata");
        assert_eq!(stored as u64, created);
        let held: i64 = value(&folder.store(), "select count(*) from windrow_quarantine");
        assert_eq!(held as u64, quarantined);
    }
    assert_eq!(report.reasons.values().sum::<u64>(), quarantined);
    // Records of authorities and holdings have no title; that is not the reader's fault.
    let not_decoded: u64 = report
        .reasons
        .iter()
        .filter(|(reason, _)| reason.starts_with("decode"))
        .map(|(_, count)| count)
        .sum();
    assert!(not_decoded * 20 < read, "{not_decoded} of {read} records cannot be decoded");
}

#[test]
fn real_iso2709_passes_or_is_held_back_and_is_never_lost() {
    // Without optimization it takes too long to load them, too.
    let folder = (!cfg!(debug_assertions)).then(Folder::new);
    check("marc", folder.as_ref());
}

#[test]
fn real_marcxml_is_loaded_or_held_back_and_is_never_lost() {
    check("marcxml", Some(&Folder::new()));
}
