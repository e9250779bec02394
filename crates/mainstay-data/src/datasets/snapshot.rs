//! Taking a snapshot: scan, store, commit.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use mainstay_core::{BulkDigest, Digest, Error, Name, NodeKind, Result, Telling, canon};
use mainstay_repo::{Ingest, Layout, Repo, Series, Step, StoredBlob, Value, View};
use tokio::runtime::Handle;

use super::branches::Head;
use super::by::By;
use super::commit::{Draft, Placed};
use super::keys;
use super::names::check_pointer;
use super::patching::{self, Patched};
use super::unchanged::Earlier;
use super::version_number;
use crate::canonical::lay_out;
use crate::digest::RowsSum;
use crate::format::parquet::write::PROFILE;
use crate::format::{TableFormat, layout, media_type};
use crate::input::{InputFile, Origin, StoredFile, gather, in_path_order};
use crate::record::VersionRecord;
use crate::report::{ColumnReport, FileReport, NullLike, RepeatedKeys};
use crate::scan::{TableFile, scan};
use crate::spool::Spooled;
use crate::stored::blob;
use crate::table_files::{Chosen, helped};
use crate::{
    Canonical, FileEntry, FileLayout, Files, Manifest, PatchEntry, Patches, SnapshotInput,
    SnapshotReport, SnapshotSpec, Table, TableFiles, blocking, file_tree,
};

/// How many small files are stored between looks at whether they changed.
const FILES_AT_ONCE: usize = 4_096;

pub(super) async fn snapshot(
    repo: &Repo,
    telling: &Telling,
    spec: SnapshotSpec,
) -> Result<SnapshotReport> {
    let by = By::new(spec.actor.clone(), spec.reason.as_str());
    let staged = stage_summed(repo, telling, spec, Vec::new(), Keys::Counted).await?;
    staged.commit(repo, &by).await
}

/// A snapshot that is stored and waits for its place in the log.
pub(super) struct Staged {
    dataset: Name,
    pub(super) draft: Draft,
    table_files: Option<TableFiles>,
    stored: Stored,
    repeated_keys: Option<RepeatedKeys>,
    null_like: Vec<NullLike>,
}

/// What is done about keys that several rows have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keys {
    /// They are counted, or refused where the user said so.
    Counted,
    /// Nothing: they are those of versions. So many are those of several rows, where that is known.
    Known(Option<u64>),
}

/// Stores what `spec` names beside files of earlier versions; so many keys are those of several rows, where
/// that is known.
pub(super) async fn stage_with(
    repo: &Repo,
    telling: &Telling,
    spec: SnapshotSpec,
    kept: Vec<FileEntry>,
    repeated: Option<u64>,
) -> Result<Staged> {
    let kept = kept.into_iter().map(|entry| (entry, None));
    let keys = Keys::Known(repeated);
    stage_summed(repo, telling, spec, kept.collect(), keys).await
}

