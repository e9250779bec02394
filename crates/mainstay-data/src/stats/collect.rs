//! Collecting the statistics of a column in one pass.

use arrow::datatypes::DataType;
use xxhash_rust::xxh3::xxh3_64;

use super::bounds::Bounds;
use super::categories::Categories;
use super::distinct::DistinctEstimate;
use super::numeric::NumericCollector;
use super::spelling::{IntegerMeaning, approximate, decimal, scale};
use super::{Buckets, ColumnStats};
use crate::slots::{Scalar, Slots};

/// Collects the statistics of a column over any number of batches, in O(1) memory.
#[derive(Debug)]
pub(crate) struct ColumnCollector {
    meaning: IntegerMeaning,
    /// The scale of decimals; 0 for other types.
    scale: i8,
    is_float: bool,
    count: u64,
    nulls: u64,
    nans: u64,
    infinities: u64,
    bounds: Bounds,
    distinct: DistinctEstimate,
    numeric: NumericCollector,
    categories: Categories,
    buckets: Buckets,
}

impl ColumnCollector {
    pub(crate) fn new(data_type: &DataType) -> Self {
        let values = value_type(data_type);
        Self {
            meaning: IntegerMeaning::of(values),
            scale: scale(values),
            is_float: values.is_floating(),
            count: 0,
            nulls: 0,
            nans: 0,
            infinities: 0,
            bounds: Bounds::default(),
            distinct: DistinctEstimate::new(),
            numeric: NumericCollector::new(),
            categories: Categories::new(),
            buckets: Buckets::new(),
        }
    }

    /// Adds the first `rows` slots.
    pub(crate) fn update(&mut self, slots: &dyn Slots, rows: usize) {
        for row in 0..rows {
            self.count += 1;
            if slots.is_null(row) {
                self.nulls += 1;
            } else {
                self.add(slots.scalar(row));
            }
        }
    }

    pub(crate) fn finish(self) -> ColumnStats {
        let bounds = self.bounds.finish(self.meaning, self.scale);
        let (min, max) = bounds.unzip();
        let categories = self.categories.finish();
        let exact = categories
            .as_ref()
            .map(|categories| categories.len() as u64);
        let uncounted = categories.is_none() && !self.buckets.is_empty();
        let distinct = exact.or_else(|| min.as_ref().map(|_| self.distinct.estimate()));
        ColumnStats {
            count: self.count,
            nulls: self.nulls,
            nans: self.is_float.then_some(self.nans),
            infinities: self.is_float.then_some(self.infinities),
            min,
            max,
            distinct,
            numeric: self.numeric.finish(),
            categories,
            buckets: uncounted.then_some(self.buckets),
        }
    }

    fn add(&mut self, value: Scalar<'_>) {
        match value {
            Scalar::Float(number) if number.is_nan() => {
                self.nans += 1;
                return;
            }
            Scalar::Float(number) if number.is_infinite() => {
                self.infinities += 1;
                return;
            }
            Scalar::Float(number) => {
                self.distinct.add(&number.to_le_bytes());
                self.numeric.add(number);
            }
            Scalar::Int(number) => {
                self.distinct.add(&number.to_le_bytes());
                self.numeric.add(approximate(number));
            }
            Scalar::Decimal(number) => {
                self.distinct.add(&number.to_le_bytes());
                // The text is exact, so this rounds once.
                if let Ok(number) = decimal(number, self.scale).parse() {
                    self.numeric.add(number);
                }
            }
            Scalar::Text(text) => {
                let hash = xxh3_64(text.as_bytes());
                self.distinct.add_hash(hash);
                self.buckets.add(hash, 1);
            }
            Scalar::Bytes(bytes) => self.distinct.add(bytes),
            Scalar::Bool(_) | Scalar::Other => {}
        }
        self.bounds.add(value);
        // Dates and times are numbers, not categories.
        let categorical = self.meaning == IntegerMeaning::Number;
        self.categories
            .add(if categorical { value } else { Scalar::Other });
    }
}

/// Looks through encodings at the type of the values.
fn value_type(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, values) => value_type(values),
        DataType::RunEndEncoded(_, values) => value_type(values.data_type()),
        other => other,
    }
}
