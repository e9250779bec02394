//! What is stored of a snapshot's content: the manifest.

use std::collections::BTreeMap;

use mainstay_core::{BulkDigest, Error, ErrorKind, Result, canon};
use serde::{Deserialize, Serialize};

use crate::digest::{PROFILE, PROFILE_1};
use crate::stats::ColumnStats;
use crate::{CsvOptions, Files, JsonType};

/// The newest format that this build reads, and what it writes where files encode a column in several types.
const FORMAT: u64 = 8;
/// What it writes else where CSV files have options.
const FORMAT_OPTIONS: u64 = 7;
/// What it writes else where a table file is JSON lines.
const FORMAT_JSON: u64 = 6;
/// What it writes else where texts are counted in buckets.
const FORMAT_BUCKETS: u64 = 5;
/// What it writes else where the files are in a tree.
const FORMAT_TREE: u64 = 4;
/// What it writes else where the manifest lists the files.
const FORMAT_LISTED: u64 = 3;

/// Everything known about a snapshot's content; its canonical JSON is a blob whose SHA-256 is the
/// snapshot's digest.
///
/// Holds no name, version, time or author, so equal content gives an equal digest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Manifest {
    /// The format's version: 8 where files encode a column in several types, else 7 where CSV files have options, else
    /// 6 where a table file is JSON lines, else 5 where the values of a text column are counted in buckets, else 4 where the files are in a tree, else 3, or less when an earlier build
    /// wrote it.
    pub format: u64,
    /// The table that the table files make up in path order; `None` when there is none.
    pub table: Option<Table>,
    /// The files.
    pub files: Files,
    /// What the user said about the content.
    pub metadata: BTreeMap<String, String>,
}

/// The table of a snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Table {
    /// The digest profile: `table-digest v2`, or `v1` in a manifest of format 1. Table and column
    /// digests of both compare, rows digests do not.
    pub profile: String,
    /// Rows in all table files.
    pub rows: u64,
    /// Identifies the values and the order of the rows.
    pub table_digest: BulkDigest,
    /// Identifies the values as a multiset of rows, in any order.
    pub rows_digest: BulkDigest,
    /// How the CSV files are spelled; `None` where that is as ever, or no table file is CSV.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csv: Option<CsvOptions>,
    /// The columns, in the order of the first table file.
    pub columns: Vec<Column>,
}

/// A column of a snapshot's table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Column {
    /// Its name, unique in the table.
    pub name: String,
    /// Its logical type, as `int64` or `timestamp(us,"UTC")`.
    #[serde(rename = "type")]
    pub logical_type: String,
    /// How JSON lines spell its values; `None` where no table file is JSON lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<JsonType>,
    /// Whether a schema of the files allows nulls.
    pub nullable: bool,
    /// Whether table files have different Arrow types of its logical type; it is then read as the widest.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mixed: bool,
    /// Identifies its values and their order, whatever its name.
    pub digest: BulkDigest,
    /// What its values look like.
    pub stats: ColumnStats,
}

impl Manifest {
    /// Assembles a manifest of this format.
    pub(crate) fn new(
        table: Option<Table>,
        files: Files,
        metadata: BTreeMap<String, String>,
    ) -> Self {
        Self {
            format: match files {
                _ if table.as_ref().is_some_and(Table::is_mixed) => FORMAT,
                _ if table.as_ref().is_some_and(Table::has_options) => FORMAT_OPTIONS,
                _ if table.as_ref().is_some_and(Table::has_json) => FORMAT_JSON,
                _ if table.as_ref().is_some_and(Table::has_buckets) => FORMAT_BUCKETS,
                Files::Listed(_) => FORMAT_LISTED,
                Files::Tree(_) => FORMAT_TREE,
            },
            table,
            files,
            metadata,
        }
    }

    /// Decodes a stored manifest.
    ///
    /// # Errors
    /// [`ErrorKind::Incompatible`] when a newer Mainstay wrote it; [`ErrorKind::Corrupt`] when it is
    /// not one.
    pub fn from_slice(bytes: &[u8]) -> Result<Self> {
        const WHAT: &str = "data snapshot manifest";
        check_format(bytes, WHAT)?;
        let manifest: Self =
            canon::from_slice(bytes).map_err(|error| error.context("object", WHAT))?;
        manifest.check().map_err(|why| Error::corrupt(WHAT, why))?;
        Ok(manifest)
    }