/// Stores what `spec` names beside files that are stored, with the rows of all table files that came with
/// each, summed up.
pub(super) async fn stage_summed(
    repo: &Repo,
    telling: &Telling,
    spec: SnapshotSpec,
    kept: Vec<(FileEntry, Option<Arc<RowsSum>>)>,
    keys: Keys,
) -> Result<Staged> {
    for tag in &spec.tags {
        check_pointer("tag", tag)?;
    }
    let (head, chosen) = before(repo, &spec).await?;
    let recorded = chosen.recorded();
    let (inputs, layout) = (spec.inputs.clone(), spec.layout);
    let runtime = Handle::current();
    let kept = kept
        .into_iter()
        .map(|(entry, sum)| kept_file((repo, &runtime), entry, sum));
    let (kept, told) = (kept.collect(), telling.clone());
    let earlier = Earlier::of(repo, &spec, head.as_ref());
    let (key, unique) = (spec.key.clone(), spec.unique_key);
    let preparing = move || {
        let inputs = (&*inputs, kept, &chosen);
        let prepared = prepare(inputs, layout, &runtime, &earlier, &told)?;
        keys::check(prepared.table.as_ref(), &key)?;
        let repeated = match keys {
            Keys::Counted => prepared.repeated(&key, &told)?,
            Keys::Known(_) => None,
        };
        match repeated {
            Some(repeated) if unique => Err(refused(&repeated)),
            repeated => Ok((prepared, repeated)),
        }
    };
    let (mut prepared, repeated_keys) = blocking::run_on_own_thread(preparing).await?;
    let counted = match keys {
        Keys::Counted if spec.key.is_empty() => None,
        Keys::Counted => Some(repeated_keys.as_ref().map_or(0, |repeated| repeated.keys)),
        Keys::Known(counted) => counted,
    };
    let (files, patched) = match spec.patches {
        Patches::Never => (prepared.files, Vec::new()),
        Patches::WhereSmaller => {
            patching::find((repo, telling), &spec.dataset, prepared.files).await?
        }
    };
    prepared.files = files;
    let null_like = std::mem::take(&mut prepared.null_like);
    let stored = store((repo, telling), prepared, patched, spec.metadata.clone()).await?;
    Ok(Staged {
        draft: draft((&spec, counted), recorded.clone(), head, &stored)?,
        dataset: spec.dataset,
        table_files: recorded,
        stored,
        repeated_keys,
        null_like,
    })
}

/// Finds the branch to move, and which files are the table where the version before decides that.
async fn before(repo: &Repo, spec: &SnapshotSpec) -> Result<(Option<Head>, Chosen)> {
    let given = spec.table_files.clone().map(Chosen::Now);
    if let (None, Some(given)) = (&spec.branch, &given) {
        return Ok((None, given.clone()));
    }
    let series = Series::new(NodeKind::Data, spec.dataset.clone());
    let find = |view: &View| {
        let head = spec.branch.as_ref();
        let head = head.map(|target| Head::find(view, &spec.dataset, target));
        let head = head.transpose()?;
        let version = match &head {
            Some(head) => head.version.clone(),
            None => series.latest(view)?.map(|(node, _)| node),
        };
        let state = version.map(|node| view.get(&node.ref_path())).transpose()?;
        let record = state.flatten().map(VersionRecord::of).transpose()?;
        let chosen = record.and_then(|record| record.table_files);
        Ok((head, Chosen::Before(chosen.unwrap_or_default())))
    };
    let (head, chosen) = repo.read(find).await?;
    Ok((head, given.unwrap_or(chosen)))
}

/// The files of a snapshot, scanned and not yet stored.
pub(super) struct Prepared {
    files: Vec<InputFile>,
    /// Rows of each file; `None` where it is not a table file.
    rows: Vec<Option<u64>>,
    /// Where each file is best cut; `None` where its content says it as well.
    layouts: Vec<Option<Layout>>,
    table: Option<Table>,
    null_like: Vec<NullLike>,
}

/// Finds the files and scans those that are not known, so that bad input is refused before anything is stored.
fn prepare(
    (inputs, kept, chosen): (&[SnapshotInput], Vec<InputFile>, &Chosen),
    layout: FileLayout,
    runtime: &Handle,
    earlier: &Earlier,
    telling: &Telling,
) -> Result<Prepared> {
    let mut files = gather(inputs, runtime, telling)?;
    chosen.apply(&mut files, layout)?;
    chosen.check_csv(files.iter().chain(&kept))?;
    let mut null_like = lay_out(&mut files, layout, chosen.csv(), telling)
        .map_err(|error| helped(error, &files))?;
    files.extend(kept);
    in_path_order(&mut files)?;
    if files.is_empty() {
        return Err(Error::invalid("a snapshot without files"));
    }
    let known = earlier.table(&mut files, chosen.csv())?;
    let found = if known.is_some() {
        known
    } else {
        let tables: Vec<TableFile<'_>> = files.iter().filter_map(TableFile::of).collect();
        let scanned =
            scan(&tables, chosen.csv(), telling).map_err(|error| helped(error, &files))?;
        scanned.map(|scanned| {
            null_like.extend(scanned.null_like);
            (scanned.table, scanned.rows)
        })
    };
    let (table, rows) = found.unzip();
    Ok(Prepared {
        null_like,
        ..Prepared::new(files, table, rows.unwrap_or_default())?
    })
}

