//! `windrow files`: the files of records, their bytes and the locations that keep them.

mod get;
mod location;
mod sweep;
mod verify;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::anyhow;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use uuid::Uuid;

use super::batch::{print, record_name};
use super::{Failure, Outcome, StoreArguments, clock, configuration, runtime, usage};
use crate::files::{self, Access, BlobStore, Expected, FilesError};
use crate::record::{FileCopy, FileOrder, FilePlace};
use crate::records::Name;
use crate::store::{Location, ObjectVersion, Store, StoreError};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    store: StoreArguments,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Print the files of records, a line of JSON each
    List {
        /// UUIDs, or PIDs: TYPE:VALUE, or the value of a recid
        #[arg(required = true, value_name = "RECORD", value_parser = record_name)]
        records: Vec<Name>,
        /// All versions and delete markers, not only what a key stands for now
        #[arg(long)]
        versions: bool,
    },
    /// Write the bytes of a file to stdout; they are compared with the checksum on the way
    Get {
        /// UUID or PID
        #[arg(value_name = "RECORD", value_parser = record_name)]
        record: Name,
        /// The file's name in the record
        key: String,
        /// This version of it
        #[arg(long, value_name = "UUID")]
        version: Option<Uuid>,
        /// Write to this file instead; it gets its name when all of it is there and right
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Put a file into a record, as a new version where it has one of the name
    Put {
        /// UUID or PID
        #[arg(value_name = "RECORD", value_parser = record_name)]
        record: Name,
        /// The file
        file: PathBuf,
        /// Its name in the record, if not its own
        #[arg(long)]
        key: Option<String>,
        /// The location that shall keep it, if not the default one
        #[arg(long, value_name = "NAME")]
        location: Option<String>,
        /// Its media type
        #[arg(long, value_name = "TYPE")]
        mimetype: Option<String>,
    },
    /// Delete a file of a record: its versions stay behind a delete marker
    Delete {
        /// UUID or PID
        #[arg(value_name = "RECORD", value_parser = record_name)]
        record: Name,
        /// The file's name in the record
        key: String,
    },
    /// Read bytes again and compare them with their checksums
    Verify(verify::Arguments),
    /// Find bytes in the locations that no file needs
    Sweep(sweep::Arguments),
    /// List, make and choose locations
    #[command(subcommand)]
    Location(location::Verb),
}

pub fn run(arguments: Arguments) -> Result<Outcome, Failure> {
    let now = clock()?.now();
    runtime()?.block_on(async {
        let store = match &arguments.verb {
            Verb::Location(_) => arguments.store.open().await?,
            _ => arguments.store.open_existing().await?,
        };
        let desk = Desk { store, access: Access::from_env(Handle::current()), now };
        match arguments.verb {
            Verb::List { records, versions } => desk.list(&records, versions).await,
            Verb::Get { record, key, version, output } => {
                get::run(&desk, (&record, &key, version), output).await
            }
            Verb::Put { record, file, key, location, mimetype } => {
                desk.put(&record, &file, (key, location, mimetype)).await
            }
            Verb::Delete { record, key } => desk.delete(&record, key).await,
            Verb::Verify(arguments) => verify::run(&desk, &arguments).await,
            Verb::Sweep(arguments) => sweep::run(desk, arguments).await,
            Verb::Location(verb) => location::run(&desk, verb).await,
        }
    })
}

/// What all of these verbs need.
struct Desk {
    store: Arc<dyn Store>,
    access: Access,
    now: Timestamp,
}

impl Desk {
    /// The record that is there under a name.
    async fn record(&self, name: &Name) -> Result<Uuid, Failure> {
        let record = match name {
            Name::Uuid(id) => self.store.record_by_id(*id).await?,
            Name::Pid(name) => self.store.record(name.pid_type(), name.pid_value()).await?,
        };
        Ok(record.id)
    }

    async fn objects(&self, record: Uuid) -> Result<Vec<ObjectVersion>, Failure> {
        match self.store.bucket(record).await? {
            Some(bucket) => Ok(self.store.objects(bucket.id).await?),
            None => Ok(Vec::new()),
        }
    }

    async fn list(&self, records: &[Name], versions: bool) -> Result<Outcome, Failure> {
        for name in records {
            let id = self.record(name).await?;
            let objects = self.objects(id).await?;
            let shown = objects
                .iter()
                .filter(|object| versions || (object.is_head && object.instance.is_some()));
            for object in shown {
                print(&described(id, object))?;
            }
        }
        Ok(Outcome::Clean)
    }

