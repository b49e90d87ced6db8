//! Cutting a stream of XML into its records without loading it, whatever else it holds.
//!
//! Two ways to tell a record: [`Cutter`] takes the innermost element of a name that holds certain
//! content, [`OutermostCutter`] the outermost of certain names, whatever it holds.

mod innermost;
mod outermost;
mod surroundings;

pub use innermost::{Cutter, Names};
pub use outermost::{OutermostCutter, Records};

/// How much of a record that is too large is kept.
const KEPT_OF_TOO_LARGE: usize = 64 * 1024;
/// So many bytes tell whether a stream is UTF-16.
const START_BYTES: usize = 4;
