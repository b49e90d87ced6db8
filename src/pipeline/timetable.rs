//! The pipelines of some files and folders, and whose turn it is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;

use super::definition::Definition;
use super::schedule::Schedule;
use crate::store::ScheduleEntry;

/// Pipelines by their files, as those were when they were last looked at.
#[derive(Debug, Default)]
pub struct Timetable {
    /// Files and folders.
    places: Vec<PathBuf>,
    files: BTreeMap<PathBuf, Kept>,
    /// What could not be looked at, so that it is told once.
    absent: BTreeMap<PathBuf, String>,
}

/// A pipeline with a schedule.
#[derive(Debug, Clone)]
pub struct Planned {
    /// Its file.
    pub path: PathBuf,
    /// Its name.
    pub name: String,
    /// Its times.
    pub schedule: Schedule,
}

/// A time of a pipeline that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// The pipeline's file.
    pub path: PathBuf,
    /// The pipeline's name.
    pub name: String,
    /// The time that is served.
    pub scheduled: Timestamp,
    /// The time behind it.
    pub next: Option<Timestamp>,
}

#[derive(Debug)]
struct Kept {
    stamp: Option<(SystemTime, u64)>,
    /// `None` when the file has mistakes or no schedule.
    planned: Option<Planned>,
    /// Another file has a pipeline of the same name.
    twin: bool,
}

impl Timetable {
    /// The timetable of these files, and of the files `*.yaml` and `*.yml` in these folders; empty
    /// until it is looked at.
    #[must_use]
    pub fn new(places: Vec<PathBuf>) -> Timetable {
        Timetable { places, ..Timetable::default() }
    }

    /// Looks at the files again: answers what there is to tell, a line for each file that has
    /// mistakes. The others go on.
    pub fn look(&mut self) -> Vec<String> {
        let mut news = Vec::new();
        let mut found = Vec::new();
        for place in &self.places {
            match pipeline_files(place) {
                Ok(files) => {
                    self.absent.remove(place);
                    found.extend(files);
                }
                Err(reason) => {
                    if self.absent.insert(place.clone(), reason.clone()).as_ref() != Some(&reason) {
                        news.push(reason);
                    }
                }
            }
        }
        self.files.retain(|path, _| found.contains(path));
        for path in found {
            let stamp = stamp(&path);
            // One that cannot even be looked at is read again, and says why.
            let known = self.files.get(&path);
            if known.is_some_and(|known| stamp.is_some() && known.stamp == stamp) {
                continue;
            }
            let planned = read(&path).unwrap_or_else(|reason| {
                news.push(reason);
                None
            });
            self.files.insert(path, Kept { stamp, planned, twin: false });
        }
        self.find_twins(&mut news);
        news
    }

    // What the store knows of a pipeline it knows by its name: of two, the first file has it.
    fn find_twins(&mut self, news: &mut Vec<String>) {
        let mut first: BTreeMap<String, PathBuf> = BTreeMap::new();
        for (path, kept) in &mut self.files {
            let Some(planned) = &kept.planned else { continue };
            let Some(other) = first.get(&planned.name) else {
                kept.twin = false;
                first.insert(planned.name.clone(), path.clone());
                continue;
            };
            if !std::mem::replace(&mut kept.twin, true) {
                let (name, other) = (&planned.name, other.display());
                let message = format!("pipeline {name}: its name is that of {other} too");
                news.push(format!("{}: {message}", path.display()));
            }
        }
    }

    /// The pipelines that have a schedule.
    pub fn planned(&self) -> impl Iterator<Item = &Planned> {
        let files = self.files.values().filter(|kept| !kept.twin);
        files.filter_map(|kept| kept.planned.as_ref())
    }

    /// The files that are looked at, those with mistakes and without a schedule included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is no file.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

impl Planned {
    /// The turn that is due at `now`, if one is; of several that were missed, the latest.
    #[must_use]
    pub fn turn(&self, entry: &ScheduleEntry, now: Timestamp) -> Option<Turn> {
        let served = Timestamp::from_second(entry.served).ok()?;
        let scheduled = self.schedule.latest(served, now - self.schedule.delay(&self.name))?;
        Some(Turn {
            path: self.path.clone(),
            name: self.name.clone(),
            scheduled,
            next: self.due(scheduled),
        })
    }

    /// When the first turn behind a scheduled time is due, its delay included.
    #[must_use]
    pub fn due(&self, served: Timestamp) -> Option<Timestamp> {
        self.schedule.next(served).map(|next| next + self.schedule.delay(&self.name))
    }
}

fn read(path: &Path) -> Result<Option<Planned>, String> {
    let definition = Definition::load(path).map_err(|error| error.to_string())?;
    let name = definition.name;
    let planned = |schedule| Planned { path: path.to_owned(), name, schedule };
    Ok(definition.schedule.map(planned))
}

/// The file itself, or the files `*.yaml` and `*.yml` in the folder, by name.
///
/// # Errors
/// Why there are none.
pub fn pipeline_files(place: &Path) -> Result<Vec<PathBuf>, String> {
    if !place.is_dir() {
        return match place.exists() {
            true => Ok(vec![place.to_owned()]),
            false => Err(format!("{}: there is no such file or folder", place.display())),
        };
    }
    let failed = |error: std::io::Error| format!("cannot read {}: {error}", place.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(place).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let is_yaml = path.extension().is_some_and(|end| end == "yaml" || end == "yml");
        let is_hidden =
            path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if is_yaml && !is_hidden && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
