//! Which rows of two Parquet files are alike.
//!
//! Where pages of some columns are not the same, their rows may be: a page is cut off where a file or a row
//! group ends, small pages share a chunk with others, and one changed value makes all of its page another. So
//! of rows whose other columns are known to be alike these columns are read alone, and compared row by row.

use std::iter::{Cloned, Flatten};
use std::ops::Range;
use std::slice;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;
use futures::TryStreamExt as _;
use mainstay_core::{Error, Result};

use super::file::TableFile;
use super::pages::{FilePages, column_pages};
use super::{StoredDiff, threads};
use crate::format::parquet::ParquetRows;
use crate::format::{TableFormat, TableReader, parquet_pages, parquet_rows};
use crate::ranges::{list, moved, without};
use crate::rows::Compared;
use crate::rows::shared::{Overlay, Shared, overlays};
use crate::rows::side::{Both, Side};
use crate::slots::{slots, write_cell};

/// How many rows are first compared as they lie in memory.
const BLOCK_ROWS: usize = 256;
/// Fewer rows between two that differ are read with them: it is the same pages, mostly.
const MIN_GAP: u64 = 32;
/// How many times a list of rows is about interrupted at most.
const MAX_GAPS: u64 = 1 << 20;

impl StoredDiff<'_> {
    /// Finds rows that two files have alike, in the numbers of the files.
    pub(super) fn alike(
        &self,
        files: Both<&TableFile>,
        compared: &[Compared],
    ) -> Result<Vec<Shared>> {
        // The rows of a file with patches are not where its pages are.
        let paged = |file: &&TableFile| {
            file.format == TableFormat::Parquet && file.entry.patches().is_empty()
        };
        if !files.iter().all(paged) {
            return Ok(Vec::new());
        }
        let opened = Both::try_of(|side| {
            parquet_rows(&files[side].source).map_err(|error| files[side].damaged(error))
        })?;
        let pages = Both::try_of(|side| self.pages(files[side], &opened[side]))?;
        let Both {
            before: Some(before),
            after: Some(after),
        } = pages
        else {
            return Ok(Vec::new());
        };
        let overlays = overlays(&column_pages(&Both { before, after }, compared));
        let comparison = Comparison {
            files,
            opened,
            check_wanted: &|| self.check_wanted(),
        };
        comparison.alike(compared, &overlays)
    }

    /// Finds the pages of a file; `None` when its index does not say where they are.
    fn pages(&self, file: &TableFile, opened: &ParquetRows) -> Result<Option<FilePages>> {
        let Some(leaves) = parquet_pages(opened) else {
            return Ok(None);
        };
        let chunks = self.runtime.block_on(file.blob.chunks().try_collect())?;
        Ok(Some(FilePages { leaves, chunks }))
    }
}

struct Comparison<'a> {
    files: Both<&'a TableFile>,
    opened: Both<ParquetRows>,
    check_wanted: &'a (dyn Fn() -> Result<()> + Sync),
}

