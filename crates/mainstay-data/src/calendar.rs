//! Days and dates of the proleptic Gregorian calendar.
//!
//! Source: Howard Hinnant, *chrono-Compatible Low-Level Date Algorithms*.

/// The days of 400 years.
const ERA_DAYS: i64 = 146_097;
/// The days from 0000-03-01 to 1970-01-01.
const EPOCH_DAYS: i64 = 719_468;

/// A date: year, month 1 to 12, day 1 to 31.
pub(crate) type Date = (i64, i64, i64);

/// Returns the date of a day counted from 1970-01-01. Domain: |`days`| below 2⁶².
pub(crate) fn date_of(days: i64) -> Date {
    let shifted = days + EPOCH_DAYS;
    let era = shifted.div_euclid(ERA_DAYS);
    let day_of_era = shifted.rem_euclid(ERA_DAYS);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Months counted from March, so that the leap day ends the year.
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (era * 400 + year_of_era + carry, month, day)
}

/// Returns the day of a date of the years 0 to 9999 counted from 1970-01-01; `None` when there is no
/// such date.
pub(crate) fn days_of((year, month, day): Date) -> Option<i64> {
    let plausible =
        (0..=9_999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !plausible {
        return None;
    }
    let (year_from_march, month_from_march) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let era = year_from_march.div_euclid(400);
    let year_of_era = year_from_march.rem_euclid(400);
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * ERA_DAYS + day_of_era - EPOCH_DAYS;
    // The 31st of June comes back as the 1st of July.
    (date_of(days) == (year, month, day)).then_some(days)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_days_have_their_dates() {
        for (days, date) in [
            (0, (1970, 1, 1)),
            (-1, (1969, 12, 31)),
            (11_016, (2000, 2, 29)),
            (19_782, (2024, 2, 29)),
            (-719_528, (0, 1, 1)),
        ] {
            assert_eq!(date_of(days), date);
            assert_eq!(days_of(date), Some(days));
        }
    }

    #[test]
    fn dates_that_do_not_exist_have_no_day() {
        for bad in [
            (2023, 2, 29),
            (1900, 2, 29),
            (2024, 4, 31),
            (2024, 0, 1),
            (2024, 13, 1),
        ] {
            assert_eq!(days_of(bad), None);
        }
    }

    proptest! {
        #[test]
        fn days_and_dates_agree_and_days_follow_each_other(days in -719_528_i64..2_932_896) {
            let date = date_of(days);
            prop_assert_eq!(days_of(date), Some(days));
            prop_assert!(date_of(days + 1) > date);
        }
    }
}
