//! How far down versions are compared.

use super::DriftThresholds;
use crate::rows::{Identity, RowDiffOptions};

/// What to compare of two versions.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct CompareOptions {
    /// From which drift a column warns and fails.
    pub thresholds: DriftThresholds,
    /// How to compare rows; `None` reads no data.
    pub rows: Option<CompareRows>,
}

/// How to compare rows.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CompareRows {
    /// What tells rows apart; `None` is the key that was recorded with the later version, else with the
    /// earlier one, and whole rows where there is none that both tables have, of the same types.
    pub identity: Option<Identity>,
    /// How many of the rows that differ are shown; 10 unless set.
    pub sample: usize,
    /// How much memory that takes, and where the rest goes. Renamed columns are found without being
    /// named.
    pub options: RowDiffOptions,
}

impl CompareOptions {
    /// Sets [`thresholds`](Self::thresholds).
    #[must_use]
    pub fn with_thresholds(mut self, thresholds: DriftThresholds) -> Self {
        self.thresholds = thresholds;
        self
    }

    /// Sets [`rows`](Self::rows).
    #[must_use]
    pub fn with_rows(mut self, rows: CompareRows) -> Self {
        self.rows = Some(rows);
        self
    }
}

impl Default for CompareRows {
    fn default() -> Self {
        Self {
            identity: None,
            sample: 10,
            options: RowDiffOptions::default(),
        }
    }
}

impl CompareRows {
    /// Compares rows that `identity` tells apart.
    #[must_use]
    pub fn new(identity: Identity) -> Self {
        Self {
            identity: Some(identity),
            ..Self::default()
        }
    }

    /// Sets [`sample`](Self::sample).
    #[must_use]
    pub fn with_sample(mut self, rows: usize) -> Self {
        self.sample = rows;
        self
    }

    /// Sets [`options`](Self::options).
    #[must_use]
    pub fn with_options(mut self, options: RowDiffOptions) -> Self {
        self.options = options;
        self
    }
}
