//! Limits on free text in records.

use std::collections::BTreeMap;

use mainstay_core::{Error, Result};

/// The longest key of a tag, metric, parameter or seed, in bytes.
pub const MAX_KEY_BYTES: usize = 250;
/// The longest value of a tag or parameter, and the longest description, in bytes.
pub const MAX_TEXT_BYTES: usize = 100_000;
/// The most tags, metrics, parameters or seeds of one version.
pub const MAX_ENTRIES: usize = 1_000;

/// Checks the keys of one map of a record.
pub(crate) fn check_keys<'k>(
    what: &'static str,
    keys: impl ExactSizeIterator<Item = &'k String>,
) -> Result<()> {
    if keys.len() > MAX_ENTRIES {
        return Err(Error::invalid(format!("more than {MAX_ENTRIES} {what}")));
    }
    for key in keys {
        let acceptable = (1..=MAX_KEY_BYTES).contains(&key.len())
            && key.trim() == key
            && !key.chars().any(char::is_control);
        if !acceptable {
            return Err(Error::invalid(
                "a key is 1 to 250 bytes on one line, without white space at the ends",
            )
            .context(
                what,
                key.chars().take(64).collect::<String>().escape_debug(),
            ));
        }
    }
    Ok(())
}

pub(crate) fn check_tags(tags: &BTreeMap<String, String>) -> Result<()> {
    check_keys("tags", tags.keys())?;
    tags.values()
        .try_for_each(|value| check_value("tag", value))
}

pub(crate) fn check_value(what: &'static str, text: &str) -> Result<()> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(Error::invalid(format!(
            "{what} longer than {MAX_TEXT_BYTES} bytes"
        )));
    }
    Ok(())
}

/// Reports whether canonical JSON gives the number back as it is.
///
/// It spells whole numbers below 10²¹ as integers, and an integer beyond 2⁵³ - 1 is refused when read.
pub(crate) fn is_exact(number: &serde_json::Number) -> bool {
    let magnitude = number.as_f64().map(f64::abs);
    magnitude.is_some_and(|n| !(9_007_199_254_740_992.0..1e21).contains(&n))
}
