//! `RLIKE`: regular expressions, which take time linear in the text whatever they say.

use mainstay_core::{Error, Result};
use regex::{Regex, RegexBuilder};

/// The longest expression in bytes.
const MAX_BYTES: usize = 1_024;
/// The most memory of a compiled expression, and of what it keeps while it searches, in bytes.
const MAX_COMPILED: usize = 1 << 20;
/// How deep groups nest.
const MAX_NESTED: u32 = 64;

/// A compiled expression; the same as another when it is spelled the same.
#[derive(Debug, Clone)]
pub(super) struct Pattern(Regex);

impl Pattern {
    pub(super) fn new(text: &str) -> Result<Self> {
        if text.len() > MAX_BYTES {
            return Err(Error::invalid(format!(
                "a regular expression has at most {MAX_BYTES} bytes"
            )));
        }
        RegexBuilder::new(text)
            .size_limit(MAX_COMPILED)
            .dfa_size_limit(MAX_COMPILED)
            .nest_limit(MAX_NESTED)
            .build()
            .map(Self)
            .map_err(|error| Error::invalid("not a regular expression").with_source(error))
    }

    pub(super) fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Reports whether the text has a part that matches.
    pub(super) fn is_in(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}
