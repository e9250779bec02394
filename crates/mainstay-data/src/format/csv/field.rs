//! The types a CSV field can have, and how each is spelled.

use crate::calendar::days_of;

/// The type of a CSV column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CsvType {
    Bool,
    Int,
    Float,
    Date,
    LocalMicros,
    LocalNanos,
    UtcMicros,
    UtcNanos,
    Text,
}

impl CsvType {
    /// Spells the logical type.
    pub(super) fn spelled(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int => "int64",
            Self::Float => "float64",
            Self::Date => "date32",
            Self::LocalMicros => "timestamp(us)",
            Self::LocalNanos => "timestamp(ns)",
            Self::UtcMicros => r#"timestamp(us,"UTC")"#,
            Self::UtcNanos => r#"timestamp(ns,"UTC")"#,
            Self::Text => "utf8",
        }
    }

    /// Reads the logical type back from a manifest; `None` when no CSV column can have it.
    pub(super) fn parse(spelled: &str) -> Option<Self> {
        let all = [
            Self::Bool,
            Self::Int,
            Self::Float,
            Self::Date,
            Self::LocalMicros,
            Self::LocalNanos,
            Self::UtcMicros,
            Self::UtcNanos,
            Self::Text,
        ];
        all.into_iter()
            .find(|csv_type| csv_type.spelled() == spelled)
    }
}

/// Parses `true` and `false`, also capitalized and in capitals.
pub(super) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// Parses an integer in its only spelling: `007`, `+7` and `-0` are none.
pub(super) fn parse_int(text: &str) -> Option<i64> {
    let number: i64 = text.parse().ok()?;
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = text == "0" || digits.starts_with(|c| ('1'..='9').contains(&c));
    plain.then_some(number)
}

/// Parses a decimal number, or exactly `NaN`, `inf` or `-inf`.
///
/// Leading zeros make an identifier, and a number too large for 64 bits is not silently infinite.
pub(super) fn parse_float(text: &str) -> Option<f64> {
    match text {
        "NaN" => return Some(f64::NAN),
        "inf" => return Some(f64::INFINITY),
        "-inf" => return Some(f64::NEG_INFINITY),
        _ => {}
    }
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let zero_led = unsigned
        .strip_prefix('0')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let begins = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    if !begins || zero_led {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Parses `YYYY-MM-DD` to days since 1970.
pub(super) fn parse_date(text: &str) -> Option<i32> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let date = (
        digits(&bytes[..4])?,
        digits(&bytes[5..7])?,
        digits(&bytes[8..])?,
    );
    i32::try_from(days_of(date)?).ok()
}

/// A point in time as spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// Seconds since 1970, of UTC when an offset is given, else of an unknown zone.
    seconds: i64,
    nanos: i64,
    /// How many digits the fraction has.
    pub(super) fraction_digits: usize,
    /// Whether an offset from UTC is given.
    pub(super) has_offset: bool,
}

impl Moment {
    /// Parses `YYYY-MM-DD`, `T` or a space, `hh:mm:ss`, then up to nine digits of a fraction and `Z`
    /// or `±hh:mm`, if any.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let days = i64::from(parse_date(text.get(..10)?)?);
        let rest = text[10..].strip_prefix(['T', ' '])?.as_bytes();
        let (clock, rest) = rest.split_at_checked(8)?;
        if clock[2] != b':' || clock[5] != b':' {
            return None;
        }
        let hour = digits(&clock[..2]).filter(|hour| *hour < 24)?;
        let minute = digits(&clock[3..5]).filter(|minute| *minute < 60)?;
        let second = digits(&clock[6..]).filter(|second| *second < 60)?;
        let (fraction, rest) = split_fraction(rest)?;
        let (has_offset, offset_minutes) = parse_offset(rest)?;
        let power = u32::try_from(9 - fraction.len()).ok()?;
        Some(Self {
            seconds: days * 86_400 + hour * 3_600 + minute * 60 + second - offset_minutes * 60,
            nanos: digits(fraction).unwrap_or(0) * 10_i64.pow(power),
            fraction_digits: fraction.len(),
            has_offset,
        })
    }

    /// Returns the microseconds since 1970; a finer fraction is lost.
    pub(super) fn micros(self) -> i64 {
        // The years 0 to 9999 have fewer than 2^62 microseconds.
        self.seconds * 1_000_000 + self.nanos / 1_000
    }

    /// Returns the nanoseconds since 1970; `None` outside the years 1677 to 2262.
    pub(super) fn nanos(self) -> Option<i64> {
        self.seconds
            .checked_mul(1_000_000_000)?
            .checked_add(self.nanos)
    }
}

