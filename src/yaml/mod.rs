//! The one syntax for people: YAML 1.2 read into nodes that know where they stand.
//!
//! Crosswalks and pipelines are read through a [`Checker`], which collects every mistake of a
//! file with its line and column instead of stopping at the first. Only `true` and `false` are
//! booleans (the language code `no` stays text) and duplicate keys are errors.

mod check;
mod diagnostic;
mod node;

pub use check::{Checker, Fields, suggest};
pub use diagnostic::{Diagnostic, Diagnostics, SourceText};
pub use node::{Entry, Kind, Node, Span, parse, parse_file};
