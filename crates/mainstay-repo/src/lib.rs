//! Git's object database, refs and reflog, transactional, on any [`Storage`](mainstay_store::Storage).
//!
//! A repository holds *refs*: paths with typed values, as `model/fraud/version/1.2.0`. A
//! [`Transaction`] moves any number of them at once or none, in one entry of a hash-chained log that
//! says who, when and why. Large content lies beside the log in *blobs*, cut and deduplicated, named
//! by the plain SHA-256 of their bytes. Any number of processes read and commit at once; there is no
//! server and no lock, only the storage's exclusive creation.
//!
//! ```
//! use std::sync::Arc;
//!
//! use futures::TryStreamExt;
//! use mainstay_core::{Actor, RefPath};
//! use mainstay_repo::{CommitOutcome, Expectation, Repo, RepoOptions, Transaction, Value};
//! use mainstay_store::MemoryStorage;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let repo = Repo::create(Arc::new(MemoryStorage::new()), RepoOptions::default()).await?;
//!
//! // Store content first, then name it.
//! let mut ingest = repo.ingest();
//! let weights = ingest.bytes("a few gigabytes".into()).await?;
//! ingest.finish().await?;
//!
//! // Two refs move together, if nobody else was here first.
//! let version: RefPath = "model/fraud/version/1.0.0".parse()?;
//! let record = serde_json::json!({ "auc": 0.91 });
//! let model = Value::new("model.version", &record)?.with_blobs([weights.digest]);
//! let alias = Value::pointer(&"model:fraud@1.0.0".parse()?);
//! let mut register = Transaction::new(Actor::new("ada")?, "first version");
//! register
//!     .set(version.clone(), model, Expectation::Absent)
//!     .set("model/fraud/alias/champion".parse()?, alias, Expectation::Any);
//! let outcome = repo.commit(register).await?;
//! assert!(matches!(outcome, CommitOutcome::Committed(committed) if committed.seq == 1));
//!
//! // A view is every ref as of one commit.
//! let view = repo.view().await?;
//! let held = view.read(|view| Ok(view.get(&version)?.cloned())).await?;
//! let held = held.and_then(|state| state.value).unwrap();
//! assert_eq!(held.record["auc"], 0.91);
//! let blob = repo.blob(&held.blobs[0]).await?.unwrap();
//! assert_eq!(blob.bytes().await?, "a few gigabytes");
//!
//! // The past stays readable.
//! let changes: Vec<_> = repo.history(&version).try_collect().await?;
//! assert_eq!((changes.len(), changes[0].reason.as_str()), (1, "first version"));
//! assert_eq!(repo.view_at(0).await?.below("model")?.count(), 0);
//! # Ok::<(), mainstay_core::Error>(()) }).unwrap();
//! ```
//!
//! Start with [`Repo`], [`Transaction`], [`View`] and [`Value`]; [`Series`] holds the conventions
//! that versions and the names pointing to them share. Where a decision rests on what it read, use
//! [`Repo::transact`].
//!
//! What has very many parts, as a dataset of a million files, holds them in a [`Tree`], whose pages its
//! versions share.
//!
//! Where one of several controllers is to act, a [`Lease`] makes sure that no other commits. What
//! happens at a high rate does not belong into a log: a [`Tally`] counts it beside.
//!
//! What is stored is described in `docs/formats/`: `repository.md`, `log.md`, `checkpoint.md`,
//! `blob.md`, `tree.md`, `pack.md`, `index.md`, `collection.md`, `replica.md`, `lease.md`
//! and `tally.md`.
//!
//! It does not know what a model or a dataset is, and does not authenticate actors.

mod backoff;
mod beat;
mod blobs;
mod checkpoint;
mod descriptor;
mod gc;
mod history;
#[cfg(test)]
mod hostile;
mod keys;
mod lease;
mod log;
mod metrics;
mod options;
mod position;
mod repair;
mod replicate;
mod repo;
mod seal;
mod series;
mod tally;
mod transaction;
mod tree;
mod value;
mod verify;
mod view;

pub use blobs::{Blob, BlobCheck, BlobReader, Cut, Ingest, IngestReport, Layout, StoredBlob};
pub use gc::{
    BlobExplanation, CheckpointExplanation, CollectOptions, CollectionPlan, CollectionReceipt,
    CollectionReport, Held, Hold, HoldingPack, NamedBy, PlannedCheckpoints, PlannedDefragmentation,
    PlannedPack, RefExplanation, SweptCheckpoints,
};
pub use history::{LogEntry, RefChange};
pub use lease::{Contender, Lease, LeaseHolder};
pub use options::RepoOptions;
pub use position::Position;
pub use repair::{Lost, RepairAction, RepairOptions, RepairReport, repair};
pub use replicate::{ReplicateOptions, ReplicateReport};
pub use repo::{Repo, Step};
pub use series::Series;
pub use tally::{
    Accumulator, Accuracy, CompactionReport, Counter, FixedSum, Histogram, Observation, RegisterId,
    RegisterKind, Scale, Sketch, Tally, TallyName, Totals,
};
pub use transaction::{CommitOutcome, Committed, Conflict, Expectation, Transaction};
pub use tree::{StoredTree, Tree, TreeBuilder, TreeChange, TreeEntry};
pub use value::{RefState, Value};
pub use verify::{
    Fault, Note, ReadingStats, RepoStats, ScatteredBlob, VerifyLevel, VerifyOptions, VerifyReport,
    verify,
};
pub use view::{Dependent, Mention, Projection, View};
