//! Comparing the rows of stored tables: what their files share is not read.

use std::collections::BTreeMap;
use std::ops::Range;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::TryStreamExt as _;
use mainstay_core::{BulkDigest, Digest, Error, ErrorKind, FilePath, Result};
use mainstay_repo::{Blob, Repo};
use tokio::runtime::Handle;

use super::shared::{PageId, Shared, rest, shared};
use super::side::{Both, Side};
use super::{Identity, RowChanges, RowDiff, RowDiffOptions};
use crate::format::parquet::{LeafPages, leaf_pages};
use crate::format::{Selected, TableFormat, TableReader, TextTypes};
use crate::scan::in_order;
use crate::source::Source;
use crate::{FileEntry, Manifest, stored};

/// A comparison of two stored tables.
pub(crate) struct StoredDiff<'a> {
    pub(crate) repo: &'a Repo,
    pub(crate) runtime: &'a Handle,
    pub(crate) manifests: &'a Both<Manifest>,
    /// Reports whether the answer is still wanted.
    pub(crate) wanted: &'a dyn Fn() -> bool,
}

/// A file of a stored table.
struct TableFile {
    entry: FileEntry,
    /// The blobs that make it up: the file, then its patches.
    blobs: Vec<Digest>,
    format: TableFormat,
    /// The numbers of its rows in the table.
    rows: Range<u64>,
    source: Source,
    blob: Blob,
}

type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

