//! What changed between two snapshots: a ladder of which each step costs more and says more.
//!
//! | step | read |
//! |---|---|
//! | the same snapshot, the same table, the same rows in any order | manifests |
//! | which files were added, removed, changed and renamed | manifests; of many files the pages that differ |
//! | columns added, removed, changed, and renamed: those of another name and the same values | manifests |
//! | which columns have other values | manifests |
//! | statistics and drift | manifests |
//! | rows by key, or as whole rows, when [`CompareOptions::rows`] asks for them | what both do not share |
//!
//! # Drift
//! Numbers, dates and times are compared by their distributions, which the percentiles and, for few
//! different integers, the counts give; text and booleans by their counts. Where a text column has more
//! than 64 different values on a side, or one longer than 256 bytes, its values are counted in
//! [64 buckets](crate::stats::Buckets) that hashes choose. What moves between texts of one bucket is not
//! seen: the measures are at most those of the values themselves, the PSI but for the halves it adds. Of such
//! columns in manifests before format 5 only missing values are compared.
//!
//! * *PSI* = Σ (q − p) ln(q / p) over bins, where p and q are a bin's shares before and after, each
//!   count raised by one half. Bins are cut at the deciles of the earlier side (equal ones are one), or
//!   are the categories or buckets. Warns from 0.1, fails from 0.25.
//! * *KS* = the greatest difference of the two cumulative distributions; for categories and buckets the total
//!   variation ½ Σ |q − p|. Warns from 0.1, fails from 0.2. From percentiles it may be off by 0.02.
//! * *missing* = the change of the share of nulls, NaN and infinities. Warns from 0.05, fails from 0.15.
//!
//! * *chi-square* and *Cramér's V* test whether categories or buckets depend on the side; new and
//!   vanished categories are named. Judged where [`DriftThresholds`] say so, as is the Jensen-Shannon divergence.
//!
//! A measure counts only where sampling alone would exceed it in less than 1 % of cases: (1/n + 1/m)
//! χ² for PSI, the Kolmogorov distribution for KS, the two-proportion z test for missing values. So
//! small tables do not raise alarms by chance. A column that changed and of which nothing is measured but its
//! missing values, as a list or an image, warns.

use mainstay_core::{Digest, Result, canon};
use serde::Serialize;

mod categories;
mod columns;
mod compatibility;
mod daff;
mod distribution;
mod evidence;
mod files;
mod fits;
mod markdown;
mod measure;
mod options;
mod rows;
mod schema;
mod verdict;

pub use categories::{CategoryDrift, ChiSquare};
pub use compatibility::{Compatibility, Direction, Incompatibility};
pub use files::{ChangedFile, FileOp, FilesDiff};
pub use options::{CompareOptions, CompareRows};
pub use rows::{ComparedRows, RowsDiff};
pub use verdict::{ColumnThresholds, DriftThresholds, Threshold, Verdict};

use crate::Manifest;
use crate::rows::stored::Keys;
use crate::rows::{Both, Identity};
use crate::stats::ColumnStats;

/// The differences of two snapshots.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DatasetDiff {
    /// The snapshot compared with: the baseline.
    pub before: Digest,
    /// The snapshot compared.
    pub after: Digest,
    /// Whether both tables hold the same values in the same order.
    pub same_table: bool,
    /// Whether both tables hold the same rows, in any order. Between a snapshot of format 1 and a
    /// later one only the same order is recognized.
    pub same_rows: bool,
    /// How the files differ, also those that are no table.
    pub files: FilesDiff,
    /// How the columns differ.
    pub schema: SchemaDiff,
    /// Whether readers of the earlier columns can read the later data: the same as
    /// [`Compatibility::forward`].
    pub compatible: bool,
    /// Whether readers of either version can read the other, and why not.
    pub compatibility: Compatibility,
    /// Rows before and after, and which of them differ when that was asked for.
    pub rows: RowsDiff,
    /// The columns that both have, the most drifted first.
    pub columns: Vec<ColumnDiff>,
    /// The worst verdict of the columns; [`Verdict::Fail`] also when it is not [`compatible`](Self::compatible), and
    /// [`Verdict::Unjudged`] when there were no columns to compare and files differ.
    pub verdict: Verdict,
    /// Bytes read to answer: the two manifests, and what was read of files to compare rows. Pages that
    /// list many files are not counted.
    pub bytes_read: u64,
}

/// How the columns of two snapshots differ.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct SchemaDiff {
    /// Columns only the later one has.
    pub added: Vec<ColumnType>,
    /// Columns only the earlier one has.
    pub removed: Vec<ColumnType>,
    /// Columns of the same name and another type or nullability.
    pub changed: Vec<TypeChange>,
    /// Columns of another name and the same values.
    pub renamed: Vec<Renaming>,
}

