//! Git's object database, refs and reflog, transactional, on any store.

mod backoff;
mod blobs;
mod checkpoint;
mod descriptor;
mod history;
mod keys;
mod log;
mod options;
mod repo;
mod seal;
mod series;
mod transaction;
mod value;
mod verify;
mod view;

pub use blobs::{Blob, Ingest, IngestReport, StoredBlob};
pub use history::{LogEntry, RefChange};
pub use options::RepoOptions;
pub use repo::{Repo, Step};
pub use series::Series;
pub use transaction::{CommitOutcome, Committed, Conflict, Expectation, Transaction};
pub use value::{RefState, Value};
pub use verify::{Fault, RepoStats, VerifyLevel, VerifyReport};
pub use view::View;
