//! Statistics of a column: what its values look like, small enough to keep with every version.

use serde::{Deserialize, Serialize, Serializer};

mod bounds;
mod buckets;
mod categories;
mod collect;
mod distinct;
mod numeric;
mod spelling;

pub use buckets::Buckets;
pub(crate) use collect::ColumnCollector;
pub(crate) use spelling::spell;

/// The largest integer that every JSON reader keeps.
const MAX_SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;

/// What the values of a column look like.
///
/// Everything is a function of the values in row order: batches, encodings and row groups do not
/// matter. Fields that do not apply to the column's type are absent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ColumnStats {
    /// How many rows, nulls included.
    pub count: u64,
    /// How many nulls.
    pub nulls: u64,
    /// How many NaN; floating-point columns only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nans: Option<u64>,
    /// How many infinities of either sign; floating-point columns only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub infinities: Option<u64>,
    /// The least value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<Bound>,
    /// The greatest value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Bound>,
    /// How many different values; exact where [`categories`](Self::categories) are given, else an
    /// estimate with a standard error of 1.6 %.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distinct: Option<u64>,
    /// The distribution of a numeric or temporal column, over its finite values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numeric: Option<NumericStats>,
    /// Every value and its count, most frequent first, when a text, boolean or integer column has
    /// at most 64 different ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub categories: Option<Vec<Category>>,
    /// How its values spread, when a text column has values and no [`categories`](Self::categories);
    /// absent in what a build before format 5 stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buckets: Option<Buckets>,
}

/// A least or greatest value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Bound {
    /// The value.
    pub value: ScalarValue,
    /// Whether a long text was cut to 64 bytes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// A value in JSON, spelled by the column's type as `docs/formats/data-snapshot.md` says.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
#[expect(
    clippy::exhaustive_enums,
    reason = "an on-storage record; a new spelling is a new format version"
)]
pub enum ScalarValue {
    /// A boolean.
    Bool(bool),
    /// A finite number that a 64-bit float holds exactly.
    Number(f64),
    /// Text, dates and times, decimals, binary as hex, and integers beyond ±(2⁵³ − 1).
    Text(String),
}

/// Whole numbers are written as integers, as canonical JSON writes them.
impl Serialize for ScalarValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(number) if number.fract() == 0.0 && number.abs() <= MAX_SAFE_INTEGER =>
            {
                #[expect(clippy::cast_possible_truncation, reason = "whole, of at most 53 bits")]
                serializer.serialize_i64(*number as i64)
            }
            Self::Number(number) => serializer.serialize_f64(*number),
            Self::Text(value) => serializer.serialize_str(value),
        }
    }
}

impl std::fmt::Display for ScalarValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Number(value) => value.fmt(f),
            Self::Text(value) => value.fmt(f),
        }
    }
}

/// The distribution of a column of numbers; times are numbers in the unit of the column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct NumericStats {
    /// How many finite values it describes; at least 1.
    pub finite: u64,
    /// The mean; absent when it overflows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
    /// The population standard deviation; absent when it overflows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub std_dev: Option<f64>,
    /// The percentiles 0 to 100: 101 numbers that never decrease.
    pub percentiles: Vec<f64>,
}

/// A value of a column with few different ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Category {
    /// The value.
    pub value: ScalarValue,
    /// How many rows hold it.
    pub count: u64,
}
