//! What the files of a batch mean for the store: buckets, object versions, heads.
//!
//! Pure, and the same for every keeper. It works on the plan of the batch's records: a record that
//! gets a revision has its files in it, one that gets none but has new files gets one for them. A
//! list of files need not be whole (an incremental dump has what has changed): it only adds.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::change::{Change, RecordState};
use super::extension::{Draft, Event, Extension, refusal};
use super::lookup::Lookup;
use super::plan::Plan;
use super::shelf::{
    Held, HeldBucket, HeldObject, Shelf, bucket_uuid, describe_revisions, version_uuid,
};
use super::{
    BYTES, Brings, CopyBytes, FILES, KindCounts, Kinds, LoadRecord, Quarantined, StoreError,
};
use crate::record::{
    FileCopy, FileInstance, Locator, RESTRICTED_TAG, Rejection, Stage, VERSION_TAG, hex,
};

/// A tag that windrow writes beside those of the source, as `RESTRICTED_TAG` and `VERSION_TAG` are.
const SHA256: &str = "sha256";

/// Rows of files to write.
#[derive(Debug, Default)]
pub(super) struct FilePlan {
    /// Buckets to write, new or not, with the record that has each.
    pub(super) buckets: Vec<(HeldBucket, Uuid, Timestamp)>,
    /// Instances that may be there already.
    pub(super) instances: Vec<(FileInstance, Timestamp)>,
    /// Versions that are no longer heads.
    pub(super) unheaded: Vec<Uuid>,
    /// Versions that are there and become heads.
    pub(super) headed: Vec<Uuid>,
    /// New versions.
    pub(super) objects: Vec<HeldObject>,
    /// Tags of versions: new ones, and those that have changed.
    pub(super) tags: Vec<(Uuid, String, String)>,
    /// Buckets that hold something that not everybody may see.
    pub(super) restricted: Vec<Uuid>,
    /// Versions that their bucket does not take.
    pub(super) refused: Vec<Quarantined>,
    /// The fates of the versions, and of their bytes.
    pub(super) kinds: Kinds,
}

impl FilePlan {
    pub(super) fn is_empty(&self) -> bool {
        self.buckets.is_empty() && self.tags.is_empty()
    }

    /// How many rows there are, to come back to.
    fn mark(&self) -> (usize, usize, usize, Kinds) {
        let kinds = self.kinds.clone();
        (self.instances.len(), self.tags.len(), self.restricted.len(), kinds)
    }

    fn back_to(&mut self, (instances, tags, restricted, kinds): (usize, usize, usize, Kinds)) {
        self.instances.truncate(instances);
        self.tags.truncate(tags);
        self.restricted.truncate(restricted);
        self.kinds = kinds;
    }

    /// Of a plan for one record's files: fails when they were not taken.
    ///
    /// # Errors
    /// [`StoreError::Refused`]
    pub(super) fn taken(plan: &Plan) -> Result<(), StoreError> {
        match plan.rejected.iter().chain(&plan.refused).next() {
            None => Ok(()),
            Some(Quarantined { rejection, .. }) => Err(StoreError::Refused {
                code: rejection.code.clone(),
                message: rejection.message.clone(),
            }),
        }
    }
}

/// The files of one record of a batch.
#[derive(Debug)]
struct Incoming {
    source_id: String,
    record_id: Uuid,
    pid_value: String,
    stamps: Option<(Timestamp, Timestamp)>,
    locator: Locator,
    bytes: CopyBytes,
    brings: Brings,
    copies: Vec<FileCopy>,
}

/// The files of a batch, taken off its records.
#[derive(Debug)]
pub(super) struct Filing {
    incoming: Vec<Incoming>,
    location: Option<i64>,
    now: Timestamp,
}

impl Filing {
    /// Takes the files off the records of a batch.
    pub(super) fn of(records: &mut [LoadRecord], location: Option<i64>, now: Timestamp) -> Filing {
        let mut incoming = Vec::new();
        for record in records.iter_mut().filter(|record| !record.copies.is_empty()) {
            incoming.push(Incoming {
                source_id: record.source_id.clone(),
                record_id: record.record.id,
                pid_value: record.record.pid_value.clone(),
                stamps: record.stamps,
                locator: record.locator.clone(),
                bytes: record.raw_bytes(),
                brings: record.brings,
                copies: std::mem::take(&mut record.copies),
            });
        }
        Filing { incoming, location, now }
    }

