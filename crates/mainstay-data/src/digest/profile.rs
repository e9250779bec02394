//! The two sets of rules that tables are hashed by.

/// What counts as equal; see `docs/formats/table-digest.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the profiles of table-digest v2; others are another format"
)]
pub enum Profile {
    /// Widths and signs of integers, widths of floats, units of times, zones and the two zeros count.
    #[default]
    Strict,
    /// What engines change when they pass a table on does not count: integers are integers, floats
    /// are floats with one zero, times are times in any unit, zoned timestamps are instants.
    Semantic,
}

impl Profile {
    /// Names the rules.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Strict => super::PROFILE,
            Self::Semantic => "table-digest v2 semantic",
        }
    }

    pub(super) fn column_context(self) -> &'static str {
        match self {
            Self::Strict => "mainstay table-digest v1 column",
            Self::Semantic => "mainstay table-digest v2 semantic column",
        }
    }

    pub(super) fn table_context(self) -> &'static str {
        match self {
            Self::Strict => "mainstay table-digest v1 table",
            Self::Semantic => "mainstay table-digest v2 semantic table",
        }
    }

    pub(super) fn row_context(self) -> &'static str {
        match self {
            Self::Strict => "mainstay table-digest v2 row",
            Self::Semantic => "mainstay table-digest v2 semantic row",
        }
    }

    pub(super) fn rows_context(self) -> &'static str {
        match self {
            Self::Strict => "mainstay table-digest v2 rows",
            Self::Semantic => "mainstay table-digest v2 semantic rows",
        }
    }
}