impl Comparison<'_> {
    fn alike(&self, compared: &[Compared], overlays: &[Overlay]) -> Result<Vec<Shared>> {
        let all = overlays.iter().enumerate();
        let unknown = all.flat_map(|(at, overlay)| {
            let columns = overlay.unknown.iter().zip(compared);
            let columns = columns.filter(|(rows, _)| !rows.is_empty());
            columns.map(move |(rows, column)| (at, column, rows))
        });
        let unknown: Vec<_> = unknown.collect();
        let differing = threads::each(unknown.len(), |number| {
            let (at, column, rows) = unknown[number];
            Ok((at, self.differing(column, rows, overlays[at].shift)?))
        })?;
        let mut by_overlay = vec![Vec::new(); overlays.len()];
        for (at, rows) in differing {
            by_overlay[at].extend(rows);
        }
        let mut found = Vec::new();
        for (overlay, differing) in overlays.iter().zip(by_overlay) {
            let alike = without(&overlay.rows, &list(differing));
            found.extend(alike.into_iter().map(|run| Shared {
                first: Both {
                    before: run.start,
                    after: moved(&run, overlay.shift).start,
                },
                rows: run.end - run.start,
            }));
        }
        Ok(found)
    }

    /// Compares the values of a column in some of the earlier rows with those `shift` rows further on;
    /// returns where they differ, with rows between that may be alike.
    fn differing(
        &self,
        column: &Compared,
        rows: &[Range<u64>],
        shift: i64,
    ) -> Result<Vec<Range<u64>>> {
        let of = |side: Side| match side {
            Side::Before => rows.to_vec(),
            Side::After => rows.iter().map(|rows| moved(rows, shift)).collect(),
        };
        let mut values = Both::try_of(|side| {
            let name = Some(column.names[side].as_str());
            let reader = TableReader::open_rows(&self.opened[side], name, &of(side));
            Ok::<_, Error>(Values {
                file: self.files[side],
                reader: reader.map_err(|error| self.files[side].damaged(error))?,
                now: None,
            })
        })?;
        let mut differing = Differing {
            rows: rows.iter().cloned().flatten(),
            shortest: MIN_GAP.max(count(rows) / MAX_GAPS),
            found: Vec::new(),
        };
        loop {
            (self.check_wanted)()?;
            let (before, after) = (values.before.peek()?, values.after.peek()?);
            let (before, after) = match (before, after) {
                (None, None) => return Ok(differing.found),
                (Some(before), Some(after)) => (before, after),
                (None, Some(_)) | (Some(_), None) => {
                    let error = Error::invalid("fewer rows than it had");
                    return Err(self.files.before.damaged(error));
                }
            };
            let rows = before.len().min(after.len());
            let both = Both { before, after }.map(|array| array.slice(0, rows));
            differing.add(column, &both)?;
            values.before.used(rows);
            values.after.used(rows);
        }
    }
}

fn count(rows: &[Range<u64>]) -> u64 {
    rows.iter().map(|rows| rows.end - rows.start).sum()
}

/// The values of a column, as they are read.
struct Values<'a> {
    file: &'a TableFile,
    reader: TableReader,
    /// What is left of a batch.
    now: Option<ArrayRef>,
}

impl Values<'_> {
    /// Returns the values that come next; `None` at the end.
    fn peek(&mut self) -> Result<Option<ArrayRef>> {
        while self.now.as_ref().is_none_or(Array::is_empty) {
            let Some(batch) = self.reader.next() else {
                return Ok(None);
            };
            let batch = batch.map_err(|error| self.file.damaged(error))?;
            self.now = batch.columns().first().map(ArrayRef::clone);
        }
        Ok(self.now.clone())
    }

    fn used(&mut self, rows: usize) {
        self.now = self.now.take().map(|now| now.slice(rows, now.len() - rows));
    }
}

/// The rows in which a column differs.
struct Differing<'a> {
    /// The rows that come next.
    rows: Flatten<Cloned<slice::Iter<'a, Range<u64>>>>,
    /// Fewer rows between two that differ are counted among them.
    shortest: u64,
    found: Vec<Range<u64>>,
}

impl Differing<'_> {
    /// Compares the values of the next rows.
    fn add(&mut self, column: &Compared, values: &Both<ArrayRef>) -> Result<()> {
        let rows = values.before.len();
        let plain = is_plain(values.before.data_type())
            && values.before.data_type() == values.after.data_type();
        let slots = Both::try_of(|side| slots(values[side].as_ref(), column.profile))?;
        let mut cells: Both<Vec<u8>> = Both::default();
        for start in (0..rows).step_by(BLOCK_ROWS) {
            let length = BLOCK_ROWS.min(rows - start);
            let block = |side: Side| values[side].slice(start, length);
            if plain && block(Side::Before).as_ref() == block(Side::After).as_ref() {
                let _last = self.rows.nth(length - 1);
                continue;
            }
            for (slot, row) in (start..start + length).zip(self.rows.by_ref()) {
                for side in Side::BOTH {
                    cells[side].clear();
                    write_cell(slots[side].as_ref(), slot, &mut cells[side]);
                }
                if cells.before != cells.after {
                    match self.found.last_mut() {
                        Some(last) if row < last.end + self.shortest => last.end = row + 1,
                        _ => self.found.push(row..row + 1),
                    }
                }
            }
        }
        Ok(())
    }
}

/// Reports whether Arrow compares such arrays value by value, so that what it takes for equal is.
fn is_plain(data_type: &DataType) -> bool {
    let bytes = matches!(
        data_type,
        DataType::Boolean
            | DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Binary
            | DataType::LargeBinary
    );
    bytes || data_type.is_primitive()
}
