//! The bytes of a batch's files, brought into their location before the batch is loaded.
//!
//! Files are copied side by side on threads that may block, limited by their number and their
//! bytes. What is there already is not copied again. A file that is missing or not what it should be
//! is held by itself, and its record goes on; a location that takes nothing ends the run.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::definition::Definition;
use super::engine::RunError;
use super::files::{FileRules, Missing, Mode};
use super::worker::Worked;
use crate::files::{self, Access, BlobStore, Expected, FilesError, Sum, sum_of};
use crate::record::{
    FileCopy, FileInstance, FileOrder, FilePlace, Rejection, Stage, from_hex, hex,
};
use crate::source::fetch::{FetchError, Fetcher, HttpFetcher, name_of};
use crate::store::{BYTES, FILES, Quarantined, Store, StoredInstance};

/// The namespace of the UUIDs of file instances.
const NAMESPACE: Uuid = Uuid::from_u128(0x7be1_40d9_15c6_5a3e_a2f4_0b8c_93d7_6e21);
/// Before a file is tried again, twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const KIBIBYTE: u64 = 1024;

/// Copies the files of batches.
pub(super) struct Copier {
    definition: Arc<Definition>,
    store: Option<Arc<dyn Store>>,
    /// The number of the location in the store.
    pub(super) location: Option<i64>,
    places: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    /// In permits of `bytes`.
    most: u32,
    bench: Arc<Bench>,
}

/// What the threads need.
struct Bench {
    fetcher: Fetcher,
    /// `None` of a dry run, and where bytes stay where they are.
    blobs: Option<BlobStore>,
    access: Access,
    mode: Mode,
    verify: bool,
    dry_run: bool,
    attempts: u32,
    most: u64,
    stop: AtomicBool,
}

/// Why there is no instance.
enum Fault {
    /// It is a matter of this file.
    Held { code: &'static str, message: String },
    /// No file gets through.
    Fatal(FilesError),
    /// The run has ended meanwhile.
    Stopped,
}

impl From<FilesError> for Fault {
    fn from(error: FilesError) -> Fault {
        match error.is_of_one_file() {
            true => Fault::Held { code: error.code(), message: error.to_string() },
            false => Fault::Fatal(error),
        }
    }
}

impl From<FetchError> for Fault {
    fn from(error: FetchError) -> Fault {
        Fault::Held { code: error.code(), message: error.to_string() }
    }
}

type Outcomes = HashMap<Uuid, Result<FileInstance, Fault>>;

impl Copier {
    /// A copier for a pipeline with `files:`; its location is made in the store.
    pub(super) async fn start(
        definition: &Arc<Definition>,
        store: Option<&Arc<dyn Store>>,
        now: Timestamp,
    ) -> Result<Option<Arc<Copier>>, RunError> {
        let Some(rules) = &definition.file_rules else { return Ok(None) };
        let access = Access::from_env(Handle::current());
        let location = match store {
            None => None,
            Some(store) => {
                Some(store.make_location(&rules.location, &rules.uri, false, now).await?.id)
            }
        };
        let blobs = match (rules.mode, store) {
            (Mode::Reference, _) | (_, None) => None,
            _ => {
                let (uri, access) = (rules.uri.clone(), access.clone());
                let open = move || BlobStore::open(&uri, &access);
                let opened = tokio::task::spawn_blocking(open).await;
                Some(opened.map_err(|error| RunError::Broken(error.to_string()))??)
            }
        };
        let http = HttpFetcher::new(rules.urls.clone(), Handle::current());
        let http = http.map_err(|error| RunError::Broken(format!("HTTP client: {error}")))?;
        let most = rules.in_flight_bytes.div_ceil(KIBIBYTE);
        let most = u32::try_from(most).unwrap_or(u32::MAX).max(1);
        let bench = Bench {
            fetcher: Fetcher { map: Arc::clone(&rules.map), http },
            blobs,
            access,
            mode: rules.mode,
            verify: rules.verify,
            dry_run: store.is_none(),
            attempts: rules.attempts,
            most: rules.urls.max_bytes,
            stop: AtomicBool::new(false),
        };
        Ok(Some(Arc::new(Copier {
            definition: Arc::clone(definition),
            store: store.cloned(),
            location,
            places: Arc::new(Semaphore::new(rules.parallel)),
            bytes: Arc::new(Semaphore::new(most as usize)),
            most,
            bench: Arc::new(bench),
        })))
    }

