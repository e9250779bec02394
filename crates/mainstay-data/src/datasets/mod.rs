//! The handle: each verb lives in its own module.

use std::path::Path;

use arrow::array::RecordBatch;
use futures::stream::BoxStream;
use mainstay_core::{Actor, Error, Locator, Name, NodeKind, NodeRef, Result};
use mainstay_repo::{RefState, Repo, Series, View};
use tracing::instrument;

mod catalog;
mod export;
mod read;
mod snapshot;
mod tags;

use crate::diff::{DatasetDiff, DriftThresholds};
use crate::record::VersionRecord;
use crate::{DatasetInfo, ExportReport, Manifest, SnapshotReport, SnapshotSpec, VersionInfo};

/// The datasets of a repository. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Datasets {
    repo: Repo,
}

/// What to read of a snapshot's table.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ReadOptions {
    /// The columns to read, in the order wanted; all of them when `None`.
    pub columns: Option<Vec<String>>,
}

impl ReadOptions {
    /// Reads only these columns, in this order.
    #[must_use]
    pub fn with_columns<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.columns = Some(columns.into_iter().map(Into::into).collect());
        self
    }
}

impl Datasets {
    /// Wraps a repository.
    #[must_use]
    pub fn new(repo: Repo) -> Self {
        Self { repo }
    }

    /// Stores the inputs of `spec` as the next version of the dataset.
    ///
    /// Files are stored verbatim. When content, metadata and edges equal those of the latest version,
    /// no version is made and [`SnapshotReport::reused`] is set; tags are set in either case, in the
    /// same commit. Input is read and checked before anything is stored.
    ///
    /// # Errors
    /// * [`NotFound`](mainstay_core::ErrorKind::NotFound): a path, or a dataset version that an edge
    ///   names, does not exist.
    /// * [`Invalid`](mainstay_core::ErrorKind::Invalid): there is no file, a table file is not what its
    ///   extension says, the table files differ in their columns, the table has no rows, a path is a
    ///   link or leads out, a tag is reserved. The message names the file, and line or column.
    /// * [`Unsupported`](mainstay_core::ErrorKind::Unsupported): a column's type has no logical form.
    /// * [`AlreadyExists`](mainstay_core::ErrorKind::AlreadyExists): a tag points to another version.
    /// * [`Conflict`](mainstay_core::ErrorKind::Conflict): a file changed while it was read.
    ///
    /// Complexity: two passes over the bytes, one more over CSV. Memory is bounded by a batch of each
    /// format (for Arrow IPC, the largest batch of the file) and about 100 KiB a column, whatever the
    /// size of the files; rows given as batches are encoded in memory.
    #[instrument(skip_all, fields(dataset = %spec.dataset), err)]
    pub async fn snapshot(&self, spec: SnapshotSpec) -> Result<SnapshotReport> {
        snapshot::snapshot(&self.repo, spec).await
    }

    /// Finds the version that `locator` means in the newest view; see [`resolve_in`](Self::resolve_in).
    ///
    /// # Errors
    /// As [`resolve_in`](Self::resolve_in).
    #[instrument(skip_all, fields(%locator), err)]
    pub async fn resolve(&self, locator: &Locator) -> Result<NodeRef> {
        self.repo.read(|view| Self::resolve_in(view, locator)).await
    }

