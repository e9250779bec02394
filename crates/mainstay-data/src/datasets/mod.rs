//! The handle: each verb lives in its own module.

use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::FutureExt as _;
use futures::stream::BoxStream;
use mainstay_core::{
    Actor, Error, ErrorKind, FilePath, Locator, Name, NodeKind, NodeRef, Progress, Result, Telling,
    Timestamp,
};
use mainstay_repo::{Blob, RefState, Repo, Series, View};
use tracing::instrument;

mod ancestry;
mod branches;
mod by;
mod catalog;
mod commit;
mod compact;
mod compare;
mod export;
mod keys;
mod leakage;
mod merge;
mod merge_files;
mod merge_formats;
mod merge_rows;
mod merge_write;
mod names;
mod parts;
mod patching;
mod read;
mod resolve;
mod rows;
mod sample;
mod snapshot;
mod split;
mod tags;
mod unchanged;

use self::by::By;

use crate::diff::{CompareOptions, DatasetDiff, SchemaDiff};
use crate::file_tree::{self, Which};
use crate::merge::{MergePlan, MergeSpec};
use crate::passing::ROWS;
use crate::record::VersionRecord;
use crate::rows::{Both, Identity, RowDiffOptions};
use crate::split::{LeakageReport, SplitRecord, SplitReport, SplitSpec};
use crate::stored::blob;
use crate::{
    BranchChange, BranchInfo, BranchTarget, DatasetInfo, ExportReport, FileChange, FileEntry,
    Manifest, MergedFile, PartSpec, Predicate, SampleSpec, SnapshotPart, SnapshotReport,
    SnapshotSpec, VersionInfo,
};

/// The datasets of a repository. Cheap to clone.
///
/// Reads see the newest commit, or the moment that [`at`](Self::at) or [`as_of`](Self::as_of) chose.
#[derive(Debug, Clone)]
pub struct Datasets {
    repo: Repo,
    /// The moment that reads see; the newest when `None`.
    moment: Option<View>,
    progress: Option<Arc<dyn Progress>>,
}

/// What to read of a snapshot's table.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ReadOptions {
    /// The columns to read, in the order wanted; all of them when `None`.
    pub columns: Option<Vec<String>>,
    /// Which rows to read; all of them when `None`.
    pub filter: Option<Predicate>,
}

impl ReadOptions {
    /// Reads only these columns, in this order.
    #[must_use]
    pub fn with_columns<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.columns = Some(columns.into_iter().map(Into::into).collect());
        self
    }

    /// Reads only the rows of which `filter` is true. Its columns need not be among those that are read.
    #[must_use]
    pub fn with_filter(mut self, filter: Predicate) -> Self {
        self.filter = Some(filter);
        self
    }
}

impl Datasets {
    /// Wraps a repository.
    #[must_use]
    pub fn new(repo: Repo) -> Self {
        Self {
            repo,
            moment: None,
            progress: None,
        }
    }

    /// Returns a handle that tells `progress` how far each call has come that takes long: how many
    /// `rows` it has gone through, as often as it does, how many `files` and `bytes` it has stored or
    /// exported, and into how many `parts` it divided the rows that it compares. The total is told where
    /// it is known; of rows it is not where a call stores Parquet, Arrow IPC or streams. Rows that need not
    /// be read are told as if they were.
    ///
    /// One call at a time makes sense of it. Calls that stream tell while they are read.
    #[must_use]
    pub fn with_progress(mut self, progress: Arc<dyn Progress>) -> Self {
        self.progress = Some(progress);
        self
    }

    fn telling(&self) -> Telling {
        Telling::new(self.progress.clone())
    }

