//! Table files that an earlier version has already: what they say is known, so they are not decoded again.

use std::collections::BTreeSet;
use std::io::Read as _;

use mainstay_core::{Digest, ErrorKind, Hasher, Name, NodeKind, NodeRef, Result};
use mainstay_repo::{Repo, Series, View};
use tokio::runtime::Handle;

use super::branches::Head;
use crate::file_tree::{Which, listed};
use crate::format::parquet::write::PROFILE;
use crate::format::{TableFormat, media_type};
use crate::input::{InputFile, Origin, StoredFile};
use crate::record::VersionRecord;
use crate::stored::blob;
use crate::{Canonical, CsvOptions, FileEntry, Manifest, SnapshotSpec, Table};

/// Tables in fewer bytes are scanned, which is faster than asking a storage what they are.
const MIN_BYTES: u64 = 1024 * 1024;
/// How many versions are looked at.
const MAX_VERSIONS: usize = 4;
const PIECE_BYTES: usize = 256 * 1024;

/// The versions whose table files may be those of a new one: the head of the branch, the latest, and those
/// that it came from.
pub(super) struct Earlier {
    repo: Repo,
    dataset: Name,
    named: Vec<NodeRef>,
    runtime: Handle,
}

/// What a version says of its table files.
struct Known {
    table: Table,
    /// The table files, in path order.
    files: Vec<FileEntry>,
}

impl Earlier {
    pub(super) fn of(repo: &Repo, spec: &SnapshotSpec, head: Option<&Head>) -> Self {
        let head = head.and_then(|head| head.version.clone());
        let sources = spec.edges.iter().map(|edge| &edge.to);
        let sources = sources.filter(|node| node.kind() == NodeKind::Data);
        Self {
            repo: repo.clone(),
            dataset: spec.dataset.clone(),
            named: head.into_iter().chain(sources.cloned()).collect(),
            runtime: Handle::current(),
        }
    }

    /// Finds the table of files in path order, with the rows of each table file, if a version has it. Those
    /// files are not on disk any more then but stored.
    ///
    /// A version has it when it has the same bytes in table files of the same formats, CSV spelled the same
    /// way, in the same order:
    /// everything that is known of a table is a function of that. A table file is read until it differs from
    /// those of the version, and only where all have the sizes of its files. Blocks, on a thread that is
    /// none of the runtime's that run tasks.
    ///
    /// # Errors
    /// Those of reading the files and the storage; [`ErrorKind::Conflict`] for a file that was written to.
    pub(super) fn table(
        &self,
        files: &mut [InputFile],
        csv: &CsvOptions,
    ) -> Result<Option<(Table, Vec<u64>)>> {
        let tables = files.iter_mut();
        let mut tables: Vec<&mut InputFile> = tables
            .filter(|file| file.table_format().is_some())
            .collect();
        let bytes: u64 = tables.iter().map(|file| file.origin.bytes()).sum();
        if bytes < MIN_BYTES {
            return Ok(None);
        }
        let is_csv = |file: &&mut InputFile| file.table_format().is_some_and(TableFormat::is_csv);
        let csv = tables.iter().any(is_csv).then_some(csv);
        let csv = csv.filter(|csv| !csv.is_default());
        let mut digests = vec![None; tables.len()];
        for snapshot in self.snapshots(bytes)? {
            let Some(known) = self.runtime.block_on(self.known(&snapshot))? else {
                continue;
            };
            if known.table.csv.as_ref() != csv {
                continue;
            }
            if self.has_files(&known, &tables, &mut digests)? {
                for (file, entry) in tables.iter_mut().zip(&known.files) {
                    self.keep(file, entry);
                }
                let rows = known.files.iter().filter_map(|file| file.rows).collect();
                return Ok(Some((known.table, rows)));
            }
        }
        Ok(None)
    }

