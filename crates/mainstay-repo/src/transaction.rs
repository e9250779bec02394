//! Transactions: any number of refs moved at once, each with an expectation.

use std::collections::BTreeMap;
use std::fmt;

use mainstay_core::{Actor, Digest, Error, ErrorKind, RefPath, Result, Timestamp, canon};
use serde::Serialize;

use crate::log::entry::{MAX_CHANGES, check_idempotency_key, check_reason};
use crate::log::lineage;
use crate::{RefState, Value, View};

/// What a transaction expects of a ref before it commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
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
    ///
    /// Where the ref is that of a version, the commit refuses edges that
    /// [may not join](mainstay_core::EdgeKind::joins) what they join, and any by which a version would
    /// come from itself.
    pub fn set(&mut self, path: RefPath, value: Value, expectation: Expectation) -> &mut Self {
        self.change(path, expectation, Action::Set(value.sorted()))
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

    /// Checks the transaction by itself; returns the digest of what it asks for if it has an
    /// idempotency key.
    pub(crate) fn validated_request(&self) -> Result<Option<Digest>> {
        check_reason(&self.reason)?;
        if self.changes.len() > MAX_CHANGES {
            return Err(
                Error::invalid(format!("more than {MAX_CHANGES} changes at once"))
                    .context("changes", self.changes.len()),
            );
        }
        if self
            .changes
            .iter()
            .all(|change| change.action == Action::Check)
        {
            return Err(Error::invalid("transaction changes nothing"));
        }
        let by_path = self.by_path()?;
        lineage::check_kinds(&self.changes)?;
        match &self.idempotency_key {
            Some(key) => {
                check_idempotency_key(key)?;
                let lines: Vec<RequestLine<'_>> =
                    by_path.into_values().map(RequestLine::of).collect();
                canon::digest(&lines).map(Some)
            }
            None => Ok(None),
        }
    }

    fn by_path(&self) -> Result<BTreeMap<&RefPath, &Change>> {
        let mut by_path = BTreeMap::new();
        for change in &self.changes {
            if by_path.insert(&change.path, change).is_some() {
                return Err(
                    Error::invalid("transaction names a ref twice").context("ref", &change.path)
                );
            }
        }
        Ok(by_path)
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

/// One line of the request that an idempotency key stands for: what is asked of one ref. Who asks,
/// and why, is not part of it, so that any replica may repeat it.
#[derive(Serialize)]
struct RequestLine<'a> {
    #[serde(rename = "ref")]
    path: &'a RefPath,
    expect: Expectation,
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a Value>,
}

impl<'a> RequestLine<'a> {
    fn of(change: &'a Change) -> Self {
        let (action, value) = match &change.action {
            Action::Set(value) => ("set", Some(value)),
            Action::Delete => ("delete", None),
            Action::Check => ("check", None),
        };
        Self {
            path: &change.path,
            expect: change.expectation,
            action,
            value,
        }
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

impl Committed {
    /// The commit that made `view`.
    pub(crate) fn at(view: &View) -> Self {
        Self {
            seq: view.seq,
            time: view.time,
            replayed: false,
        }
    }
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

impl Conflict {
    /// Makes it an error, for callers who cannot go on.
    #[must_use]
    pub fn into_error(self) -> Error {
        let found = match &self.current {
            None => "nothing".to_owned(),
            Some(RefState {
                value: None,
                generation,
                ..
            }) => {
                format!("deleted, generation {generation}")
            }
            Some(state) => format!("generation {}", state.generation),
        };
        Error::new(ErrorKind::Conflict, "ref does not meet its expectation")
            .context("ref", &self.path)
            .context("expected", self.expected)
            .context("found", found)
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("anything"),
            Self::Absent => f.write_str("no value"),
            Self::Generation(generation) => write!(f, "generation {generation}"),
            Self::Record(digest) => write!(f, "record {digest}"),
        }
    }
}

#[cfg(test)]
mod tests;
