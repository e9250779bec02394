//! Numbers for people.

/// Writes a number to three digits or to the whole, with its thousands set apart.
pub(super) fn text(value: f64) -> String {
    let decimals = match value.abs() {
        size if size < 0.995 => 3,
        size if size < 9.95 => 2,
        size if size < 99.5 => 1,
        _ => 0,
    };
    let plain = format!("{value:.decimals$}");
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    let (sign, digits) = whole.split_at(usize::from(whole.starts_with('-')));
    let mut grouped = String::from(sign);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if !fraction.is_empty() {
        grouped.push('.');
        grouped.push_str(fraction);
    }
    grouped
}

/// As [`text()`], with the sign of what is greater than zero.
pub(super) fn signed(value: f64) -> String {
    let sign = if value > 0.0 { "+" } else { "" };
    format!("{sign}{}", text(value))
}

/// As [`text()`], without zeros that say nothing.
pub(super) fn short(value: f64) -> String {
    let text = text(value);
    match text.split_once('.') {
        Some(_) => text.trim_end_matches('0').trim_end_matches('.').into(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_and_whole_thousands() {
        for (value, wanted) in [
            (0.0, "0.000"),
            (0.012_34, "0.012"),
            (0.999, "1.00"),
            (1.234, "1.23"),
            (-12.34, "-12.3"),
            (99.96, "100"),
            (999.9, "1,000"),
            (-1_234_567.0, "-1,234,567"),
        ] {
            assert_eq!(text(value), wanted);
        }
        for (value, wanted) in [(0.01, "0.01"), (1.0, "1"), (10.0, "10"), (1000.0, "1,000")] {
            assert_eq!(short(value), wanted);
        }
        assert_eq!(signed(3.0), "+3.00");
        assert_eq!(signed(-3.0), "-3.00");
    }
}
