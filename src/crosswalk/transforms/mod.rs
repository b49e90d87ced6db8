//! The closed library of transforms: pure functions from text to text.

pub mod dates;
pub mod language;
pub mod names;
pub mod text;
