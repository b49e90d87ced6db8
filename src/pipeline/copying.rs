//! The bytes of a batch's files, brought into their location before the batch is loaded.
//!
//! Files are copied side by side on threads that may block, limited by their number and their
//! bytes. What is there already is not copied again. A file that is missing or not what it should be
//! is held by itself, and its record goes on; a location that takes nothing ends the run.

mod bench;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::definition::Definition;
use super::engine::RunError;
use super::files::{FileRules, Missing, Mode};
use super::worker::Worked;
use crate::files::{Access, BlobStore, Unnamed};
use crate::record::{FileCopy, FileInstance, FileOrder, Rejection, Stage, hex};
use crate::source::fetch::{Fetcher, HttpFetcher, name_of};
use crate::store::{BYTES, CopyBytes, FILES, Quarantined, Store, StoredInstance};
use bench::{Bench, Fault, NAMESPACE};

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
        // The location is tried before the store knows of it.
        let blobs = match (rules.mode, store) {
            (Mode::Reference, _) | (_, None) => None,
            _ => {
                let uri = rules.uri.clone();
                let open = move || BlobStore::open(&uri, &access);
                let opened = tokio::task::spawn_blocking(open).await;
                Some(opened.map_err(|error| RunError::Broken(error.to_string()))??)
            }
        };
        let location = match store {
            None => None,
            Some(store) => {
                Some(store.make_location(&rules.location, &rules.uri, false, now).await?.id)
            }
        };
        let http = HttpFetcher::new(rules.urls.clone(), Handle::current());
        let http = http.map_err(|error| RunError::Broken(format!("HTTP client: {error}")))?;
        let most = rules.in_flight_bytes.div_ceil(KIBIBYTE);
        let most = u32::try_from(most).unwrap_or(u32::MAX).max(1);
        let bench = Bench {
            fetcher: Fetcher { map: Arc::clone(&rules.map), http },
            blobs,
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
        let outcomes = self.outcomes(wanted).await?;
        hand_out(rules, worked, |order| outcomes.get(&self.instance_id(order)));
        Ok(())
    }

    // What the pipeline does not want is counted.
    fn leave_out(&self, rules: &FileRules, worked: &mut Worked) {
        let mut left_out: Vec<&'static str> = Vec::new();
        let mut bytes = 0;
        for record in &mut worked.records {
            record.files.retain(|order| {
                let Some(code) = rules.leaves_out(order) else { return true };
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

    /// The UUID of the instance that an order asks for; of a reference, whose UUID follows from
    /// where it leads, one that stands for it until that is known.
    fn instance_id(&self, order: &FileOrder) -> Uuid {
        let md5 = order.md5.map(|md5| hex(&md5)).unwrap_or_default();
        let size = order.size.map(|size| size.to_string()).unwrap_or_default();
        if self.bench.mode == Mode::Reference {
            let place = name_of(&order.place);
            return Uuid::new_v5(&NAMESPACE, [place, &md5, &size].join("\u{1F}").as_bytes());
        }
        // The same name for the same bytes: what is found under it is what is wanted.
        let source_name = &self.definition.source_name;
        let parts = [source_name.as_str(), order.source_id.as_str(), &md5, &size];
        Uuid::new_v5(&NAMESPACE, parts.join("\u{1F}").as_bytes())
    }

    /// Where the bytes of each are, or will be; of a dry run nowhere.
    async fn uris(
        &self,
        wanted: &HashMap<Uuid, &FileOrder>,
    ) -> Result<HashMap<Uuid, String>, RunError> {
        if let Some(blobs) = &self.bench.blobs {
            return Ok(wanted.keys().map(|id| (*id, blobs.uri_of(*id))).collect());
        }
        let mut jobs = JoinSet::new();
        for (id, order) in wanted.iter().filter(|_| !self.bench.dry_run) {
            let permit = Arc::clone(&self.places).acquire_owned().await;
            let (bench, id, place) = (Arc::clone(&self.bench), *id, order.place.clone());
            jobs.spawn_blocking(move || {
                let uri = bench.place_of(&place);
                drop(permit);
                (id, uri)
            });
        }
        let mut uris = HashMap::new();
        while let Some(done) = jobs.join_next().await {
            let (id, uri) = done.map_err(|error| RunError::Broken(error.to_string()))?;
            uris.extend(uri.map(|uri| (id, uri)));
        }
        Ok(uris)
    }

    async fn outcomes(&self, wanted: HashMap<Uuid, &FileOrder>) -> Result<Outcomes, RunError> {
        let uris = self.uris(&wanted).await?;
        let mut known: HashMap<String, StoredInstance> = HashMap::new();
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
            if self.bench.stop.load(Ordering::Relaxed) {
                break;
            }
            let (bench, order) = (Arc::clone(&self.bench), order.clone());
            let known = uris.get(&id).and_then(|uri| known.get(uri)).cloned();
            jobs.spawn_blocking(move || {
                let outcome = bench.keep(id, &order, known.as_ref());
                drop((place, bytes));
                (id, outcome)
            });
        }
        let (mut outcomes, mut unnamed) = (HashMap::new(), Vec::new());
        while let Some(done) = jobs.join_next().await {
            let (id, outcome) = done.map_err(|error| RunError::Broken(error.to_string()))?;
            let outcome = match outcome {
                Err(Fault::Fatal(error)) => return Err(error.into()),
                Err(fault) => Err(fault),
                Ok((instance, written)) => {
                    unnamed.extend(written);
                    Ok(instance)
                }
            };
            outcomes.insert(id, outcome);
        }
        self.name(unnamed).await?;
        Ok(outcomes)
    }

    /// The bytes of a batch are there before its records are.
    async fn name(&self, unnamed: Vec<Unnamed>) -> Result<(), RunError> {
        let Some(blobs) = self.bench.blobs.clone() else { return Ok(()) };
        let naming = tokio::task::spawn_blocking(move || blobs.name(unnamed));
        naming.await.map_err(|error| RunError::Broken(error.to_string()))??;
        Ok(())
    }
}

// Gives each record its copies, and holds those of its files that there are none of. What becomes
// of them is counted with the record: whoever has it already counts it once.
fn hand_out<'o>(
    rules: &FileRules,
    worked: &mut Worked,
    outcome: impl Fn(&FileOrder) -> Option<&'o Result<FileInstance, Fault>>,
) {
    for record in &mut worked.records {
        for order in std::mem::take(&mut record.files) {
            if order.deleted {
                record.copies.push(FileCopy { order, instance: None });
                continue;
            }
            let (code, message) = match outcome(&order) {
                Some(Ok(instance)) => {
                    record.kinds.of(BYTES).read += instance.size;
                    let instance = Some(instance.clone());
                    record.copies.push(FileCopy { order, instance });
                    continue;
                }
                Some(Err(Fault::Held { code, message })) => (*code, message.clone()),
                _ => ("files.read", "nobody has tried it".to_owned()),
            };
            let (kinds, size) = (&mut record.kinds, order.size.unwrap_or(0));
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
            let locator = record.locator.part(&*order.part);
            let (stage, code) = (Stage::Files, code.to_owned());
            let rejection = Rejection { stage, rule: None, code, message, locator };
            let bytes = order.alone.map_or_else(|| record.raw_bytes(), CopyBytes::Plain);
            record.held.push(Quarantined { rejection, bytes });
        }
    }
}

impl Drop for Copier {
    fn drop(&mut self) {
        self.bench.stop.store(true, Ordering::Relaxed);
    }
}