fn split_fraction(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let Some(rest) = bytes.strip_prefix(b".") else {
        return Some((&[], bytes));
    };
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (1..=9).contains(&length).then(|| rest.split_at(length))
}

fn parse_offset(bytes: &[u8]) -> Option<(bool, i64)> {
    match bytes {
        [] => Some((false, 0)),
        b"Z" => Some((true, 0)),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let hours = digits(&[*h1, *h2]).filter(|hours| *hours < 24)?;
            let minutes = digits(&[*m1, *m2]).filter(|minutes| *minutes < 60)?;
            let offset = hours * 60 + minutes;
            Some((true, if *sign == b'-' { -offset } else { offset }))
        }
        _ => None,
    }
}

/// Reads at most nine digits; `None` when there is none or another character.
fn digits(bytes: &[u8]) -> Option<i64> {
    if bytes.is_empty() {
        return None;
    }
    bytes.iter().try_fold(0, |number, byte| {
        byte.is_ascii_digit()
            .then(|| number * 10 + i64::from(byte - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_may_be_an_identifier_is_not_a_number() {
        for bad in [
            "007",
            "+7",
            "-0",
            " 7",
            "7 ",
            "",
            "9223372036854775808",
            "1_000",
            "0x7",
        ] {
            assert_eq!(parse_int(bad), None, "{bad}");
        }
        for bad in [
            "007.5", "+7.5", "1e999", "infinity", "nan", "1,5", "e5", "-", ".",
        ] {
            assert_eq!(parse_float(bad), None, "{bad}");
        }
        assert_eq!(parse_int("-9223372036854775808"), Some(i64::MIN));
        for (text, expected) in [("0.5", 0.5), (".5", 0.5), ("5.", 5.0), ("-1e-3", -0.001)] {
            assert_eq!(parse_float(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn moments_are_read_to_the_nanosecond_and_shifted_to_utc() {
        let utc = Moment::parse("2024-02-29T12:00:00.25+01:30").unwrap();
        assert_eq!(utc.micros(), 1_709_202_600_250_000);
        assert!(utc.has_offset && utc.fraction_digits == 2);
        let local = Moment::parse("1969-12-31 23:59:59.123456789").unwrap();
        assert_eq!(local.nanos(), Some(-876_543_211));
        assert!(!local.has_offset);
        for bad in [
            "2024-02-30T00:00:00",
            "2024-01-01",
            "2024-01-01T24:00:00",
            "2024-01-01T00:00",
            "2024-01-01T00:00:60",
            "2024-01-01T00:00:00.",
            "2024-01-01T00:00:00z",
            "2024-01-01T00:00:00.1234567890",
            "2024-1-1T00:00:00",
        ] {
            assert_eq!(Moment::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in ".*") {
            let _outcome = (parse_bool(&text), parse_int(&text), parse_float(&text), parse_date(&text));
            let _moment = Moment::parse(&text).map(Moment::nanos);
        }

        #[test]
        fn integers_and_floats_round_trip(int: i64, float in proptest::num::f64::NORMAL) {
            prop_assert_eq!(parse_int(&int.to_string()), Some(int));
            prop_assert_eq!(parse_float(&float.to_string()), Some(float));
        }
    }
}
