//! The refs of a repository as one client would see them.

use std::collections::BTreeMap;

use super::{Call, Model};

/// One ref: how often it changed, and its value unless it was deleted.
pub type Ref = (u64, Option<u64>);

/// What a transaction expects of a ref.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Expected {
    /// Nothing.
    Any,
    /// No value.
    Absent,
    /// A value, and this generation.
    Generation(u64),
    /// This value.
    Value(u64),
}

/// One line of a transaction: the ref, what it has to hold, and what it shall hold.
pub type Change = (usize, Expected, Option<u64>);

/// A call to the repository, and its answer. Refs are numbers here, and so are their values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// A transaction that committed, as this log entry.
    Committed {
        /// What it asked for.
        changes: Vec<Change>,
        /// The entry.
        seq: u64,
    },
    /// A transaction that did not, because a ref did not meet its expectation.
    Conflict {
        /// The ref.
        path: usize,
        /// What was expected of it.
        expected: Expected,
        /// What it held instead; `None` when it never existed.
        found: Option<Ref>,
    },
    /// A transaction that nobody knows the fate of.
    Unknown {
        /// What it asked for.
        changes: Vec<Change>,
    },
    /// A view.
    View(RefsState),
}

/// The refs as of one log entry.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct RefsState {
    /// The entry.
    pub seq: u64,
    /// The refs that ever existed.
    pub refs: BTreeMap<usize, Ref>,
}

/// The model of a repository that is empty at first and that nobody else commits to. Each commit is
/// one log entry, as long as no two clients share a handle.
///
/// A view tells what is in the repository as of its log entry, so an order that has come to another
/// state there is known to be wrong at once. Without that, commits of unknown fate would be tried in
/// all combinations.
#[derive(Debug, Clone, Default)]
pub struct Refs {
    viewed: BTreeMap<u64, RefsState>,
}

impl Refs {
    /// Prepares the check of a history.
    #[must_use]
    pub fn of(history: &[Call<Operation>]) -> Self {
        let views = history.iter().filter_map(|call| match &call.operation {
            Operation::View(view) => Some((view.seq, view.clone())),
            _ => None,
        });
        Self {
            viewed: views.collect(),
        }
    }
}

impl Model for Refs {
    type State = RefsState;
    type Operation = Operation;

    fn start(&self) -> RefsState {
        RefsState::default()
    }

    fn apply(&self, state: &RefsState, operation: &Operation) -> Option<RefsState> {
        let agrees = |next: &RefsState| self.viewed.get(&next.seq).is_none_or(|view| view == next);
        match operation {
            Operation::Committed { changes, seq } => {
                let next = state.commit(changes).filter(agrees);
                next.filter(|next| next.seq == *seq)
            }
            Operation::Unknown { changes } => state.commit(changes).filter(agrees),
            Operation::Conflict {
                path,
                expected,
                found,
            } => {
                let held = state.refs.get(path);
                (held == found.as_ref() && !expected.holds(held)).then(|| state.clone())
            }
            Operation::View(view) => (state == view).then(|| state.clone()),
        }
    }

    fn is_read(&self, operation: &Operation) -> bool {
        matches!(operation, Operation::Conflict { .. } | Operation::View(_))
    }
}

impl RefsState {
    /// The state after a transaction; `None` when an expectation does not hold.
    fn commit(&self, changes: &[Change]) -> Option<Self> {
        let mut next = self.clone();
        next.seq += 1;
        for (path, expected, value) in changes {
            let held = self.refs.get(path);
            if !expected.holds(held) {
                return None;
            }
            let generation = held.map_or(1, |(generation, _)| generation + 1);
            next.refs.insert(*path, (generation, *value));
        }
        Some(next)
    }
}

impl Expected {
    fn holds(self, held: Option<&Ref>) -> bool {
        let value = held.and_then(|(_, value)| *value);
        match self {
            Self::Any => true,
            Self::Absent => value.is_none(),
            Self::Generation(expected) => {
                value.is_some() && held.is_some_and(|(generation, _)| *generation == expected)
            }
            Self::Value(expected) => value == Some(expected),
        }
    }
}
