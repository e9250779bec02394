//! What a user writes to take a snapshot.

use std::collections::BTreeMap;
use std::path::PathBuf;

use arrow::array::RecordBatch;
use mainstay_core::{Actor, Edge, EdgeKind, FilePath, Name, NodeRef};

/// What to take a snapshot of, and how to record it.
///
/// ```
/// use mainstay_core::Actor;
/// use mainstay_data::SnapshotSpec;
///
/// let spec = SnapshotSpec::new("penguins".parse()?, Actor::new("ada")?, "first season")
///     .with_path("penguins.csv")
///     .with_tag("season-1".parse()?)
///     .with_metadata("licence", "CC0");
/// # Ok::<(), mainstay_core::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SnapshotSpec {
    /// The dataset.
    pub dataset: Name,
    /// Where its content comes from; at least one file in all.
    pub inputs: Vec<SnapshotInput>,
    /// Tags to set on the version.
    pub tags: Vec<Name>,
    /// What the user wants to say about the content; part of the snapshot's identity.
    pub metadata: BTreeMap<String, String>,
    /// What the version came from; not part of the snapshot's identity.
    pub edges: Vec<Edge>,
    /// Who takes the snapshot.
    pub actor: Actor,
    /// Why.
    pub reason: String,
}

/// One source of a snapshot's files.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum SnapshotInput {
    /// A file, which keeps its name, or a directory, whose files keep their paths below it.
    Path(PathBuf),
    /// Rows in memory, stored as one Parquet file.
    Batches {
        /// The file's path inside the snapshot; ends in `.parquet`.
        file: FilePath,
        /// The rows; every batch has the same schema.
        batches: Vec<RecordBatch>,
    },
}

impl SnapshotSpec {
    /// Creates a specification without inputs.
    #[must_use]
    pub fn new(dataset: Name, actor: Actor, reason: impl Into<String>) -> Self {
        Self {
            dataset,
            inputs: Vec::new(),
            tags: Vec::new(),
            metadata: BTreeMap::new(),
            edges: Vec::new(),
            actor,
            reason: reason.into(),
        }
    }

    /// Adds a file or directory.
    ///
    /// A symbolic link named here is followed; one found inside a directory is refused.
    #[must_use]
    pub fn with_path(mut self, path: impl Into<PathBuf>) -> Self {
        self.inputs.push(SnapshotInput::Path(path.into()));
        self
    }

    /// Adds rows in memory, stored as the Parquet file `file`.
    #[must_use]
    pub fn with_batches(mut self, file: FilePath, batches: Vec<RecordBatch>) -> Self {
        self.inputs.push(SnapshotInput::Batches { file, batches });
        self
    }

    /// Adds a tag to set on the version.
    #[must_use]
    pub fn with_tag(mut self, tag: Name) -> Self {
        self.tags.push(tag);
        self
    }

    /// Sets one metadata entry.
    #[must_use]
    pub fn with_metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// Adds a snapshot this one was derived from; it must exist.
    #[must_use]
    pub fn with_parent(self, parent: NodeRef) -> Self {
        self.with_edge(Edge::new(EdgeKind::DerivedFrom, parent))
    }

    /// Adds any other edge, as to the run or code that produced the data.
    #[must_use]
    pub fn with_edge(mut self, edge: Edge) -> Self {
        self.edges.push(edge);
        self
    }
}
