//! Who did it.

use serde::{Deserialize, Serialize};

use crate::text::text_common;
use crate::{Error, Result};

/// A person or service that changes things: 1 to 256 bytes of text on one line.
///
/// Recorded as claimed; Mainstay does not authenticate. No control characters and no white space at
/// the ends.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Actor(Box<str>);

impl Actor {
    /// Checks `text`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) when a rule above is broken.
    pub fn new(text: &str) -> Result<Self> {
        let acceptable = (1..=256).contains(&text.len())
            && text.trim() == text
            && !text.chars().any(char::is_control);
        if acceptable {
            Ok(Self(text.into()))
        } else {
            Err(Error::invalid(
                "an actor is 1 to 256 bytes on one line, without white space at the ends",
            ))
        }
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

text_common!(Actor);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actors_are_one_printable_line() {
        assert!(Actor::new("Ada Lovelace <ada@example.org>").is_ok());
        for bad in ["", " a", "a\n", "a\u{1b}[0m", &"a".repeat(257)] {
            assert!(Actor::new(bad).is_err(), "{bad:?}");
        }
    }
}
