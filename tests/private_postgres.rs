//! A PostgreSQL server of the tests' own, from the system's binaries, and databases on it.
//!
//! It listens on a socket in a folder of its own only, and ends with the process that started it,
//! however that ends: a watching shell waits for the end of a pipe that nobody else holds.

#![cfg(unix)]

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Row};

/// A database for one test on the server that all tests share; `None`, with a word on stderr, when
/// there is no PostgreSQL here.
pub fn database() -> Option<Database> {
    static SHARED: OnceLock<Option<Server>> = OnceLock::new();
    let server = SHARED.get_or_init(Server::start_or_say);
    server.as_ref().map(Server::database)
}

/// A database, by its URL.
pub struct Database {
    pub url: String,
}

impl Database {
    /// Runs statements.
    pub fn execute(&self, sql: &str) {
        wait(async {
            let mut connection = PgConnection::connect(&self.url).await.unwrap();
            sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
        });
    }

    /// The first column, a text, of all rows.
    pub fn texts(&self, sql: &str) -> Vec<String> {
        wait(async {
            let mut connection = PgConnection::connect(&self.url).await.unwrap();
            let query = sqlx::query(AssertSqlSafe(sql.to_owned()));
            let rows = query.fetch_all(&mut connection).await.unwrap();
            rows.iter().map(|row| row.get(0)).collect()
        })
    }

    /// The first column, a text, of the one row.
    pub fn text(&self, sql: &str) -> String {
        let mut texts = self.texts(sql);
        assert_eq!(texts.len(), 1, "{sql}");
        texts.remove(0)
    }
}

/// Waits on a thread of its own, so that a test that is itself async may call it.
fn wait<T: Send>(future: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|scope| {
        let runtime =
            || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        scope.spawn(move || runtime().block_on(future)).join().unwrap()
    })
}

/// A server with its folder.
pub struct Server {
    folder: PathBuf,
    binaries: PathBuf,
    /// The user it runs as, when this process is root's, for which PostgreSQL does not run.
    user: Option<(u32, u32)>,
    databases: AtomicU32,
    watchdog: Child,
}

// Ends the server and removes its folder once stdin ends.
const WATCHDOG: &str = r#"
trap '' INT TERM HUP
read -r _
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
if [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null || echo postgres)" = postgres ]; then
    kill -QUIT "$pid" 2>/dev/null
    for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$pid" 2>/dev/null || break; sleep 0.2; done
fi
rm -rf "$1"
"#;

impl Server {
    /// Starts one, or says why it cannot.
    pub fn start_or_say() -> Option<Server> {
        match Server::new() {
            Ok(server) => Some(server),
            Err(reason) => {
                eprintln!("ignored: no PostgreSQL: {reason}");
                None
            }
        }
    }

    fn new() -> Result<Server, String> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let binaries = binaries().ok_or("no initdb (Debian: apt-get install postgresql)")?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("windrow-pg-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let user = match std::fs::metadata("/proc/self").map(|metadata| metadata.uid()) {
            Ok(0) => Some(unprivileged().ok_or("neither a user postgres nor nobody")?),
            _ => None,
        };
        if let Some((uid, gid)) = user {
            std::os::unix::fs::chown(&folder, Some(uid), Some(gid))
                .map_err(|error| error.to_string())?;
        }
        let watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "watchdog"])
            .arg(&folder)
            .stdin(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let server = Server { folder, binaries, user, databases: AtomicU32::new(0), watchdog };
        let mut initdb = server.command("initdb");
        initdb.args(["--no-sync", "--auth=trust", "--username=windrow"]);
        initdb.args(["--encoding=UTF8", "--locale=C", "-D"]).arg(server.folder.join("data"));
        let output = initdb.output().map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        server.start();
        Ok(server)
    }

    /// Starts the server on its data and waits until it answers.
    pub fn start(&self) {
        let mut postgres = self.command("postgres");
        postgres.arg("-D").arg(self.folder.join("data")).arg("-k").arg(&self.folder);
        for setting in [
            "listen_addresses=",
            "fsync=off",
            "full_page_writes=off",
            "max_connections=200",
            "shared_buffers=64MB",
            "log_min_messages=fatal",
        ] {
            postgres.args(["-c", setting]);
        }
        let begun = Instant::now();
        let log = self.folder.join("log");
        loop {
            postgres.stdout(Stdio::null()).stderr(std::fs::File::create(&log).unwrap());
            let mut child = postgres.spawn().unwrap();
            while child.try_wait().unwrap().is_none() {
                if wait(PgConnection::connect(&self.url("postgres"))).is_ok() {
                    // Reaped when it ends, so that no dead process stands in its place.
                    std::thread::spawn(move || child.wait());
                    return;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            // What a killed server has left holds its memory for a moment.
            let log = std::fs::read_to_string(&log).unwrap();
            assert!(begun.elapsed() < Duration::from_secs(60), "PostgreSQL does not start: {log}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends the server as a failure of its machine would, with all connections.
    pub fn kill(&self) {
        let pid = std::fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap();
        let killed = Command::new("kill").args(["-KILL", pid]).status().unwrap();
        assert!(killed.success());
        // Its children see that it is gone; the next server starts when all of them are.
        while Path::new("/proc").join(pid).exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A new database.
    pub fn database(&self) -> Database {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let server = Database { url: self.url("postgres") };
        server.execute(&format!("create database {name}"));
        Database { url: self.url(&name) }
    }

    fn url(&self, database: &str) -> String {
        format!("postgresql:///{database}?host={}&user=windrow", self.folder.display())
    }

    fn command(&self, name: &str) -> Command {
        let binary = self.binaries.join(name);
        let mut command = match self.user {
            None => Command::new(binary),
            Some((uid, gid)) => {
                let mut command = Command::new("setpriv");
                command.args(["--clear-groups", &format!("--reuid={uid}")]);
                command.arg(format!("--regid={gid}")).arg(binary);
                command
            }
        };
        command.current_dir(&self.folder).stdin(Stdio::null()).env_remove("PGDATA");
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The end of its stdin is what the watchdog waits for. A shared server is never dropped:
        // the end of the process closes the pipe.
        drop(self.watchdog.stdin.take());
        let _ended = self.watchdog.wait();
    }
}

/// The folder of `initdb` and `postgres`: in the path, or where Debian and others keep them.
fn binaries() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    for parent in ["/usr/lib/postgresql", "/usr/local/lib/postgresql", "/opt/homebrew/opt"] {
        let versions = std::fs::read_dir(parent).into_iter().flatten().flatten();
        let mut versions: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
        versions.sort();
        folders.extend(versions.into_iter().rev());
    }
    let both =
        |folder: &PathBuf| ["initdb", "postgres"].iter().all(|name| folder.join(name).is_file());
    folders.into_iter().find(both)
}

fn unprivileged() -> Option<(u32, u32)> {
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    ["postgres", "nobody"].iter().find_map(|name| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    })
}