/// Says that rows are not told apart, though they should be.
fn refused(repeated: &RepeatedKeys) -> Error {
    let first = repeated.first.iter();
    let first: Vec<String> = first
        .map(|(name, value)| format!("{}={}", name.escape_debug(), value.escape_debug()))
        .collect();
    Error::invalid("several rows have one key")
        .context("keys", repeated.keys)
        .context("rows", repeated.rows)
        .context("first", first.join(" "))
}

impl Prepared {
    /// Counts the keys that several rows have.
    fn repeated(&self, key: &[String], telling: &Telling) -> Result<Option<RepeatedKeys>> {
        let Some(table) = self.table.as_ref().filter(|_| !key.is_empty()) else {
            return Ok(None);
        };
        let files: Vec<TableFile<'_>> = self.files.iter().filter_map(TableFile::of).collect();
        keys::repeated(&files, table, key, telling)
    }

    /// Takes files in path order and the rows of those that are tables.
    pub(super) fn new(
        files: Vec<InputFile>,
        table: Option<Table>,
        table_rows: Vec<u64>,
    ) -> Result<Self> {
        let mut table_rows = table_rows.into_iter();
        let rows = files
            .iter()
            .map(|file| file.table_format().and_then(|_| table_rows.next()))
            .collect();
        let layouts = files.iter().map(layout_of).collect::<Result<_>>()?;
        Ok(Self {
            files,
            rows,
            layouts,
            table,
            null_like: Vec::new(),
        })
    }
}

/// A file that is stored already.
fn kept_file(
    (repo, runtime): (&Repo, &Handle),
    entry: FileEntry,
    sum: Option<Arc<RowsSum>>,
) -> InputFile {
    InputFile::stored(StoredFile {
        entry,
        sum,
        repo: repo.clone(),
        runtime: runtime.clone(),
    })
}

fn layout_of(file: &InputFile) -> Result<Option<Layout>> {
    if let Origin::Stored(_) = file.origin {
        return Ok(None);
    }
    // Also what is not looked into for its rows is best cut where its format says.
    let Some(format) = TableFormat::of(&file.path) else {
        return Ok(None);
    };
    Ok(layout(&file.origin.open()?, format))
}

/// A snapshot whose blobs are durable and that no ref names yet.
struct Stored {
    manifest: Manifest,
    /// The files, however the manifest lists them.
    entries: Vec<FileEntry>,
    snapshot: Digest,
    new_bytes: u64,
}

async fn store(
    (repo, telling): (&Repo, &Telling),
    mut prepared: Prepared,
    patched: Vec<Option<Patched>>,
    metadata: BTreeMap<String, String>,
) -> Result<Stored> {
    let mut ingest = session(repo, telling);
    let table = prepared.table.take();
    let (entries, new_bytes) = stored(&mut ingest, telling, prepared, patched).await?;
    let (files, tree_bytes) = file_tree::list(&mut ingest, &entries).await?;
    let manifest = Manifest::new(table, files, metadata);
    let blob = ingest.bytes(Bytes::from(canon::to_vec(&manifest)?)).await?;
    ingest.finish().await?;
    Ok(Stored {
        manifest,
        entries,
        snapshot: blob.digest,
        new_bytes: new_bytes + tree_bytes + blob.new_bytes,
    })
}

/// Begins to store blobs.
pub(super) fn session(repo: &Repo, telling: &Telling) -> Ingest {
    match telling.step("bytes") {
        Some(progress) => repo.ingest().with_progress(progress),
        None => repo.ingest(),
    }
}

