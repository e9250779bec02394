//! What a user writes to merge.

use std::collections::BTreeMap;

use mainstay_core::{Name, NodeRef};
use serde::Serialize;

/// Who wins where both sides changed the same thing differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Strategy {
    /// Nobody: it is a conflict, and the merge is not made.
    #[default]
    Fail,
    /// The side that is merged into.
    Ours,
    /// The side that is merged.
    Theirs,
}

/// What to merge into what.
///
/// ```
/// use mainstay_data::merge::{MergeSpec, Strategy};
///
/// let spec = MergeSpec::new("data:penguins@3".parse()?, "data:penguins@4".parse()?)
///     .with_branch("main".parse()?)
///     .with_strategy("images/", Strategy::Theirs);
/// # Ok::<(), mainstay_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MergeSpec {
    /// The version that is merged into.
    pub ours: NodeRef,
    /// The version that is merged.
    pub theirs: NodeRef,
    /// The branch that moves to the result; it must point to `ours`.
    pub branch: Option<Name>,
    /// What both sides began from, where they have no common ancestor, several, or another one is meant.
    pub base: Option<NodeRef>,
    /// The columns that tell rows apart; those that the versions record, when empty.
    pub key: Vec<String>,
    /// Who wins, by the beginning of a path; the longest that fits decides.
    pub strategies: BTreeMap<String, Strategy>,
}

impl MergeSpec {
    /// Merges `theirs` into `ours`; whatever both changed differently is a conflict.
    #[must_use]
    pub fn new(ours: NodeRef, theirs: NodeRef) -> Self {
        Self {
            ours,
            theirs,
            branch: None,
            base: None,
            key: Vec::new(),
            strategies: BTreeMap::new(),
        }
    }

    /// Moves a branch to the result.
    #[must_use]
    pub fn with_branch(mut self, branch: Name) -> Self {
        self.branch = Some(branch);
        self
    }

    /// Compares both sides with this version.
    #[must_use]
    pub fn with_base(mut self, base: NodeRef) -> Self {
        self.base = Some(base);
        self
    }

    /// Tells rows apart by these columns.
    #[must_use]
    pub fn with_key<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.key = columns.into_iter().map(Into::into).collect();
        self
    }

    /// Sets who wins in the file of this path, or in all whose path begins so; `""` means all.
    #[must_use]
    pub fn with_strategy(mut self, path: impl Into<String>, strategy: Strategy) -> Self {
        self.strategies.insert(path.into(), strategy);
        self
    }

    pub(crate) fn strategy(&self, path: &str) -> Strategy {
        let fitting = self.strategies.iter();
        let fitting = fitting.filter(|(beginning, _)| path.starts_with(beginning.as_str()));
        let longest = fitting.max_by_key(|(beginning, _)| beginning.len());
        longest.map_or(Strategy::Fail, |(_, strategy)| *strategy)
    }
}
