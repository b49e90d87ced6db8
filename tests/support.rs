//! What the tests of the real command share: folders, dumps, processes, and the rows of a store.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use windrow::formats::marc21::{Marc, Tag};

#[cfg(unix)]
use crate::private_postgres::Database;
use crate::quickstart::generator::{record, write};

/// A folder of one test's own, and a store; the folder goes with the value.
pub struct Folder {
    path: PathBuf,
    /// The store, when it is not a file of the folder.
    #[cfg(unix)]
    database: Option<Database>,
}

impl Folder {
    pub fn new() -> Folder {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("windrow-test-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Folder {
            path,
            #[cfg(unix)]
            database: None,
        }
    }

    /// With a store in a database of its own on PostgreSQL.
    #[cfg(unix)]
    pub fn on(database: Database) -> Folder {
        let mut folder = Folder::new();
        folder.database = Some(database);
        folder
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The URL of the store.
    pub fn url(&self) -> String {
        #[cfg(unix)]
        if let Some(database) = &self.database {
            return database.url.clone();
        }
        format!("sqlite:{}", self.store().display())
    }

    /// The one text that a query of the store answers.
    pub fn text(&self, sql: &str) -> String {
        #[cfg(unix)]
        if let Some(database) = &self.database {
            return database.text(sql);
        }
        value(&self.store(), sql)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    /// A pipeline over the dumps of this folder that keeps little of each record.
    pub fn brief_pipeline(&self, paths: &str) {
        self.write(
            "pipeline.yaml",
            format!(
                "pipeline: proof\nsource: {{ type: dump, name: proof, paths: {paths} }}\n\
                 crosswalk: {}\nbatch: {{ records: 100 }}\n",
                project("fixtures/pipelines/brief.yaml").display()
            ),
        );
    }

    /// `windrow VERB` with the store of this folder.
    pub fn windrow(&self, arguments: &[&str]) -> Command {
        let mut command = windrow();
        command.args(arguments).current_dir(&self.path);
        command.env("WINDROW_STORE", self.url());
        command
    }

    /// `windrow run pipeline.yaml --json`, to its end.
    pub fn run(&self, options: &[&str]) -> Ended {
        end(self.windrow(&["run", "pipeline.yaml", "--json"]).args(options))
    }

    /// Runs statements in the database of the store.
    #[cfg(unix)]
    pub fn execute(&self, sql: &str) {
        match &self.database {
            Some(database) => database.execute(sql),
            None => read(&self.store()).unwrap().execute_batch(sql).unwrap(),
        }
    }

    pub fn store(&self) -> PathBuf {
        self.path("store.db")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.path);
    }
}

/// A file of this project.
pub fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The folder of shared test data, when it is there.
pub fn shared() -> Option<PathBuf> {
    let shared =
        std::env::var_os("WINDROW_SHARED").map_or_else(|| project("../shared"), PathBuf::from);
    if !shared.is_dir() {
        eprintln!("ignored: no ../shared");
        return None;
    }
    Some(shared)
}

/// The real command, with a clock that stands still and no settings of the machine's.
pub fn windrow() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_windrow"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("WINDROW_") {
            command.env_remove(name);
        }
    }
    command.env("SOURCE_DATE_EPOCH", "1700000000").stdin(Stdio::null());
    command
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// `None` when it was killed.
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// The report that `--json` prints; the command must have ended with this status.
    pub fn report(&self, status: i32) -> Value {
        assert_eq!(self.status, Some(status), "{}", self.stderr);
        serde_json::from_str(&self.stdout).unwrap()
    }
}

/// Runs a command to its end.
pub fn end(command: &mut Command) -> Ended {
    let output = command.output().unwrap();
    Ended {
        status: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Kills a command a moment after `reached` first says so; `None` then, or how it ended before.
#[cfg(unix)]
pub fn kill_when(
    command: &mut Command,
    mut reached: impl FnMut() -> bool,
    moment: Duration,
) -> Option<Ended> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    while child.try_wait().unwrap().is_none() && !reached() {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(moment);
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    // Without a status it ended by the signal.
    let status = Some(output.status.code()?);
    Some(Ended { status, stdout: String::from_utf8(output.stdout).unwrap(), stderr: String::new() })
}

/// A process that does not outlive its test.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _killed = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// A fate's number in a report.
pub fn count(report: &Value, fate: &str) -> u64 {
    assert_eq!(report["balanced"], true);
    report["counts"][fate].as_u64().unwrap()
}

/// Record `n` of a series of the generator, with few of its fields.
pub fn brief_record(seed: u64, n: u64) -> Marc {
    let full = record(seed, n);
    let mut brief = Marc::default();
    brief.set_leader(*full.leader());
    for field in full.fields() {
        match field.tag() {
            tag @ Tag([b'0', b'0', _]) => brief.push_control(tag, field.value()),
            tag @ Tag([b'1', ..] | [b'2', b'4', _] | [b'9', ..]) => {
                brief.push_data(tag, field.indicators());
                for subfield in field.subfields() {
                    brief.push_subfield(subfield.code, subfield.value);
                }
            }
            _ => {}
        }
    }
    brief
}

/// Brief records of a series as ISO 2709, one after the other.
pub fn dump(seed: u64, numbers: std::ops::Range<u64>) -> Vec<u8> {
    numbers.flat_map(|n| write::iso2709(&brief_record(seed, n)).unwrap()).collect()
}

/// Opens a store beside whoever writes it.
pub fn read(store: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(store, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    Ok(connection)
}

/// One value of a store.
pub fn value<T: rusqlite::types::FromSql>(store: &Path, sql: &str) -> T {
    read(store).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Every row of every table, as SQL literals in order, by table; without the columns (or whole
/// tables) that `omit` names as `table.column` or `table`.
pub fn rows(store: &Path, omit: &[&str]) -> BTreeMap<String, Vec<String>> {
    let connection = read(store).unwrap();
    let strings = |sql: &str| -> Vec<String> {
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let mut tables = BTreeMap::new();
    for table in strings("select name from sqlite_schema where type = 'table'") {
        if omit.contains(&table.as_str()) {
            continue;
        }
        let columns = strings(&format!("select name from pragma_table_info('{table}')"));
        let kept: Vec<String> = columns
            .iter()
            .filter(|column| !omit.contains(&format!("{table}.{column}").as_str()))
            .map(|column| format!("'{column}=' || quote(\"{column}\")"))
            .collect();
        let sql = format!("select {} as line from \"{table}\" order by line", kept.join("||' '||"));
        tables.insert(table, strings(&sql));
    }
    tables
}

/// Two stores have the same rows; names the first row that differs.
pub fn assert_same_rows(
    found: &BTreeMap<String, Vec<String>>,
    expected: &BTreeMap<String, Vec<String>>,
    what: &str,
) {
    assert!(found.keys().eq(expected.keys()), "{what}: {:?}", found.keys());
    for (table, rows) in expected {
        let of_table = &found[table];
        let clip = |row: Option<&String>| row.map(|row| row.chars().take(600).collect::<String>());
        let at = (0..rows.len().max(of_table.len())).find(|&at| of_table.get(at) != rows.get(at));
        if let Some(at) = at {
            panic!(
                "{what}: {table} has {} rows, expected {}; row {at} is\n{:?}, expected\n{:?}",
                of_table.len(),
                rows.len(),
                clip(of_table.get(at)),
                clip(rows.get(at))
            );
        }
    }
}
