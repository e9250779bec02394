//! Rows of a Parquet file that a condition may be true of, as statistics tell without reading them.

use std::ops::Range;

use arrow::array::UInt64Array;
use arrow::datatypes::Schema;
use parquet::arrow::arrow_reader::RowSelection;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;

use crate::predicate::{Bounds, Predicate};
use crate::ranges::{intersection, list};

/// Row groups, and which of their rows.
pub(super) struct Pruned {
    pub(super) groups: Vec<usize>,
    pub(super) rows: RowSelection,
}

/// Leaves out what cannot be true. Row groups are judged by their statistics, and their pages where the
/// file has an index of them.
pub(super) fn prune(predicate: &Predicate, file: &ParquetMetaData, schema: &Schema) -> Pruned {
    let mut rows = Vec::new();
    let mut end = 0;
    for group in file.row_groups() {
        let start = end;
        end += usize::try_from(group.num_rows()).unwrap_or(0);
        rows.push(start..end);
    }
    let numbers: Vec<usize> = (0..rows.len()).collect();
    let pruning = Pruning {
        file,
        schema,
        rows: &rows,
        numbers: &numbers,
    };
    let found = pruning.rows(predicate, false);
    let (mut groups, mut ranges, mut taken) = (Vec::new(), Vec::new(), 0);
    for (number, group) in rows.iter().enumerate() {
        let within: Vec<_> = found
            .iter()
            .map(|range| range.start.max(group.start)..range.end.min(group.end))
            .filter(|range| !range.is_empty())
            .collect();
        if !within.is_empty() {
            groups.push(number);
            let moved = within
                .into_iter()
                .map(|range| taken + range.start - group.start..taken + range.end - group.start);
            ranges.extend(moved);
            taken += group.len();
        }
    }
    Pruned {
        groups,
        rows: RowSelection::from_consecutive_ranges(ranges.into_iter(), taken),
    }
}

#[derive(Clone, Copy)]
struct Pruning<'f> {
    file: &'f ParquetMetaData,
    schema: &'f Schema,
    /// Of each row group.
    rows: &'f [Range<usize>],
    /// Of the row groups.
    numbers: &'f [usize],
}

impl Pruning<'_> {
    /// Returns rising ranges of rows.
    fn rows(&self, predicate: &Predicate, negated: bool) -> Vec<Range<usize>> {
        match (predicate, negated) {
            (Predicate::Not(part), _) => self.rows(part, !negated),
            (Predicate::And(parts), false) | (Predicate::Or(parts), true) => {
                let all = self.rows.to_vec();
                parts.iter().fold(all, |rows, part| {
                    intersection(&rows, &self.rows(part, negated))
                })
            }
            (Predicate::Or(parts), false) | (Predicate::And(parts), true) => list(
                parts
                    .iter()
                    .flat_map(|part| self.rows(part, negated))
                    .collect(),
            ),
            (
                Predicate::Compare { column, .. }
                | Predicate::OneOf { column, .. }
                | Predicate::IsNull { column },
                _,
            ) => self
                .leaf(column, predicate, negated)
                .unwrap_or_else(|| self.rows.to_vec()),
        }
    }

    /// `None` where nothing can be told.
    fn leaf(
        &self,
        column: &str,
        predicate: &Predicate,
        negated: bool,
    ) -> Option<Vec<Range<usize>>> {
        let descriptor = self.file.file_metadata().schema_descr();
        let converter = StatisticsConverter::try_new(column, self.schema, descriptor).ok()?;
        let converter = converter.with_missing_null_counts_as_zero(false);
        let leaf = converter.parquet_column_index()?;
        let groups = self.file.row_groups();
        // Old writers ordered bytes as if they were signed.
        let is_old = |number: usize| {
            let statistics = groups[number].column(leaf).statistics();
            statistics.is_some_and(Statistics::is_min_max_deprecated)
        };
        let sizes = self.rows.iter().map(|rows| rows.len() as u64).collect();
        let by_group = Parts {
            bounds: Bounds {
                least: converter.row_group_mins(groups).ok()?,
                greatest: converter.row_group_maxes(groups).ok()?,
            },
            nulls: converter.row_group_null_counts(groups).ok()?,
            sizes,
        };
        let by_group = by_group.may(predicate, negated)?;
        let mut found = Vec::new();
        for (number, rows) in self.rows.iter().enumerate() {
            if is_old(number) {
                found.push(rows.clone());
            } else if by_group.get(number).copied().unwrap_or(true) {
                let pages = self.pages(number, &converter, predicate, negated);
                found.extend(pages.unwrap_or_else(|| vec![rows.clone()]));
            }
        }
        Some(list(found))
    }

    /// `None` where the index of pages tells nothing.
    fn pages<'a>(
        &'a self,
        group: usize,
        converter: &StatisticsConverter<'a>,
        predicate: &Predicate,
        negated: bool,
    ) -> Option<Vec<Range<usize>>> {
        let index = self.file.page_index()?.as_ref();
        let leaf = converter.parquet_column_index()?;
        let locations = self.file.page_index_for_row_group(group);
        let locations = locations.offset_index(leaf)?.page_locations();
        let rows = &self.rows[group];
        let starts = locations
            .iter()
            .map(|page| Some(rows.start + usize::try_from(page.first_row_index).ok()?));
        let mut edges: Vec<usize> = starts.collect::<Option<_>>()?;
        edges.push(rows.end);
        let as_they_should =
            edges.first() == Some(&rows.start) && edges.windows(2).all(|pair| pair[0] < pair[1]);
        if !as_they_should {
            return None;
        }
        let pages: Vec<Range<usize>> = edges.windows(2).map(|pair| pair[0]..pair[1]).collect();
        let number = || std::iter::once(&self.numbers[group]);
        let parts = Parts {
            bounds: Bounds {
                least: converter.data_page_mins(index, number()).ok()?,
                greatest: converter.data_page_maxes(index, number()).ok()?,
            },
            nulls: converter.data_page_null_counts(index, number()).ok()?,
            sizes: pages.iter().map(|page| page.len() as u64).collect(),
        };
        let may = parts.may(predicate, negated)?;
        if may.len() != pages.len() {
            return None;
        }
        let kept = pages.into_iter().zip(may).filter(|(_, may)| *may);
        Some(kept.map(|(page, _)| page).collect())
    }
}

/// What is known of parts of a column.
struct Parts {
    bounds: Bounds,
    nulls: UInt64Array,
    /// How many rows each has.
    sizes: Vec<u64>,
}

impl Parts {
    /// Tells of each part whether a condition of the column may be true in it; `None` where that
    /// cannot be told.
    fn may(&self, predicate: &Predicate, negated: bool) -> Option<Vec<bool>> {
        match predicate {
            Predicate::Compare {
                comparison, value, ..
            } => self.bounds.may(*comparison, value, negated),
            Predicate::OneOf { values, .. } if !negated => {
                let mut any = vec![false; self.sizes.len()];
                for value in values {
                    let one = self.bounds.may(crate::Comparison::Equal, value, false)?;
                    for (any, one) in any.iter_mut().zip(one) {
                        *any |= one;
                    }
                }
                Some(any)
            }
            Predicate::IsNull { .. } if self.nulls.len() == self.sizes.len() => {
                let nulls = self.nulls.iter().zip(&self.sizes);
                Some(
                    nulls
                        .map(|(nulls, &rows)| match (nulls, negated) {
                            (None, _) => true,
                            (Some(nulls), false) => nulls > 0,
                            (Some(nulls), true) => nulls < rows,
                        })
                        .collect(),
                )
            }
            _ => None,
        }
    }
}
