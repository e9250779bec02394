//! The vocabulary of Mainstay: what every other crate of the workspace agrees on.
//!
//! Digests and canonical JSON say *what* a thing is, names and references say *which* one is meant,
//! edges say how things depend on each other, and errors say what to do when something fails. The
//! crate does no I/O: the clock and the source of ids are traits.
//!
//! ```
//! use mainstay_core::{Edge, EdgeKind, Locator, NodeRef, canon};
//!
//! // A model version and what it was trained on.
//! let model: NodeRef = "model:fraud@1.2.0".parse()?;
//! let trained_on = Edge::new(EdgeKind::Used, "data:payments@7".parse()?).with_role("train".parse()?);
//!
//! // Records are identified by the SHA-256 of their canonical JSON.
//! let id = canon::digest(&trained_on)?;
//! assert_eq!(id.to_string().len(), "sha256:".len() + 64);
//!
//! // People name things loosely; a workspace resolves a Locator to a NodeRef.
//! let locator: Locator = "model:fraud@production".parse()?;
//! assert_eq!(locator.name, *model.name());
//! # Ok::<(), mainstay_core::Error>(())
//! ```
//!
//! Start with [`Digest`], [`NodeRef`], [`Edge`] and [`Error`]. [`Progress`] is how long work tells how far it
//! is, [`Telling`] adds up what its steps have done, [`Metrics`] is how all work tells how much was done.
//!
//! It does not store, hash in bulk, or know any domain: those are the crates above it.

mod actor;
pub mod canon;
mod digest;
mod edge;
mod error;
mod file_path;
mod hex;
mod id;
mod metrics;
mod name;
mod node;
mod progress;
mod telling;
mod text;
mod time;

pub use actor::Actor;
pub use digest::{BulkDigest, Digest, Hasher};
pub use edge::{Edge, EdgeKind};
pub use error::{Error, ErrorKind, Result};
pub use file_path::FilePath;
pub use id::{IdSource, RandomIds, SeededIds, WriteId};
pub use metrics::{Attribute, Instrument, Metrics, NoMetrics};
pub use name::{MAX_NAME_BYTES, Name, RefPath};
pub use node::{Locator, NodeKind, NodeRef, Selector};
pub use progress::Progress;
pub use telling::Telling;
pub use time::{Clock, ManualClock, SystemClock, Timestamp};
