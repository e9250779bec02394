//! Comparing the rows of stored tables: what their files share is not read.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use mainstay_core::{Digest, Error, ErrorKind, FilePath, Result, Telling};
use mainstay_repo::Repo;
use tokio::runtime::Handle;

use self::file::TableFile;
use self::places::Places;
use super::shared::Shared;
use super::side::{Both, Side};
use super::{Adder, Compared, Counted, Identity, RowChanges, RowDiff, RowDiffOptions};
use crate::Manifest;
use crate::format::{TableFormat, TableReader, TextTypes};
use crate::one_type;
use crate::passing::ROWS;
use crate::ranges::{list, without};

mod alike;
mod file;
mod pages;
mod patched;
mod places;
mod threads;

/// A comparison of two stored tables.
pub(crate) struct StoredDiff<'a> {
    pub(crate) repo: &'a Repo,
    pub(crate) runtime: &'a Handle,
    pub(crate) manifests: &'a Both<Manifest>,
    pub(crate) keys: Keys,
    /// How many of the changed rows that come first are among the changes: others may be counted alone,
    /// where that spares reading them.
    pub(crate) shown: usize,
    pub(crate) telling: Telling,
    /// Reports whether the answer is still wanted.
    pub(crate) wanted: &'a (dyn Fn() -> bool + Sync),
}

/// Whether what tells rows apart does so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keys {
    /// On both sides.
    Unique,
    /// Not on every side.
    Repeated,
    Unknown,
}

/// What is known of the rows of two files without reading them, in the numbers of the files.
#[derive(Default)]
struct Known {
    /// Rows that both have alike.
    alike: Vec<Shared>,
    /// Rows that both have, changed.
    changed: Vec<Shared>,
    counted: Counted,
}

type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// The columns of a side.
struct Shape {
    types: TextTypes,
    schema: SchemaRef,
}

