//! JSON as this program needs it: a stream cut into its objects.

pub mod cut;
mod scan;
