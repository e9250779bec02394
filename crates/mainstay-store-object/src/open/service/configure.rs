//! What the builders of all clients need.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use mainstay_core::{Error, Result};
use object_store::RetryConfig;

use crate::error::PLAIN_HTTP;

/// Long enough for the largest pack on a slow line.
pub(super) const TIMEOUT: &str = "5 minutes";

/// Trying again is left to `RetryStorage`, which knows what to do about creations.
pub(super) fn no_retries() -> RetryConfig {
    RetryConfig {
        max_retries: 0,
        ..RetryConfig::default()
    }
}

/// Hands every option to a builder; the first that it does not know is an error.
pub(super) fn with_options<B, K: FromStr>(
    builder: B,
    options: &BTreeMap<String, String>,
    with: impl Fn(B, K, String) -> B,
) -> Result<B> {
    options.iter().try_fold(builder, |builder, (name, value)| {
        match name.to_ascii_lowercase().parse() {
            Ok(key) => Ok(with(builder, key, value.clone())),
            Err(_) => Err(Error::invalid("the store has no such option").context("option", name)),
        }
    })
}

/// Whether what is sent is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encryption {
    Needed,
    NotNeeded,
}

impl Encryption {
    /// Looks at the endpoints that were configured, and at whether plain http is allowed.
    pub(super) fn of(
        endpoints: impl IntoIterator<Item = Option<String>>,
        plain_allowed: Option<String>,
    ) -> Self {
        let is_plain = |url: String| {
            let scheme = url.split(':').next().unwrap_or_default();
            scheme.eq_ignore_ascii_case("http")
        };
        let plain = endpoints.into_iter().flatten().any(is_plain);
        if plain && !plain_allowed.is_some_and(|value| is_true(&value)) {
            Self::Needed
        } else {
            Self::NotNeeded
        }
    }

    /// Fails if it is needed and not there.
    pub(super) fn check(self) -> Result<()> {
        match self {
            Self::Needed => Err(Error::invalid(PLAIN_HTTP)),
            Self::NotNeeded => Ok(()),
        }
    }
}

/// Reads a switch as the builders do.
pub(super) fn is_true(value: &str) -> bool {
    matches!(
        value.to_ascii_lowercase().as_str(),
        "1" | "true" | "on" | "yes" | "y"
    )
}

/// Tells why a builder could not build, without the values it was given.
pub(super) fn not_built(error: &object_store::Error, options: &BTreeMap<String, String>) -> Error {
    let mut reason = error.to_string();
    // The longest first: one that is part of another must not hide the rest of it.
    let mut values: Vec<_> = options.values().filter(|value| value.len() >= 4).collect();
    values.sort_by_key(|value| Reverse(value.len()));
    for value in values {
        reason = reason.replace(value.as_str(), "***");
    }
    Error::invalid("the options do not make a store").with_source(Reason(reason))
}

#[derive(Debug)]
struct Reason(String);

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Reason {}
