//! Lineage: what everything came from, what depends on it, and what changed between two of them.
//!
//! Every version in a repository brings typed edges to what it was made from. This crate reads them
//! as one graph, walks it, draws it, and answers *what changed?* across the parts of two deployment
//! units, the most telling part first.
//!
//! ```
//! use std::sync::Arc;
//!
//! use mainstay_core::{Actor, Edge, EdgeKind, NodeRef};
//! use mainstay_lineage::{Direction, Graph, WalkOptions};
//! use mainstay_repo::{CommitOutcome, Expectation, Repo, RepoOptions, Transaction, Value};
//! use mainstay_store::MemoryStorage;
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let repo = Repo::create(Arc::new(MemoryStorage::new()), RepoOptions::default()).await?;
//! let data: NodeRef = "data:penguins@1".parse()?;
//! let model: NodeRef = "model:species@1.0.0".parse()?;
//! let trained_on = Edge::new(EdgeKind::Used, data.clone()).with_role("train".parse()?);
//! let mut transaction = Transaction::new(Actor::new("ada")?, "first model");
//! transaction
//!     .set(data.ref_path(), Value::new("note", &"344 rows")?, Expectation::Absent)
//!     .set(
//!         model.ref_path(),
//!         Value::new("note", &"weights")?.with_edges([trained_on]),
//!         Expectation::Absent,
//!     );
//! assert!(matches!(repo.commit(transaction).await?, CommitOutcome::Committed(_)));
//!
//! let graph = repo.read(Graph::from_view).await?;
//! let all = WalkOptions::default();
//! assert_eq!(
//!     graph.tree(&model, Direction::Up, &all)?,
//!     "model:species@1.0.0\n└── train  data:penguins@1\n",
//! );
//! assert_eq!(graph.descendants(&data, &all)?.reached[0].node, model);
//! # Ok::<(), mainstay_core::Error>(()) }).unwrap();
//! ```
//!
//! [`Graph::near`] reads what is near one thing, [`Graph::from_view`] everything.
//!
//! Start with [`Graph`], [`WalkOptions`] and [`change::changed`]; implement [`change::Describe`] to say
//! what a change of some kind means.
//!
//! It records nothing: the crates that own the kinds write the edges. It knows no kind from the
//! inside: without a describer, two versions are compared by their records. It does not reach beyond
//! the repository: a code commit is a node without contents.

mod authors;
pub mod change;
mod export;
mod gather;
mod graph;
mod query;
mod walk;

pub use export::MAX_TREE_DEPTH;
pub use graph::{Direction, Graph, Presence};
pub use query::Path;
pub use walk::{Impact, NamedNode, Reached, Walk, WalkOptions};
