//! A file of a record on its way into the store: what its source says of one version of it.

use jiff::Timestamp;

/// One version of one file, as its source describes it; the bytes are still where they were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileOrder {
    /// What the source calls this version, unique in a pipeline's source: the same again is the
    /// same version again.
    pub source_id: String,
    /// Its key in the record's bucket: a name with extension, at most 255 characters.
    pub key: String,
    /// Where its bytes are.
    pub place: FilePlace,
    /// In bytes, if the source says so.
    pub size: Option<u64>,
    /// MD5 of the bytes, if the source says so.
    pub md5: Option<[u8; 16]>,
    /// Media type, if the source says so.
    pub mimetype: Option<String>,
    /// From 1; of the versions with one key the one with the highest number is the head.
    pub version: u64,
    /// When the version was made.
    pub created: Timestamp,
    /// Who may see it is not everyone: neither the object nor its bucket may be public.
    pub restricted: bool,
    /// The version was deleted in the source: a delete marker follows it, its bytes are not taken.
    pub deleted: bool,
    /// What else is to be known of it, by key; each of at most 255 characters.
    pub tags: Vec<(String, String)>,
}

/// Where the bytes of a file are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilePlace {
    /// A path on the host that was dumped, before the pipeline maps it to one of this host.
    Path(String),
    /// An `http:` or `https:` URL.
    Url(String),
}
