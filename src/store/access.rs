//! What a source said of who may see a record or a file, and what became of it.

/// One rule of access, as it was translated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessNote {
    /// The part of the record that it is about; none for all of it.
    pub part: Option<String>,
    /// The rule, as the source has it.
    pub said: String,
    /// What became of it.
    pub outcome: AccessOutcome,
    /// Who may see it, as a JSON object: `read`, `until`, and what could not be said: `lost`,
    /// `mistake`.
    pub rights: String,
}

/// What becomes of a rule of access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessOutcome {
    /// Everybody may see it.
    Open,
    /// Those alone who are named, or nobody.
    Restricted,
    /// From a day on everybody, until then those who are named.
    Embargo,
    /// Restricted; by some of its rules nobody may see it any more, since no rights can say them.
    InPart,
    /// Restricted, since it is not understood.
    NotUnderstood,
    /// It is deleted.
    Deleted,
}

impl AccessOutcome {
    /// All of them.
    pub const ALL: [AccessOutcome; 6] = [
        AccessOutcome::Open,
        AccessOutcome::Restricted,
        AccessOutcome::Embargo,
        AccessOutcome::InPart,
        AccessOutcome::NotUnderstood,
        AccessOutcome::Deleted,
    ];

    /// The word in the database and in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            AccessOutcome::Open => "open",
            AccessOutcome::Restricted => "restricted",
            AccessOutcome::Embargo => "embargo",
            AccessOutcome::InPart => "in_part",
            AccessOutcome::NotUnderstood => "not_understood",
            AccessOutcome::Deleted => "deleted",
        }
    }
}

/// Which notes to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessQuery {
    /// Only of this source.
    pub source_name: Option<String>,
    /// Only with this outcome.
    pub outcome: Option<AccessOutcome>,
    /// Only those behind the note of this number.
    pub after: i64,
    /// At most so many.
    pub limit: u32,
}

/// A note as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRow {
    /// Its number.
    pub id: i64,
    /// The pipeline's source name.
    pub source_name: String,
    /// The record's identifier there.
    pub source_id: String,
    /// The part of the record that it is about; none for all of it.
    pub part: Option<String>,
    /// The rule, as the source has it.
    pub said: String,
    /// The word of its [`AccessOutcome`].
    pub outcome: String,
    /// As in [`AccessNote::rights`].
    pub rights: String,
}

/// The notes of a record that was written, in place of those it had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RecordAccess {
    pub(super) source_id: String,
    pub(super) notes: Vec<AccessNote>,
}