    /// Copies the files of all records of a batch, or holds them.
    pub(super) async fn copy(&self, worked: &mut Worked) -> Result<(), RunError> {
        let Some(rules) = &self.definition.file_rules else { return Ok(()) };
        self.leave_out(rules, worked);
        let mut wanted: HashMap<Uuid, &FileOrder> = HashMap::new();
        for order in worked.records.iter().flat_map(|record| &record.files) {
            if !order.deleted {
                wanted.entry(self.instance_id(order)).or_insert(order);
            }
        }
        let mut outcomes = self.outcomes(wanted).await?;
        for outcome in outcomes.values_mut() {
            if let Err(Fault::Fatal(_)) = outcome {
                let Err(Fault::Fatal(error)) = std::mem::replace(outcome, Err(Fault::Stopped))
                else {
                    continue;
                };
                return Err(error.into());
            }
        }
        self.hand_out(rules, worked, &outcomes);
        Ok(())
    }

    // What the pipeline does not want is counted.
    fn leave_out(&self, rules: &FileRules, worked: &mut Worked) {
        let mut left_out: Vec<&'static str> = Vec::new();
        let mut bytes = 0;
        for record in &mut worked.records {
            record.files.retain(|order| {
                let tagged = |key: &str| order.tags.iter().any(|(tag, _)| tag == key);
                let code = match () {
                    () if !rules.keeps_hidden && tagged("hidden") => "files.skipped_hidden",
                    () if !rules.keeps_subformats && tagged("subformat") => {
                        "files.skipped_subformat"
                    }
                    () => return true,
                };
                left_out.push(code);
                bytes += order.size.unwrap_or(0);
                false
            });
        }
        for code in left_out {
            worked.kinds.of(FILES).skipped += 1;
            *worked.account.warnings.entry(code.to_owned()).or_default() += 1;
        }
        if bytes > 0 {
            worked.kinds.of(BYTES).read += bytes;
            worked.kinds.of(BYTES).skipped += bytes;
        }
    }

    fn instance_id(&self, order: &FileOrder) -> Uuid {
        if self.bench.mode == Mode::Reference {
            let place = name_of(&order.place);
            return Uuid::new_v5(&NAMESPACE, format!("at\u{1F}{place}").as_bytes());
        }
        // The same name for the same bytes: what is found under it is what is wanted.
        let md5 = order.md5.map(|md5| hex(&md5)).unwrap_or_default();
        let size = order.size.map(|size| size.to_string()).unwrap_or_default();
        let source_name = &self.definition.source_name;
        let parts = [source_name.as_str(), order.source_id.as_str(), &md5, &size];
        Uuid::new_v5(&NAMESPACE, parts.join("\u{1F}").as_bytes())
    }

    fn uri_of(&self, id: Uuid, order: &FileOrder) -> String {
        match &self.bench.blobs {
            Some(blobs) => blobs.uri_of(id),
            None => self.bench.place_of(order).unwrap_or_default(),
        }
    }

    async fn outcomes(&self, wanted: HashMap<Uuid, &FileOrder>) -> Result<Outcomes, RunError> {
        let mut known: HashMap<String, StoredInstance> = HashMap::new();
        let uris: HashMap<Uuid, String> =
            wanted.iter().map(|(id, order)| (*id, self.uri_of(*id, order))).collect();
        if let Some(store) = self.store.as_ref().filter(|_| !uris.is_empty()) {
            let asked: Vec<String> = uris.values().cloned().collect();
            for found in store.instances_at(&asked).await? {
                known.insert(found.uri.clone(), found);
            }
        }
        let mut jobs = JoinSet::new();
        for (id, order) in wanted {
            let cost = order.size.unwrap_or(0).div_ceil(KIBIBYTE).clamp(1, u64::from(self.most));
            let cost = u32::try_from(cost).unwrap_or(self.most);
            let place = Arc::clone(&self.places).acquire_owned().await;
            let bytes = Arc::clone(&self.bytes).acquire_many_owned(cost).await;
            let (bench, order) = (Arc::clone(&self.bench), order.clone());
            let known = uris.get(&id).and_then(|uri| known.remove(uri));
            jobs.spawn_blocking(move || {
                let outcome = bench.keep(id, &order, known.as_ref());
                drop((place, bytes));
                (id, outcome)
            });
        }
        let mut outcomes = HashMap::new();
        while let Some(done) = jobs.join_next().await {
            let (id, outcome) = done.map_err(|error| RunError::Broken(error.to_string()))?;
            outcomes.insert(id, outcome);
        }
        Ok(outcomes)
    }

