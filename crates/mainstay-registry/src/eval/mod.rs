//! Evaluation reports: what was measured of a version after it was registered.
//!
//! A version is immutable, so a report is a record of its own, `eval:<name>@<n>`, a node of the lineage
//! with edges to what was evaluated, to the data it was evaluated on and to the run that did it. What a
//! version scores is what its registration says, with newer reports laid over it; gates see that.
//!
//! ```
//! use std::sync::Arc;
//!
//! use mainstay_core::Actor;
//! use mainstay_registry::eval::{EvalSpec, Evaluations};
//! use mainstay_registry::{FileSpec, ModelSpec, Registry};
//! use mainstay_repo::{Repo, RepoOptions};
//! use mainstay_store::MemoryStorage;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let repo = Repo::create(Arc::new(MemoryStorage::new()), RepoOptions::default()).await?;
//! let registry = Registry::new(repo.clone());
//! let ada = Actor::new("ada")?;
//! let spec = ModelSpec::new("fraud".parse()?, ada.clone(), "weekly training")
//!     .with_file(FileSpec::from_bytes("model.bin".parse()?, "weights"))
//!     .with_metric("auc", 0.93);
//! let model = registry.register(spec).await?.node;
//!
//! let spec = EvalSpec::new("holdout".parse()?, model, ada, "monthly check")
//!     .with_metric("auc", 0.91)
//!     .with_slice_metric("country=de", "auc", 0.84);
//! let report = Evaluations::new(repo).report(spec).await?;
//! assert_eq!(report.eval.to_string(), "eval:holdout@1");
//! assert_eq!(registry.show(&"fraud".parse()?).await?.metrics["auc"].value(), 0.91);
//! # Ok::<(), mainstay_core::Error>(()) }).unwrap();
//! ```
//!
//! It measures nothing itself. Reports are neither changed nor deleted: report again. The records are
//! described in `docs/formats/evaluation.md`.

mod read;
mod record;
mod report;

pub use read::{EvalInfo, Evaluations, metrics, reports, resolve, show};
pub use record::EvalReport;
pub use report::{EvalSpec, Reported};
