//! Limits on free text in records.

use std::collections::BTreeMap;

use mainstay_core::{Error, Result};

/// The longest key of a tag, metric, parameter or seed, in bytes.
pub const MAX_KEY_BYTES: usize = 250;
/// The longest value of a tag or parameter, and the longest description, in bytes.
pub const MAX_TEXT_BYTES: usize = 100_000;
/// The most tags, metrics, parameters, seeds, data or parents of one version.
pub const MAX_ENTRIES: usize = 1_000;

/// The most text of one version in bytes.
const MAX_TOTAL_BYTES: usize = 16 << 20;

/// Checks the keys of one map of a record.
pub(crate) fn check_keys<'k>(
    what: &'static str,
    keys: impl ExactSizeIterator<Item = &'k String>,
) -> Result<()> {
    check_count(what, keys.len())?;
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

pub(crate) fn check_count(what: &'static str, count: usize) -> Result<()> {
    if count > MAX_ENTRIES {
        return Err(
            Error::invalid(format!("more than {MAX_ENTRIES} {what}")).context("count", count)
        );
    }
    Ok(())
}

pub(crate) fn check_tags(tags: &BTreeMap<String, String>) -> Result<()> {
    check_keys("tags", tags.keys())?;
    tags.values()
        .try_for_each(|value| check_value("tag", value))
}

/// Refuses more text than an entry of the log can hold, however it is spelled.
pub(crate) fn check_total<'t>(texts: impl Iterator<Item = &'t String>) -> Result<()> {
    let total: usize = texts.map(String::len).sum();
    if total > MAX_TOTAL_BYTES {
        return Err(Error::invalid("more than 16 MiB of text").context("bytes", total));
    }
    Ok(())
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
