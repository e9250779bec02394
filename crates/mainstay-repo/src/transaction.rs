//! Transactions: any number of refs moved at once, each with an expectation.

use mainstay_core::{Actor, Digest, RefPath, Timestamp};

use crate::{RefState, Value};

/// What a transaction expects of a ref before it commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expectation {
    /// Nothing: the change wins in any case.
    Any,
    /// The ref holds no value: it never existed or was deleted.
    Absent,
    /// The ref holds a value and has this generation.
    Generation(u64),
    /// The ref holds a record with this digest.
    Record(Digest),
}

/// Changes to refs that take effect together or not at all.
///
/// ```
/// use mainstay_core::Actor;
/// use mainstay_repo::{Expectation, Transaction, Value};
///
/// let mut transaction = Transaction::new(Actor::new("ada")?, "first version");
/// transaction
///     .set("model/fraud/version/1.0.0".parse()?, Value::new("note", &"hello")?, Expectation::Absent)
///     .idempotency_key("job-17");
/// # Ok::<(), mainstay_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Transaction {
    pub(crate) actor: Actor,
    pub(crate) reason: String,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) changes: Vec<Change>,
}

/// One line of a transaction.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Change {
    pub(crate) path: RefPath,
    pub(crate) expectation: Expectation,
    pub(crate) action: Action,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Action {
    Set(Value),
    Delete,
    /// Only the expectation counts.
    Check,
}

impl Transaction {
    /// Creates an empty transaction; the log records `actor` and `reason`.
    #[must_use]
    pub fn new(actor: Actor, reason: impl Into<String>) -> Self {
        Self {
            actor,
            reason: reason.into(),
            idempotency_key: None,
            changes: Vec::new(),
        }
    }

    /// Makes a ref hold `value`.
    pub fn set(&mut self, path: RefPath, value: Value, expectation: Expectation) -> &mut Self {
        self.change(path, expectation, Action::Set(value))
    }

    /// Deletes a ref; its tombstone and history stay.
    pub fn delete(&mut self, path: RefPath, expectation: Expectation) -> &mut Self {
        self.change(path, expectation, Action::Delete)
    }

    /// Only checks a ref: the transaction depends on it without changing it.
    pub fn check(&mut self, path: RefPath, expectation: Expectation) -> &mut Self {
        self.change(path, expectation, Action::Check)
    }

    /// Makes the commit repeatable: the same key with the same changes commits once.
    pub fn idempotency_key(&mut self, key: impl Into<String>) -> &mut Self {
        self.idempotency_key = Some(key.into());
        self
    }

    fn change(&mut self, path: RefPath, expectation: Expectation, action: Action) -> &mut Self {
        self.changes.push(Change {
            path,
            expectation,
            action,
        });
        self
    }
}

/// What became of a commit.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
#[expect(
    clippy::exhaustive_enums,
    reason = "a third outcome would be a new contract"
)]
pub enum CommitOutcome {
    /// The changes are in the log.
    Committed(Committed),
    /// A ref did not meet its expectation; nothing changed.
    Conflict(Conflict),
}

/// Where a transaction stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Committed {
    /// The log entry.
    pub seq: u64,
    /// Its time.
    pub time: Timestamp,
    /// Whether an earlier call with the same idempotency key had committed it.
    pub replayed: bool,
}

/// The ref that did not meet its expectation.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Conflict {
    /// The ref.
    pub path: RefPath,
    /// What was expected.
    pub expected: Expectation,
    /// What it holds now; `None` when it never existed.
    pub current: Option<RefState>,
}
