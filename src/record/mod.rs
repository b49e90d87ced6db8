//! Values that every room shares: where a record is, what went wrong with it, when it changed.

mod canonical;
mod clock;
mod datestamp;
mod file;
mod locator;
mod member;
mod origin;
mod pid;
mod problem;
mod raw;
mod set_spec;

pub use canonical::{
    ContentHash, canonical_json, content_hash, plain_json_length, push_json_string,
};
pub use clock::Clock;
pub use datestamp::{Datestamp, DatestampError, Granularity};
pub use file::{
    DOCUMENT_TAG, FileCopy, FileInstance, FileOrder, FilePlace, RESTRICTED_TAG, VERSION_TAG,
    from_hex, hex, numbered_key,
};
pub use locator::Locator;
pub use member::{json_member, set_json_member};
pub use origin::Origin;
pub use pid::{Pid, PidChange, PidError, PidName, PidNameError, PidStatus, PidTarget};
pub use problem::{Rejection, Stage, Warning};
pub use raw::{Cut, Damage, Insert, RawBatch, RawHeader, RawRecord};
pub use set_spec::{SetSpec, SetSpecError};