    /// Returns the manifests of the versions to look at, of those that have a table and so many bytes.
    fn snapshots(&self, bytes: u64) -> Result<BTreeSet<Digest>> {
        let series = Series::new(NodeKind::Data, self.dataset.clone());
        let reading = self.repo.read(|view: &View| {
            let latest = series.latest(view)?.map(|(node, _)| node);
            let mut snapshots = BTreeSet::new();
            for node in latest.iter().chain(&self.named).take(MAX_VERSIONS) {
                let state = view.get(&node.ref_path())?;
                // One that cannot be read, as of a newer build, is none to look at.
                if let Some(Ok(record)) = state.map(VersionRecord::of)
                    && record.rows.is_some()
                    && record.bytes >= bytes
                {
                    snapshots.insert(record.snapshot);
                }
            }
            Ok(snapshots)
        });
        self.runtime.block_on(reading)
    }

    /// Reads what a manifest says of its table files; `None` when it is not what this build would say, or
    /// cannot be read: what is stored anew does not need it.
    async fn known(&self, snapshot: &Digest) -> Result<Option<Known>> {
        match self.read(snapshot).await {
            Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Incompatible) => {
                Ok(None)
            }
            known => known,
        }
    }

    async fn read(&self, snapshot: &Digest) -> Result<Option<Known>> {
        let bytes = blob(&self.repo, snapshot).await?.bytes().await?;
        let manifest = Manifest::from_slice(&bytes)?;
        if !manifest.is_as_written_now() {
            return Ok(None);
        }
        let files = listed(&self.repo, manifest.files, Which::Tables).await?;
        let files = files.entries()?.iter();
        let files = files.filter(|file| file.rows.is_some()).cloned().collect();
        Ok(manifest.table.map(|table| Known { table, files }))
    }

    /// Compares files with those of a version; `digests` are of those files that have been read.
    fn has_files(
        &self,
        known: &Known,
        tables: &[&mut InputFile],
        digests: &mut [Option<Digest>],
    ) -> Result<bool> {
        let alike = |(file, entry): (&&mut InputFile, &FileEntry)| may_be(file, entry);
        if tables.len() != known.files.len() || !tables.iter().zip(&known.files).all(alike) {
            return Ok(false);
        }
        for ((file, entry), digest) in tables.iter().zip(&known.files).zip(digests) {
            if let Origin::Stored(_) = file.origin {
                continue;
            }
            let digest = if let Some(digest) = digest {
                *digest
            } else {
                let read = digest_of(&file.origin);
                *digest.insert(read.map_err(|error| error.context("file", &file.path))?)
            };
            let is_same = digest == entry.digest;
            if !is_same || self.runtime.block_on(self.repo.blob(&digest))?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Makes a file the stored one that has the same bytes.
    fn keep(&self, file: &mut InputFile, known: &FileEntry) {
        if let Origin::Stored(_) = file.origin {
            return;
        }
        let entry = FileEntry {
            path: file.path.clone(),
            digest: known.digest,
            bytes: known.bytes,
            media_type: media_type(&file.path).to_owned(),
            rows: known.rows,
            canonical: file.is_canonical().then(|| Canonical {
                profile: PROFILE,
                patches: Vec::new(),
            }),
        };
        file.origin = Origin::Stored(Box::new(StoredFile {
            entry,
            repo: self.repo.clone(),
            runtime: self.runtime.clone(),
            sum: None,
        }));
    }
}

/// Reports whether a file may be that of an entry, as far as can be told without reading it.
fn may_be(file: &InputFile, entry: &FileEntry) -> bool {
    let same_format = file.table_format() == TableFormat::of(&entry.path);
    same_format
        && match &file.origin {
            Origin::Stored(stored) => stored.entry.blobs().eq(entry.blobs()),
            Origin::Disk { .. } | Origin::Spooled(_) => {
                entry.patches().is_empty() && file.origin.bytes() == entry.bytes
            }
        }
}

/// Hashes a file. Blocks.
fn digest_of(origin: &Origin) -> Result<Digest> {
    let source = origin.open()?;
    let (mut hasher, mut reader) = (Hasher::new(), source.reader());
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let read = reader.read(&mut piece);
        let length = read.map_err(|error| source.take_failure().unwrap_or_else(|| error.into()))?;
        if length == 0 {
            break;
        }
        hasher.update(&piece[..length]);
    }
    origin.check_unchanged(source.bytes_read())?;
    Ok(hasher.finish())
}
