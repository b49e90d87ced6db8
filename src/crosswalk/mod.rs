//! (room in the making)

pub mod transforms;
