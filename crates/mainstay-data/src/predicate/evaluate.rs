//! Conditions of rows that are in memory, and of bounds of rows that are not.

use std::cmp::Ordering;

use arrow::array::{Array as _, ArrayRef, AsArray as _, BooleanArray, RecordBatch, Scalar};
use arrow::compute::kernels::cmp;
use arrow::compute::{and_kleene, cast, is_null, not, or_kleene};
use arrow::datatypes::{DataType, Float64Type};
use arrow::error::ArrowError;
use mainstay_core::{Error, ErrorKind, Result};

use super::literal::{Typed, value_type};
use super::{Comparison, Literal, Predicate};

impl Predicate {
    /// Tells of each row whether it is wanted; null is neither true nor false.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] naming the column whose values do not compare with what is asked.
    pub(crate) fn mask(&self, batch: &RecordBatch) -> Result<BooleanArray> {
        let rows = batch.num_rows();
        match self {
            Self::Compare {
                column,
                comparison,
                value,
            } => compare(find(batch, column)?, *comparison, value)
                .map_err(|error| error.context("column", column.escape_debug())),
            Self::OneOf { column, values } => {
                let mut found = constant(false, rows);
                for value in values {
                    let same = compare(find(batch, column)?, Comparison::Equal, value);
                    let same =
                        same.map_err(|error| error.context("column", column.escape_debug()))?;
                    found = or_kleene(&found, &same).map_err(uncomparable)?;
                }
                Ok(found)
            }
            Self::IsNull { column } => is_null(find(batch, column)?.as_ref()).map_err(uncomparable),
            Self::And(parts) => parts.iter().try_fold(constant(true, rows), |all, part| {
                and_kleene(&all, &part.mask(batch)?).map_err(uncomparable)
            }),
            Self::Or(parts) => parts.iter().try_fold(constant(false, rows), |any, part| {
                or_kleene(&any, &part.mask(batch)?).map_err(uncomparable)
            }),
            Self::Not(part) => not(&part.mask(batch)?).map_err(uncomparable),
        }
    }
}

fn find<'b>(batch: &'b RecordBatch, column: &str) -> Result<&'b ArrayRef> {
    batch
        .column_by_name(column)
        .ok_or_else(|| Error::not_found("column", column.escape_debug()))
}

fn constant(value: bool, rows: usize) -> BooleanArray {
    BooleanArray::from(vec![value; rows])
}

/// Compares each value with a literal.
fn compare(values: &ArrayRef, comparison: Comparison, literal: &Literal) -> Result<BooleanArray> {
    let plain = value_type(values.data_type());
    match literal.like(plain)? {
        Typed::Float(number) => {
            let values = cast(values, &DataType::Float64).map_err(uncomparable)?;
            let values = values.as_primitive::<Float64Type>().iter();
            Ok(values
                .map(|value| value.map(|value| holds(comparison, value.partial_cmp(&number))))
                .collect())
        }
        Typed::Value(literal) => {
            let values = cast(values, plain).map_err(uncomparable)?;
            compare_all(&values, comparison, literal)
        }
    }
}

/// Whether a comparison is true of floats in this order, which NaN has not.
fn holds(comparison: Comparison, order: Option<Ordering>) -> bool {
    match comparison {
        Comparison::Equal => order == Some(Ordering::Equal),
        Comparison::Different => order != Some(Ordering::Equal),
        Comparison::Less => order == Some(Ordering::Less),
        Comparison::AtMost => order.is_some_and(Ordering::is_le),
        Comparison::Greater => order == Some(Ordering::Greater),
        Comparison::AtLeast => order.is_some_and(Ordering::is_ge),
    }
}

/// Compares each value with one of the same type.
fn compare_all(values: &ArrayRef, by: Comparison, literal: ArrayRef) -> Result<BooleanArray> {
    let literal = Scalar::new(literal);
    let compared = match by {
        Comparison::Equal => cmp::eq(values, &literal),
        Comparison::Different => cmp::neq(values, &literal),
        Comparison::Less => cmp::lt(values, &literal),
        Comparison::AtMost => cmp::lt_eq(values, &literal),
        Comparison::Greater => cmp::gt(values, &literal),
        Comparison::AtLeast => cmp::gt_eq(values, &literal),
    };
    compared.map_err(uncomparable)
}

/// The least and the greatest values of parts of a column; null where they are not known. Of floats,
/// NaN does not count.
pub(crate) struct Bounds {
    pub(crate) least: ArrayRef,
    pub(crate) greatest: ArrayRef,
}

impl Bounds {
    /// Tells of each part whether a value may be in it that compares so; `None` where that cannot be
    /// told.
    pub(crate) fn may(
        &self,
        comparison: Comparison,
        literal: &Literal,
        negated: bool,
    ) -> Option<Vec<bool>> {
        let is_float = value_type(self.least.data_type()).is_floating();
        let comparison = match (negated, is_float) {
            // NaN may be there, of which no comparison is true.
            (true, true) => return None,
            (true, false) => comparison.negated(),
            (false, _) => comparison,
        };
        let least = |by| bound_may(&self.least, by, literal);
        let greatest = |by| bound_may(&self.greatest, by, literal);
        match comparison {
            Comparison::Less | Comparison::AtMost => least(comparison),
            Comparison::Greater | Comparison::AtLeast => greatest(comparison),
            Comparison::Equal => {
                let pairs = least(Comparison::AtMost)?;
                let pairs = pairs.into_iter().zip(greatest(Comparison::AtLeast)?);
                Some(pairs.map(|(from, to)| from && to).collect())
            }
            Comparison::Different => None,
        }
    }
}

/// Whether a comparison with each bound is true, or unknown.
fn bound_may(bounds: &ArrayRef, by: Comparison, literal: &Literal) -> Option<Vec<bool>> {
    let compared = compare(bounds, by, literal).ok()?;
    let unordered = value_type(bounds.data_type()).is_floating().then(|| {
        let floats = cast(bounds, &DataType::Float64).ok()?;
        let floats = floats.as_primitive::<Float64Type>().iter();
        Some(
            floats
                .map(|bound| bound.is_some_and(f64::is_nan))
                .collect::<Vec<_>>(),
        )
    });
    let mut found: Vec<bool> = compared.iter().map(|known| known.unwrap_or(true)).collect();
    if let Some(unordered) = unordered {
        for (may, is_nan) in found.iter_mut().zip(unordered?) {
            *may |= is_nan;
        }
    }
    Some(found)
}

fn uncomparable(error: ArrowError) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "values of these types are not compared",
    )
    .with_source(error)
}