/// Stores the files; returns what a manifest says of them, and the bytes that were new.
pub(super) async fn stored(
    ingest: &mut Ingest,
    telling: &Telling,
    prepared: Prepared,
    patched: Vec<Option<Patched>>,
) -> Result<(Vec<FileEntry>, u64)> {
    telling.expect("files", prepared.files.len() as u64);
    let mut plain = plain(ingest, telling, &prepared, &patched).await?;
    let mut new_bytes = 0;
    let mut entries = Vec::with_capacity(prepared.files.len());
    let described = prepared.rows.into_iter().zip(prepared.layouts);
    let described = described.zip(patched.into_iter().chain(std::iter::repeat_with(|| None)));
    for (index, (file, ((rows, layout), patched))) in
        prepared.files.into_iter().zip(described).enumerate()
    {
        if let Some(Patched { mut base, patch }) = patched {
            telling.add("files", 1);
            if let (Some(patch), Some(canonical)) = (patch, &mut base.canonical) {
                let blob = ingest.bytes(patch).await?;
                new_bytes += blob.new_bytes;
                canonical.patches.push(PatchEntry {
                    digest: blob.digest,
                    bytes: blob.size,
                });
            }
            entries.push(FileEntry { rows, ..base });
            continue;
        }
        let is_canonical = file.is_canonical();
        let origin = match file.origin {
            Origin::Stored(stored) => {
                telling.add("files", 1);
                entries.push(FileEntry {
                    rows,
                    ..stored.entry
                });
                continue;
            }
            origin => origin,
        };
        let blob = if let Some(blob) = plain.remove(&index) {
            blob
        } else {
            let blob = put(ingest, &origin, layout).await?;
            telling.add("files", 1);
            blocking::run(move || origin.check_unchanged(blob.size)).await?;
            blob
        };
        new_bytes += blob.new_bytes;
        entries.push(FileEntry {
            media_type: media_type(&file.path).to_owned(),
            canonical: is_canonical.then(|| Canonical {
                profile: PROFILE,
                patches: Vec::new(),
            }),
            path: file.path,
            digest: blob.digest,
            bytes: blob.size,
            rows,
        });
    }
    Ok((entries, new_bytes))
}

/// Stores the files on disk that are cut by their content, many at a time; returns them by their number
/// among the files.
async fn plain(
    ingest: &mut Ingest,
    telling: &Telling,
    prepared: &Prepared,
    patched: &[Option<Patched>],
) -> Result<BTreeMap<usize, StoredBlob>> {
    let mut wanted = Vec::new();
    for (index, file) in prepared.files.iter().enumerate() {
        let is_whole = patched.get(index).is_none_or(Option::is_none);
        if let (Origin::Disk { path, before }, None) = (&file.origin, &prepared.layouts[index])
            && is_whole
        {
            wanted.push((index, path.clone(), *before));
        }
    }
    let mut stored = BTreeMap::new();
    for files in wanted.chunks(FILES_AT_ONCE) {
        let paths = files.iter().map(|(_, path, _)| path.clone());
        let blobs = ingest.files(paths).await?;
        let blobs = blobs.into_iter().collect::<Result<Vec<_>>>()?;
        let files = files.to_vec();
        let checked = blocking::run(move || {
            for ((_, path, before), blob) in files.iter().zip(&blobs) {
                before.check(path, blob.size)?;
            }
            let indices = files.into_iter().map(|(index, ..)| index);
            Ok(indices.zip(blobs).collect::<Vec<_>>())
        });
        let checked = checked.await?;
        telling.add("files", checked.len() as u64);
        stored.extend(checked);
    }
    Ok(stored)
}