    // Gives each record its copies, and holds those of its files that there are none of.
    fn hand_out(&self, rules: &FileRules, worked: &mut Worked, outcomes: &Outcomes) {
        let mut kinds = std::mem::take(&mut worked.kinds);
        for record in &mut worked.records {
            for order in std::mem::take(&mut record.files) {
                if order.deleted {
                    record.copies.push(FileCopy { order, instance: None });
                    continue;
                }
                let id = self.instance_id(&order);
                let (code, message) = match outcomes.get(&id) {
                    Some(Ok(instance)) => {
                        kinds.of(BYTES).read += instance.size;
                        let instance = Some(instance.clone());
                        record.copies.push(FileCopy { order, instance });
                        continue;
                    }
                    Some(Err(Fault::Held { code, message })) => (*code, message.clone()),
                    _ => ("files.read", "nobody has tried it".to_owned()),
                };
                let size = order.size.unwrap_or(0);
                kinds.of(BYTES).read += size;
                if code == "files.missing" && rules.missing == Missing::Skip {
                    kinds.of(FILES).skipped += 1;
                    kinds.of(BYTES).skipped += size;
                    let code = "files.skipped_missing".to_owned();
                    *worked.account.warnings.entry(code).or_default() += 1;
                    continue;
                }
                kinds.of(FILES).quarantined += 1;
                kinds.of(BYTES).quarantined += size;
                let locator = record.locator.part(format!("file {}", order.key));
                let (stage, code) = (Stage::Files, code.to_owned());
                let rejection = Rejection { stage, rule: None, code, message, locator };
                let bytes = record.raw_bytes();
                record.held.push(Quarantined { rejection, bytes });
            }
        }
        worked.kinds = kinds;
    }
}

impl Drop for Copier {
    fn drop(&mut self) {
        self.bench.stop.store(true, Ordering::Relaxed);
    }
}

impl Bench {
    /// Where a reference leads.
    fn place_of(&self, order: &FileOrder) -> Option<String> {
        match &order.place {
            FilePlace::Url(url) => Some(url.clone()),
            place => {
                let path = self.fetcher.open(place).ok()?.path?;
                Some(path.display().to_string())
            }
        }
    }

    fn keep(
        &self,
        id: Uuid,
        order: &FileOrder,
        known: Option<&StoredInstance>,
    ) -> Result<FileInstance, Fault> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..self.attempts {
            let passing = match self.try_to_keep(id, order, known) {
                Err(Trouble::Files(FilesError::Read { passing: true, message, .. })) => message,
                Err(Trouble::Fetch(error)) if error.is_passing() => error.to_string(),
                done => return done.map_err(Fault::from),
            };
            tracing::info!(file = name_of(&order.place), passing, "another attempt follows");
            std::thread::sleep(pause);
            pause *= 2;
        }
        self.try_to_keep(id, order, known).map_err(Fault::from)
    }

