//! Python without running it: interpreter and packages from files.

mod discover;
mod distribution;
mod interpreter;
mod packages;
mod provenance;

pub(crate) use discover::{Installation, discover, locate};
pub(crate) use interpreter::python;
pub(crate) use packages::{Scan, scan};
