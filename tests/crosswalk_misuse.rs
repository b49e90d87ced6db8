//! Mistakes in crosswalks: each fixture has its whole message beside it, `UPDATE=1` writes them.

use std::path::PathBuf;

use windrow::crosswalk::Crosswalk;

use crate::support::project;

const FOLDER: &str = "fixtures/crosswalks/misuse";

fn files() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(project(FOLDER)).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    files
}

/// What the compiler says of a file, without the folders of this machine.
fn message(file: &PathBuf) -> String {
    let folder = file.parent().unwrap();
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    let text = std::fs::read_to_string(file).unwrap();
    match Crosswalk::parse(name, text, folder) {
        Ok(_) => "no mistake was found\n".to_owned(),
        Err(mistakes) => format!("{mistakes}\n").replace(&format!("{}/", folder.display()), ""),
    }
}

#[test]
fn every_mistake_is_told_with_line_and_column_and_all_of_a_file_in_one_pass() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut wrong = Vec::new();
    for file in files() {
        let found = message(&file);
        let beside = file.with_extension("txt");
        // What a file that is extended says is expected where it is extended.
        if file.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("_base")) {
            continue;
        }
        if update {
            std::fs::write(&beside, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&beside).unwrap_or_default();
        if found != expected || !found.contains("error[E") {
            wrong.push(format!("{}:\n{found}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
