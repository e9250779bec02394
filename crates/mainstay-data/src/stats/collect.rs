//! Collecting the statistics of a column in one pass.

use arrow::datatypes::DataType;
use xxhash_rust::xxh3::xxh3_64;

use super::bounds::Bounds;
use super::categories::Categories;
use super::distinct::DistinctEstimate;
use super::numeric::NumericCollector;
use super::spelling::{IntegerMeaning, approximate, decimal, scale};
use super::{Buckets, ColumnStats};
use crate::slots::Scalar;

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
        let meaning = IntegerMeaning::of(values);
        Self {
            meaning,
            scale: scale(values),
            is_float: values.is_floating(),
            count: 0,
            nulls: 0,
            nans: 0,
            infinities: 0,
            bounds: Bounds::default(),
            distinct: DistinctEstimate::new(),
            numeric: NumericCollector::new(),
            // Dates and times are numbers, not categories.
            categories: match meaning {
                IntegerMeaning::Number => Categories::new(),
                _ => Categories::TooMany,
            },
            buckets: Buckets::new(),
        }
    }

    /// Adds a null.
    #[inline]
    pub(crate) fn add_null(&mut self) {
        self.count += 1;
        self.nulls += 1;
    }

    /// Adds a value.
    #[expect(
        clippy::inline_always,
        reason = "where it is called the kind of the value is known, which leaves one branch of this"
    )]
    #[inline(always)]
    pub(crate) fn add(&mut self, value: Scalar<'_>) {
        self.count += 1;
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
                let hash = xxh3_64(&number.to_le_bytes());
                self.distinct.add_hash(hash);
                self.numeric.add(approximate(number));
                self.categories.add_integer(hash, number);
            }
            Scalar::Decimal(number) => {
                self.distinct.add(&number.to_le_bytes());
                // The text is exact, so this rounds once.
                if let Ok(number) = decimal(number, self.scale).parse() {
                    self.numeric.add(number);
                }
            }
            Scalar::Text(text) => self.add_text(text, 1),
            Scalar::Bytes(bytes) => self.distinct.add(bytes),
            Scalar::Bool(value) => self.categories.add_bool(value, 1),
            Scalar::Other => {}
        }
        self.bounds.add(value);
    }

    /// Adds a value that so many slots hold, at least one.
    pub(crate) fn add_times(&mut self, value: Scalar<'_>, times: u64) {
        match value {
            Scalar::Text(text) => self.add_text(text, times),
            Scalar::Bytes(bytes) => self.distinct.add(bytes),
            Scalar::Bool(value) => self.categories.add_bool(value, times),
            Scalar::Float(_) | Scalar::Int(_) | Scalar::Decimal(_) | Scalar::Other => {
                return (0..times).for_each(|_| self.add(value));
            }
        }
        self.count += times;
        self.bounds.add(value);
    }

    #[inline]
    fn add_text(&mut self, text: &str, times: u64) {
        let hash = xxh3_64(text.as_bytes());
        self.distinct.add_hash(hash);
        self.buckets.add(hash, times);
        self.categories.add_text(hash, text, times);
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
}

/// Looks through encodings at the type of the values.
fn value_type(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, values) => value_type(values),
        DataType::RunEndEncoded(_, values) => value_type(values.data_type()),
        other => other,
    }
}
