//! What is served where: services say what their instances serve, and are asked about.
//!
//! Stages say what is to be served; heartbeats say what is. Each instance of a service says now and then
//! which versions it serves. The log has an entry when that changes; otherwise a heartbeat overwrites a
//! small object for each version, and the log does not grow. Whoever asks decides how long an instance may be silent.
//!
//! ```
//! use std::sync::Arc;
//!
//! use mainstay_core::Actor;
//! use mainstay_registry::serving::{HeartbeatSpec, Of};
//! use mainstay_registry::{FileSpec, ModelSpec, Registry};
//! use mainstay_repo::{Repo, RepoOptions};
//! use mainstay_store::MemoryStorage;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let repo = Repo::create(Arc::new(MemoryStorage::new()), RepoOptions::default()).await?;
//! let registry = Registry::new(repo);
//! let ada = Actor::new("ada")?;
//! let spec = ModelSpec::new("fraud".parse()?, ada.clone(), "weekly training")
//!     .with_file(FileSpec::from_bytes("model.bin".parse()?, "weights"));
//! let model = registry.register(spec).await?.node;
//!
//! // Each instance, every minute:
//! let beat = HeartbeatSpec::new("checkout".parse()?, "pod-7".parse()?, ada).with_model(model.clone());
//! registry.heartbeat(beat).await?;
//!
//! let served = registry.serving(&Of::Version(model)).await?;
//! assert_eq!(served[0].deployment.service.as_str(), "checkout");
//! # Ok::<(), mainstay_core::Error>(()) }).unwrap();
//! ```
//!
//! What an instance serves is a node of the lineage, `deployment:<service>@<n>`, so that what comes down
//! from a dataset reaches it. It believes what it is told and asks nobody. The records are described in
//! `docs/formats/deployment.md`.

mod heartbeat;
mod read;
mod record;

pub(crate) use heartbeat::heartbeat;
pub use heartbeat::{Heartbeat, HeartbeatSpec, MAX_SERVED};
pub(crate) use read::serving;
pub use read::{Of, Serving, deployments};
pub use record::Deployment;
