//! What goes into the store and comes out of it.

use std::borrow::Cow;

use jiff::Timestamp;
use uuid::Uuid;

use super::{AccessTold, Brings, EarlierRevision, Kinds, Quarantined, StoreError, Thing};
use crate::record::{
    ContentHash, Datestamp, FileCopy, FileOrder, Origin, PidName, Rejection, SetSpec,
};

/// An item as OAI-PMH lists it: the header's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemHeader {
    /// The record's UUID.
    pub id: Uuid,
    /// The value of its `recid` PID, the local part of its OAI identifier.
    pub pid_value: String,
    /// When this repository last created, changed or deleted it.
    pub datestamp: Datestamp,
    /// Whether it is a tombstone.
    pub deleted: bool,
    /// The sets it is in, by setSpec.
    pub set_specs: Vec<SetSpec>,
}

/// The bytes a record came from, uncompressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceBytes {
    /// A name in `formats::FORMATS`.
    pub format: String,
    /// One record, as it stood in its file.
    pub bytes: Vec<u8>,
}

/// A header with what was asked for beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The header.
    pub header: ItemHeader,
    /// Its line of [`Store::fingerprint`](super::Store::fingerprint): another when anything of the
    /// item has changed.
    pub state: String,
    /// Canonical JSON of the current revision; `None` when deleted or not asked for.
    pub json: Option<Vec<u8>>,
    /// The source bytes; `None` when deleted, not kept or not asked for.
    pub source: Option<SourceBytes>,
    /// Where the record was harvested; `None` when it was not, is deleted, its source bytes are not
    /// kept, or no content was asked for.
    pub origin: Option<Origin>,
}

/// What to read beside the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemContent {
    /// Nothing.
    Header,
    /// The record's JSON.
    Json,
    /// The source bytes, where they were kept, and the record's JSON.
    Source,
}

/// Which items to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemQuery {
    /// Only items after this position.
    pub after: Option<(Datestamp, Uuid)>,
    /// Only items not older than this.
    pub from: Option<Datestamp>,
    /// Only items not newer than this, inclusive.
    pub until: Option<Datestamp>,
    /// Only items of this set or of a set below it (`a` has `a:b`).
    pub set_spec: Option<SetSpec>,
    /// At most so many.
    pub limit: u32,
    /// What to read beside the header.
    pub content: ItemContent,
}

/// A set, from `oaiserver_set`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    /// Its setSpec.
    pub spec: SetSpec,
    /// Its name for people.
    pub name: String,
    /// What it holds, in a sentence.
    pub description: Option<String>,
}

/// One revision of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// Its UUID.
    pub id: Uuid,
    /// 0 for the first revision (`version_id - 1`).
    pub revision_id: i64,
    /// Canonical JSON; `None` when this revision is a deletion.
    pub json: Option<Vec<u8>>,
    /// When the record was made.
    pub created: Timestamp,
    /// When this revision was made.
    pub updated: Timestamp,
}

/// A set a record is in: its setSpec, and the name to give it when it is new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// setSpec.
    pub spec: SetSpec,
    /// Name for people.
    pub name: String,
}

/// A record to write: its identity and the content it shall have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecord {
    /// The UUID it has or shall get.
    pub id: Uuid,
    /// The value of its `recid` PID.
    pub pid_value: String,
    /// Its PIDs of other types; each is registered for it, or the record is refused.
    pub pids: Vec<PidName>,
    /// Canonical JSON; `None` deletes.
    pub json: Option<Vec<u8>>,
    /// The sets it is in.
    pub memberships: Vec<Membership>,
}

/// A further revision of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordChange {
    /// Canonical JSON; `None` deletes.
    pub json: Option<Vec<u8>>,
    /// The sets it is in from now on; `None` leaves it where it is.
    pub memberships: Option<Vec<Membership>>,
    /// PIDs that it has beside those it had.
    pub pids: Vec<PidName>,
    /// The content is that of an earlier revision: extensions are told of a revert.
    pub reverts: bool,
    /// The revision that the change was made from.
    pub expected_revision: i64,
}

/// A change that an index has yet to take notice of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    /// Its place in the order of changes.
    pub number: i64,
    /// The record.
    pub record_id: Uuid,
    /// The revision that it got.
    pub revision_id: i64,
    /// Whether it has content.
    pub live: bool,
}