impl StoredDiff<'_> {
    /// Compares the rows; returns the changes and how many bytes of files and patches were read for them.
    /// Blocks.
    ///
    /// Rows are not read where both sides have the same file, or the same pages of Parquet files of one
    /// path in all columns that are compared, as the chunks of the stored files tell.
    ///
    /// # Errors
    /// As [`RowDiff::new`] and [`RowDiff::add`]; [`Corrupt`](ErrorKind::Corrupt) when a file is damaged;
    /// [`Cancelled`](ErrorKind::Cancelled) when nobody wants the answer.
    pub(crate) fn run(
        &self,
        identity: &Identity,
        options: RowDiffOptions,
    ) -> Result<(RowChanges, u64)> {
        let files = Both::try_of(|side| self.open(side))?;
        let types = Both::of(|side| TextTypes::recall(self.manifests[side].columns()));
        let schemas = Both::try_of(|side| {
            let first = files[side].first();
            let first = first.ok_or_else(|| {
                Error::invalid("the snapshot has no table").context("side", side.name())
            })?;
            let reader = TableReader::open(first.source.clone(), first.format, &types[side], None);
            Ok::<_, Error>(SchemaRef::clone(
                reader.map_err(|e| first.damaged(e))?.schema(),
            ))
        })?;
        let mut diff = RowDiff::new(&schemas.before, &schemas.after, identity, options)?;
        let skipped = self.shared(&files, &diff.compared())?;
        for shared in &skipped {
            diff.skip(shared);
        }
        let mut patch_bytes = 0;
        for side in Side::BOTH {
            for file in &files[side] {
                let taken = taken(&skipped, side, &file.rows);
                let ranges = rest(file.rows.end - file.rows.start, taken.into_iter());
                if !ranges.is_empty() {
                    let patches = file.entry.patches().iter();
                    patch_bytes += patches.map(|patch| patch.bytes).sum::<u64>();
                    self.read(
                        &mut diff,
                        side,
                        file,
                        (&types[side], &schemas[side]),
                        &ranges,
                    )?;
                }
            }
        }
        let all = files.iter().flatten();
        let file_bytes: u64 = all.map(|file| file.source.bytes_read()).sum();
        Ok((diff.finish(), file_bytes + patch_bytes))
    }

    /// # Errors
    /// [`Cancelled`](ErrorKind::Cancelled) when nobody wants the answer.
    pub(crate) fn check_wanted(&self) -> Result<()> {
        if (self.wanted)() {
            Ok(())
        } else {
            let message = "nobody waits for the rows";
            Err(Error::new(ErrorKind::Cancelled, message))
        }
    }

    fn open(&self, side: Side) -> Result<Vec<TableFile>> {
        let mut end = 0;
        let mut files = Vec::new();
        for entry in self.manifests[side].files.entries()? {
            let Some((rows, format)) = entry.rows.zip(TableFormat::of(&entry.path)) else {
                continue;
            };
            let blob = self.runtime.block_on(self.repo.blob(&entry.digest))?;
            let blob = blob.ok_or_else(|| {
                Error::corrupt(
                    format!("blob {}", entry.digest),
                    "a file of a version is gone",
                )
            })?;
            files.push(TableFile {
                entry: entry.clone(),
                blobs: entry.blobs().collect(),
                format,
                rows: end..end + rows,
                source: Source::blob(blob.clone(), self.runtime.clone()),
                blob,
            });
            end += rows;
        }
        Ok(files)
    }

    /// Finds the rows that both sides have alike, in the numbers of the tables, rising on the earlier.
    fn shared(
        &self,
        files: &Both<Vec<TableFile>>,
        compared: &[(String, String)],
    ) -> Result<Vec<Shared>> {
        let (mut found, mut left): (Vec<Shared>, Vec<&TableFile>) = (Vec::new(), Vec::new());
        let mut same: BTreeMap<&[Digest], Vec<&TableFile>> = BTreeMap::new();
        for file in files.before.iter().rev() {
            same.entry(&file.blobs).or_default().push(file);
        }
        for later in &files.after {
            let Some(earlier) = same.get_mut(later.blobs.as_slice()).and_then(Vec::pop) else {
                left.push(later);
                continue;
            };
            found.push(Shared {
                first: Both {
                    before: earlier.rows.start,
                    after: later.rows.start,
                },
                rows: earlier.rows.end - earlier.rows.start,
            });
        }
        let rest: BTreeMap<&FilePath, &TableFile> = same
            .into_values()
            .flatten()
            .map(|file| (&file.entry.path, file))
            .collect();
        for later in left {
            if let Some(earlier) = rest.get(&later.entry.path) {
                let pair = Both {
                    before: *earlier,
                    after: later,
                };
                let pages = self.shared_pages(pair, compared)?;
                found.extend(pages.into_iter().map(|run| Shared {
                    first: Both {
                        before: earlier.rows.start + run.first.before,
                        after: later.rows.start + run.first.after,
                    },
                    ..run
                }));
            }
        }
        found.sort_by_key(|shared| shared.first.before);
        Ok(found)
    }

    /// Finds the rows in the same pages of two files.
    fn shared_pages(
        &self,
        files: Both<&TableFile>,
        compared: &[(String, String)],
    ) -> Result<Vec<Shared>> {
        // The rows of a file with patches are not where its pages are.
        let paged = |file: &&TableFile| {
            file.format == TableFormat::Parquet && file.entry.patches().is_empty()
        };
        if !files.iter().all(paged) {
            return Ok(Vec::new());
        }
        let ids = Both::try_of(|side| self.page_ids(files[side]))?;
        let Both {
            before: Some(before),
            after: Some(after),
        } = ids
        else {
            return Ok(Vec::new());
        };
        let mut columns = Vec::new();
        for (later, earlier) in compared {
            let of = |leaves: &[Leaf], name: &str| -> Vec<usize> {
                (0..leaves.len())
                    .filter(|&at| leaves[at].column == name)
                    .collect()
            };
            let (ours, theirs) = (of(&before, earlier), of(&after, later));
            let alike = ours
                .iter()
                .zip(&theirs)
                .all(|(&a, &b)| before[a].kind == after[b].kind);
            if !alike || ours.len() != theirs.len() || ours.is_empty() {
                return Ok(Vec::new());
            }
            columns.extend(ours.into_iter().zip(theirs).map(|(a, b)| Both {
                before: before[a].pages.clone(),
                after: after[b].pages.clone(),
            }));
        }
        Ok(shared(&columns))
    }

    /// Identifies the pages of a file by the chunks that they are stored in; `None` when its index does
    /// not say where they are.
    fn page_ids(&self, file: &TableFile) -> Result<Option<Vec<Leaf>>> {
        let Some(leaves) = leaf_pages(&file.source) else {
            return Ok(None);
        };
        let chunks: Vec<Chunk> = self.runtime.block_on(file.blob.chunks().try_collect())?;
        Ok(Some(
            leaves
                .into_iter()
                .map(|leaf| Leaf::of(leaf, &chunks))
                .collect(),
        ))
    }

    /// Adds the rows of some ranges of a file.
    fn read(
        &self,
        diff: &mut RowDiff,
        side: Side,
        file: &TableFile,
        (types, schema): (&TextTypes, &SchemaRef),
        ranges: &[Range<u64>],
    ) -> Result<()> {
        let (reader, selected): (Batches, Selected) = if file.entry.patches().is_empty() {
            let opened = TableReader::open_rows(file.source.clone(), file.format, types, ranges);
            let (reader, selected) = opened.map_err(|error| file.damaged(error))?;
            (Box::new(reader), selected)
        } else {
            let source = file.source.clone();
            let table =
                stored::open_from(source, self.repo, self.runtime, &file.entry, types, None)?;
            (table.batches, Selected::No)
        };
        let all = 0..file.rows.end - file.rows.start;
        let mut place = match selected {
            Selected::Yes => Places::new(ranges, ranges),
            Selected::No => Places::new(std::slice::from_ref(&all), ranges),
        };
        for batch in reader {
            self.check_wanted()?;
            let batch = batch.and_then(|batch| in_order(&batch, schema));
            let batch = batch.map_err(|error| file.damaged(error))?;
            for (row, piece) in place.pieces(&batch) {
                diff.add_at(side, file.rows.start + row, &piece)?;
            }
        }
        if place.complete() {
            Ok(())
        } else {
            Err(file.damaged(Error::invalid("fewer rows than it had")))
        }
    }
}