impl StoredDiff<'_> {
    /// Compares the rows; returns the changes and how many bytes of files and patches were read for them.
    /// Blocks; works on several threads.
    ///
    /// Rows are not read where both sides have the same file, or the same pages of Parquet files of one
    /// path in all columns that are compared, as the chunks of the stored files tell. Where most pages
    /// are the same, the columns of the others are read before whole rows are. Where both sides have
    /// patches of one file, these tell. Where keys are known to be repeated, all rows are read, so that each
    /// of them is found.
    ///
    /// # Errors
    /// As [`RowDiff::new`] and [`RowDiff::add`]; [`Corrupt`](ErrorKind::Corrupt) when a file is damaged;
    /// [`Cancelled`](ErrorKind::Cancelled) when nobody wants the answer.
    pub(crate) fn run(
        &self,
        identity: &Identity,
        options: RowDiffOptions,
    ) -> Result<(RowChanges, u64)> {
        let mut files = Both::try_of(|side| self.open(side))?;
        let all = files.iter().flatten().map(TableFile::count);
        self.telling.expect(ROWS, all.sum());
        let shapes = Both::try_of(|side| self.shape(side, &files[side]))?;
        let (before, after) = (&shapes.before.schema, &shapes.after.schema);
        let mut diff = RowDiff::new(before, after, identity, options)?;
        let known = match self.keys {
            Keys::Repeated => Vec::new(),
            Keys::Unique | Keys::Unknown => self.known(&files, &diff.compared())?,
        };
        for (pair, known) in known {
            for side in Side::BOTH {
                let rows = known.alike.iter().chain(&known.changed);
                let known = list(rows.map(|run| run.on(side)).collect());
                self.telling
                    .add(ROWS, known.iter().map(|run| run.end - run.start).sum());
                files[side][pair[side]].known = known;
            }
            let first = Both::of(|side| files[side][pair[side]].rows.start);
            for run in &known.alike {
                diff.skip(&run.behind(first));
            }
            diff.count(&known.counted);
        }
        self.read_both(&mut diff, &files, &shapes)?;
        let bytes = files.iter().flatten().map(TableFile::bytes_read).sum();
        Ok((diff.finish().telling(self.telling.clone()), bytes))
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
            files.push(TableFile::open(
                (self.repo, self.runtime),
                entry.clone(),
                format,
                end..end + rows,
            )?);
            end += rows;
        }
        Ok(files)
    }

    fn shape(&self, side: Side, files: &[TableFile]) -> Result<Shape> {
        let types = TextTypes::recall(&self.manifests[side]);
        let first = files.first().ok_or_else(|| {
            Error::invalid("the snapshot has no table").context("side", side.name())
        })?;
        let reader = TableReader::open(first.source.clone(), first.format, &types, None);
        let reader = reader.map_err(|e| first.damaged(e))?;
        let schema = one_type::of_table(reader.schema(), self.manifests[side].columns());
        Ok(Shape { types, schema })
    }

    /// Finds what is known of the rows of pairs of files.
    fn known(
        &self,
        files: &Both<Vec<TableFile>>,
        compared: &[Compared],
    ) -> Result<Vec<(Both<usize>, Known)>> {
        let (mut found, mut left) = (Vec::new(), Vec::new());
        let mut same: BTreeMap<&[Digest], Vec<usize>> = BTreeMap::new();
        for (at, file) in files.before.iter().enumerate().rev() {
            same.entry(&file.blobs).or_default().push(at);
        }
        for (after, later) in files.after.iter().enumerate() {
            match same.get_mut(later.blobs.as_slice()).and_then(Vec::pop) {
                Some(before) => {
                    let whole = Shared {
                        first: Both::default(),
                        rows: later.count(),
                    };
                    let known = Known {
                        alike: vec![whole],
                        ..Known::default()
                    };
                    found.push((Both { before, after }, known));
                }
                None => left.push(after),
            }
        }
        let rest: BTreeMap<&FilePath, usize> = same
            .into_values()
            .flatten()
            .map(|at| (&files.before[at].entry.path, at))
            .collect();
        for after in left {
            if let Some(&before) = rest.get(&files.after[after].entry.path) {
                let pair = Both { before, after };
                let both = Both::of(|side| &files[side][pair[side]]);
                let known = match self.by_patches(both, compared, self.shown)? {
                    Some(known) => known,
                    None => Known {
                        alike: self.alike(both, compared)?,
                        ..Known::default()
                    },
                };
                found.push((pair, known));
            }
        }
        Ok(found)
    }

    /// Adds the rows of which nothing is known, of both sides at once.
    fn read_both(
        &self,
        diff: &mut RowDiff,
        files: &Both<Vec<TableFile>>,
        shapes: &Both<Shape>,
    ) -> Result<()> {
        let failed = AtomicBool::new(false);
        let read = |side: Side, mut adder: Adder<'_>| {
            for file in &files[side] {
                let outcome = self.read(&mut adder, file, &shapes[side], &failed);
                outcome.inspect_err(|_| failed.store(true, Ordering::Relaxed))?;
            }
            Ok::<_, Error>(())
        };
        let Both { before, after } = diff.adders();
        thread::scope(|scope| {
            let other = thread::Builder::new()
                .name("mainstay-data".to_owned())
                .spawn_scoped(scope, || read(Side::After, after))?;
            let before = read(Side::Before, before);
            let after = other.join().unwrap_or_else(|panic| resume_unwind(panic));
            before.and(after)
        })
    }

    /// Adds the rows of a file of which nothing is known, unless the other side has failed.
    fn read(
        &self,
        adder: &mut Adder<'_>,
        file: &TableFile,
        shape: &Shape,
        failed: &AtomicBool,
    ) -> Result<()> {
        let all = 0..file.count();
        let ranges = without(std::slice::from_ref(&all), &file.known);
        if ranges.is_empty() {
            return Ok(());
        }
        let (batches, mut places): (Batches, Places<'_>) = if file.format == TableFormat::Parquet {
            let batches = self.patched(file, &ranges);
            let batches = batches.map_err(|error| file.damaged(error))?;
            (batches, Places::new(&ranges, &ranges))
        } else {
            let (source, types) = (file.source.clone(), &shape.types);
            let reader = TableReader::open(source, file.format, types, None);
            let reader = reader.map_err(|error| file.damaged(error))?;
            let all = std::slice::from_ref(&all);
            (Box::new(reader), Places::new(all, &ranges))
        };
        for batch in batches {
            self.check_wanted()?;
            if failed.load(Ordering::Relaxed) {
                return Ok(());
            }
            let parts = batch.and_then(|batch| one_type::as_of_table(&batch, &shape.schema));
            for part in parts.map_err(|error| file.damaged(error))? {
                let part = part.map_err(|error| file.damaged(error))?;
                if let Some((numbers, rows)) = places.wanted(&part, file.rows.start)? {
                    adder.add(&numbers, &rows)?;
                    self.telling.add(ROWS, rows.num_rows() as u64);
                }
            }
        }
        if places.complete() {
            Ok(())
        } else {
            Err(file.damaged(Error::invalid("fewer rows than it had")))
        }
    }
}
