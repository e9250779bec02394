//! Where a page ends: the place of its last result in the order.

use std::cmp::Ordering;
use std::fmt::Write as _;

use mainstay_core::{Digest, Error, Result, Timestamp};
use semver::Version;
use serde::{Deserialize, Serialize};

/// The place of a version or a run in the order of a query.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Position {
    pub(super) keys: Vec<Key>,
    /// What the model is called; of a run the run itself.
    pub(super) name: String,
    /// 0 for runs.
    pub(super) ordinal: u64,
}

/// A value to order by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Key {
    Missing,
    #[serde(with = "bits")]
    Number(f64),
    Text(String),
    Version(Version),
    Time(Timestamp),
}

impl Key {
    fn rank(&self) -> u8 {
        match self {
            Self::Number(number) if number.is_finite() => 0,
            Self::Time(_) => 1,
            Self::Version(_) => 2,
            Self::Text(_) => 3,
            Self::Number(_) => 4,
            Self::Missing => 5,
        }
    }

    fn compare(&self, other: &Self, descending: bool) -> Ordering {
        // Missing comes last in both directions, what is not finite before it, and texts among numbers
        // after these.
        let ranks = self.rank().cmp(&other.rank());
        if ranks.is_ne() {
            return ranks;
        }
        let ordering = match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.total_cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Version(a), Self::Version(b)) => a.cmp(b),
            (Self::Time(a), Self::Time(b)) => a.cmp(b),
            _ => Ordering::Equal,
        };
        if descending {
            ordering.reverse()
        } else {
            ordering
        }
    }
}

impl Position {
    /// Compares two places; a total order, because a model has no ordinal twice and a run one name.
    pub(super) fn compare(&self, other: &Self, descending: &[bool]) -> Ordering {
        let pairs = self.keys.iter().zip(&other.keys).zip(descending);
        pairs
            .map(|((a, b), descending)| a.compare(b, *descending))
            .find(|ordering| ordering.is_ne())
            .unwrap_or_else(|| {
                (self.name.as_str().cmp(&other.name)).then(other.ordinal.cmp(&self.ordinal))
            })
    }
}

/// The end of a page, as text that only this module reads.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cursor {
    /// The log entry that the first page is of, and so all pages.
    pub(super) seq: u64,
    /// The place of the last result.
    pub(super) last: Position,
}

const MAX_CURSOR_BYTES: usize = 1 << 20;

impl Cursor {
    pub(super) fn encode(&self, query: &str) -> Result<String> {
        let json = serde_json::to_vec(&(of(query), self.seq, &self.last))
            .map_err(|error| Error::invalid("the place has no JSON").with_source(error))?;
        let mut text = String::with_capacity(json.len() * 2);
        for byte in json {
            write!(text, "{byte:02x}")
                .map_err(|error| Error::invalid("the place has no text").with_source(error))?;
        }
        Ok(text)
    }

    /// Reads a cursor back.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when it is damaged or of another query.
    pub(super) fn decode(text: &str, query: &str) -> Result<Self> {
        let bad = || Error::invalid("the page mark is not of this query");
        if text.len() > MAX_CURSOR_BYTES || !text.len().is_multiple_of(2) || !text.is_ascii() {
            return Err(bad());
        }
        let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16);
        let json: Vec<u8> = (0..text.len())
            .step_by(2)
            .map(byte)
            .collect::<Result<_, _>>()
            .map_err(|error| bad().with_source(error))?;
        let (digest, seq, last): (Digest, u64, Position) =
            serde_json::from_slice(&json).map_err(|error| bad().with_source(error))?;
        if digest == of(query) {
            Ok(Self { seq, last })
        } else {
            Err(bad())
        }
    }
}

fn of(query: &str) -> Digest {
    Digest::of(query.as_bytes())
}

/// Every number survives as its bits, NaN too.
mod bits {
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
    pub(super) fn serialize<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(number.to_bits())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        u64::deserialize(deserializer).map(f64::from_bits)
    }
}
