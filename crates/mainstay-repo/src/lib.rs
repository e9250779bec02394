//! Git's object database, refs and reflog, transactional, on any store.
mod blobs;
mod history;
mod options;
mod repo;
mod series;
mod transaction;
mod value;
mod verify;
mod view;

pub use history::{LogEntry, RefChange};
pub use options::RepoOptions;
pub use repo::{
    Blob, Fault, Ingest, IngestReport, Repo, RepoStats, Step, StoredBlob, VerifyLevel, VerifyReport,
};
pub use series::Series;
pub use transaction::{CommitOutcome, Committed, Conflict, Expectation, Transaction};
pub use value::{RefState, Value};
pub use verify::{Fault, RepoStats, VerifyLevel, VerifyReport};
pub use view::View;
