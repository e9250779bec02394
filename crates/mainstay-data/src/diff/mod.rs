//! What changed between two snapshots, from their manifests alone: no data is read.

use mainstay_core::Digest;
use serde::Serialize;

use crate::Manifest;
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
    /// Whether both tables hold the same rows, in any order.
    pub same_rows: bool,
    /// How the columns differ.
    pub schema: SchemaDiff,
    /// Whether a reader of the earlier columns can read the later ones: no column was removed,
    /// renamed or changed its type, and none that had no nulls allows them now.
    pub compatible: bool,
    /// Rows before and after.
    pub rows: RowsDiff,
    /// The columns that both have, the most drifted first.
    pub columns: Vec<ColumnDiff>,
    /// The worst verdict of the columns; [`Verdict::Fail`] also when the schemas are incompatible.
    pub verdict: Verdict,
    /// Bytes read to answer: the two manifests.
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
    /// Its logical type.
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

/// Rows of both tables; 0 where there is no table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RowsDiff {
    /// Of the earlier snapshot.
    pub before: u64,
    /// Of the later snapshot.
    pub after: u64,
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
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct Drift {
    /// The population stability index.
    pub psi: Option<f64>,
    /// The Kolmogorov-Smirnov distance of numeric columns, the total variation distance of
    /// categorical ones: 0 to 1.
    pub ks: Option<f64>,
    /// The Jensen-Shannon divergence in bits over the bins of the PSI: 0 to 1.
    pub js: Option<f64>,
    /// The Wasserstein distance in standard deviations of the baseline; numeric columns only.
    pub shift: Option<f64>,
    /// The change of the share of nulls and NaN: -1 to 1.
    pub missing: f64,
}

/// What thresholds say about a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Verdict {
    /// No drift worth a look.
    Pass,
    /// Worth a look.
    Warn,
    /// Not the same distribution.
    Fail,
}

/// The drift from which a column warns and fails.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct DriftThresholds {
    /// PSI; 0.1 and 0.25 by default, the customary values.
    pub psi: Threshold,
    /// KS or total variation distance; 0.1 and 0.2 by default.
    pub ks: Threshold,
    /// Absolute change of the share of missing values; 0.05 and 0.15 by default.
    pub missing: Threshold,
}

/// Where a measure begins to warn and to fail.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a threshold has these two parts")]
pub struct Threshold {
    /// Warns from this value.
    pub warn: f64,
    /// Fails from this value.
    pub fail: f64,
}

impl Default for DriftThresholds {
    fn default() -> Self {
        let threshold = |warn, fail| Threshold { warn, fail };
        Self {
            psi: threshold(0.1, 0.25),
            ks: threshold(0.1, 0.2),
            missing: threshold(0.05, 0.15),
        }
    }
}

impl DriftThresholds {
    /// Sets the thresholds of the PSI.
    #[must_use]
    pub fn with_psi(mut self, psi: Threshold) -> Self {
        self.psi = psi;
        self
    }

    /// Sets the thresholds of the KS or total variation distance.
    #[must_use]
    pub fn with_ks(mut self, ks: Threshold) -> Self {
        self.ks = ks;
        self
    }

    /// Sets the thresholds of the change of the share of missing values.
    #[must_use]
    pub fn with_missing(mut self, missing: Threshold) -> Self {
        self.missing = missing;
        self
    }
}
