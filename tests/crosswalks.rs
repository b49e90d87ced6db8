//! Every crosswalk of the library compiles and passes the tests that it carries.

use std::path::Path;

use windrow::crosswalk::Crosswalk;

fn library() -> Vec<std::path::PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [root.join("crosswalks"), root.join("fixtures/crosswalks")];
    let mut files: Vec<_> = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.to_string_lossy();
            name.ends_with(".yaml") && !name.ends_with(".test.yaml")
        })
        .collect();
    files.sort();
    files
}

#[test]
fn every_crosswalk_passes_its_own_tests() {
    let files = library();
    assert!(files.len() >= 3, "the library is empty");
    let mut failures = Vec::new();
    for file in files {
        let crosswalk = Crosswalk::load(&file).unwrap_or_else(|error| panic!("{error}"));
        let outcomes = crosswalk.test().unwrap().outcomes;
        assert!(!outcomes.is_empty(), "{} has no tests", file.display());
        for outcome in outcomes {
            for failure in outcome.failures {
                failures.push(format!("{}: {}: {failure}", file.display(), outcome.name));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
