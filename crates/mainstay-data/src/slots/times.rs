//! From an array of dates, times or intervals to its slots.

use arrow::array::Array;
use arrow::datatypes::{
    Date32Type, Date64Type, DurationMicrosecondType, DurationMillisecondType,
    DurationNanosecondType, DurationSecondType, IntervalDayTimeType, IntervalMonthDayNanoType,
    IntervalUnit, IntervalYearMonthType, Time32MillisecondType, Time32SecondType,
    Time64MicrosecondType, Time64NanosecondType, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};

use super::Scalar;
use super::build::Boxed;
use super::numbers::{converted, primitive, scaled};
use crate::digest::Profile;

/// Nanoseconds of each unit.
const SECOND: i128 = 1_000_000_000;
const MILLISECOND: i128 = 1_000_000;
const MICROSECOND: i128 = 1_000;
const NANOSECOND: i128 = 1;

const DAY_IN_MILLISECONDS: i64 = 86_400_000;

pub(super) fn date32(array: &dyn Array, profile: Profile) -> Boxed<'_> {
    let scalar = |days: i32| Scalar::Int(days.into());
    match profile {
        Profile::Strict => primitive::<Date32Type>(array, scalar),
        Profile::Semantic => converted::<Date32Type, 8>(
            array,
            |days| (i64::from(days) * DAY_IN_MILLISECONDS).to_le_bytes(),
            scalar,
        ),
    }
}

pub(super) fn date64(array: &dyn Array) -> Boxed<'_> {
    primitive::<Date64Type>(array, |value| Scalar::Int(value.into()))
}

/// Opens times of day; the width of the array goes with the unit.
pub(super) fn time(unit: TimeUnit, array: &dyn Array, profile: Profile) -> Boxed<'_> {
    match unit {
        TimeUnit::Second => scaled::<Time32SecondType, SECOND>(array, profile),
        TimeUnit::Millisecond => scaled::<Time32MillisecondType, MILLISECOND>(array, profile),
        TimeUnit::Microsecond => scaled::<Time64MicrosecondType, MICROSECOND>(array, profile),
        TimeUnit::Nanosecond => scaled::<Time64NanosecondType, NANOSECOND>(array, profile),
    }
}

pub(super) fn timestamp(unit: TimeUnit, array: &dyn Array, profile: Profile) -> Boxed<'_> {
    match unit {
        TimeUnit::Second => scaled::<TimestampSecondType, SECOND>(array, profile),
        TimeUnit::Millisecond => scaled::<TimestampMillisecondType, MILLISECOND>(array, profile),
        TimeUnit::Microsecond => scaled::<TimestampMicrosecondType, MICROSECOND>(array, profile),
        TimeUnit::Nanosecond => scaled::<TimestampNanosecondType, NANOSECOND>(array, profile),
    }
}

pub(super) fn duration(unit: TimeUnit, array: &dyn Array, profile: Profile) -> Boxed<'_> {
    match unit {
        TimeUnit::Second => scaled::<DurationSecondType, SECOND>(array, profile),
        TimeUnit::Millisecond => scaled::<DurationMillisecondType, MILLISECOND>(array, profile),
        TimeUnit::Microsecond => scaled::<DurationMicrosecondType, MICROSECOND>(array, profile),
        TimeUnit::Nanosecond => scaled::<DurationNanosecondType, NANOSECOND>(array, profile),
    }
}

pub(super) fn interval(unit: IntervalUnit, array: &dyn Array, profile: Profile) -> Boxed<'_> {
    match (unit, profile) {
        (IntervalUnit::YearMonth, Profile::Strict) => {
            primitive::<IntervalYearMonthType>(array, |_| Scalar::Other)
        }
        (IntervalUnit::YearMonth, Profile::Semantic) => converted::<IntervalYearMonthType, 16>(
            array,
            |months| month_day_nano(months, 0, 0),
            |_| Scalar::Other,
        ),
        (IntervalUnit::DayTime, Profile::Strict) => converted::<IntervalDayTimeType, 8>(
            array,
            |value| {
                let mut bytes = [0; 8];
                bytes[..4].copy_from_slice(&value.days.to_le_bytes());
                bytes[4..].copy_from_slice(&value.milliseconds.to_le_bytes());
                bytes
            },
            |_| Scalar::Other,
        ),
        (IntervalUnit::DayTime, Profile::Semantic) => converted::<IntervalDayTimeType, 16>(
            array,
            |value| month_day_nano(0, value.days, i64::from(value.milliseconds) * 1_000_000),
            |_| Scalar::Other,
        ),
        (IntervalUnit::MonthDayNano, _) => converted::<IntervalMonthDayNanoType, 16>(
            array,
            |value| month_day_nano(value.months, value.days, value.nanoseconds),
            |_| Scalar::Other,
        ),
    }
}

fn month_day_nano(months: i32, days: i32, nanoseconds: i64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&months.to_le_bytes());
    bytes[4..8].copy_from_slice(&days.to_le_bytes());
    bytes[8..].copy_from_slice(&nanoseconds.to_le_bytes());
    bytes
}
