//! Values that columns are compared with.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use mainstay_core::{Error, ErrorKind, Result};

use crate::zones;

/// A value that a column is compared with.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Literal {
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A number that need not be whole.
    Float(f64),
    /// Text, or a date or time in text; beside a time with a zone one without an offset is in UTC.
    Text(String),
}

impl From<bool> for Literal {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i32> for Literal {
    fn from(value: i32) -> Self {
        Self::Int(value.into())
    }
}

impl From<i64> for Literal {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<f64> for Literal {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<&str> for Literal {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Literal {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

/// A literal as a column compares with it.
pub(super) enum Typed {
    /// By IEEE 754.
    Float(f64),
    /// One value of the type of the column.
    Value(ArrayRef),
}

/// The type of the values of a column, whatever their encoding.
pub(super) fn value_type(column: &DataType) -> &DataType {
    match column {
        DataType::Dictionary(_, values) => value_type(values),
        DataType::RunEndEncoded(_, values) => value_type(values.data_type()),
        plain => plain,
    }
}

/// Returns how many digits of a fraction a decimal has.
fn decimal_scale(data_type: &DataType) -> Option<i32> {
    match data_type {
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => Some(i32::from(*scale)).filter(|scale| *scale >= 0),
        _ => None,
    }
}

/// Spells the one decimal of a scale that a double stands for; `None` when it stands for none, or for several.
fn decimal(value: f64, scale: i32) -> Option<String> {
    /// Up to here doubles tell whole numbers apart.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let text = value.to_string();
    let digits = text
        .split_once('.')
        .map_or(0, |(_, fraction)| fraction.len());
    let fits = i32::try_from(digits).is_ok_and(|digits| digits <= scale);
    (fits && value.abs() * 10_f64.powi(scale) < EXACT).then_some(text)
}

impl Literal {
    /// Makes it comparable with values of a type that is not encoded.
    pub(super) fn like(&self, values: &DataType) -> Result<Typed> {
        use DataType as T;
        let given: ArrayRef = match (self, values) {
            (Self::Float(value), T::Float16 | T::Float32 | T::Float64) => {
                return Ok(Typed::Float(*value));
            }
            (Self::Int(value), T::Float16 | T::Float32 | T::Float64) => {
                #[expect(clippy::cast_precision_loss, reason = "compared as floats are")]
                return Ok(Typed::Float(*value as f64));
            }
            (Self::Bool(value), T::Boolean) => Arc::new(BooleanArray::from(vec![*value])),
            (Self::Int(value), kind)
                if kind.is_integer()
                    || matches!(
                        kind,
                        T::Decimal32(..) | T::Decimal64(..) | T::Decimal128(..) | T::Decimal256(..)
                    ) =>
            {
                Arc::new(Int64Array::from(vec![*value]))
            }
            (Self::Float(value), kind) if decimal_scale(kind).is_some() => {
                let text = decimal(*value, decimal_scale(kind).unwrap_or(0));
                let text = text.ok_or_else(|| {
                    Error::invalid(format!("{self} has more digits than {kind} or a double"))
                })?;
                Arc::new(StringArray::from(vec![text]))
            }
            (
                Self::Text(text),
                T::Utf8
                | T::LargeUtf8
                | T::Utf8View
                | T::Date32
                | T::Date64
                | T::Timestamp(..)
                | T::Time32(_)
                | T::Time64(_),
            ) => {
                let typed = zones::read(text, values);
                return typed
                    .map(Typed::Value)
                    .map_err(|cause| self.refused(values, cause));
            }
            _ => {
                let message = format!("{self} does not compare with {values}");
                return Err(Error::new(ErrorKind::Invalid, message));
            }
        };
        let options = CastOptions {
            safe: false,
            ..CastOptions::default()
        };
        let typed = cast_with_options(&given, values, &options);
        typed
            .map(Typed::Value)
            .map_err(|cause| self.refused(values, cause))
    }

    fn refused(&self, values: &DataType, cause: ArrowError) -> Error {
        Error::invalid(format!("{self} is no value of {values}")).with_source(cause)
    }
}