/// The bytes a record came from, as they are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceCopy {
    /// A name in `formats::FORMATS`.
    pub format: &'static str,
    /// The record's place, as [`crate::record::Locator`] prints it.
    pub locator: String,
    /// SHA-256 of the uncompressed bytes.
    pub hash: ContentHash,
    /// The bytes.
    pub bytes: CopyBytes,
    /// Where they were harvested, if they were.
    pub origin: Option<Box<Origin>>,
}

/// Bytes of a record that the store may have to keep.
///
/// Whoever expects that they are written packs them, beside the store; of those that the store
/// turns out to have already, the work would be for nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyBytes {
    /// One zstd frame.
    Zstd(Vec<u8>),
    /// As they came; packed when they are written.
    Plain(Vec<u8>),
}

/// Level 1 makes a record half as large in a few microseconds; higher levels gain little on texts
/// this short.
pub const ZSTD_LEVEL: i32 = 1;

impl CopyBytes {
    /// One zstd frame.
    pub(super) fn zstd(&self) -> Result<Cow<'_, [u8]>, StoreError> {
        match self {
            CopyBytes::Zstd(zstd) => Ok(Cow::Borrowed(zstd)),
            CopyBytes::Plain(bytes) => zstd::bulk::compress(bytes, ZSTD_LEVEL)
                .map(Cow::Owned)
                .map_err(|error| StoreError::Failed(format!("cannot compress: {error}"))),
        }
    }
}

/// A record on its way from a pipeline into the store.
#[derive(Debug, Clone)]
pub struct LoadRecord {
    /// Its identifier in the pipeline's source, unique there.
    pub source_id: String,
    /// Identity and content.
    pub record: NewRecord,
    /// Hash of the canonical JSON; what decides "unchanged".
    pub hash: ContentHash,
    /// Its source bytes; kept in `windrow_source` when the batch says so, and in quarantine when
    /// the store has to reject the record.
    pub source: SourceCopy,
    /// Its place, for messages.
    pub locator: crate::record::Locator,
    /// created and updated of the source, when the pipeline preserves them; `None` is now.
    pub stamps: Option<(Timestamp, Timestamp)>,
    /// The revisions before this one, oldest first; `None` when its source keeps no history. With
    /// it, those that the store has by their dates are not written again.
    pub history: Option<Vec<EarlierRevision>>,
    /// The versions of its files that the source tells of, and that nobody has copied.
    pub files: Vec<FileOrder>,
    /// What its source says of who may see it and its files; kept when it has a history.
    pub access: AccessTold,
    /// The versions of its files that are copied; those that are stored already are no news,
    /// others are added.
    pub copies: Vec<FileCopy>,
    /// Parts of it that were held on the way here; they are no records in the counts.
    pub held: Vec<Quarantined>,
    /// What is known of the fates of its parts before the store has it; whoever loads it adds it.
    pub kinds: Kinds,
    /// Its raw bytes, one zstd frame, where they are more than its source bytes: what quarantine
    /// keeps of it.
    pub raw: Option<Vec<u8>>,
    /// What there is of it.
    pub brings: Brings,
    /// The value of the recid of the record that stands in its place, when it was merged.
    pub merged_into: Option<String>,
    /// The things that come in its place.
    pub things: Vec<Thing>,
}

impl LoadRecord {
    /// What quarantine keeps of it.
    #[must_use]
    pub fn raw_bytes(&self) -> CopyBytes {
        let raw = self.raw.clone().map(CopyBytes::Zstd);
        raw.unwrap_or_else(|| self.source.bytes.clone())
    }
}

/// How far a split has come: what is committed together with the batch that brought it there.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Counts {
    /// Records cut out of the source, whole or not.
    pub read: u64,
    /// New in the store.
    pub created: u64,
    /// New revision of a record.
    pub updated: u64,
    /// Same content as before: nothing written.
    pub unchanged: u64,
    /// Became a tombstone.
    pub deleted: u64,
    /// Left out because the pipeline says so.
    pub skipped: u64,
    /// In quarantine.
    pub quarantined: u64,
}

impl Counts {
    /// Whether every record that was read has met exactly one fate.
    #[must_use]
    pub fn balance(&self) -> bool {
        self.read
            == self.created
                + self.updated
                + self.unchanged
                + self.deleted
                + self.skipped
                + self.quarantined
    }

