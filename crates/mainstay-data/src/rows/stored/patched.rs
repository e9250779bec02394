//! Files that are stored as patches of one base: the patches say which rows differ, and in which columns.

use std::ops::Range;
use std::sync::atomic::Ordering;

use mainstay_core::{Error, Result};

use super::file::TableFile;
use super::{Batches, Known, StoredDiff};
use crate::format::parquet::ParquetRows;
use crate::format::{TableFormat, TableReader, parquet_rows};
use crate::patch::{self, Kept, Patch, Trace, followed, identity};
use crate::ranges::{intersection, list, without};
use crate::rows::shared::Shared;
use crate::rows::side::{Both, Side};
use crate::rows::{Compared, Counted};
use crate::{PatchEntry, stored};

impl StoredDiff<'_> {
    /// Finds what patches tell of two files; `None` when these have not one base.
    ///
    /// Rows of which no compared cell was set are alike. Rows that kept their key and of which cells were
    /// set once have changed: those behind the first `shown` are counted.
    pub(super) fn by_patches(
        &self,
        files: Both<&TableFile>,
        compared: &[Compared],
        shown: usize,
    ) -> Result<Option<Known>> {
        let same_base = files.before.entry.digest == files.after.entry.digest;
        let same_names = compared
            .iter()
            .all(|column| column.names.before == column.names.after);
        if !same_base
            || !same_names
            || !files.iter().all(|file| file.format == TableFormat::Parquet)
        {
            return Ok(None);
        }
        let trace = self.trace(files)?;
        let set = |column: &&Compared| trace.set.get(&column.names.after);
        let all = compared.iter();
        let touched = list(
            all.clone()
                .filter_map(|column| set(&column))
                .flatten()
                .cloned()
                .collect(),
        );
        let both = trace.kept.iter();
        let both: Vec<_> = both.map(|kept| kept.to..kept.to + kept.rows).collect();
        let keys = all.clone().filter(|column| column.is_key);
        let unsure = keys.filter_map(|column| set(&column)).flatten();
        let unsure = list(unsure.chain(&trace.again).cloned().collect());
        let changed = if compared.iter().all(|column| column.is_key) {
            Vec::new()
        } else {
            behind(shown, without(&intersection(&touched, &both), &unsure))
        };
        let cells = all.filter(|column| !column.is_key).map(|column| {
            let rows = set(&column).map_or(0, |rows| count(&intersection(rows, &changed)));
            (column.names.after.clone(), rows)
        });
        let cells = cells.filter(|(_, rows)| *rows > 0).collect();
        let placed = |rows: &[Range<u64>]| {
            let found = followed(&trace.kept, &identity(rows)).into_iter();
            found.map(shared).collect::<Vec<_>>()
        };
        Ok(Some(Known {
            alike: placed(&without(&both, &touched)),
            changed: placed(&changed),
            counted: Counted {
                rows: count(&changed),
                cells,
            },
        }))
    }

    /// Follows the rows of the earlier file to the later one.
    fn trace(&self, files: Both<&TableFile>) -> Result<Trace> {
        let patches = files.map(|file| file.entry.patches());
        let pairs = patches.before.iter().zip(patches.after);
        let same = pairs.take_while(|(a, b)| a.digest == b.digest).count();
        let traces = Both::try_of(|side| {
            let file = files[side];
            let opened = parquet_rows(&file.source).map_err(|error| file.damaged(error))?;
            let begin = if same == patches[side].len() {
                file.count()
            } else {
                // The patch says how many.
                u64::MAX
            };
            patches[side][same..]
                .iter()
                .try_fold(Trace::new(begin), |trace, told| {
                    let patch = self.patch(file, told, &opened)?;
                    Ok::<_, Error>(trace.follow(&patch))
                })
        })?;
        let trace = Trace::between(&traces.before, &traces.after);
        let ends = trace.kept.last().map_or(Both::default(), |last| Both {
            before: last.from.saturating_add(last.rows),
            after: last.to.saturating_add(last.rows),
        });
        for side in Side::BOTH {
            if ends[side] > files[side].count() {
                return Err(files[side].damaged(Error::invalid("patches of more rows than it had")));
            }
        }
        Ok(trace)
    }

    /// Opens some rows of a Parquet file, its patches applied to them alone.
    pub(super) fn patched(&self, file: &TableFile, ranges: &[Range<u64>]) -> Result<Batches> {
        let opened = parquet_rows(&file.source)?;
        let (mut ranges, mut patches) = (ranges.to_vec(), Vec::new());
        for told in file.entry.patches().iter().rev() {
            let (patch, base) = self.patch(file, told, &opened)?.only(&ranges)?;
            patches.push(patch);
            ranges = base;
        }
        let mut batches: Batches = Box::new(TableReader::open_rows(&opened, None, &ranges)?);
        for patch in patches.into_iter().rev() {
            batches = patch::apply(patch, batches, opened.schema())?;
        }
        Ok(batches)
    }

    fn patch(&self, file: &TableFile, told: &PatchEntry, opened: &ParquetRows) -> Result<Patch> {
        let bytes = self.runtime.block_on(async {
            let blob = stored::blob(self.repo, &told.digest).await?;
            blob.bytes().await
        });
        let bytes = bytes.map_err(|error| file.damaged(error))?;
        file.patch_bytes.fetch_add(told.bytes, Ordering::Relaxed);
        patch::decode(&bytes, opened.schema()).map_err(|error| file.damaged(error))
    }
}

fn count(rows: &[Range<u64>]) -> u64 {
    rows.iter().map(|rows| rows.end - rows.start).sum()
}

/// Returns the rows behind the first so many.
fn behind(first: usize, rows: Vec<Range<u64>>) -> Vec<Range<u64>> {
    let mut left = first as u64;
    let cut = rows.into_iter().map(|rows| {
        let taken = left.min(rows.end - rows.start);
        left -= taken;
        rows.start + taken..rows.end
    });
    cut.filter(|rows| !rows.is_empty()).collect()
}

fn shared(kept: Kept) -> Shared {
    Shared {
        first: Both {
            before: kept.from,
            after: kept.to,
        },
        rows: kept.rows,
    }
}