    /// Files of a single record that is there.
    pub(super) fn single(
        (record_id, pid_value): (Uuid, String),
        location: i64,
        copies: Vec<FileCopy>,
        now: Timestamp,
    ) -> Filing {
        let file = "".into();
        let locator = Locator { file, number: 0, byte: 0, control_number: None, part: None };
        let (source_id, stamps, bytes) = (String::new(), None, CopyBytes::Plain(Vec::new()));
        let brings = Brings::Files;
        let incoming = vec![Incoming {
            source_id,
            record_id,
            pid_value,
            stamps,
            locator,
            bytes,
            copies,
            brings,
        }];
        Filing { incoming, location: Some(location), now }
    }

    /// A source id stays with the record that it was first loaded as; files that come alone are
    /// those of the record that has the number.
    pub(super) fn resolve(&mut self, lookup: &Lookup) {
        for incoming in &mut self.incoming {
            let owner = lookup.pids.get(&incoming.pid_value).copied().flatten();
            let owner = owner.filter(|_| incoming.brings == Brings::Files);
            let entry = lookup.ledger.get(&incoming.source_id);
            if let Some(id) = entry.map(|entry| entry.record_id).or(owner) {
                incoming.record_id = id;
            }
        }
    }

    /// The records that files come for, and those that are there and are changed.
    pub(super) fn concerned(&self, plan: &Plan) -> (Vec<Uuid>, Vec<Uuid>) {
        let coming: HashSet<Uuid> = self.incoming.iter().map(|one| one.record_id).collect();
        let changed = plan.changes.iter().filter(|change| change.before.is_some());
        let changed = changed.map(|change| change.id).filter(|id| !coming.contains(id)).collect();
        (coming.into_iter().collect(), changed)
    }

    /// The URIs of all instances that come.
    pub(super) fn uris(&self) -> Vec<&str> {
        let copies = self.incoming.iter().flat_map(|incoming| &incoming.copies);
        copies.filter_map(|copy| copy.instance.as_ref()).map(|file| file.uri.as_str()).collect()
    }

    /// Records that no change is planned for and files come for.
    pub(super) fn unplanned(&self, plan: &Plan) -> Vec<Uuid> {
        let planned: HashSet<Uuid> = plan.changes.iter().map(|change| change.id).collect();
        let coming = self.incoming.iter().map(|one| one.record_id);
        let unplanned: HashSet<Uuid> = coming.filter(|id| !planned.contains(id)).collect();
        unplanned.into_iter().collect()
    }

    /// Plans the files: adds them to the plan's revisions, and revisions for those that have none.
    /// `known` are the instances that have a URI already, `states` the records of
    /// [`Filing::unplanned`] that are there.
    pub(super) fn plan(
        self,
        plan: &mut Plan,
        held: HashMap<Uuid, Held>,
        known: &HashMap<String, Uuid>,
        mut states: HashMap<Uuid, RecordState>,
        extensions: &[Arc<dyn Extension>],
    ) -> FilePlan {
        let rejected: HashSet<Place> =
            plan.rejected.iter().map(|rejected| place(&rejected.rejection.locator)).collect();
        let mut planner = FilePlanner {
            location: self.location,
            now: self.now,
            known,
            planned: HashMap::new(),
            by_id: plan.changes.iter().enumerate().map(|(at, change)| (change.id, at)).collect(),
            shelves: HashMap::new(),
            refused: HashMap::new(),
            files: FilePlan::default(),
        };
        for (id, held) in held {
            planner.shelves.insert(id, Shelf::of(id, held));
        }
        for incoming in self.incoming {
            if rejected.contains(&place(&incoming.locator)) {
                planner.files.kinds.add(&fates(&incoming.copies, |counts| &mut counts.quarantined));
                continue;
            }
            planner.take(plan, incoming, &mut states, extensions);
        }
        let mut files = planner.finish(plan);
        plan.kinds.add(&files.kinds);
        plan.refused.append(&mut files.refused);
        files
    }
}

