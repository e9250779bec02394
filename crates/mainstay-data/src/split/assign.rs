//! From a row to its part.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::DataType;
use mainstay_core::{Error, ErrorKind, Result};

use super::{SplitRule, SplitSpec};
use crate::cells::{CellHasher, first_64, index_of};
use crate::digest::Profile;
use crate::slots::{Scalar, slots};
use crate::zones;

const CONTEXT: &str = "mainstay data-split v1";
const STRATUM: &str = "mainstay data-split v1 stratum";

/// Names a stratum.
type Stratum = [u8; 32];

/// Where each part but the last ends: below these values. `None` is beyond all.
type Ends<T> = Vec<Option<T>>;

/// Tells the part of every row of batches of one table.
#[derive(Debug, Clone)]
pub(crate) enum Assigner {
    Hash {
        cells: CellHasher,
        ends: Ends<u64>,
    },
    Strata {
        cells: CellHasher,
        strata: CellHasher,
        ends: Arc<BTreeMap<Stratum, Ends<u64>>>,
    },
    Time {
        column: String,
        ends: Ends<i64>,
    },
}

/// What must be seen of all rows before any can be told its part. Takes 8 bytes a row, with strata 8 more for
/// each key at the end.
#[derive(Debug)]
pub(crate) enum Observation {
    Strata {
        cells: CellHasher,
        strata: CellHasher,
        positions: BTreeMap<Stratum, Vec<u64>>,
    },
    Times {
        column: String,
        times: Vec<i64>,
    },
}

impl Observation {
    /// Begins to look at rows; `None` when a rule needs no such thing.
    pub(crate) fn of(rule: &SplitRule) -> Option<Self> {
        match rule {
            SplitRule::Hash {
                columns,
                seed,
                stratify,
            } if !stratify.is_empty() => Some(Self::Strata {
                cells: hasher(columns, *seed),
                strata: CellHasher::new(STRATUM, &[], stratify),
                positions: BTreeMap::new(),
            }),
            SplitRule::Time { column, cuts } if cuts.is_empty() => Some(Self::Times {
                column: column.clone(),
                times: Vec::new(),
            }),
            SplitRule::Hash { .. } | SplitRule::Time { .. } => None,
        }
    }

    pub(crate) fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        match self {
            Self::Strata {
                cells,
                strata,
                positions,
            } => {
                for (hash, stratum) in cells.hash(batch)?.iter().zip(strata.hash(batch)?) {
                    positions.entry(stratum).or_default().push(first_64(hash));
                }
            }
            Self::Times { column, times } => times.extend(times_of(batch, column)?),
        }
        Ok(())
    }

    /// Fixes where parts end.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when a key lies in several strata, each of which would divide it.
    pub(crate) fn finish(self, spec: &SplitSpec) -> Result<Assigner> {
        Ok(match self {
            Self::Strata {
                cells,
                strata,
                positions,
            } => {
                let torn = in_several(&positions);
                if torn > 0 {
                    let why = "rows of one key are in several strata, which would divide them";
                    return Err(Error::invalid(why).context("keys", torn));
                }
                let ends = positions.into_iter();
                let ends = ends.map(|(stratum, found)| (stratum, ends_by_rank(found, spec)));
                Assigner::Strata {
                    cells,
                    strata,
                    ends: Arc::new(ends.collect()),
                }
            }
            Self::Times { column, times } => Assigner::Time {
                column,
                ends: ends_by_rank(times, spec),
            },
        })
    }
}

/// How many positions are in more than one stratum.
fn in_several(positions: &BTreeMap<Stratum, Vec<u64>>) -> usize {
    let distinct = positions.values().flat_map(|of_stratum| {
        let mut distinct = of_stratum.clone();
        distinct.sort_unstable();
        distinct.dedup();
        distinct
    });
    let mut distinct: Vec<u64> = distinct.collect();
    distinct.sort_unstable();
    let several = distinct.chunk_by(|a, b| a == b);
    several.filter(|strata| strata.len() > 1).count()
}

impl Assigner {
    /// Prepares a rule that needs no [`Observation`]. `schema` is that of the table.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when a cut is no value of the column's type, or cuts do not increase.
    pub(crate) fn of(spec: &SplitSpec, schema: &arrow::datatypes::Schema) -> Result<Self> {
        match &spec.rule {
            SplitRule::Hash { columns, seed, .. } => Ok(Self::Hash {
                cells: hasher(columns, *seed),
                ends: ends_by_weight(spec),
            }),
            SplitRule::Time { column, cuts } => {
                let data_type = schema.field(index_of(schema, column)?).data_type();
                let ends = cuts.iter().map(|cut| read_cut(cut, data_type, column));
                let ends: Vec<i64> = ends.collect::<Result<_>>()?;
                if !ends.is_sorted_by(|a, b| a < b) {
                    return Err(
                        Error::invalid("cuts that do not increase").context("column", column)
                    );
                }
                Ok(Self::Time {
                    column: column.clone(),
                    ends: ends.into_iter().map(Some).collect(),
                })
            }
        }
    }

    /// Returns the part of each row, by its place among the parts.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when a column is missing, [`ErrorKind::Invalid`] when a row has no time.
    pub(crate) fn assign(&mut self, batch: &RecordBatch) -> Result<Vec<usize>> {
        match self {
            Self::Hash { cells, ends } => {
                let hashes = cells.hash(batch)?;
                Ok(hashes.iter().map(|h| part(ends, &first_64(h))).collect())
            }
            Self::Strata {
                cells,
                strata,
                ends,
            } => {
                let rows = cells.hash(batch)?.into_iter().zip(strata.hash(batch)?);
                rows.map(|(hash, stratum)| {
                    let lost = || Error::new(ErrorKind::Internal, "a stratum that was not seen");
                    let ends = ends.get(&stratum).ok_or_else(lost)?;
                    Ok(part(ends, &first_64(&hash)))
                })
                .collect()
            }
            Self::Time { column, ends } => {
                let times = times_of(batch, column)?;
                Ok(times.iter().map(|time| part(ends, time)).collect())
            }
        }
    }
}

