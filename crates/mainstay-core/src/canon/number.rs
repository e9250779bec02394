//! How canonical JSON spells numbers: as ECMAScript prints doubles.

use std::io::Write as _;

const MAX_SAFE_INTEGER: u128 = (1 << 53) - 1;

/// Spells an integer.
///
/// # Errors
/// Refuses one whose digits a double would change. One beyond ±(2⁵³ − 1) that keeps them, as 1e17, reads
/// back whether it was written as an integer or as a double.
pub(super) fn integer(text: &mut Vec<u8>, magnitude: u128, negative: bool) -> Result<(), String> {
    #[expect(
        clippy::cast_precision_loss,
        reason = "the question is whether any is lost"
    )]
    let keeps_its_digits =
        || ryu_js::Buffer::new().format_finite(magnitude as f64) == magnitude.to_string();
    if magnitude > MAX_SAFE_INTEGER && !keeps_its_digits() {
        return Err(format!(
            "integer {magnitude} is beyond 2^53 - 1; use a string"
        ));
    }
    let sign = if negative { "-" } else { "" };
    write!(text, "{sign}{magnitude}").map_err(|error| error.to_string())
}

/// Spells a double.
///
/// # Errors
/// Refuses one that is not finite.
pub(super) fn float(text: &mut Vec<u8>, value: f64) -> Result<(), String> {
    if !value.is_finite() {
        return Err(format!("{value} is not a finite number"));
    }
    text.extend_from_slice(ryu_js::Buffer::new().format_finite(value).as_bytes());
    Ok(())
}