    /// Finds the version that `locator` means in `view`: by number, tag, `latest`, or the digest of the
    /// snapshot, which means the newest version with that content.
    ///
    /// # Errors
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound) naming what is missing;
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) when the locator names another kind.
    pub fn resolve_in(view: &View, locator: &Locator) -> Result<NodeRef> {
        tags::resolve(view, locator)
    }

    /// Reads the manifest of a version.
    ///
    /// # Errors
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound) when there is no such version,
    /// [`Incompatible`](mainstay_core::ErrorKind::Incompatible) when a newer Mainstay wrote it,
    /// [`Corrupt`](mainstay_core::ErrorKind::Corrupt) when the stored bytes are damaged.
    #[instrument(skip_all, fields(%node), err)]
    pub async fn manifest(&self, node: &NodeRef) -> Result<Manifest> {
        self.load(&self.repo.view().await?, node).await
    }

    /// Reads the table of a version, file by file in path order, decoding ahead by two batches.
    ///
    /// All batches have one schema: the first file's. Dropping the stream stops the decoder.
    ///
    /// # Errors
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound) when there is no such version or column,
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) when the version has no table or a column is
    /// asked for twice, [`Corrupt`](mainstay_core::ErrorKind::Corrupt) when stored bytes are damaged,
    /// also within the stream, which then ends.
    #[instrument(skip_all, fields(%node), err)]
    pub async fn read(
        &self,
        node: &NodeRef,
        options: ReadOptions,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let manifest = self.manifest(node).await?;
        read::read(&self.repo, node, &manifest, options)
    }

    /// Writes the files of a version below `directory`, which is created if need be.
    ///
    /// Every file is created or replaced atomically; other files are left alone. When it fails midway,
    /// the files before are complete.
    ///
    /// # Errors
    /// As [`manifest`](Self::manifest), and [`Invalid`](mainstay_core::ErrorKind::Invalid) when a
    /// symbolic link or file lies where a directory should be.
    #[instrument(skip_all, fields(%node, directory = %directory.display()), err)]
    pub async fn export(&self, node: &NodeRef, directory: &Path) -> Result<ExportReport> {
        let manifest = self.manifest(node).await?;
        export::export(&self.repo, node, &manifest, directory).await
    }

    /// Tells about one version, without its columns; those are in the [`manifest`](Self::manifest).
    ///
    /// # Errors
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound) when there is no such version.
    #[instrument(skip_all, fields(%node), err)]
    pub async fn show(&self, node: &NodeRef) -> Result<VersionInfo> {
        catalog::show(&self.repo, node).await
    }

    /// Lists the datasets, in name order.
    #[instrument(skip_all, err)]
    pub async fn list(&self) -> Result<Vec<DatasetInfo>> {
        self.repo.read(catalog::list).await
    }

    /// Lists the versions of a dataset, oldest first.
    ///
    /// # Errors
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound) when there is no such dataset.
    ///
    /// Complexity: one read of the log for each version.
    #[instrument(skip_all, fields(%dataset), err)]
    pub async fn log(&self, dataset: &Name) -> Result<Vec<VersionInfo>> {
        catalog::log(&self.repo, dataset).await
    }

    /// Points a tag to a version. A tag never moves; setting it to the version it has changes nothing.
    ///
    /// # Errors
    /// [`AlreadyExists`](mainstay_core::ErrorKind::AlreadyExists) when the tag points to another
    /// version, [`Invalid`](mainstay_core::ErrorKind::Invalid) when it is `latest` or a plain number,
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound) when there is no such version.
    #[instrument(skip_all, fields(%node, %tag), err)]
    pub async fn tag(
        &self,
        node: &NodeRef,
        tag: &Name,
        actor: Actor,
        reason: impl Into<String>,
    ) -> Result<()> {
        tags::tag(&self.repo, node, tag, actor, reason.into()).await
    }

    /// Compares two versions with the default thresholds; see [`DatasetDiff`].
    ///
    /// # Errors
    /// As [`manifest`](Self::manifest).
    pub async fn compare(&self, before: &NodeRef, after: &NodeRef) -> Result<DatasetDiff> {
        self.compare_with(before, after, &DriftThresholds::default())
            .await
    }

    /// Compares two versions, which may be of different datasets, from their manifests alone.
    ///
    /// # Errors
    /// As [`manifest`](Self::manifest).
    #[instrument(skip_all, fields(%before, %after), err)]
    pub async fn compare_with(
        &self,
        before: &NodeRef,
        after: &NodeRef,
        thresholds: &DriftThresholds,
    ) -> Result<DatasetDiff> {
        let view = self.repo.view().await?;
        let before = self.load(&view, before).await?;
        let after = self.load(&view, after).await?;
        DatasetDiff::between(&before, &after, thresholds)
    }

    async fn load(&self, view: &View, node: &NodeRef) -> Result<Manifest> {
        let record = view.read(|view| VersionRecord::of(version_state(view, node)?));
        let record = record.await.map_err(|error| error.context("data", node))?;
        let blob = read::blob(&self.repo, &record.snapshot).await?;
        Manifest::from_slice(&blob.bytes().await?).map_err(|error| error.context("data", node))
    }
}

fn series_of(node: &NodeRef) -> Result<Series> {
    if node.kind() == NodeKind::Data {
        Ok(Series::new(NodeKind::Data, node.name().clone()))
    } else {
        Err(
            Error::invalid(format!("a {} is not a dataset", node.kind()))
                .context("reference", node),
        )
    }
}

fn version_state<'v>(view: &'v View, node: &NodeRef) -> Result<&'v RefState> {
    series_of(node)?;
    view.get(&node.ref_path())?
        .ok_or_else(|| Error::not_found("data", node))
}

fn version_number(node: &NodeRef) -> Result<u64> {
    node.version()
        .as_str()
        .parse()
        .map_err(|error| Error::corrupt(node, "a version that is no number").with_source(error))
}
