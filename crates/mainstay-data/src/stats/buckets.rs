//! Counts of texts of which there are too many different ones to count one by one.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::{ColumnStats, ScalarValue};

/// How many buckets there are.
const BUCKETS: usize = 64;

/// How many values of a text column fall into each of 64 buckets: that of a text is the remainder of the
/// XXH3-64 of its UTF-8 by 64.
///
/// Exact, whatever the number of different values, and equal texts of two columns are in one bucket. So how
/// far the counts of two columns differ is at most how far their values do: what moves between texts of one
/// bucket is not seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<u64>", into = "Vec<u64>")]
pub struct Buckets(Box<[u64; BUCKETS]>);

impl Buckets {
    pub(super) fn new() -> Self {
        Self(Box::new([0; BUCKETS]))
    }

    /// Counts the texts of a column, whether it was stored one by one or in buckets; `None` when there are
    /// none.
    pub(crate) fn of(stats: &ColumnStats) -> Option<Self> {
        if stats.buckets.is_some() {
            return stats.buckets.clone();
        }
        let mut buckets = Self::new();
        for category in stats.categories.as_ref()? {
            let ScalarValue::Text(text) = &category.value else {
                return None;
            };
            buckets.add(xxh3_64(text.as_bytes()), category.count);
        }
        Some(buckets)
    }

    /// Adds texts of one XXH3-64.
    #[inline]
    pub(super) fn add(&mut self, hash: u64, count: u64) {
        let [lowest, ..] = hash.to_le_bytes();
        self.0[usize::from(lowest) % BUCKETS] += count;
    }

    /// Returns the counts.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        self.0.as_slice()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|count| *count == 0)
    }
}

impl TryFrom<Vec<u64>> for Buckets {
    type Error = &'static str;

    fn try_from(counts: Vec<u64>) -> Result<Self, Self::Error> {
        let counts = counts.into_boxed_slice().try_into();
        counts.map(Self).map_err(|_| "expected 64 counts")
    }
}

impl From<Buckets> for Vec<u64> {
    fn from(buckets: Buckets) -> Self {
        buckets.0.to_vec()
    }
}