    async fn put(
        &self,
        record: &Name,
        file: &Path,
        (key, location, mimetype): (Option<String>, Option<String>, Option<String>),
    ) -> Result<Outcome, Failure> {
        let own = file.file_name().map(|name| name.to_string_lossy().into_owned());
        let key = key.or(own).filter(|key| !key.is_empty() && key.chars().count() <= 255);
        let key = key.ok_or_else(|| usage(anyhow!("a key has 1 to 255 characters")))?;
        let id = self.record(record).await?;
        let location = self.location(location.as_deref()).await?;
        let (path, access, uri) = (file.to_owned(), self.access.clone(), location.uri.clone());
        let kept = tokio::task::spawn_blocking(move || -> Result<_, FilesError> {
            let blobs = BlobStore::open(&uri, &access)?;
            let what = path.display().to_string();
            let mut from = files::open(&what, &access)?;
            let kept = blobs.put(Uuid::new_v4(), &mut from, (&what, &Expected::default()))?;
            Ok((blobs, kept))
        });
        let (blobs, instance) = kept.await??;
        let order = self.order(key, mimetype, false);
        let found = files::Found::of(&instance);
        let copy = FileCopy { order, instance: Some(instance) };
        let put = self.store.put_files(id, location.id, vec![copy], self.now).await;
        if let Err(error) = put {
            // If it may be written all the same, `sweep` finds out whether it is.
            if !error.is_in_doubt() {
                tokio::task::spawn_blocking(move || blobs.remove(&found)).await??;
            }
            return Err(error.into());
        }
        self.list(std::slice::from_ref(record), false).await
    }

    async fn delete(&self, record: &Name, key: String) -> Result<Outcome, Failure> {
        let id = self.record(record).await?;
        let objects = self.objects(id).await?;
        let is_there = |object: &ObjectVersion| {
            object.key == key && object.is_head && object.instance.is_some()
        };
        if !objects.iter().any(is_there) {
            return Err(anyhow!("record {id} has no file {key:?}").into());
        }
        let Some(bucket) = self.store.bucket(id).await? else { return Ok(Outcome::Clean) };
        let copy = FileCopy { order: self.order(key, None, true), instance: None };
        self.store.put_files(id, bucket.location, vec![copy], self.now).await?;
        Ok(Outcome::Clean)
    }

    fn order(&self, key: String, mimetype: Option<String>, deleted: bool) -> FileOrder {
        FileOrder {
            source_id: Uuid::new_v4().to_string(),
            part: format!("file {key}"),
            alone: None,
            place: FilePlace::Path(key.clone()),
            key,
            size: None,
            md5: None,
            mimetype,
            // Later than all that are there, whatever their numbers.
            version: 0,
            created: self.now,
            restricted: false,
            deleted,
            tags: Vec::new(),
        }
    }

    /// The location of this name, or the default one.
    async fn location(&self, name: Option<&str>) -> Result<Location, Failure> {
        let mut locations = self.store.locations().await?;
        let at = locations.iter().position(|location| match name {
            Some(name) => location.name == name,
            None => location.is_default,
        });
        match (at, name) {
            (Some(at), _) => Ok(locations.swap_remove(at)),
            (None, Some(name)) => Err(StoreError::NotFound(format!("location {name}")).into()),
            (None, None) => {
                let message = "there is no location; `windrow files location create` makes one";
                Err(configuration(anyhow!(message)))
            }
        }
    }
}

/// A version as a line.
fn described(record: Uuid, object: &ObjectVersion) -> Value {
    let mut line = json!({
        "record": record.to_string(),
        "key": object.key,
        "version_id": object.version_id.to_string(),
        "is_head": object.is_head,
        "created": object.created.to_string(),
        "tags": object.tags,
    });
    let mut set = |key: &str, value: Value| {
        if let Value::Object(members) = &mut line {
            members.insert(key.to_owned(), value);
        }
    };
    if let Some(mimetype) = &object.mimetype {
        set("mimetype", mimetype.clone().into());
    }
    match &object.instance {
        None => set("deleted", true.into()),
        Some(file) => {
            set("file_id", file.id.to_string().into());
            set("uri", file.uri.clone().into());
            set("size", file.size.into());
            set("checksum", file.checksum.clone().into());
            if let Some(checked) = file.last_check_at {
                set("last_check_at", checked.to_string().into());
                set("last_check", file.last_check.into());
            }
        }
    }
    line
}
