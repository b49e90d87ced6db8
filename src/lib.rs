//! windrow takes bibliographic metadata in, rakes it into one shape, stores it and gives it out.
//!
//! The rooms, bottom to top; a room may use only rooms on lower floors (`ARCHITECTURE.md`).

// floor 0: values everyone shares; no I/O
pub mod record;
pub mod json;
pub mod xml;
pub mod yaml;
// floor 1: published standards as values; no sockets, no disk
pub mod identifiers;
pub mod formats;
pub mod oai;
// floor 2: meaning, judgement, and the keepers
pub mod crosswalk;
pub mod validate;
pub mod store;
pub mod files;
// floor 3: where raw records come from, how records leave, what is done with single ones
pub mod source;
pub mod serializers;
pub mod records;
// floor 4: the way in and the way out; they never meet
pub mod pipeline;
pub mod server;
// floor 5: the only room that talks to a terminal
pub mod cli;
