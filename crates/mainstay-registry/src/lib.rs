//! The model registry: versions that say what they were made from, how they differ from the one
//! before, and where they stand.
//!
//! A version is immutable: files, data, code, hyperparameters, metrics, signature. Its number follows
//! from what changed ([SemVer](https://semver.org), with reasons for each step). Stages and aliases
//! are pointers beside it; at most one version is in production, and the one it displaces is retired
//! in the same transaction.
//!
//! ```
//! use std::sync::Arc;
//!
//! use mainstay_core::{Actor, Locator};
//! use mainstay_registry::{FileSpec, ModelSpec, PromoteSpec, Promotion, Registry, search::Page};
//! use mainstay_repo::{Repo, RepoOptions};
//! use mainstay_store::MemoryStorage;
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let repo = Repo::create(Arc::new(MemoryStorage::new()), RepoOptions::default()).await?;
//! let registry = Registry::new(repo);
//! let ada = Actor::new("ada")?;
//!
//! for (weights, auc) in [("first weights", 0.91), ("better weights", 0.94)] {
//!     let spec = ModelSpec::new("fraud".parse()?, ada.clone(), "weekly training")
//!         .with_file(FileSpec::from_bytes("model.bin".parse()?, weights))
//!         .with_code("fraud-training".parse()?, "9f31c2a".parse()?)
//!         .with_metric("auc", auc);
//!     registry.register(spec).await?;
//! }
//! // The weights changed and the interface did not.
//! let latest: Locator = "fraud".parse()?;
//! assert_eq!(registry.resolve(&latest).await?.to_string(), "model:fraud@1.1.0");
//!
//! for stage in ["staging", "production"] {
//!     let spec = PromoteSpec::new(latest.clone(), stage.parse()?, ada.clone(), "beats 1.0.0");
//!     assert!(matches!(registry.promote(spec).await?, Promotion::Promoted(_)));
//! }
//! let found = registry.search("stage = 'production' AND metrics.auc > 0.9", &Page::default()).await?;
//! assert_eq!(found.results[0].version.to_string(), "1.1.0");
//! # Ok::<(), mainstay_core::Error>(()) }).unwrap();
//! ```
//!
//! Start with [`Registry`], [`ModelSpec`], [`Registered`], [`PromoteSpec`] and [`ModelInfo`]. What only
//! reads is a function of a [`View`](mainstay_repo::View): [`resolve()`], [`show`], [`list`],
//! [`search::search`]; give it an older view to ask about the past.
//!
//! A model may be [renamed](Registry::rename). What is kept of it is kept under its [id](model_id()), the
//! name it was first registered under, which is also what the lineage calls its versions.
//!
//! Trainings and evaluations, their parameters and the series of what they measure, are in [`run`];
//! what was measured of a version after its registration is in [`eval`].
//! What the safetensors files of versions hold, and how it differs, is in [`tensor`].
//!
//! Which service serves which version, as the services say, is in [`serving`]. A page about one version, to
//! read, is in [`card`].
//!
//! Versions are signed, and signatures verified, in `signing` (feature `sign`), as OpenSSF Model Signing
//! says.
//!
//! Runs and versions that MLflow kept in a file store are imported by `mlflow` (feature `mlflow`); versions
//! leave as OCI image layouts, which container tools know, by `oci` (feature `oci`).
//!
//! What it does not do: it does not load or run models, nor look inside files of other formats; it does
//! not serve them (see `mainstay-rollout`); it does not follow the lineage it records (see
//! `mainstay-lineage`); it does not authenticate who acts. The records are described in
//! `docs/formats/model-version.md`, `docs/formats/model-signing.md` and
//! `docs/formats/reproducibility.md`; OCI layouts in `docs/formats/oci-layout.md`.

mod adopt;
mod alias;
mod annotate;
mod approval;
mod artifact;
mod bump;
pub mod card;
mod check;
mod delete;
pub mod eval;
mod expect;
mod format;
mod gate;
mod history;
mod home;
mod info;
mod level;
mod metric;
mod metric_change;
#[cfg(feature = "mlflow")]
pub mod mlflow;
mod moved;
mod names;
#[cfg(feature = "oci")]
pub mod oci;
mod overrule;
mod policy;
mod promote;
mod pull;
mod receipt;
mod record;
mod refs;
mod register;
mod registry;
mod rename;
mod reproducibility;
mod resolve;
mod rollback;
pub mod run;
pub mod search;
pub mod serving;
mod shelf;
pub mod signature;
#[cfg(feature = "sign")]
pub mod signing;
mod spec;
mod standing;
pub mod tensor;
mod text;
mod upload;

pub use alias::{AliasChange, AliasReport, AliasSpec, aliases};
pub use annotate::{AnnotateSpec, Restated};
pub use approval::{Approval, ApprovalReport, ApproveSpec, approvals};
pub use artifact::{Artifact, ArtifactFile, FileSpec, files_at};
pub use bump::differences;
pub use check::{Case, GateCheck, Verdict};
pub use expect::Expect;
pub use gate::{Better, Gate, GateResult};
pub use history::StageChange;
pub use info::{ModelInfo, ModelSummary, list, show, stage_holder, versions};
pub use level::{Level, Reason};
pub use metric::Metric;
pub use metric_change::{MetricChange, metric_changes};
pub use names::{model_id, model_name};
pub use overrule::{Overruling, overrulings};
pub use policy::{AliasRule, Stage, StagePolicy};
pub use promote::{PromoteReport, PromoteSpec, Promotion, Refusal};
pub use pull::PullReport;
pub use record::{CodeUse, DataUse, Increment, Measured, ModelVersion, Parent, Relation, RunUse};
pub use register::Registered;
pub use registry::Registry;
pub use rename::Renamed;
pub use reproducibility::Reproduced;
pub use resolve::{resolve, resolve_ever, resolve_req};
pub use rollback::{RollbackReport, RollbackSpec};
pub use spec::{Bump, ModelSpec};
pub use text::{MAX_ENTRIES, MAX_KEY_BYTES, MAX_TEXT_BYTES};
pub use upload::{Upload, UploadSpec, uploads};