impl TableFile {
    /// The bytes are those that were stored and were readable then; what fails now is not input.
    fn damaged(&self, error: Error) -> Error {
        match error.kind() {
            ErrorKind::Invalid => Error::corrupt(
                format!("blob {}", self.entry.digest),
                "a stored table cannot be decoded",
            )
            .context("file", &self.entry.path)
            .with_source(error),
            _ => error.context("file", &self.entry.path),
        }
    }
}

/// Returns which rows of a file are skipped, by their numbers in the file, rising.
fn taken(skipped: &[Shared], side: Side, file: &Range<u64>) -> Vec<Range<u64>> {
    let mut taken: Vec<Range<u64>> = skipped
        .iter()
        .map(|shared| shared.first[side]..shared.first[side] + shared.rows)
        .filter(|rows| file.start <= rows.start && rows.end <= file.end)
        .map(|rows| rows.start - file.start..rows.end - file.start)
        .collect();
    taken.sort_by_key(|rows| rows.start);
    taken
}

type Chunk = (Range<u64>, BulkDigest);

/// The pages of a leaf, identified.
struct Leaf {
    column: String,
    kind: String,
    pages: Vec<PageId>,
}

impl Leaf {
    fn of(leaf: LeafPages, chunks: &[Chunk]) -> Self {
        let pages = leaf.pages.into_iter().map(|page| {
            let mut hasher = blake3::Hasher::new();
            identify(&page.dictionary, chunks, &mut hasher);
            identify(&page.bytes, chunks, &mut hasher);
            (page.rows, hasher.finalize().into())
        });
        Self {
            pages: pages.collect(),
            column: leaf.column,
            kind: leaf.kind,
        }
    }
}

/// Hashes which bytes of which chunks a range is: equal answers mean equal bytes.
fn identify(range: &Range<u64>, chunks: &[Chunk], hasher: &mut blake3::Hasher) {
    let first = chunks.partition_point(|(chunk, _)| chunk.end <= range.start);
    let within = chunks[first..]
        .iter()
        .take_while(|(chunk, _)| chunk.start < range.end);
    let offset = chunks
        .get(first)
        .map_or(0, |(chunk, _)| range.start.abs_diff(chunk.start));
    hasher.update(&(range.end - range.start).to_le_bytes());
    hasher.update(&offset.to_le_bytes());
    for (_, digest) in within {
        hasher.update(digest.as_bytes());
    }
}

/// Tells which rows of a file the batches of a reader are.
struct Places<'a> {
    /// What the reader hands out.
    read: std::slice::Iter<'a, Range<u64>>,
    /// What of it was not yet handed out.
    now: Range<u64>,
    /// What is wanted.
    wanted: &'a [Range<u64>],
}

impl<'a> Places<'a> {
    fn new(read: &'a [Range<u64>], wanted: &'a [Range<u64>]) -> Self {
        Self {
            read: read.iter(),
            now: 0..0,
            wanted,
        }
    }

    /// Returns the wanted pieces of the next batch, each with the number of its first row.
    fn pieces(&mut self, batch: &RecordBatch) -> Vec<(u64, RecordBatch)> {
        let (mut pieces, mut used) = (Vec::new(), 0);
        while used < batch.num_rows() {
            while self.now.is_empty() {
                let Some(next) = self.read.next() else {
                    return pieces;
                };
                self.now = next.clone();
            }
            let left = batch.num_rows() - used;
            let here = usize::try_from(self.now.end - self.now.start).map_or(left, |n| n.min(left));
            let rows = self.now.start..self.now.start + here as u64;
            for wanted in self.wanted {
                let both = wanted.start.max(rows.start)..wanted.end.min(rows.end);
                let at = usize::try_from(both.start.saturating_sub(rows.start));
                let count = usize::try_from(both.end.saturating_sub(both.start));
                if let (Ok(at), Ok(count @ 1..)) = (at, count) {
                    pieces.push((both.start, batch.slice(used + at, count)));
                }
            }
            used += here;
            self.now.start = rows.end;
        }
        pieces
    }

    /// Reports whether everything was handed out.
    fn complete(mut self) -> bool {
        self.now.is_empty() && self.read.all(Range::is_empty)
    }
}