    fn try_to_keep(
        &self,
        id: Uuid,
        order: &FileOrder,
        known: Option<&StoredInstance>,
    ) -> Result<FileInstance, Trouble> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(Trouble::Stopped);
        }
        let what = name_of(&order.place);
        let most = match order.place {
            FilePlace::Url(_) => self.most,
            FilePlace::Path(_) => 0,
        };
        let expected = Expected { size: order.size, md5: order.md5, sha256: None, most };
        if self.dry_run {
            let found = self.fetcher.look(&order.place)?;
            return would_keep(id, order, found).map_err(Trouble::Files);
        }
        match &self.blobs {
            None => self.refer(id, order, known, &expected),
            Some(blobs) => {
                if let Some(kept) = self.is_kept(blobs, id, known, (what, &expected))? {
                    return Ok(kept);
                }
                let mut opened = self.fetcher.open(&order.place)?;
                if self.mode == Mode::Link {
                    let path = opened.path.clone().ok_or_else(|| {
                        let message = "it is no file by itself, which `mode: link` needs";
                        let (what, message) = (what.to_owned(), message.to_owned());
                        FilesError::Read { what, message, passing: false }
                    })?;
                    let sum = sum_of(&mut opened.bytes, (what, &expected))?;
                    let uri = blobs.link(id, &path)?;
                    return Ok(sum.instance(id, uri));
                }
                Ok(blobs.put(id, &mut opened.bytes, (what, &expected))?)
            }
        }
    }

    /// What an earlier run has brought here. The store's word is taken for it; what the store does
    /// not know of is read again, since its checksums are wanted.
    fn is_kept(
        &self,
        blobs: &BlobStore,
        id: Uuid,
        known: Option<&StoredInstance>,
        (what, expected): (&str, &Expected),
    ) -> Result<Option<FileInstance>, Trouble> {
        let Some(size) = blobs.size_of(id)? else { return Ok(None) };
        if expected.size.is_some_and(|expected| expected != size) {
            return Ok(None);
        }
        if let Some(known) = known.filter(|known| known.size == size) {
            return Ok(Some(instance(known)));
        }
        let uri = blobs.uri_of(id);
        let mut bytes = files::open(&uri, &self.access)?;
        let sum: Result<Sum, FilesError> = sum_of(&mut bytes, (what, expected));
        Ok(sum.ok().map(|sum| sum.instance(id, uri)))
    }

    fn refer(
        &self,
        id: Uuid,
        order: &FileOrder,
        known: Option<&StoredInstance>,
        expected: &Expected,
    ) -> Result<FileInstance, Trouble> {
        let what = name_of(&order.place);
        let mut opened = self.fetcher.open(&order.place)?;
        let uri = match (&order.place, &opened.path) {
            (FilePlace::Url(url), _) => url.clone(),
            (FilePlace::Path(_), Some(path)) => path.display().to_string(),
            (FilePlace::Path(_), None) => {
                let message = "a member of an archive has no place of its own; use `mode: copy`";
                let (what, message) = (what.to_owned(), message.to_owned());
                return Err(FilesError::Read { what, message, passing: false }.into());
            }
        };
        let is_same = |known: &&StoredInstance| opened.size.is_none_or(|size| size == known.size);
        if let Some(known) = known.filter(is_same) {
            return Ok(instance(known));
        }
        if self.verify {
            return Ok(sum_of(&mut opened.bytes, (what, expected))?.instance(id, uri));
        }
        let size = opened.size.or(order.size).unwrap_or(0);
        if let Some(wanted) = order.size.filter(|wanted| *wanted != size) {
            let (what, found) = (what.to_owned(), size);
            return Err(FilesError::Size { what, found, expected: wanted }.into());
        }
        Ok(FileInstance { id, uri, size, md5: order.md5, sha256: None })
    }
}

/// Why one attempt has failed.
enum Trouble {
    Files(FilesError),
    Fetch(FetchError),
    Stopped,
}

impl From<FilesError> for Trouble {
    fn from(error: FilesError) -> Trouble {
        Trouble::Files(error)
    }
}

impl From<FetchError> for Trouble {
    fn from(error: FetchError) -> Trouble {
        Trouble::Fetch(error)
    }
}

impl From<Trouble> for Fault {
    fn from(trouble: Trouble) -> Fault {
        match trouble {
            Trouble::Files(error) => error.into(),
            Trouble::Fetch(error) => error.into(),
            Trouble::Stopped => Fault::Stopped,
        }
    }
}

fn instance(known: &StoredInstance) -> FileInstance {
    let md5 = known.checksum.as_deref().and_then(|checksum| checksum.strip_prefix("md5:"));
    FileInstance {
        id: known.id,
        uri: known.uri.clone(),
        size: known.size,
        md5: md5.and_then(from_hex),
        sha256: known.sha256,
    }
}

/// What a dry run knows of a file.
fn would_keep(id: Uuid, order: &FileOrder, found: Option<u64>) -> Result<FileInstance, FilesError> {
    if let (Some(found), Some(expected)) = (found, order.size)
        && found != expected
    {
        let what = name_of(&order.place).to_owned();
        return Err(FilesError::Size { what, found, expected });
    }
    let size = found.or(order.size).unwrap_or(0);
    Ok(FileInstance { id, uri: String::new(), size, md5: order.md5, sha256: None })
}
