//! The model registry: versions that say what they were made from, how they differ, and where they
//! stand.

mod alias;
mod annotate;
mod artifact;
mod bump;
mod gate;
mod history;
mod info;
mod level;
mod metric;
mod promote;
mod pull;
mod record;
mod refs;
mod register;
mod registry;
mod reproducibility;
mod resolve;
mod rollback;
pub mod search;
pub mod signature;
mod spec;
mod stage;
mod text;

pub use alias::{AliasChange, AliasReport, AliasSpec};
pub use annotate::AnnotateSpec;
pub use artifact::{Artifact, ArtifactFile, ArtifactPath, FileSpec, files_at};
pub use bump::differences;
pub use gate::{Better, Gate, GateResult};
pub use history::StageChange;
pub use info::{ModelInfo, ModelSummary, list, show, stage_holder, versions};
pub use level::{Level, Reason};
pub use metric::Metric;
pub use promote::{PromoteReport, PromoteSpec, Promotion, Refusal};
pub use pull::PullReport;
pub use record::{CodeUse, DataUse, Increment, Measured, ModelVersion, Parent, Relation};
pub use register::Registered;
pub use registry::Registry;
pub use reproducibility::Reproduced;
pub use resolve::{resolve, resolve_req};
pub use rollback::{RollbackReport, RollbackSpec};
pub use spec::{Bump, ModelSpec};
pub use stage::{Expect, Stage, StagePolicy};
pub use text::{MAX_ENTRIES, MAX_KEY_BYTES, MAX_TEXT_BYTES};
