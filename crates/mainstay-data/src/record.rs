//! What is stored in the ref of a version: where the manifest is, what a listing shows without
//! reading it, and what the user said about where the data came from.

use std::collections::BTreeMap;

use mainstay_core::{BulkDigest, Digest, Error, Name, Result};
use mainstay_repo::RefState;
use serde::{Deserialize, Serialize};

use crate::{Manifest, TableFiles};

/// The newest version of the format that this build reads, and what it writes where keys were counted.
const FORMAT: u64 = 6;
/// What it writes else where CSV has options.
const FORMAT_SPELLED: u64 = 5;
/// What it writes else where files were chosen.
const FORMAT_CHOSEN: u64 = 4;
/// What it writes else.
const FORMAT_PLAIN: u64 = 3;

/// The record of a version's ref; `docs/formats/data-snapshot.md` is its normative description.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VersionRecord {
    pub(crate) format: u64,
    /// The digest of the manifest.
    pub(crate) snapshot: Digest,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) rows: Option<u64>,
    pub(crate) columns: u64,
    pub(crate) table_digest: Option<BulkDigest>,
    pub(crate) rows_digest: Option<BulkDigest>,
    /// The columns that tell rows apart; none when the user did not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) key: Vec<String>,
    /// How many keys several rows have; `None` where nobody counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) repeated_keys: Option<u64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) synthetic: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) transform: Option<Transform>,
    /// Which files the user chose for the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) table_files: Option<TableFiles>,
}

/// What made a version from the versions its edges name: the step of a pipeline and its parameters.
///
/// ```
/// use mainstay_data::Transform;
///
/// let clean = Transform::new("clean".parse()?)
///     .with_parameter("drop_nulls", true)
///     .with_parameter("min_mass", 2500);
/// # Ok::<(), mainstay_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Transform {
    /// What was done: `clean`, `features`, `split`.
    pub name: Name,
    /// With which parameters; none is a secret.
    pub parameters: BTreeMap<String, serde_json::Value>,
}

impl Transform {
    /// Names a transformation without parameters.
    #[must_use]
    pub fn new(name: Name) -> Self {
        Self {
            name,
            parameters: BTreeMap::new(),
        }
    }

    /// Sets a parameter.
    #[must_use]
    pub fn with_parameter(
        mut self,
        key: impl Into<String>,
        value: impl Into<serde_json::Value>,
    ) -> Self {
        self.parameters.insert(key.into(), value.into());
        self
    }
}

impl VersionRecord {
    pub(crate) const KIND: &str = "data.snapshot";

    /// Describes a manifest, which is stored as the blob `snapshot`.
    pub(crate) fn new(manifest: &Manifest, snapshot: Digest) -> Self {
        let table = manifest.table.as_ref();
        Self {
            format: FORMAT_PLAIN,
            snapshot,
            files: manifest.files.count(),
            bytes: manifest.files.bytes(),
            rows: table.map(|table| table.rows),
            columns: manifest.columns().len() as u64,
            table_digest: table.map(|table| table.table_digest),
            rows_digest: table.map(|table| table.rows_digest),
            key: Vec::new(),
            repeated_keys: None,
            synthetic: false,
            transform: None,
            table_files: None,
        }
    }

    /// Says what tells rows apart, and how many keys several rows have, if they were counted.
    pub(crate) fn with_key(mut self, key: Vec<String>, repeated: Option<u64>) -> Self {
        self.key = key;
        self.repeated_keys = repeated;
        self.in_oldest_format()
    }

    /// Says which files were chosen for the table.
    pub(crate) fn with_table_files(mut self, chosen: Option<TableFiles>) -> Self {
        self.table_files = chosen;
        self.in_oldest_format()
    }

