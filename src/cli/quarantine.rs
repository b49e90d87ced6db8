//! `windrow quarantine list | show | export | redrive | dismiss`: the records that were held back.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;

use super::progress::Watcher;
use super::show::{self, Sheet};
use super::{Failure, Outcome, StoreArguments, clock, configuration, runtime, usage};
use crate::formats::{FORMATS, Format};
use crate::pipeline::{self, Definition, IntakeError, Progress};
use crate::source::is_readable_alone;
use crate::store::{QuarantineEntry, QuarantineQuery, Store};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// One line a record: its number, where it stands, the reason
    List {
        #[command(flatten)]
        store: StoreArguments,
        #[command(flatten)]
        wanted: Wanted,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 1000)]
        limit: u32,
    },
    /// The raw bytes of one record to stdout, the reason to stderr
    Show {
        /// Its number in the list
        id: i64,
        #[command(flatten)]
        store: StoreArguments,
    },
    /// Write the raw records into a folder, as dumps that can be loaded again; what cannot be loaded
    /// alone, old revisions among it, goes into its subfolder `parts`
    Export {
        /// The folder; it is made
        folder: PathBuf,
        #[command(flatten)]
        store: StoreArguments,
        #[command(flatten)]
        wanted: Wanted,
    },
    /// Take records through their pipeline again, exactly those that are held
    Redrive {
        /// The pipeline's file
        pipeline: PathBuf,
        #[command(flatten)]
        store: StoreArguments,
        /// Only records that stopped at this stage
        #[arg(long, value_name = "STAGE")]
        stage: Option<String>,
        /// Only records that stopped for this reason
        #[arg(long, value_name = "CODE")]
        code: Option<String>,
        /// Print the report as JSON
        #[arg(long)]
        json: bool,
    },
    /// Take records out for good, by their numbers in the list
    Dismiss {
        /// Their numbers
        #[arg(required = true)]
        ids: Vec<i64>,
        #[command(flatten)]
        store: StoreArguments,
    },
}

#[derive(Debug, clap::Args)]
struct Wanted {
    /// Only records of this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Only records that stopped at this stage
    #[arg(long, value_name = "STAGE")]
    stage: Option<String>,
    /// Only records that stopped for this reason
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
}

impl Wanted {
    fn query(self, limit: u32) -> QuarantineQuery {
        let Wanted { source: source_name, stage, code } = self;
        QuarantineQuery { source_name, stage, code, ..QuarantineQuery::first(limit) }
    }
}

/// Records are read in portions of this size.
const PAGE: u32 = 200;

pub fn run(arguments: Arguments) -> Result<Outcome, Failure> {
    runtime()?.block_on(async {
        let mut out = std::io::stdout();
        match arguments.verb {
            Verb::List { store, wanted, limit } => {
                let store = store.open_existing().await?;
                let mut entries = store.quarantine(&wanted.query(limit.saturating_add(1))).await?;
                if entries.len() > limit as usize {
                    entries.truncate(limit as usize);
                    super::talk(format_args!("there are more than {limit}; --limit N shows more"));
                }
                for entry in entries {
                    let rule = entry.rule.map(|rule| format!(", rule {rule}")).unwrap_or_default();
                    writeln!(
                        out,
                        "{}\t{}\t{}: {} [{}{rule}]",
                        entry.id, entry.source_name, entry.locator, entry.message, entry.code
                    )?;
                }
                Ok(Outcome::Clean)
            }
            Verb::Show { id, store } => {
                let entry = store.open_existing().await?.quarantine_entry(id).await?;
                super::talk(format_args!(
                    "{}: {} [{}, {}], run {}",
                    entry.locator, entry.message, entry.stage, entry.code, entry.run_id
                ));
                out.write_all(&entry.bytes)?;
                Ok(Outcome::Clean)
            }
            Verb::Export { folder, store, wanted } => {
                export(&*store.open_existing().await?, wanted.query(PAGE), &folder).await
            }
            Verb::Redrive { pipeline, store, stage, code, json } => {
                let store = store.open_existing().await?;
                let query = QuarantineQuery { stage, code, ..QuarantineQuery::default() };
                redrive(&pipeline, store, query, json).await
            }
            Verb::Dismiss { ids, store } => {
                let dismissed = store.open_existing().await?.dismiss(&ids).await?;
                super::talk(format_args!("{dismissed} of {} taken out", ids.len()));
                Ok(if dismissed == ids.len() as u64 {
                    Outcome::Clean
                } else {
                    Outcome::Quarantined
                })
            }
        }
    })
}