async fn put(ingest: &mut Ingest, origin: &Origin, layout: Option<Layout>) -> Result<StoredBlob> {
    let path: &Path = match origin {
        Origin::Disk { path, .. } => path,
        Origin::Spooled(Spooled::File { path, .. }) => path,
        Origin::Stored(file) => {
            let stored = blob(&file.repo, &file.entry.digest).await?;
            return ingest.bytes(stored.bytes().await?).await;
        }
        Origin::Spooled(Spooled::Memory(bytes)) => {
            let bytes = bytes.clone();
            return match layout {
                Some(layout) => ingest.bytes_with(bytes, layout).await,
                None => ingest.bytes(bytes).await,
            };
        }
    };
    match layout {
        Some(layout) => ingest.file_with(path, layout).await,
        None => ingest.file(path).await,
    }
}

fn draft(
    (spec, counted): (&SnapshotSpec, Option<u64>),
    table_files: Option<TableFiles>,
    head: Option<Head>,
    stored: &Stored,
) -> Result<Draft> {
    let Stored {
        manifest, snapshot, ..
    } = stored;
    let record = VersionRecord {
        synthetic: spec.synthetic,
        transform: spec.transform.clone(),
        ..VersionRecord::new(manifest, *snapshot)
            .with_table_files(table_files)
            .with_key(spec.key.clone(), counted)
    };
    let value = Value::new(VersionRecord::KIND, &record)?.with_edges(spec.edges.iter().cloned());
    let value = match &manifest.files {
        Files::Listed(files) => {
            let blobs = files.iter().flat_map(FileEntry::blobs);
            value.with_blobs(blobs.chain([*snapshot]))
        }
        Files::Tree(tree) => value.with_blobs([*snapshot]).with_trees([tree.root()]),
    };
    let draft = Draft::new(spec.dataset.clone(), value);
    Ok(draft.with_tags(spec.tags.iter().cloned()).with_head(head))
}

impl Staged {
    /// Makes it a version of the newest view.
    pub(super) async fn commit(self, repo: &Repo, by: &By) -> Result<SnapshotReport> {
        let build = |view: &View| {
            let mut transaction = by.transaction();
            let placed = self.draft.place(view, &mut transaction)?;
            Ok(if placed.changes {
                Step::Commit(transaction, placed)
            } else {
                Step::Done(placed)
            })
        };
        let (_, placed) = repo.transact(build).await?;
        self.report(placed)
    }

    pub(super) fn snapshot(&self) -> Digest {
        self.stored.snapshot
    }

    pub(super) fn table_digest(&self) -> Option<BulkDigest> {
        let table = self.stored.manifest.table.as_ref();
        table.map(|table| table.table_digest)
    }

    pub(super) fn rows(&self) -> Option<u64> {
        self.stored.manifest.table.as_ref().map(|table| table.rows)
    }

    pub(super) fn report(self, placed: Placed) -> Result<SnapshotReport> {
        let Placed { node, reused, .. } = placed;
        let Stored {
            manifest,
            entries,
            snapshot,
            new_bytes,
        } = self.stored;
        let Manifest { table, .. } = manifest;
        Ok(SnapshotReport {
            version: version_number(&node)?,
            node,
            dataset: self.dataset,
            snapshot,
            rows: table.as_ref().map(|table| table.rows),
            table_digest: table.as_ref().map(|table| table.table_digest),
            rows_digest: table.as_ref().map(|table| table.rows_digest),
            repeated_keys: self.repeated_keys,
            null_like: self.null_like,
            columns: table
                .into_iter()
                .flat_map(|table| table.columns)
                .map(|column| ColumnReport {
                    name: column.name,
                    logical_type: column.logical_type,
                    digest: column.digest,
                })
                .collect(),
            files: entries.iter().map(FileReport::from).collect(),
            table_files: self.table_files,
            opaque: entries
                .into_iter()
                .filter(|file| file.rows.is_none() && TableFormat::of(&file.path).is_some())
                .map(|file| file.path)
                .collect(),
            new_bytes,
            reused,
        })
    }
}
