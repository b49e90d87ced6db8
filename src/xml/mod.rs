//! XML as this program needs it: cut into records, decoded, read with limits, kept as a tree.

pub mod cut;
pub mod encoding;
mod entity;
pub mod plain;
pub mod reader;
mod token;
pub mod tree;
pub mod writer;

/// How a document is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Mend what is broken as its maker most likely meant it, with a warning each: entities of
    /// HTML, references to no character, bytes that are not of the encoding, prefixes that are
    /// bound to no namespace.
    pub repair: bool,
}