    /// Has the number of the oldest format that holds what it says.
    fn in_oldest_format(mut self) -> Self {
        self.format = match &self.table_files {
            _ if self.repeated_keys.is_some() => FORMAT,
            Some(chosen) if !chosen.csv.is_default() => FORMAT_SPELLED,
            Some(_) => FORMAT_CHOSEN,
            None => FORMAT_PLAIN,
        };
        self
    }

    /// Reports whether both say the same, as far as both know.
    pub(crate) fn agrees_with(&self, other: &Self) -> bool {
        let common = |record: &Self| {
            let counted = self.repeated_keys.and(other.repeated_keys);
            let counted = counted.and(record.repeated_keys);
            record.clone().with_key(record.key.clone(), counted)
        };
        common(self) == common(other)
    }

    /// Decodes the record of a version's ref.
    pub(crate) fn of(state: &RefState) -> Result<Self> {
        let value = state
            .value
            .as_ref()
            .ok_or_else(|| Error::corrupt(Self::KIND, "a version without a value"))?;
        let is_older = |format| value.check_format(Self::KIND, format).is_ok();
        if !(1..FORMAT).any(is_older) {
            value.check_format(Self::KIND, FORMAT)?;
        }
        value.decode(Self::KIND)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use mainstay_core::canon;
    use serde_json::json;

    use super::*;
    use crate::CsvOptions;

    fn record() -> VersionRecord {
        VersionRecord {
            format: FORMAT_PLAIN,
            snapshot: Digest::of(b"manifest"),
            files: 1,
            bytes: 13_464,
            rows: Some(344),
            columns: 8,
            table_digest: Some(BulkDigest::from_bytes([1; 32])),
            rows_digest: Some(BulkDigest::from_bytes([2; 32])),
            key: Vec::new(),
            repeated_keys: None,
            synthetic: false,
            transform: None,
            table_files: None,
        }
    }

    fn described() -> VersionRecord {
        let clean = Transform::new("clean".parse().unwrap())
            .with_parameter("min_mass", 2_500)
            .with_parameter("columns", json!(["species", "body_mass_g"]));
        VersionRecord {
            key: vec!["island".to_owned(), "year".to_owned()],
            synthetic: true,
            transform: Some(clean),
            ..record()
        }
    }

    fn chosen() -> VersionRecord {
        let chosen = TableFiles::new()
            .with_table("train/**".parse().unwrap())
            .with_opaque("*.tsv".parse().unwrap())
            .with_opaque("train/raw-[0-9].csv".parse().unwrap());
        described().with_table_files(Some(chosen))
    }

    fn spelled() -> VersionRecord {
        let options = CsvOptions::new()
            .with_delimiter('\t'.try_into().unwrap())
            .with_quote("'".parse().unwrap())
            .with_null("NA")
            .without_header();
        record().with_table_files(Some(TableFiles::new().with_csv(options)))
    }

    fn counted(repeated: u64) -> VersionRecord {
        let VersionRecord { key, .. } = described();
        described().with_key(key, Some(repeated))
    }

    #[test]
    fn what_one_does_not_know_is_no_difference() {
        assert!(described().agrees_with(&counted(0)));
        assert!(counted(2).agrees_with(&described()));
        assert!(!counted(2).agrees_with(&counted(0)));
        assert!(!described().agrees_with(&record()));
        assert!(!counted(0).agrees_with(&chosen()));
    }

    #[test]
    fn records_are_written_and_read() {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/data-version");
        for (name, record) in [
            ("v3/plain", record()),
            ("v3/described", described()),
            ("v4/chosen", chosen()),
            ("v5/spelled", spelled()),
            ("v6/unique", counted(0)),
            ("v6/repeated", counted(2)),
        ] {
            let path = golden.join(format!("{name}.json"));
            let written = canon::to_vec(&record).unwrap();
            if !path.exists() {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(&path, &written).unwrap();
            }
            let stored = std::fs::read(&path).unwrap();
            assert_eq!(stored, written, "{name}");
            assert_eq!(canon::from_slice::<VersionRecord>(&stored).unwrap(), record);
        }
    }
}
