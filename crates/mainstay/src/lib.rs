//! Version, link and roll back everything a production AI system is made of.
//!
//! A [`Workspace`] keeps datasets, models, prompts, environments and deployments on storage you
//! already have. Each thing is versioned; each says what it was made from; a [deployment
//! unit](rollout::Units) bundles one of each, and a [channel](rollout::Rollouts) moves between units
//! in one log entry, forwards and back.
//!
//! ```
//! use mainstay::prompt::{PromptContent, RenderOptions};
//! use mainstay::rollout::UnitSpec;
//! use mainstay::{Actor, Workspace};
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let workspace = Workspace::create("mem:").await?;
//! let ada = Actor::new("ada")?;
//!
//! // Publish two versions of a prompt.
//! let name = "greeting".parse()?;
//! let prompts = workspace.prompts();
//! let first = prompts.publish(&name, PromptContent::text("Hello {{name}}"), &[], ada.clone(), "first").await?;
//! let second = prompts.publish(&name, PromptContent::text("Hi {{name}}!"), &[], ada.clone(), "friendlier").await?;
//!
//! // Bundle each into a unit; a unit usually holds a model, data and an environment too.
//! let unit = |prompt| Ok::<_, mainstay::Error>(UnitSpec::new("greeter".parse()?).with_component("prompt".parse()?, prompt));
//! let a = workspace.units().create(unit(first.node)?, ada.clone(), "v1").await?;
//! let b = workspace.units().create(unit(second.node)?, ada, "v2").await?;
//!
//! // Ask what changed.
//! let changed = workspace.changed(&a.node, &b.node).await?;
//! assert_eq!(changed.components[0].slot.as_str(), "prompt");
//! # Ok::<(), mainstay::Error>(()) }).unwrap();
//! ```
//!
//! | you have | you call |
//! |---|---|
//! | tables and files | [`Workspace::data`] |
//! | a training, or an evaluation | [`Workspace::runs`], [`Workspace::evaluations`] |
//! | a trained model | [`Workspace::models`], [`Workspace::signature_of`], [`Workspace::promote`] |
//! | prompts and inference configuration | [`Workspace::prompts`] |
//! | the machine it runs on | [`Workspace::environments`] |
//! | all of them, to be served together | [`Workspace::units`], [`Workspace::rollouts`] |
//! | another workspace, to back up to or hand over to | [`Workspace::replicate`] |
//! | a question | [`Workspace::changed`], [`Workspace::graph`], [`Workspace::live`], [`Repo::history`](repo::Repo::history) |
//!
//! Every crate below is also usable alone and is re-exported here as one module.
//!
//! There is no server, and no network traffic is moved: a service asks the
//! [router](rollout::Rollouts) which unit serves a request.
//!
//! | feature | adds |
//! |---|---|
//! | `encrypt` | workspaces on a `store::EncryptedStorage`, by [`Workspace::create_on`] |
//! | `mlflow` | import of MLflow file stores: `registry::mlflow` |
//! | `oci` | models as OCI image layouts, with a ModelPack manifest: `registry::oci` |
//! | `sign` | signed models: `registry::signing` |
//! | `s3` | `s3://` workspaces |
//! | `gcs` | `gs://` workspaces |
//! | `azure` | `az://` workspaces |
//! | `http` | `https://` workspaces, to read only |
//! | `sqlite` | `sqlite:` workspaces |
//! | `postgres` | `postgres://` workspaces |
//! | `conformance` | `store::conformance`: test cases that every storage passes |

mod changed;
mod gates;
mod live;
mod location;
mod names;
mod signature;
mod workspace;

pub use live::Live;
pub use location::Location;
pub use mainstay_core::{
    Actor, Attribute, BulkDigest, Clock, Digest, Edge, EdgeKind, Error, ErrorKind, FilePath,
    IdSource, Instrument, Locator, ManualClock, Metrics, Name, NoMetrics, NodeKind, NodeRef,
    Progress, RandomIds, RefPath, Result, SeededIds, Selector, SystemClock, Timestamp, WriteId,
    canon,
};
pub use mainstay_data as data;
pub use mainstay_env as env;
pub use mainstay_experiment as experiment;
pub use mainstay_lineage as lineage;
pub use mainstay_prompt as prompt;
pub use mainstay_registry as registry;
pub use mainstay_repo as repo;
pub use mainstay_rollout as rollout;
pub use mainstay_store as store;
pub use mainstay_store_sql::DatabaseUrl;
pub use names::called;
pub use signature::SignatureColumns;
pub use workspace::{Workspace, repair, resolve, verify};

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/guides/backup.md")]
struct BackupGuide;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/guides/observability.md")]
struct ObservabilityGuide;
