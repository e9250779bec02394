//! The sum of rows that are hashed in one place and wanted in another.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::sum::LaneSum;

/// What a [`RowsHasher`](super::RowsHasher) has gathered, to be [merged](super::RowsHasher::merge_sum) by
/// another; `docs/formats/data-part.md` describes its JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RowsSum {
    /// The rules by which the rows were hashed.
    pub(super) profile: String,
    /// Names and logical types of the columns, in name order.
    pub(super) columns: Vec<(String, String)>,
    /// How many rows.
    pub rows: u64,
    pub(super) sum: Sum,
}

/// The lanes of a sum, in base64.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Sum(pub(super) LaneSum);

impl std::fmt::Debug for Sum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Sum> for String {
    fn from(sum: Sum) -> Self {
        STANDARD.encode(sum.0.to_bytes())
    }
}

impl TryFrom<String> for Sum {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bytes = STANDARD.decode(text).ok();
        let sum = bytes.and_then(|bytes| LaneSum::from_bytes(&bytes));
        sum.map(Self).ok_or("expected 4,096 bytes in base64")
    }
}