fn hasher(columns: &[String], seed: u32) -> CellHasher {
    CellHasher::new(CONTEXT, &seed.to_le_bytes(), columns)
}

fn part<T: Ord>(ends: &Ends<T>, value: &T) -> usize {
    let below = |end: &Option<T>| end.as_ref().is_none_or(|end| value < end);
    ends.iter().position(below).unwrap_or(ends.len())
}

/// The sums of the weights up to each part but the last, and the sum of all.
fn cumulated(spec: &SplitSpec) -> (Vec<u128>, u128) {
    let mut sums = Vec::with_capacity(spec.parts.len());
    let mut sum = 0;
    for part in &spec.parts {
        sum += u128::from(part.weight);
        sums.push(sum);
    }
    sums.pop();
    (sums, sum)
}

/// Divides all hashes in the proportions of the parts.
fn ends_by_weight(spec: &SplitSpec) -> Ends<u64> {
    let (sums, total) = cumulated(spec);
    let end = |sum| (u128::from(u64::MAX) + 1) * sum / total;
    sums.into_iter()
        .map(|sum| u64::try_from(end(sum)).ok())
        .collect()
}

/// Divides values in the proportions of the parts, to the nearest row; equal ones stay together.
fn ends_by_rank<T: Ord + Copy>(mut values: Vec<T>, spec: &SplitSpec) -> Ends<T> {
    values.sort_unstable();
    let (sums, total) = cumulated(spec);
    let rank = |sum| (values.len() as u128 * sum * 2 + total) / (2 * total);
    let end = |sum| values.get(usize::try_from(rank(sum)).ok()?).copied();
    sums.into_iter().map(end).collect()
}

fn times_of(batch: &RecordBatch, column: &str) -> Result<Vec<i64>> {
    times_in(batch.column(index_of(&batch.schema(), column)?), column)
}

fn times_in(array: &ArrayRef, column: &str) -> Result<Vec<i64>> {
    let refuse = |why| Err(Error::invalid(why).context("column", column.escape_debug()));
    let slots = slots(array.as_ref(), Profile::Strict)?;
    let time = |row| {
        if slots.is_null(row) {
            return refuse("a row without time");
        }
        match slots.scalar(row) {
            Scalar::Int(time) => i64::try_from(time).or_else(|_| refuse("a time beyond 64 bits")),
            _ => refuse("not a column of times or integers"),
        }
    };
    (0..array.len()).map(time).collect()
}

/// Reads a cut as a value of the column's type.
fn read_cut(cut: &str, data_type: &DataType, column: &str) -> Result<i64> {
    let named = |error: Error| error.context("cut", cut.escape_debug());
    let value = zones::read(cut, data_type).map_err(|cause| {
        named(Error::invalid("not a value of the column's type").with_source(cause))
    })?;
    let times = times_in(&value, column).map_err(named)?;
    let none = || named(Error::invalid("not a value of the column's type"));
    times.first().copied().ok_or_else(none)
}

#[cfg(test)]
mod tests {
    use mainstay_core::Actor;
    use proptest::prelude::*;

    use super::*;

    fn spec(weights: &[u32]) -> SplitSpec {
        let actor = Actor::new("ada").unwrap();
        let source = "data:d@1".parse().unwrap();
        let rule = SplitRule::hash(["id"], 0);
        let spec = SplitSpec::new(source, rule, actor, "");
        weights
            .iter()
            .enumerate()
            .fold(spec, |spec, (index, &weight)| {
                spec.with_part(format!("p{index}").parse().unwrap(), weight)
            })
    }

    proptest! {
        #[test]
        fn ranks_give_every_part_its_share_to_the_nearest_row(
            count in 0_u32..200,
            weights in proptest::collection::vec(1_u32..20, 2..6),
        ) {
            let spec = spec(&weights);
            let values: Vec<u64> = (0..u64::from(count)).rev().collect();
            let ends = ends_by_rank(values.clone(), &spec);
            let total: u32 = weights.iter().sum();
            let mut found = vec![0_u32; weights.len()];
            for value in values {
                found[part(&ends, &value)] += 1;
            }
            for (found, weight) in found.iter().zip(&weights) {
                let share = f64::from(*weight) * f64::from(count) / f64::from(total);
                prop_assert!((f64::from(*found) - share).abs() <= 1.0, "{found} of {share}");
            }
        }

        #[test]
        fn hashes_are_divided_by_weight(weights in proptest::collection::vec(1_u32.., 2..6)) {
            let ends = ends_by_weight(&spec(&weights));
            prop_assert_eq!(ends.len(), weights.len() - 1);
            prop_assert!(ends.iter().all(Option::is_some) && ends.is_sorted());
            prop_assert_eq!(part(&ends, &u64::MAX), weights.len() - 1);
            prop_assert_eq!(part(&ends, &0), usize::from(ends[0] == Some(0)));
        }
    }

    #[test]
    fn half_of_the_hashes_lie_below_the_middle() {
        assert_eq!(ends_by_weight(&spec(&[1, 1])), [Some(1 << 63)]);
        assert_eq!(ends_by_weight(&spec(&[3, 1])), [Some(3 << 62)]);
    }
}