    /// Adds `other`, fate by fate.
    pub fn add(&mut self, other: &Counts) {
        self.read += other.read;
        self.created += other.created;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
        self.deleted += other.deleted;
        self.skipped += other.skipped;
        self.quarantined += other.quarantined;
    }
}

/// One transaction's worth of a pipeline.
#[derive(Debug, Clone)]
pub struct LoadBatch {
    /// The run, from `begin_run`.
    pub run_id: i64,
    /// The pipeline's source name: the first half of every record's identity.
    pub source_name: String,
    /// What "now" is for this batch.
    pub now: Timestamp,
    /// Whether `windrow_source` keeps the bytes.
    pub keep_source: bool,
    /// The format of all its records, a name in `formats::FORMATS`; none when it has none.
    pub format: Option<&'static str>,
    /// The location of new buckets; without one no files are taken.
    pub location: Option<i64>,
    /// Records that passed every stage, in source order. The same record may come more than once.
    pub records: Vec<LoadRecord>,
    /// Records that did not.
    pub quarantined: Vec<Quarantined>,
    /// Where the split stands once this batch is in.
    pub checkpoint: Checkpoint,
}

/// The position that a batch brings its split to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The split's name: the file's path.
    pub split: String,
    /// The lane of the split that this is about; 0 where there is one only.
    pub lane: u32,
    /// What the split's file looked like when it was opened (size and time of change).
    pub fingerprint: String,
    /// Records of the split dealt with so far; reading resumes after so many.
    pub records: u64,
    /// Whether the split is done.
    pub done: bool,
    /// Records of this batch that were left out by the pipeline.
    pub skipped: u64,
    /// The split's account so far (warnings and losses), as JSON; it replaces the one before.
    pub account: String,
    /// What the store has made of the parts of its records before this batch; what is kept has
    /// those of the batch added.
    pub kinds: Kinds,
}

/// A split as the store remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitState {
    /// Its checkpoint; `skipped` is the split's total here.
    pub checkpoint: Checkpoint,
    /// The fates of its records so far.
    pub counts: Counts,
}

/// A run that begins or goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its number.
    pub id: i64,
    /// How many times it was started; above 1 when it goes on after an interruption.
    pub attempt: i64,
    /// The splits that it has touched so far, by name.
    pub splits: Vec<SplitState>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// Begun and not ended: running, or interrupted.
    Running,
    /// Every split was read to its end.
    Done,
    /// Ended early because it was told to (`--limit`); it is never resumed.
    Limited,
    /// Read to its end, and lost more than its pipeline allows; it is never resumed.
    Failed,
    /// Replaced by a later run before it ended.
    Abandoned,
}

impl RunState {
    /// The word in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RunState::Running => "running",
            RunState::Done => "done",
            RunState::Limited => "limited",
            RunState::Failed => "failed",
            RunState::Abandoned => "abandoned",
        }
    }
}

/// A run as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSummary {
    /// Its number.
    pub id: i64,
    /// The pipeline's name.
    pub pipeline: String,
    /// The word of its [`RunState`].
    pub state: String,
    /// When it began, as text.
    pub started: String,
    /// When it ended, as text.
    pub finished: Option<String>,
    /// Its report as JSON, once it ended.
    pub report: Option<String>,
}

/// A pipeline that runs at set times: the last one served, and how that went.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScheduleEntry {
    /// The pipeline's name.
    pub pipeline: String,
    /// The last scheduled time that was served; before the first, the moment from which they
    /// count. In seconds since 1970, as all times here.
    pub served: i64,
    /// The next scheduled time.
    pub next: Option<i64>,
    /// When the last run began.
    pub started: Option<i64>,
    /// When it ended.
    pub finished: Option<i64>,
    /// How, in a word.
    pub outcome: Option<String>,
    /// What it said of itself, in a line.
    pub message: Option<String>,
    /// Its number, when it came so far.
    pub run_id: Option<i64>,
}

/// What a batch did to the records it brought.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LoadOutcome {
    /// Fates of this batch's records: `read` is their sum.
    pub counts: Counts,
    /// Records that the store itself put into quarantine (a PID that another record has).
    pub rejections: Vec<Rejection>,
    /// What became of the parts of these records.
    pub kinds: Kinds,
}
