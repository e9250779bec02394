//! What is stored of a split.

use mainstay_core::{Digest, Name, NodeRef, Result};
use mainstay_repo::Value;
use serde::{Deserialize, Serialize};

use super::SplitRule;

const FORMAT: u64 = 1;

/// How a version of a dataset was divided; `docs/formats/data-split.md` is the normative description.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SplitRecord {
    /// The format's version: 1.
    pub format: u64,
    /// What was divided.
    pub source: NodeRef,
    /// How rows found their part.
    pub rule: SplitRule,
    /// The parts, in order.
    pub parts: Vec<StoredPart>,
}

/// A part of a split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StoredPart {
    /// What it is for.
    pub role: Name,
    /// Its share of all weights.
    pub weight: u32,
    /// The dataset it is a version of.
    pub dataset: Name,
    /// The digest of its snapshot.
    pub snapshot: Digest,
    /// Its rows.
    pub rows: u64,
}

impl SplitRecord {
    pub(crate) const KIND: &str = "data.split";

    pub(crate) fn new(source: NodeRef, rule: SplitRule, parts: Vec<StoredPart>) -> Self {
        Self {
            format: FORMAT,
            source,
            rule,
            parts,
        }
    }

    /// Decodes the value of a split's ref.
    pub(crate) fn of(value: &Value) -> Result<Self> {
        value.check_format(Self::KIND, FORMAT)?;
        value.decode(Self::KIND)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use mainstay_core::canon;

    use super::*;

    fn record(rule: SplitRule) -> SplitRecord {
        let part = |role: &str, weight, rows| StoredPart {
            role: role.parse().unwrap(),
            weight,
            dataset: format!("penguins-{role}").parse().unwrap(),
            snapshot: Digest::of(role.as_bytes()),
            rows,
        };
        let parts = vec![part("train", 8, 275), part("test", 2, 69)];
        SplitRecord::new("data:penguins@3".parse().unwrap(), rule, parts)
    }

    #[test]
    fn records_of_format_1_are_written_and_read() {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/data-split/v1");
        for (name, rule) in [
            ("hash", SplitRule::hash(["island", "year"], 7)),
            ("stratified", SplitRule::stratified(["id"], 0, ["species"])),
            ("time", SplitRule::time("year")),
            ("cut", SplitRule::time_cut("year", ["2009"])),
        ] {
            let path = golden.join(format!("{name}.json"));
            let record = record(rule);
            let written = canon::to_vec(&record).unwrap();
            if !path.exists() {
                std::fs::create_dir_all(&golden).unwrap();
                std::fs::write(&path, &written).unwrap();
            }
            let stored = std::fs::read(&path).unwrap();
            assert_eq!(stored, written, "{name}");
            assert_eq!(canon::from_slice::<SplitRecord>(&stored).unwrap(), record);
        }
    }
}