async fn redrive(
    pipeline: &Path,
    store: Arc<dyn Store>,
    query: QuarantineQuery,
    json: bool,
) -> Result<Outcome, Failure> {
    // Its files may be gone by now, and are not read: any file will do in their place.
    let definition = Definition::load(pipeline)
        .or_else(|error| {
            Definition::load_for(pipeline, &[pipeline.display().to_string()]).or(Err(error))
        })
        .map_err(configuration)?;
    if definition.harvest.is_some() {
        let message = "what is held of a harvest is loaded again by `windrow run PIPELINE \
                       --replay`, which changes nothing else";
        return Err(usage(anyhow::anyhow!(message)));
    }
    let progress = Arc::new(Progress::default());
    let watcher = Watcher::new(Arc::clone(&progress));
    let redriven = pipeline::redrive(definition, store, query, clock()?, progress).await;
    drop(watcher);
    let redriven = redriven.map_err(|error| super::run::failure(IntakeError::Run(error), false))?;
    let mut out = std::io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, &redriven.report)?;
        writeln!(out)?;
    } else {
        show::report(&redriven.report, &mut Sheet::text(&mut out))?;
    }
    if redriven.left > 0 {
        let left = redriven.left;
        super::talk(format_args!("{left} stay as they are: old revisions, or of no known format"));
    }
    let is_clean = redriven.report.is_clean() && redriven.left == 0;
    Ok(if is_clean { Outcome::Clean } else { Outcome::Quarantined })
}

/// How records of a format stand in one file: what is before, between and behind them. Formats
/// that are not here get a file for each record.
const JOINED: &[(&str, [&str; 3])] = &[
    ("invenio_v1", ["[\n", ",\n", "\n]\n"]),
    ("iso2709", ["", "", ""]),
    ("json_lines", ["", "\n", "\n"]),
    ("unimarc", ["", "", ""]),
];

/// Writes `FORMAT.EXTENSION`, or `FORMAT-NUMBER.EXTENSION` for each record; what is no record into the
/// folder `parts`.
async fn export(
    store: &dyn Store,
    mut query: QuarantineQuery,
    folder: &Path,
) -> Result<Outcome, Failure> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut open: BTreeMap<&str, std::fs::File> = BTreeMap::new();
    let (mut count, mut parts) = (0_u64, 0_u64);
    loop {
        let page = store.quarantine(&query).await?;
        let Some(last) = page.last() else { break };
        query.after = last.id;
        for entry in page {
            if is_readable_alone(&entry) {
                count += 1;
                write_record(&entry, folder, &mut open)?;
            } else {
                parts += 1;
                write_part(&entry, &folder.join("parts"))?;
            }
        }
    }
    for (name, file) in &mut open {
        if let Some((_, [_, _, behind])) = JOINED.iter().find(|(joined, _)| joined == name) {
            file.write_all(behind.as_bytes())?;
        }
    }
    super::talk(format_args!("{count} records in {}", folder.display()));
    if parts > 0 {
        let why = "old revisions, or no whole records: they cannot be loaded alone";
        super::talk(format_args!("{parts} in {}: {why}", folder.join("parts").display()));
    }
    Ok(Outcome::Clean)
}

fn write_part(entry: &QuarantineEntry, folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let (name, extension) = named(entry);
    write_alone(entry, folder, name, extension)
}

/// The name of its format and the extension of its files.
fn named(entry: &QuarantineEntry) -> (&str, &'static str) {
    let name = entry.format.as_deref().unwrap_or("record");
    let format: Option<&'static Format> = FORMATS.iter().find(|format| format.name == name);
    (name, format.and_then(|format| format.extensions.first()).unwrap_or(&"raw"))
}

fn write_alone(
    entry: &QuarantineEntry,
    folder: &Path,
    name: &str,
    extension: &str,
) -> Result<(), Failure> {
    let path = folder.join(format!("{name}-{}.{extension}", entry.id));
    let written = std::fs::write(&path, &entry.bytes);
    Ok(written.with_context(|| format!("cannot write {}", path.display()))?)
}

fn write_record(
    entry: &QuarantineEntry,
    folder: &Path,
    open: &mut BTreeMap<&'static str, std::fs::File>,
) -> Result<(), Failure> {
    let (name, extension) = named(entry);
    let joined = JOINED.iter().find(|(joined, _)| *joined == name);
    let Some((name, [before, between, _])) = joined else {
        return write_alone(entry, folder, name, extension);
    };
    if let Some(file) = open.get_mut(name) {
        file.write_all(between.as_bytes())?;
        return Ok(file.write_all(&entry.bytes)?);
    }
    let path = folder.join(format!("{name}.{extension}"));
    let mut file =
        std::fs::File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    file.write_all(before.as_bytes())?;
    file.write_all(&entry.bytes)?;
    open.insert(name, file);
    Ok(())
}