    /// Returns a handle whose reads see the datasets as of a log entry, and which does not write.
    ///
    /// # Errors
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound) when the log does not reach `seq`.
    pub async fn at(&self, seq: u64) -> Result<Self> {
        Ok(self.seeing(self.repo.view_at(seq).await?))
    }

    /// Returns a handle whose reads see the datasets as of a time, and which does not write.
    ///
    /// # Errors
    /// Those of the storage.
    pub async fn as_of(&self, time: Timestamp) -> Result<Self> {
        Ok(self.seeing(self.repo.view_as_of(time).await?))
    }

    fn seeing(&self, view: View) -> Self {
        Self {
            moment: Some(view),
            ..self.clone()
        }
    }

    /// Returns what reads see.
    async fn view(&self) -> Result<View> {
        match &self.moment {
            Some(view) => Ok(view.clone()),
            None => self.repo.view().await,
        }
    }

    /// Returns the repository to write to.
    ///
    /// # Errors
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) for a handle of an earlier moment.
    fn writable(&self) -> Result<&Repo> {
        match &self.moment {
            None => Ok(&self.repo),
            Some(view) => {
                Err(Error::invalid("the past cannot be changed").context("seq", view.seq()))
            }
        }
    }

    /// Stores the inputs of `spec` as the next version of the dataset.
    ///
    /// Files are stored verbatim unless [`SnapshotSpec::layout`] says otherwise. All files that are tables
    /// by their extensions are one table unless [`SnapshotSpec::table_files`], or that of the version
    /// before, says which are. When content, metadata
    /// and edges equal those of the latest version, no version is made and [`SnapshotReport::reused`] is set; tags are set in either case, in the
    /// same commit. On a branch, what the branch points to counts instead of the latest version. Input
    /// is read and checked before anything is stored.
    ///
    /// # Errors
    /// * [`NotFound`](mainstay_core::ErrorKind::NotFound): a path, the branch, or a dataset version that
    ///   an edge names, does not exist.
    /// * [`Invalid`](mainstay_core::ErrorKind::Invalid): there is no file, a table file is not what its
    ///   extension says, the table files differ in their columns, no file has a path that
    ///   [`TableFiles`](crate::TableFiles) names, the table has not the columns of the key, several rows
    ///   have one key that is to be [unique](SnapshotSpec::with_unique_key), a path is a link or leads out, a tag or branch is reserved. The message names the file, and line or column.
    /// * [`Unsupported`](mainstay_core::ErrorKind::Unsupported): a column's type has no logical form, or
    ///   there are more than 16,384 columns.
    /// * [`AlreadyExists`](mainstay_core::ErrorKind::AlreadyExists): a tag points to another version.
    /// * [`Conflict`](mainstay_core::ErrorKind::Conflict): a file changed while it was read, or the
    ///   branch has moved.
    ///
    /// Complexity: two passes over the bytes, one more over CSV and JSON lines; one where all table files, of
    /// 1 MiB at least together, have the bytes that they have in the latest version, the head of the branch, or
    /// a version that an edge names: they are hashed then and not decoded. With a key its columns are read once
    /// more, to [count](SnapshotReport::repeated_keys) those that several rows have: in 128 MiB, and in temporary
    /// files what needs more. Memory is bounded by a batch, the dictionaries of an Arrow IPC file and about
    /// 100 KiB a column, whatever the size of the files. A batch has at most 8,192 rows, and some 32 MiB or a row;
    /// where rows of Parquet are wide in places, as many as the index of its pages, or without one the mean row of
    /// their row group, lets expect. What is encoded, rows and canonical files, and what an Arrow IPC file holds
    /// compressed in batches of more than 32 MiB, waits in a temporary file when it has more than 8 MiB; the encoder
    /// holds a row group, encoded: of 1,048,576 rows, or of values of 256 MiB.
    #[instrument(skip_all, fields(dataset = %spec.dataset), err)]
    pub async fn snapshot(&self, spec: SnapshotSpec) -> Result<SnapshotReport> {
        snapshot::snapshot(self.writable()?, &self.telling(), spec).await
    }

    /// Stores the inputs of `spec` and makes no version of them: what is returned is sent to whoever
    /// [joins](Self::join) all parts. Any number of processes store parts at once; nothing is committed.
    ///
    /// Files of tables are decoded before anything is stored. What is stored and not joined is of no use
    /// to anybody, and collection deletes it.
    ///
    /// # Errors
    /// As [`snapshot`](Self::snapshot) for inputs; [`Invalid`](mainstay_core::ErrorKind::Invalid) also when
    /// CSV or JSON lines are to be stored canonically: their types depend on all parts.
    #[instrument(skip_all, err)]
    pub async fn store_part(&self, spec: PartSpec) -> Result<SnapshotPart> {
        parts::store(self.writable()?, &self.telling(), spec).await
    }

    /// Makes one version of parts that were [stored](Self::store_part), and of the inputs of `spec` if it
    /// has any: the version that [`snapshot`](Self::snapshot) would have made of all their files. The order
    /// of the parts does not matter.
    ///
    /// Rows are not hashed again where a part brings their [sum](SnapshotPart::rows). The digest of a table,
    /// its percentiles and its mean depend on the order of rows over all files and cannot be put together
    /// from those of parts. So the table files of the parts are read once more, out of the repository; all
    /// other files are not. Files of parts are never stored as patches.
    ///
    /// # Errors
    /// As [`snapshot`](Self::snapshot). [`Invalid`](mainstay_core::ErrorKind::Invalid) when a part was stored
    /// in another repository, or two files have one path; [`Conflict`](mainstay_core::ErrorKind::Conflict)
    /// when a collection took what a part stored: store that part again.
    #[instrument(skip_all, fields(dataset = %spec.dataset, parts = parts.len()), err)]
    pub async fn join(&self, spec: SnapshotSpec, parts: &[SnapshotPart]) -> Result<SnapshotReport> {
        parts::join(self.writable()?, &self.telling(), spec, parts)
            .boxed()
            .await
    }

    /// Finds the version that `locator` means in the newest view; see [`resolve_in`](Self::resolve_in).
    ///
    /// # Errors
    /// As [`resolve_in`](Self::resolve_in).
    #[instrument(skip_all, fields(%locator), err)]
    pub async fn resolve(&self, locator: &Locator) -> Result<NodeRef> {
        let view = self.view().await?;
        view.read(|view| Self::resolve_in(view, locator)).await
    }

    /// Finds the version that `locator` means in `view`: by number, tag, branch, `latest`, or the digest of
    /// the snapshot, which means the newest version with that content.
    ///
    /// # Errors
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound) naming what is missing;
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) when the locator names another kind.
    pub fn resolve_in(view: &View, locator: &Locator) -> Result<NodeRef> {
        resolve::resolve(view, locator)
    }

    /// Reads the manifest of a version.
    ///
    /// # Errors
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound) when there is no such version,
    /// [`Incompatible`](mainstay_core::ErrorKind::Incompatible) when a newer Mainstay wrote it,
    /// [`Corrupt`](mainstay_core::ErrorKind::Corrupt) when the stored bytes are damaged.
    #[instrument(skip_all, fields(%node), err)]
    pub async fn manifest(&self, node: &NodeRef) -> Result<Manifest> {
        self.load(&self.view().await?, node).await
    }

    /// Streams the files of a version, in path order.
    ///
    /// # Errors
    /// As [`manifest`](Self::manifest).
    #[instrument(skip_all, fields(%node), err)]
    pub async fn files(&self, node: &NodeRef) -> Result<BoxStream<'static, Result<FileEntry>>> {
        self.files_below(node, "").await
    }

    /// Streams the files of a version whose paths begin with `prefix`, in path order.
    ///
    /// Of a version of many files, only the pages that hold them are read.
    ///
    /// # Errors
    /// As [`manifest`](Self::manifest); within the stream, which then ends, when a page is damaged.
    #[instrument(skip_all, fields(%node, prefix), err)]
    pub async fn files_below(
        &self,
        node: &NodeRef,
        prefix: &str,
    ) -> Result<BoxStream<'static, Result<FileEntry>>> {
        let manifest = self.manifest(node).await?;
        Ok(file_tree::below(&self.repo, &manifest.files, prefix))
    }

    /// Finds a file of a version by its path; `None` when it has no such file.
    ///
    /// # Errors
    /// As [`manifest`](Self::manifest).
    #[instrument(skip_all, fields(%node, %path), err)]
    pub async fn find_file(&self, node: &NodeRef, path: &FilePath) -> Result<Option<FileEntry>> {
        let manifest = self.manifest(node).await?;
        file_tree::find(&self.repo, &manifest.files, path).await
    }

    /// Streams how the files of two versions differ, in path order, without reading them.
    ///
    /// Of versions of many files, only the pages that differ are read.
    ///
    /// # Errors
    /// As [`files_below`](Self::files_below).
    #[instrument(skip_all, fields(%before, %after), err)]
    pub async fn file_changes(
        &self,
        before: &NodeRef,
        after: &NodeRef,
    ) -> Result<BoxStream<'static, Result<FileChange>>> {
        let Both { before, after } = self.load_both(before, after).await?;
        Ok(file_tree::changes(&self.repo, &before.files, &after.files))
    }

    /// Reads the table of a version, file by file in path order, decoding ahead by two batches.
    ///
    /// All batches have one schema: the first file's, where the others have the same types, else the widest of each
    /// logical type. Dropping the stream stops the decoder. A batch is as large as
    /// [`snapshot`](Self::snapshot) says.
    ///
    /// With a filter, the row groups and pages of a Parquet file without patches are not read whose
    /// statistics say that no row is wanted.
    ///
    /// # Errors
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound) when there is no such version or column,
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) when the version has no table or a column is
    /// asked for twice, and within the stream when
    /// the filter compares a column with a value of another type; [`Corrupt`](mainstay_core::ErrorKind::Corrupt) when stored bytes are damaged,
    /// also within the stream, which then ends.
    #[instrument(skip_all, fields(%node), err)]
    pub async fn read(
        &self,
        node: &NodeRef,
        options: ReadOptions,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let telling = self.telling();
        telling.expect(ROWS, self.count(node).await?);
        self.read_telling(node, options, telling).await
    }

    /// As [`read`](Self::read), telling the rows of the table to a call that expects them.
    async fn read_telling(
        &self,
        node: &NodeRef,
        options: ReadOptions,
        telling: Telling,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let manifest = self.manifest(node).await?;
        let manifest = self.with_files(manifest, Which::Tables).await?;
        read::read((&self.repo, telling), node, &manifest, options)
    }

    /// As [`read`](Self::read), telling nobody: what becomes of the rows is told instead.
    async fn read_quietly(
        &self,
        node: &NodeRef,
        options: ReadOptions,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        self.read_telling(node, options, Telling::default()).await
    }

    /// Counts the rows of a version; 0 where it has no table.
    async fn count(&self, node: &NodeRef) -> Result<u64> {
        Ok(self.record(node).await?.rows.unwrap_or(0))
    }

    /// Opens a file of a version, one of its [`files`](Self::files), to read any part of its bytes;
    /// [`ParquetBlobReader`](crate::ParquetBlobReader) reads columns of it.
    ///
    /// # Errors
    /// [`Unsupported`](mainstay_core::ErrorKind::Unsupported) when patches change the file, so that its
    /// bytes are nowhere: [merge](Self::merged_file) them, or [`read`](Self::read) the table.
    /// [`Corrupt`](mainstay_core::ErrorKind::Corrupt) when its bytes are gone or damaged.
    pub async fn file(&self, file: &FileEntry) -> Result<Blob> {
        if !file.patches().is_empty() {
            let message = "patches change the file, whose bytes are not stored as one";
            return Err(Error::new(ErrorKind::Unsupported, message).context("file", &file.path));
        }
        blob(&self.repo, &file.digest).await
    }

    /// Writes a file of a version that has patches as one, for as long as the answer lives. Takes as long as
    /// storing its rows; a version that is [compacted](Self::compact) has no such files.
    ///
    /// # Errors
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) when no patches change the file, whose bytes are
    /// [stored](Self::file); [`Corrupt`](mainstay_core::ErrorKind::Corrupt) when bytes are gone or damaged; those of
    /// writing to disk.
    pub async fn merged_file(&self, file: &FileEntry) -> Result<MergedFile> {
        if file.patches().is_empty() {
            let message = "no patches change the file, whose bytes are stored as one";
            return Err(Error::invalid(message).context("file", &file.path));
        }
        MergedFile::of((&self.repo, &self.telling()), file.clone()).await
    }

    /// Writes the files of a version below `directory`, which is created if need be.
    ///
    /// A file with patches is written anew, so that it has the rows of the version. Every file is created
    /// or replaced atomically; other files are left alone. When it fails midway,
    /// the files before are complete.
    ///
    /// # Errors
    /// As [`manifest`](Self::manifest), and [`Invalid`](mainstay_core::ErrorKind::Invalid) when a
    /// symbolic link or file lies where a directory should be.
    #[instrument(skip_all, fields(%node, directory = %directory.display()), err)]
    pub async fn export(&self, node: &NodeRef, directory: &Path) -> Result<ExportReport> {
        let manifest = self.manifest(node).await?;
        let telling = self.telling();
        export::export((&self.repo, &telling), node, &manifest, directory).await
    }

    /// Tells about one version, without its columns; those are in the [`manifest`](Self::manifest).
    ///
    /// # Errors
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound) when there is no such version.
    #[instrument(skip_all, fields(%node), err)]
    pub async fn show(&self, node: &NodeRef) -> Result<VersionInfo> {
        catalog::show(&self.repo, &self.view().await?, node).await
    }

    /// Lists the datasets, in name order.
    #[instrument(skip_all, err)]
    pub async fn list(&self) -> Result<Vec<DatasetInfo>> {
        self.view().await?.read(catalog::list).await
    }

    /// Lists the versions of a dataset, oldest first.
    ///
    /// # Errors
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound) when there is no such dataset.
    ///
    /// Complexity: one read of the log for each version.
    #[instrument(skip_all, fields(%dataset), err)]
    pub async fn log(&self, dataset: &Name) -> Result<Vec<VersionInfo>> {
        catalog::log(&self.repo, &self.view().await?, dataset).await
    }

    /// Lists a version and everything it continues, newest first: the log of a branch, of the version
    /// that it points to.
    ///
    /// # Errors
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound) when there is no such version.
    ///
    /// Complexity: one read of the log for each version.
    #[instrument(skip_all, fields(%node), err)]
    pub async fn log_of(&self, node: &NodeRef) -> Result<Vec<VersionInfo>> {
        catalog::log_of(&self.repo, &self.view().await?, node).await
    }

    /// Returns the versions that both continue and that none of the others continues, newest first: the one
    /// where they are merged from, several where lines were merged crosswise, none when they have no common
    /// ancestor.
    ///
    /// # Errors
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound) when there is no such version.
    #[instrument(skip_all, fields(%a, %b), err)]
    pub async fn merge_bases(&self, a: &NodeRef, b: &NodeRef) -> Result<Vec<NodeRef>> {
        let view = self.view().await?;
        view.read(|view| ancestry::merge_bases(view, a, b)).await
    }

    /// Points a tag to a version. A tag never moves, and its name is never used again, whatever is
    /// deleted; setting it to the version it has changes nothing.
    ///
    /// # Errors
    /// [`AlreadyExists`](mainstay_core::ErrorKind::AlreadyExists) when the tag points to another
    /// version or did, or a branch has the name; [`Invalid`](mainstay_core::ErrorKind::Invalid) when it is `latest` or a plain number,
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound) when there is no such version.
    #[instrument(skip_all, fields(%node, %tag), err)]
    pub async fn tag(
        &self,
        node: &NodeRef,
        tag: &Name,
        actor: Actor,
        reason: impl Into<String>,
    ) -> Result<()> {
        tags::tag(self.writable()?, node, tag, By::new(actor, reason)).await
    }

    /// Begins a branch at a version of the dataset.
    ///
    /// # Errors
    /// [`AlreadyExists`](mainstay_core::ErrorKind::AlreadyExists) when there is a branch or tag of that
    /// name, [`Invalid`](mainstay_core::ErrorKind::Invalid) when it is `latest` or a plain number,
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound) when there is no such version.
    #[instrument(skip_all, fields(%branch, %at), err)]
    pub async fn create_branch(
        &self,
        branch: &Name,
        at: &NodeRef,
        actor: Actor,
        reason: impl Into<String>,
    ) -> Result<()> {
        branches::create(self.writable()?, branch, at, By::new(actor, reason)).await
    }

    /// Moves a branch forward, to a version that continues the one it points to; `false` when it is
    /// there already.
    ///
    /// # Errors
    /// [`Conflict`](mainstay_core::ErrorKind::Conflict) when `to` does not continue that version, or the
    /// branch is not where `target` expects it; [`NotFound`](mainstay_core::ErrorKind::NotFound) when
    /// there is no such branch or version.
    #[instrument(skip_all, fields(branch = %target.branch, %to), err)]
    pub async fn advance_branch(
        &self,
        target: &BranchTarget,
        to: &NodeRef,
        actor: Actor,
        reason: impl Into<String>,
    ) -> Result<bool> {
        let dataset = series_of(to)?.name().clone();
        let by = By::new(actor, reason);
        branches::advance(self.writable()?, &dataset, target, to, by).await
    }

    /// Deletes a branch and returns the version it pointed to. The versions stay, and so does the
    /// history of the branch.
    ///
    /// # Errors
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound) when there is no such branch;
    /// [`Conflict`](mainstay_core::ErrorKind::Conflict) when it is not where `target` expects it.
    #[instrument(skip_all, fields(%dataset, branch = %target.branch), err)]
    pub async fn delete_branch(
        &self,
        dataset: &Name,
        target: &BranchTarget,
        actor: Actor,
        reason: impl Into<String>,
    ) -> Result<NodeRef> {
        branches::delete(self.writable()?, dataset, target, By::new(actor, reason)).await
    }

    /// Lists the branches of a dataset, in name order.
    ///
    /// # Errors
    /// Those of the storage.
    #[instrument(skip_all, fields(%dataset), err)]
    pub async fn branches(&self, dataset: &Name) -> Result<Vec<BranchInfo>> {
        let view = self.view().await?;
        view.read(|view| branches::list(view, dataset)).await
    }

    /// Lists where a branch has been, newest first, also when it was deleted.
    ///
    /// # Errors
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound) when there never was such a branch.
    #[instrument(skip_all, fields(%dataset, %branch), err)]
    pub async fn branch_moves(&self, dataset: &Name, branch: &Name) -> Result<Vec<BranchChange>> {
        branches::moves(&self.repo, &self.view().await?, dataset, branch).await
    }

    /// Compares two versions without reading their data, with the default thresholds; see [`DatasetDiff`].
    ///
    /// # Errors
    /// As [`manifest`](Self::manifest).
    pub async fn compare(&self, before: &NodeRef, after: &NodeRef) -> Result<DatasetDiff> {
        self.compare_with(before, after, &CompareOptions::default())
            .await
    }

    /// Compares two versions, which may be of different datasets, as far down as `options` say.
    ///
    /// Data are read only when rows are asked for, and then only where the files of both versions are
    /// not the same; see [`row_changes`](Self::row_changes).
    ///
    /// # Errors
    /// As [`manifest`](Self::manifest), and where rows are compared as
    /// [`row_changes`](Self::row_changes); [`NotFound`](mainstay_core::ErrorKind::NotFound) also when
    /// thresholds name a column that the later table does not have.
    ///
    /// Complexity: of versions of many files the pages that differ are read, and at most 65,536 of the
    /// files that were added or removed are held in memory.
    #[instrument(skip_all, fields(%before, %after), err)]
    pub async fn compare_with(
        &self,
        before: &NodeRef,
        after: &NodeRef,
        options: &CompareOptions,
    ) -> Result<DatasetDiff> {
        compare::compare(self, Both { before, after }, options)
            .boxed()
            .await
    }

    /// Streams the rows in which the tables of two versions differ, as
    /// [`RowChanges`](crate::rows::RowChanges) describes them.
    ///
    /// Columns that were renamed are known by their digests. Rows are not read where both versions have
    /// the same file, or Parquet files of one path with the same pages in all compared columns, unless
    /// several rows of a version were [found](crate::VersionInfo::repeated_keys) to have one key when it was
    /// made. Of columns that were not looked at then, a key that lies in a row that is not read and once
    /// more elsewhere is not told as a duplicate, but as an added or removed row.
    ///
    /// # Errors
    /// As [`manifest`](Self::manifest) and [`RowDiff::new`](crate::rows::RowDiff::new);
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) naming the version when one has no table; within the stream
    /// [`Corrupt`](mainstay_core::ErrorKind::Corrupt) when stored bytes are damaged, and failures of the
    /// disk. Dropping the stream stops the comparison.
    #[instrument(skip_all, fields(%before, %after), err)]
    pub async fn row_changes(
        &self,
        before: &NodeRef,
        after: &NodeRef,
        identity: Identity,
        options: RowDiffOptions,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let manifests = self.load_both(before, after).await?;
        compare::check_tables(&manifests, Both { before, after })?;
        let schema = SchemaDiff::between(manifests.before.columns(), manifests.after.columns());
        let keys = compare::keys(self, Both { before, after }, &identity, &schema).await?;
        let manifests = self.with_tables(manifests).await?;
        let reading = (&self.repo, self.telling());
        let comparison = (manifests, schema);
        Ok(rows::changes(
            reading,
            comparison,
            (identity, keys),
            options,
        ))
    }

    async fn load_both(&self, before: &NodeRef, after: &NodeRef) -> Result<Both<Manifest>> {
        let view = self.view().await?;
        Ok(Both {
            before: self.load(&view, before).await?,
            after: self.load(&view, after).await?,
        })
    }

    /// Finds what merging two versions of a dataset would do; changes nothing. Where both sides changed a
    /// Parquet file, its rows are read.
    ///
    /// # Errors
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) for versions of two datasets and for those without
    /// one common ancestor where they are merged from; [`NotFound`](mainstay_core::ErrorKind::NotFound) for a
    /// version, branch or key column; [`Conflict`](mainstay_core::ErrorKind::Conflict) when the branch does not point to `ours`.
    ///
    /// Memory: what [`RowDiff`](crate::rows::RowDiff) takes, the rows that both sides changed, and about 300
    /// bytes for each file of the three versions; of versions of many files only for those that differ,
    /// whose pages alone are read.
    #[instrument(skip_all, fields(ours = %spec.ours, theirs = %spec.theirs), err)]
    pub async fn plan_merge(&self, spec: &MergeSpec) -> Result<MergePlan> {
        merge::plan(self, spec).boxed().await
    }

    /// Makes the version that a plan of [`plan_merge`](Self::plan_merge) describes, with both versions as
    /// parents. Files that do not change are not stored again; table files are read once for their
    /// digests. A file whose rows are merged is written from memory.
    ///
    /// # Errors
    /// [`Conflict`](mainstay_core::ErrorKind::Conflict) naming the first conflict of the plan, or when
    /// the branch has moved since; [`Invalid`](mainstay_core::ErrorKind::Invalid) when the plan is not to
    /// [merge](crate::merge::MergeOutcome::Merge), or the merged table files differ in their columns.
    #[instrument(skip_all, fields(ours = %plan.spec.ours, theirs = %plan.spec.theirs), err)]
    pub async fn apply_merge(
        &self,
        plan: &MergePlan,
        actor: Actor,
        reason: impl Into<String>,
    ) -> Result<SnapshotReport> {
        merge::apply(self, plan, By::new(actor, reason))
            .boxed()
            .await
    }

    /// Stores the rows of a version whole whose files are stored as patches of others: as a new version,
    /// whose parent it is, with the same key and metadata. Returns `None`, and makes no version, where
    /// there are no patches.
    ///
    /// The versions before stay as they are. The branch must point to the version, and moves to the new
    /// one; without a branch, the version must be the latest.
    ///
    /// # Errors
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound) when there is no such version or branch,
    /// [`Conflict`](mainstay_core::ErrorKind::Conflict) when it is not the latest, or not where the branch
    /// points to; those of [`snapshot`](Self::snapshot).
    ///
    /// Complexity: that of a snapshot of the whole table.
    #[instrument(skip_all, fields(%node), err)]
    pub async fn compact(
        &self,
        node: &NodeRef,
        branch: Option<BranchTarget>,
        actor: Actor,
        reason: impl Into<String>,
    ) -> Result<Option<SnapshotReport>> {
        let by = By::new(actor, reason);
        compact::compact(self, node, branch, by).boxed().await
    }

    /// Divides the table of a version into parts, each a version of a dataset of its own, all in one
    /// commit; see [`split`](crate::split). The parts have the source's key, name it in an edge with
    /// their role, and the split in another.
    ///
    /// What is there already is not made again: the same source, rule and parts are the same split.
    ///
    /// # Errors
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) when the specification breaks a rule, the version
    /// has no table, a part gets no row, or a row has no time; [`NotFound`] for a version or column; those
    /// of [`snapshot`](Self::snapshot).
    ///
    /// [`NotFound`]: mainstay_core::ErrorKind::NotFound
    ///
    /// Complexity: one pass over the table for each part, one more over
    /// the columns that decide where they must be seen whole. Memory as for a stream of rows in
    /// [`snapshot`](Self::snapshot); where they must be seen whole, 8 bytes more a row.
    #[instrument(skip_all, fields(source = %spec.source), err)]
    pub async fn split(&self, spec: SplitSpec) -> Result<SplitReport> {
        split::split(self, spec).await
    }

    /// Reads how a version was divided.
    ///
    /// # Errors
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound) when there is no such split,
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) when the reference is to something else.
    #[instrument(skip_all, fields(split = %node), err)]
    pub async fn show_split(&self, node: &NodeRef) -> Result<SplitRecord> {
        self.view()
            .await?
            .read(|view| split::record(view, node))
            .await
    }

    /// Looks for keys and whole rows that two of several versions share, as training and test data must
    /// not. Rows are compared by the columns that all versions have, whatever their width and encoding;
    /// without `key`, keys are not looked at.
    ///
    /// # Errors
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) for fewer than two versions and for one without
    /// table; [`NotFound`](mainstay_core::ErrorKind::NotFound) for a version or column.
    ///
    /// Complexity: one pass over the columns for each 4 million rows; 160 MiB of memory.
    #[instrument(skip_all, err)]
    pub async fn check_leakage(
        &self,
        versions: &[NodeRef],
        key: &[String],
    ) -> Result<LeakageReport> {
        leakage::check(self, versions, key).await
    }

    /// Stores some rows of a version, chosen at random, as a version of another dataset. The same seed
    /// chooses the same rows of the same version.
    ///
    /// # Errors
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) when no row is asked for or the version has no
    /// table; [`NotFound`](mainstay_core::ErrorKind::NotFound) for a version or column.
    ///
    /// Complexity: two passes over the table, one more over the columns of a filter. Memory as for a stream
    /// of rows in [`snapshot`](Self::snapshot), and 16 bytes for each row chosen, in each stratum.
    #[instrument(skip_all, fields(source = %spec.source), err)]
    pub async fn sample(&self, spec: SampleSpec) -> Result<SnapshotReport> {
        sample::sample(self, spec).await
    }

    /// Reads a manifest with all files in memory.
    async fn whole(&self, node: &NodeRef) -> Result<Manifest> {
        let manifest = self.manifest(node).await?;
        self.with_files(manifest, Which::All).await
    }

    async fn with_tables(&self, manifests: Both<Manifest>) -> Result<Both<Manifest>> {
        Ok(Both {
            before: self.with_files(manifests.before, Which::Tables).await?,
            after: self.with_files(manifests.after, Which::Tables).await?,
        })
    }

    async fn with_files(&self, manifest: Manifest, which: Which) -> Result<Manifest> {
        let files = file_tree::listed(&self.repo, manifest.files, which).await?;
        Ok(Manifest { files, ..manifest })
    }

    async fn record(&self, node: &NodeRef) -> Result<VersionRecord> {
        let view = self.view().await?;
        let record = view.read(|view| VersionRecord::of(version_state(view, node)?));
        record.await.map_err(|error| error.context("data", node))
    }

    async fn load(&self, view: &View, node: &NodeRef) -> Result<Manifest> {
        let record = view.read(|view| VersionRecord::of(version_state(view, node)?));
        let record = record.await.map_err(|error| error.context("data", node))?;
        let blob = blob(&self.repo, &record.snapshot).await?;
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
