//! Places in the log.

use std::fmt;
use std::str::FromStr;

use mainstay_core::{Error, Result};

/// A place in the log: behind one of its transactions.
///
/// Whoever follows the [change feed](crate::Repo::entries) keeps the [position](crate::LogEntry::position)
/// of the last transaction that was dealt with and later reads on from there. Concurrent transactions
/// share a log entry, so the number of an entry does not tell which of them have been seen: the place
/// behind a whole entry is written as its number, `12`, and the one behind its first three transactions
/// as `12.3`. Places are ordered as the log is.
///
/// ```
/// use mainstay_repo::Position;
///
/// let seen: Position = "12.3".parse()?;
/// assert!(Position::from(11) < seen && seen < Position::from(12));
/// assert_eq!(seen.to_string(), "12.3");
/// # Ok::<(), mainstay_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    seq: u64,
    /// How many of the entry's transactions lie before; [`ALL`] of them where none lies behind.
    transactions: u32,
}

const ALL: u32 = u32::MAX;

impl Position {
    /// The place behind the first `transactions` of the `of` transactions of an entry.
    pub(crate) fn within(seq: u64, transactions: usize, of: usize) -> Self {
        let part = u32::try_from(transactions).ok();
        let part = part.filter(|_| transactions < of);
        let transactions = part.unwrap_or(ALL);
        Self { seq, transactions }
    }

    /// The entry.
    #[must_use]
    pub fn seq(self) -> u64 {
        self.seq
    }

    /// The first entry that has something behind this place.
    pub(crate) fn next_seq(self) -> u64 {
        match self.transactions {
            ALL => self.seq.saturating_add(1),
            _ => self.seq,
        }
    }
}

/// The place behind all of entry `seq`; behind 0 lies the whole log.
impl From<u64> for Position {
    fn from(seq: u64) -> Self {
        let transactions = ALL;
        Self { seq, transactions }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.transactions {
            ALL => self.seq.fmt(f),
            part => write!(f, "{}.{part}", self.seq),
        }
    }
}

impl FromStr for Position {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let place = || {
            let Some((seq, part)) = text.split_once('.') else {
                return Some(Self::from(text.parse::<u64>().ok()?));
            };
            let (seq, transactions) = (seq.parse().ok()?, part.parse().ok()?);
            (transactions != ALL).then_some(Self { seq, transactions })
        };
        place().ok_or_else(|| {
            let what = "a place in the log is written as the number of an entry, or as 12.3";
            Error::invalid(what).context("given", text.escape_debug())
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn places_are_read_as_they_are_written(seq: u64, part in 0_u32..9, all: bool) {
            let transactions = if all { ALL } else { part };
            let place = Position { seq, transactions };
            prop_assert_eq!(place.to_string().parse::<Position>().unwrap(), place);
        }

        #[test]
        fn no_text_is_too_odd(text in ".{0,12}|[0-9.]{0,24}") {
            if let Ok(place) = text.parse::<Position>() {
                prop_assert_eq!(place.to_string().parse::<Position>().unwrap(), place);
            }
        }
    }
}