    /// Checks what its format says and its types do not.
    fn check(&self) -> std::result::Result<(), &'static str> {
        let profile = if self.format == 1 { PROFILE_1 } else { PROFILE };
        if self
            .table
            .as_ref()
            .is_some_and(|table| table.profile != profile)
        {
            return Err("digests of a profile that its format does not have");
        }
        let has = |what: fn(&Table) -> bool| self.table.as_ref().is_some_and(what);
        if has(Table::is_mixed) != (self.format == FORMAT) {
            return Err("columns of several types are of format 8, and format 8 has them");
        }
        if self.format < FORMAT && has(Table::has_options) != (self.format == FORMAT_OPTIONS) {
            return Err("options of CSV are of format 7, and format 7 has them");
        }
        let options = self.table.as_ref().and_then(|table| table.csv.as_ref());
        if options.is_some_and(|options| options.is_default() || options.check().is_err()) {
            return Err("options of CSV that say nothing, or what cannot be");
        }
        if self.format < FORMAT_OPTIONS && has(Table::has_json) != (self.format == FORMAT_JSON) {
            return Err("columns of JSON lines are of format 6, and format 6 has them");
        }
        if self.format < FORMAT_JSON && has(Table::has_buckets) != (self.format == FORMAT_BUCKETS) {
            return Err("texts in buckets are of format 5, and format 5 has them");
        }
        if !self.columns().iter().all(Column::has_one_type) {
            return Err("a column of JSON lines of another type");
        }
        match &self.files {
            Files::Listed(files) if self.format < 3 => files
                .iter()
                .all(|file| file.canonical.is_none())
                .then_some(())
                .ok_or("a layout that its format does not have"),
            Files::Listed(_) if self.format == FORMAT_TREE => Err("files that are not in a tree"),
            Files::Tree(_) if self.format < FORMAT_TREE => {
                Err("a tree, which its format does not have")
            }
            Files::Listed(_) | Files::Tree(_) => Ok(()),
        }
    }

    /// Reports whether this build would say the same of the table, were it given the files.
    pub(crate) fn is_as_written_now(&self) -> bool {
        let is_told = |column: &Column| {
            let ColumnStats {
                min,
                categories,
                buckets,
                ..
            } = &column.stats;
            column.logical_type != "utf8"
                || min.is_none()
                || categories.is_some()
                || buckets.is_some()
        };
        self.format >= FORMAT_LISTED && self.columns().iter().all(is_told)
    }

    /// Returns a column by name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns().iter().find(|column| column.name == name)
    }

    /// Returns the columns of the table; none when there is no table.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        self.table.as_ref().map_or(&[], |table| &table.columns)
    }
}

impl Column {
    /// Reports whether JSON lines, if there are any, have values of its logical type.
    fn has_one_type(&self) -> bool {
        let of_json = self.json.as_ref().map(JsonType::logical_type);
        of_json.is_none_or(|of_json| of_json.is_ok_and(|of_json| of_json == self.logical_type))
    }
}

impl Table {
    fn is_mixed(&self) -> bool {
        self.columns.iter().any(|column| column.mixed)
    }

    fn has_options(&self) -> bool {
        self.csv.is_some()
    }

    fn has_json(&self) -> bool {
        self.columns.iter().any(|column| column.json.is_some())
    }

    fn has_buckets(&self) -> bool {
        let mut columns = self.columns.iter();
        columns.any(|column| column.stats.buckets.is_some())
    }

    pub(crate) fn has_same_values(&self, other: &Self) -> bool {
        self.table_digest == other.table_digest
    }

    /// Reports whether the rows are known to be the same, in any order.
    pub(crate) fn has_same_rows(&self, other: &Self) -> bool {
        self.has_same_values(other)
            || (self.profile == other.profile && self.rows_digest == other.rows_digest)
    }
}

/// Looks at a record's format number alone.
fn check_format(json: &[u8], what: &'static str) -> Result<()> {
    #[derive(Deserialize)]
    struct Probe {
        format: u64,
    }
    let probe: Probe = serde_json::from_slice(json)
        .map_err(|error| Error::corrupt(what, "no format number").with_source(error))?;
    match probe.format {
        1..=FORMAT => Ok(()),
        newer if newer > FORMAT => Err(Error::new(
            ErrorKind::Incompatible,
            format!("written by a newer Mainstay: format {newer}, this build reads {FORMAT}"),
        )
        .context("record", what)),
        _ => Err(Error::corrupt(what, "no such format number")),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_an_earlier_build_said_less_of_is_not_said_again() {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/data-snapshot");
        let read = |path: &str| {
            let bytes = std::fs::read(golden.join(path)).unwrap();
            Manifest::from_slice(&bytes).unwrap()
        };
        assert!(!read("v1/penguins.manifest.json").is_as_written_now());
        assert!(!read("v2/penguins.manifest.json").is_as_written_now());
        assert!(read("v3/penguins.manifest.json").is_as_written_now());
        let mut words = read("v5/words.manifest.json");
        assert!(words.is_as_written_now());
        for column in &mut words.table.as_mut().unwrap().columns {
            column.stats.buckets = None;
        }
        assert!(!words.is_as_written_now());
    }
}
