//! The handle: each verb lives in its own module.

use std::path::Path;

use arrow::array::RecordBatch;
use futures::stream::BoxStream;
use mainstay_core::{Actor, Locator, Name, NodeRef, Result};
use mainstay_repo::{Repo, View};

use crate::diff::{DatasetDiff, DriftThresholds};
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

    /// Stores the inputs of `spec` as the next version, or finds that the latest version is the same.
    pub async fn snapshot(&self, _spec: SnapshotSpec) -> Result<SnapshotReport> {
        todo!()
    }

    /// Finds the version that `locator` means, in the newest view.
    pub async fn resolve(&self, _locator: &Locator) -> Result<NodeRef> {
        todo!()
    }

    /// Finds the version that `locator` means in `view`.
    pub fn resolve_in(_view: &View, _locator: &Locator) -> Result<NodeRef> {
        todo!()
    }

    /// Reads the manifest of a version.
    pub async fn manifest(&self, _node: &NodeRef) -> Result<Manifest> {
        todo!()
    }

    /// Reads the table of a version.
    pub async fn read(
        &self,
        _node: &NodeRef,
        _options: ReadOptions,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        todo!()
    }

    /// Writes the files of a version below `directory`.
    pub async fn export(&self, _node: &NodeRef, _directory: &Path) -> Result<ExportReport> {
        todo!()
    }

    /// Tells about one version.
    pub async fn show(&self, _node: &NodeRef) -> Result<VersionInfo> {
        todo!()
    }

    /// Lists the datasets, in name order.
    pub async fn list(&self) -> Result<Vec<DatasetInfo>> {
        todo!()
    }

    /// Lists the versions of a dataset, oldest first.
    pub async fn log(&self, _dataset: &Name) -> Result<Vec<VersionInfo>> {
        todo!()
    }

    /// Points a new tag to a version.
    pub async fn tag(
        &self,
        _node: &NodeRef,
        _tag: &Name,
        _actor: Actor,
        _reason: impl Into<String>,
    ) -> Result<()> {
        todo!()
    }

    /// Compares two versions from their manifests, with the default thresholds.
    pub async fn compare(&self, _before: &NodeRef, _after: &NodeRef) -> Result<DatasetDiff> {
        todo!()
    }

    /// Compares two versions from their manifests.
    pub async fn compare_with(
        &self,
        _before: &NodeRef,
        _after: &NodeRef,
        _thresholds: &DriftThresholds,
    ) -> Result<DatasetDiff> {
        todo!()
    }
}
