//! How values are spelled in JSON, by the type of their column.

use std::fmt::Write as _;

use arrow::datatypes::{DataType, Decimal256Type, DecimalType, TimeUnit, i256};

use super::ScalarValue;
use crate::calendar::date_of;
use crate::slots::Scalar;

/// The largest integer that every JSON reader keeps.
const MAX_SAFE_INTEGER: u128 = (1 << 53) - 1;
const DAY_SECONDS: i64 = 86_400;

/// What the integers of a column stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IntegerMeaning {
    Number,
    /// Days since 1970.
    Days,
    /// A date and time since 1970, and whether it is in UTC.
    Instant(TimeUnit, bool),
    /// A time of day.
    Clock(TimeUnit),
}

impl IntegerMeaning {
    pub(super) fn of(data_type: &DataType) -> Self {
        match data_type {
            DataType::Date32 => Self::Days,
            DataType::Date64 => Self::Instant(TimeUnit::Millisecond, false),
            DataType::Timestamp(unit, zone) => Self::Instant(*unit, zone.is_some()),
            DataType::Time32(unit) | DataType::Time64(unit) => Self::Clock(*unit),
            _ => Self::Number,
        }
    }

    pub(super) fn spell(self, number: i128) -> ScalarValue {
        let narrow = i64::try_from(number).ok();
        match (self, narrow) {
            (Self::Days, Some(days)) => ScalarValue::Text(date(days)),
            (Self::Instant(unit, utc), Some(ticks)) => ScalarValue::Text(instant(ticks, unit, utc)),
            (Self::Clock(unit), Some(ticks)) => {
                let (seconds, fraction) = split(ticks, unit);
                if (0..DAY_SECONDS).contains(&seconds) {
                    ScalarValue::Text(clock(seconds, fraction, unit))
                } else {
                    integer(number)
                }
            }
            _ => integer(number),
        }
    }
}

/// Spells a value of a type; `None` for nested values and intervals.
pub(crate) fn spell(data_type: &DataType, value: Scalar<'_>) -> Option<ScalarValue> {
    Some(match value {
        Scalar::Bool(value) => ScalarValue::Bool(value),
        Scalar::Int(number) => IntegerMeaning::of(data_type).spell(number),
        // Canonical JSON has no negative zero.
        Scalar::Float(number) if number.is_finite() => ScalarValue::Number(number + 0.0),
        Scalar::Float(number) => ScalarValue::Text(number.to_string()),
        Scalar::Decimal(number) => ScalarValue::Text(decimal(number, scale(data_type))),
        Scalar::Text(text) => ScalarValue::Text(text.to_owned()),
        Scalar::Bytes(bytes) => ScalarValue::Text(hex(bytes)),
        Scalar::Other => return None,
    })
}

/// Returns the scale of decimals; 0 for other types.
pub(super) fn scale(data_type: &DataType) -> i8 {
    match data_type {
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => *scale,
        _ => 0,
    }
}

/// Spells an integer as a number when every reader keeps it, else as text.
fn integer(number: i128) -> ScalarValue {
    if number.unsigned_abs() <= MAX_SAFE_INTEGER {
        ScalarValue::Number(approximate(number))
    } else {
        ScalarValue::Text(number.to_string())
    }
}

/// Rounds an integer to a float; exact up to 2⁵³.
#[expect(clippy::cast_precision_loss, reason = "rounding is the purpose")]
#[inline]
pub(super) fn approximate(number: i128) -> f64 {
    // One instruction instead of a call where it is known to be narrow.
    i64::try_from(number).map_or_else(|_| number as f64, |narrow| narrow as f64)
}

/// Spells a decimal with all its digits.
pub(super) fn decimal(unscaled: i256, scale: i8) -> String {
    Decimal256Type::format_decimal(unscaled, 76, scale)
}

/// Spells bytes in lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        push(&mut text, format_args!("{byte:02x}"));
        text
    })
}

fn date(days: i64) -> String {
    let (year, month, day) = date_of(days);
    let year = if (0..=9_999).contains(&year) {
        format!("{year:04}")
    } else {
        format!("{year:+05}")
    };
    format!("{year}-{month:02}-{day:02}")
}

fn instant(ticks: i64, unit: TimeUnit, utc: bool) -> String {
    let (seconds, fraction) = split(ticks, unit);
    let day = date(seconds.div_euclid(DAY_SECONDS));
    let clock = clock(seconds.rem_euclid(DAY_SECONDS), fraction, unit);
    let zone = if utc { "Z" } else { "" };
    format!("{day}T{clock}{zone}")
}

/// Spells a time of day with as many digits of a fraction as the unit has.
fn clock(seconds: i64, fraction: i64, unit: TimeUnit) -> String {
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let mut text = format!("{hour:02}:{minute:02}:{second:02}");
    let digits = match unit {
        TimeUnit::Second => return text,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    };
    push(&mut text, format_args!(".{fraction:0digits$}"));
    text
}

/// Splits ticks into whole seconds and the ticks beyond them.
fn split(ticks: i64, unit: TimeUnit) -> (i64, i64) {
    let per_second = match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    };
    (ticks.div_euclid(per_second), ticks.rem_euclid(per_second))
}

fn push(text: &mut String, more: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _infallible = text.write_fmt(more);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_spelled_by_their_unit() {
        for (data_type, number, expected) in [
            (DataType::Date32, 19_782, "2024-02-29"),
            (DataType::Date32, i128::from(i32::MIN), "-5877641-06-23"),
            (DataType::Date64, -1, "1969-12-31T23:59:59.999"),
            (
                DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
                1_709_202_600_250_000,
                "2024-02-29T10:30:00.250000Z",
            ),
            (DataType::Time32(TimeUnit::Second), 3_661, "01:01:01"),
        ] {
            let spelled = IntegerMeaning::of(&data_type).spell(number);
            assert_eq!(spelled, ScalarValue::Text(expected.into()));
        }
    }

    #[test]
    fn integers_beyond_the_safe_range_are_text() {
        let spell = |number| IntegerMeaning::Number.spell(number);
        assert_eq!(
            spell(9_007_199_254_740_991),
            ScalarValue::Number(9_007_199_254_740_991.0)
        );
        assert_eq!(
            spell(9_007_199_254_740_992),
            ScalarValue::Text("9007199254740992".into())
        );
    }

    proptest! {
        #[test]
        fn any_number_is_spelled(number: i64) {
            for data_type in [
                DataType::Date32,
                DataType::Date64,
                DataType::Timestamp(TimeUnit::Second, None),
                DataType::Time64(TimeUnit::Nanosecond),
            ] {
                let _spelled = IntegerMeaning::of(&data_type).spell(number.into());
            }
        }
    }
}