struct FilePlanner<'k> {
    location: Option<i64>,
    now: Timestamp,
    known: &'k HashMap<String, Uuid>,
    /// URIs of this batch, likewise.
    planned: HashMap<String, Uuid>,
    by_id: HashMap<Uuid, usize>,
    shelves: HashMap<Uuid, Shelf>,
    /// Records whose files an extension has refused.
    refused: HashMap<Uuid, (String, String)>,
    files: FilePlan,
}

/// Where a record or a part of it stands: two may stand at one place of files of one name.
type Place = (Arc<str>, u64, Option<String>, Option<String>);

fn place(locator: &Locator) -> Place {
    let Locator { file, number, control_number, part, .. } = locator;
    (Arc::clone(file), *number, control_number.clone(), part.clone())
}

impl FilePlanner<'_> {
    fn take(
        &mut self,
        plan: &mut Plan,
        incoming: Incoming,
        states: &mut HashMap<Uuid, RecordState>,
        extensions: &[Arc<dyn Extension>],
    ) {
        let id = incoming.record_id;
        let at = self.by_id.get(&id).copied();
        let change = at.and_then(|at| plan.changes.get(at));
        let is_there = change.is_some() || states.contains_key(&id);
        let mut incoming = incoming;
        if !is_there || self.location.is_none() {
            // A deletion of what never was.
            self.files.kinds.add(&fates(&incoming.copies, |counts| &mut counts.skipped));
            return;
        }
        if let Some((code, message)) = self.refused.get(&id).cloned() {
            let copies = std::mem::take(&mut incoming.copies);
            return self.hold(&incoming, copies, &code, &message);
        }
        self.refuse(&mut incoming);
        let before = self.files.mark();
        let all = fates(&incoming.copies, |counts| &mut counts.quarantined);
        let has_news = self.add(id, incoming.copies);
        if !has_news && !self.shelves.get(&id).is_some_and(Shelf::is_to_close) {
            return;
        }
        let has_revision = change.is_some_and(|change| !change.revisions.is_empty());
        let is_live = match (change, states.get(&id)) {
            (Some(change), _) => change.is_live(),
            (None, Some(state)) => !state.deleted,
            (None, None) => false,
        };
        if has_revision || !is_live {
            return;
        }
        // Nothing but its files has changed: that is a revision of the record, too.
        let Some(shelf) = self.shelves.get_mut(&id) else { return };
        let Some(mut json) = shelf.json.clone() else { return };
        shelf.choose_heads();
        shelf.describe(&mut json);
        let Ok(json) = String::from_utf8(json) else { return };
        let draft = Draft { id, event: Event::Update, json: Some(&json) };
        if let Some(refusal) = refusal(extensions, draft) {
            let counts = &mut plan.counts;
            counts.unchanged = counts.unchanged.saturating_sub(1);
            counts.quarantined += 1;
            let (code, message, locator) = (refusal.code, refusal.message, incoming.locator);
            self.refused.insert(id, (code.clone(), message.clone()));
            let rejection = Rejection { stage: Stage::Load, rule: None, code, message, locator };
            plan.rejected.push(Quarantined { rejection, bytes: incoming.bytes });
            self.shelves.remove(&id);
            self.files.back_to(before);
            self.files.kinds.add(&all);
            return;
        }
        // Where dates are the source's, it is as old as the revision it follows: a later date would
        // make those late that the source has yet to tell of.
        let updated = incoming.stamps.and(shelf.updated).unwrap_or(self.now);
        let at = at.unwrap_or_else(|| {
            let at = plan.changes.len();
            let before = states.remove(&id);
            plan.changes.push(Change::new(id, incoming.pid_value, before, self.now));
            self.by_id.insert(id, at);
            at
        });
        if let Some(change) = plan.changes.get_mut(at) {
            change.append(Event::Update, Some(Arc::from(json)), updated);
            plan.counts.unchanged = plan.counts.unchanged.saturating_sub(1);
            plan.counts.updated += 1;
        }
    }

    /// Holds the new files of a bucket that is locked, each by itself. Of those it has, what may
    /// change is no matter of the bucket.
    fn refuse(&mut self, incoming: &mut Incoming) {
        let Some(shelf) = self.shelves.get(&incoming.record_id) else { return };
        let Some(bucket) = shelf.bucket.as_ref().filter(|bucket| bucket.locked) else { return };
        let is_there = |copy: &FileCopy| shelf.at.contains_key(&version_uuid(bucket.id, copy));
        let (there, new) = std::mem::take(&mut incoming.copies).into_iter().partition(is_there);
        incoming.copies = there;
        let message = format!("bucket {} is locked", bucket.id);
        self.hold(incoming, new, "bucket_locked", &message);
    }

    fn hold(&mut self, incoming: &Incoming, copies: Vec<FileCopy>, code: &str, message: &str) {
        self.files.kinds.add(&fates(&copies, |counts| &mut counts.quarantined));
        for copy in copies {
            let (code, message) = (code.to_owned(), message.to_owned());
            let locator = incoming.locator.part(copy.order.part);
            let rejection = Rejection { stage: Stage::Load, rule: None, code, message, locator };
            let bytes = copy.order.alone.map_or_else(|| incoming.bytes.clone(), CopyBytes::Plain);
            self.files.refused.push(Quarantined { rejection, bytes });
        }
    }

    /// Puts copies into the bucket of a record; whether that changed anything that its JSON says.
    fn add(&mut self, id: Uuid, copies: Vec<FileCopy>) -> bool {
        let shelf = self.shelves.entry(id).or_insert_with(Shelf::empty);
        let Some(location) = self.location else { return false };
        let bucket = shelf.bucket.get_or_insert_with(|| {
            shelf.is_new = true;
            let id = bucket_uuid(id);
            HeldBucket { id, location, size: 0, deleted: false, locked: false }
        });
        let mut has_news = false;
        for copy in copies {
            let version_id = version_uuid(bucket.id, &copy);
            let tags = tags(&copy);
            let there = shelf.at.get(&version_id).copied();
            let there = there.and_then(|at| shelf.objects.get_mut(at));
            if copy.order.restricted {
                self.files.restricted.push(bucket.id);
            }
            if let Some(there) = there {
                if there.key == copy.order.key {
                    shelf.told.insert(version_id);
                }
                let size = copy.instance.as_ref().map_or(0, |instance| instance.size);
                self.files.kinds.of(FILES).unchanged += 1;
                self.files.kinds.of(BYTES).unchanged += size;
                // A restriction that is lifted: tags are not taken away.
                let lifted = !copy.order.restricted && there.is_restricted();
                let lifted = lifted.then(|| (RESTRICTED_TAG.to_owned(), "false".to_owned()));
                for (key, value) in tags.into_iter().chain(lifted) {
                    if there.tags.get(&key) != Some(&value) {
                        self.files.tags.push((version_id, key.clone(), value.clone()));
                        there.tags.insert(key, value);
                    }
                }
                continue;
            }
            has_news = true;
            let key = shelf.documents.key_of(&copy.order);
            let file = copy.instance.map(|mut instance| {
                let size = i64::try_from(instance.size).unwrap_or(i64::MAX);
                // Whoever is there first, or comes first, gives the URI its name.
                let known =
                    self.known.get(&instance.uri).or_else(|| self.planned.get(&instance.uri));
                instance.id = known.copied().unwrap_or(instance.id);
                self.planned.insert(instance.uri.clone(), instance.id);
                bucket.size = bucket.size.saturating_add(size);
                self.files.kinds.of(BYTES).loaded += instance.size;
                let file = (instance.id, size, instance.checksum());
                self.files.instances.push((instance, copy.order.created));
                file
            });
            self.files.kinds.of(FILES).loaded += 1;
            let mimetype = copy.order.mimetype.filter(|mimetype| mimetype.chars().count() <= 255);
            let tagged = tags.iter().map(|(key, value)| (version_id, key.clone(), value.clone()));
            self.files.tags.extend(tagged);
            if key == copy.order.key {
                shelf.told.insert(version_id);
            }
            shelf.touched.insert(key.clone());
            shelf.new.insert(version_id);
            shelf.at.insert(version_id, shelf.objects.len());
            shelf.objects.push(HeldObject {
                bucket_id: bucket.id,
                version_id,
                key,
                file,
                mimetype,
                is_head: false,
                created: copy.order.created,
                tags,
            });
        }
        has_news
    }

    fn finish(mut self, plan: &mut Plan) -> FilePlan {
        // Once for all that came: a record may come many times, each time with one of its files.
        self.shelves.values_mut().for_each(Shelf::choose_heads);
        for change in &mut plan.changes {
            let Some(shelf) = self.shelves.get_mut(&change.id) else { continue };
            if shelf.bucket.is_some() {
                describe_revisions(change, shelf);
            }
            let Some(bucket) = &mut shelf.bucket else { continue };
            let was_deleted = bucket.deleted;
            let before = change.before.as_ref();
            let has_turned = before.is_none_or(|before| before.deleted == change.is_live());
            if has_turned || shelf.is_new {
                bucket.deleted = !change.is_live();
            }
            if bucket.deleted != was_deleted || shelf.is_new || !shelf.new.is_empty() {
                let updated = change.revisions.last().map_or(self.now, |last| last.updated);
                self.files.buckets.push((bucket.clone(), change.id, updated));
            }
        }
        // A tombstone that is left as it is may have got files.
        let written: HashSet<Uuid> = self.files.buckets.iter().map(|(one, ..)| one.id).collect();
        for (id, shelf) in &mut self.shelves {
            let Some(bucket) = &mut shelf.bucket else { continue };
            if !shelf.new.is_empty() && !written.contains(&bucket.id) {
                bucket.deleted |= shelf.json.is_none();
                self.files.buckets.push((bucket.clone(), *id, self.now));
            }
            for object in std::mem::take(&mut shelf.objects) {
                let is_head = shelf.heads.contains(&object.version_id);
                if shelf.new.contains(&object.version_id) {
                    self.files.objects.push(HeldObject { is_head, ..object });
                } else if object.is_head && !is_head {
                    self.files.unheaded.push(object.version_id);
                } else if !object.is_head && is_head {
                    self.files.headed.push(object.version_id);
                }
            }
        }
        // Who writes the same rows at the same time writes them in the same order.
        self.files.instances.sort_by_key(|(instance, _)| instance.id);
        self.files.instances.dedup_by_key(|(instance, _)| instance.id);
        self.files.buckets.sort_by_key(|(bucket, ..)| bucket.id);
        self.files.objects.sort_by_key(|object| object.version_id);
        self.files.tags.sort();
        self.files.tags.dedup_by(|b, a| (a.0, &a.1) == (b.0, &b.1));
        self.files.restricted.sort_unstable();
        self.files.restricted.dedup();
        self.files
    }
}

/// The same fate for all of some copies, and for their bytes.
fn fates<'c>(
    copies: impl IntoIterator<Item = &'c FileCopy>,
    fate: impl Fn(&mut KindCounts) -> &mut u64,
) -> Kinds {
    let mut kinds = Kinds::default();
    for copy in copies {
        *fate(kinds.of(FILES)) += 1;
        let size = copy.instance.as_ref().map_or(0, |instance| instance.size);
        *fate(kinds.of(BYTES)) += size;
    }
    kinds
}

fn tags(copy: &FileCopy) -> BTreeMap<String, String> {
    let mut tags: BTreeMap<String, String> = copy.order.tags.iter().cloned().collect();
    if copy.order.version > 0 {
        tags.insert(VERSION_TAG.to_owned(), copy.order.version.to_string());
    }
    if let Some(sha256) = copy.instance.as_ref().and_then(|instance| instance.sha256) {
        tags.insert(SHA256.to_owned(), hex(&sha256));
    }
    if copy.order.restricted {
        tags.insert(RESTRICTED_TAG.to_owned(), "true".to_owned());
    }
    tags
}
