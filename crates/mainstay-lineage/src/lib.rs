//! Lineage: what everything came from, what depends on it, and what changed between two of them.

pub mod change;
mod export;
mod graph;
mod walk;

pub use export::MAX_TREE_DEPTH;
pub use graph::{Direction, Graph, Presence};
pub use walk::{Impact, NamedNode, Reached, Walk, WalkOptions};
