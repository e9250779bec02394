//! What a user writes to take a snapshot.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use futures::StreamExt as _;
use futures::stream::{BoxStream, Stream};
use mainstay_core::{Actor, Edge, EdgeKind, FilePath, Name, NodeKind, NodeRef, Result};

use crate::{TableFiles, Transform};

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
    /// How table files are laid out.
    pub layout: FileLayout,
    /// Whether canonical files are stored as patches.
    pub patches: Patches,
    /// Which files are the table; `None` chooses as for the version before: the one that the branch points
    /// to, else the latest.
    pub table_files: Option<TableFiles>,
    /// Tags to set on the version.
    pub tags: Vec<Name>,
    /// The branch that moves to the version.
    pub branch: Option<BranchTarget>,
    /// The columns that tell rows apart; part of the version, not of the snapshot's identity.
    pub key: Vec<String>,
    /// Whether a table in which several rows have one key is refused.
    pub unique_key: bool,
    /// Whether the data was generated, not observed.
    pub synthetic: bool,
    /// What made the version from those its edges name.
    pub transform: Option<Transform>,
    /// What the user wants to say about the content; part of the snapshot's identity.
    pub metadata: BTreeMap<String, String>,
    /// What the version came from; not part of the snapshot's identity.
    pub edges: Vec<Edge>,
    /// Who takes the snapshot.
    pub actor: Actor,
    /// Why.
    pub reason: String,
}

/// A branch to move, and where it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BranchTarget {
    /// Its name.
    pub branch: Name,
    /// The version it must point to; the one it points to when the call begins when `None`.
    pub expected: Option<NodeRef>,
}

impl BranchTarget {
    /// Means a branch, wherever it points.
    #[must_use]
    pub fn new(branch: Name) -> Self {
        Self {
            branch,
            expected: None,
        }
    }

    /// Means a branch that points to `version`; anything else is a conflict.
    #[must_use]
    pub fn at(mut self, version: NodeRef) -> Self {
        self.expected = Some(version);
        self
    }
}

/// How table files that are given as files are stored; rows are always stored canonically.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum FileLayout {
    /// As they are, so that they come back byte by byte.
    #[default]
    Verbatim,
    /// Written anew as Parquet by the writer profile of `docs/formats/data-snapshot.md`, so that
    /// versions share what they have in common whatever wrote them. A file that is not Parquet gets the
    /// extension `.parquet`. Files that are no tables stay verbatim.
    Canonical,
    /// As they are, and no tables: whatever their extension, files are not looked into. For files that are
    /// beside a table and no part of it.
    Plain,
}

/// Whether a canonical file is stored as a patch of the latest version's file of its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Patches {
    /// It is stored whole; pages that it shares with other versions are stored once.
    #[default]
    Never,
    /// It is a patch where that is well smaller than its new pages, as after scattered edits and
    /// insertions. Whoever reads the version reads the file that the patch changes. Comparing rows
    /// reads little of versions that patch one file, and a version of patches whole beside one of another
    /// file. A file has at most eight patches, which take at most half of its size: then it is stored
    /// whole again.
    WhereSmaller,
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
    /// Rows that come one batch after the other, stored as one Parquet file.
    Stream {
        /// The file's path inside the snapshot; ends in `.parquet`.
        file: FilePath,
        /// The rows; every batch has the same schema.
        batches: BatchStream,
    },
}

/// Batches that can be taken once; copies share them.
#[derive(Clone)]
pub struct BatchStream(Arc<Mutex<Option<Batches>>>);

type Batches = BoxStream<'static, Result<RecordBatch>>;

impl BatchStream {
    /// Wraps a stream.
    pub fn new(batches: impl Stream<Item = Result<RecordBatch>> + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Some(batches.boxed()))))
    }

    /// Takes the batches; `None` when they were taken before.
    pub(crate) fn take(&self) -> Option<Batches> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for BatchStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchStream").finish_non_exhaustive()
    }
}

impl SnapshotSpec {
    /// Creates a specification without inputs.
    #[must_use]
    pub fn new(dataset: Name, actor: Actor, reason: impl Into<String>) -> Self {
        Self {
            dataset,
            inputs: Vec::new(),
            layout: FileLayout::Verbatim,
            patches: Patches::Never,
            table_files: None,
            tags: Vec::new(),
            branch: None,
            key: Vec::new(),
            unique_key: false,
            synthetic: false,
            transform: None,
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

    /// Adds rows that come as a stream, stored as the Parquet file `file` in bounded memory.
    ///
    /// An error of the stream is the error of the snapshot. The stream is taken by the first snapshot
    /// of this specification: a copy of it has none.
    #[must_use]
    pub fn with_stream(
        mut self,
        file: FilePath,
        batches: impl Stream<Item = Result<RecordBatch>> + Send + 'static,
    ) -> Self {
        let batches = BatchStream::new(batches);
        self.inputs.push(SnapshotInput::Stream { file, batches });
        self
    }

    /// Says whether canonical files, rows included, are stored as patches.
    #[must_use]
    pub fn with_patches(mut self, patches: Patches) -> Self {
        self.patches = patches;
        self
    }

    /// Says which of the files named by [`with_path`](Self::with_path) are the table; the version records
    /// it. Rows are the table whatever their path. Each pattern must name a file that is a table by its
    /// extension.
    #[must_use]
    pub fn with_table_files(mut self, chosen: TableFiles) -> Self {
        self.table_files = Some(chosen);
        self
    }

    /// Says how table files are stored.
    #[must_use]
    pub fn with_layout(mut self, layout: FileLayout) -> Self {
        self.layout = layout;
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

    /// Commits on a branch: the version it points to becomes the parent, and it moves to the new
    /// version. A dataset without versions begins with its first branch.
    ///
    /// The branch must not move while the call runs, nor since the version that `target` expects.
    #[must_use]
    pub fn with_branch(mut self, target: BranchTarget) -> Self {
        self.branch = Some(target);
        self
    }

    /// Names the columns that tell rows apart, so that versions are compared and merged row by row.
    /// The report counts the keys that [several rows have](crate::SnapshotReport::repeated_keys).
    #[must_use]
    pub fn with_key<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.key = columns.into_iter().map(Into::into).collect();
        self
    }

    /// Refuses a table in which several rows have one [key](Self::with_key).
    #[must_use]
    pub fn with_unique_key(mut self) -> Self {
        self.unique_key = true;
        self
    }

    /// Marks the data as generated, not observed.
    #[must_use]
    pub fn synthetic(mut self) -> Self {
        self.synthetic = true;
        self
    }

    /// Says what was done to the sources, as [`with_source`](Self::with_source) names them.
    #[must_use]
    pub fn with_transform(mut self, transform: Transform) -> Self {
        self.transform = Some(transform);
        self
    }

    /// Adds a version that this one was made from, in a role: `raw`, `cleaned`, `labels`. It must
    /// exist, and may be of any dataset.
    #[must_use]
    pub fn with_source(self, role: Name, source: NodeRef) -> Self {
        self.with_edge(Edge::new(EdgeKind::DerivedFrom, source).with_role(role))
    }

    /// Adds the commit of the code that made it.
    #[must_use]
    pub fn with_code(self, repository: Name, commit: Name) -> Self {
        let code = NodeRef::new(NodeKind::Code, repository, commit);
        self.with_edge(Edge::new(EdgeKind::Used, code))
    }

    /// Adds a parent: the version this one continues. It must exist; where it is of the same dataset,
    /// merges look for common ancestors there.
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