/// A column's name and type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ColumnType {
    /// Its name.
    pub name: String,
    /// Its logical type; where only that tells two versions of JSON lines apart, with `json` instead of `utf8`
    /// for values that are JSON text.
    #[serde(rename = "type")]
    pub logical_type: String,
    /// Whether it allows nulls.
    pub nullable: bool,
}

/// A column whose type or nullability changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TypeChange {
    /// Its name.
    pub name: String,
    /// What it was.
    pub before: ColumnType,
    /// What it is.
    pub after: ColumnType,
}

/// A column that kept its values under another name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Renaming {
    /// Its earlier name.
    pub from: String,
    /// Its later name.
    pub to: String,
}

/// What changed in a column that both snapshots have.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ColumnDiff {
    /// Its later name.
    pub name: String,
    /// Whether its values or their order differ.
    pub changed: bool,
    /// Its statistics on both sides.
    pub stats: StatsPair,
    /// How far the distribution moved.
    pub drift: Drift,
    /// What the thresholds say.
    pub verdict: Verdict,
}

/// Statistics before and after.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct StatsPair {
    /// Of the earlier snapshot.
    pub before: ColumnStats,
    /// Of the later snapshot.
    pub after: ColumnStats,
}

/// How far a column's distribution moved; a measure is absent where the column has no distribution
/// to compare.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct Drift {
    /// The population stability index: 0 or more.
    pub psi: Option<f64>,
    /// The Kolmogorov-Smirnov distance of numeric columns, the total variation distance of
    /// categorical ones: 0 to 1.
    pub ks: Option<f64>,
    /// The Jensen-Shannon divergence in bits over the bins of the PSI: 0 to 1.
    pub js: Option<f64>,
    /// The first Wasserstein distance, how far the values moved on average, in standard deviations
    /// of the earlier side; numeric columns that were not constant.
    pub shift: Option<f64>,
    /// The change of the share of nulls, NaN and infinities: -1 to 1; 0 where a side has no rows.
    pub missing: f64,
    /// How likely such a change is when nothing drifted, by the two-proportion z test: 0 to 1; absent
    /// when all values or none are missing.
    pub missing_p_value: Option<f64>,
    /// The test of independence, where values are counted, one by one or in buckets.
    pub chi_square: Option<ChiSquare>,
    /// Which values are new or gone, where they are counted one by one.
    pub categories: Option<CategoryDrift>,
}

impl DatasetDiff {
    /// Compares two manifests, whose files differ as `files` says.
    ///
    /// Columns are ordered by verdict, then by how far they moved: the greatest of the shift in
    /// standard deviations, twice the KS or total variation distance, and twice the change of the
    /// share of missing values. So the first column is the one to look at.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when a manifest holds a number that
    /// has no canonical JSON; one that was read from a repository does not.
    /// [`ErrorKind::NotFound`](mainstay_core::ErrorKind::NotFound) when thresholds name a column that the
    /// later table does not have.
    pub(crate) fn between(
        manifests: &Both<Manifest>,
        files: FilesDiff,
        thresholds: &DriftThresholds,
    ) -> Result<Self> {
        let Both { before, after } = manifests;
        thresholds.check_names(after.columns())?;
        let encoded = [canon::to_vec(before)?, canon::to_vec(after)?];
        let (schema, pairs) = schema::pair(before.columns(), after.columns());
        let compatibility = Compatibility::between(before.columns(), after.columns());
        let compatible = compatibility.forward;
        let columns = columns::compare(&pairs, thresholds);
        let worst = columns.iter().map(|column| column.verdict).max();
        let tables = before.table.as_ref().zip(after.table.as_ref());
        let same_table = tables.is_some_and(|(a, b)| a.has_same_values(b));
        let same_rows = tables.is_some_and(|(a, b)| a.has_same_rows(b));
        let rows = |manifest: &Manifest| manifest.table.as_ref().map_or(0, |table| table.rows);
        let whole = (&Identity::WholeRow, Keys::Unique);
        let alike = || ComparedRows::alike(whole, rows(after), !same_table);
        Ok(Self {
            before: Digest::of(&encoded[0]),
            after: Digest::of(&encoded[1]),
            same_table,
            same_rows,
            schema,
            compatible,
            compatibility,
            rows: RowsDiff {
                before: rows(before),
                after: rows(after),
                compared: same_rows.then(alike),
            },
            columns,
            verdict: match worst {
                _ if !compatible => Verdict::Fail,
                Some(worst) => worst,
                None if files.differing() == 0 => Verdict::Pass,
                None => Verdict::Unjudged,
            },
            files,
            bytes_read: encoded.iter().map(|bytes| bytes.len() as u64).sum(),
        })
    }
}
