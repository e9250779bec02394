//! What a transaction comes to on one view.

use std::collections::BTreeMap;

use mainstay_core::{Digest, Error, ErrorKind, RefPath, Result};

use super::entry::{Logged, LoggedChange};
use super::lineage;
use crate::transaction::{Action, Change};
use crate::view::KeyUse;
use crate::{Committed, Conflict, Expectation, RefState, Transaction, View};

pub(super) enum Plan {
    /// An earlier call with the same idempotency key committed it.
    Replay(Committed),
    /// A ref does not meet its expectation.
    Conflict(Conflict),
    /// This is to be committed, once the blobs are found.
    Commit(Planned),
}

/// A transaction as the log would keep it.
pub(super) struct Planned {
    pub(super) logged: Logged,
    pub(super) named: Named,
}

/// What a transaction names that its refs did not hold before, and a ref that names each.
#[derive(Debug, Clone, Default)]
pub(super) struct Named {
    pub(super) blobs: BTreeMap<Digest, RefPath>,
    pub(super) trees: BTreeMap<NamedTree, RefPath>,
}

/// A tree that is to be named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NamedTree {
    pub(super) root: Digest,
    /// One that a live ref names, and which is likely to share pages with it: what both hold need not be
    /// looked up.
    pub(super) beside: Option<Digest>,
}

impl Named {
    pub(super) fn is_empty(&self) -> bool {
        self.blobs.is_empty() && self.trees.is_empty()
    }
}

/// Plans `transaction` on `view`; `request` is its digest when it has an idempotency key.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`] when the key stands for another request; [`ErrorKind::Invalid`] when
/// a version would come from itself.
pub(super) fn plan(
    view: &View,
    transaction: &Transaction,
    request: Option<Digest>,
) -> Result<Plan> {
    if let (Some(key), Some(request)) = (&transaction.idempotency_key, request)
        && let Some(used) = view.key(key)?
    {
        return replay(key, used, request).map(Plan::Replay);
    }
    for change in &transaction.changes {
        let current = view.state(&change.path)?;
        if !holds(change.expectation, current)? {
            return Ok(Plan::Conflict(Conflict {
                path: change.path.clone(),
                expected: change.expectation,
                current: current.cloned(),
            }));
        }
    }
    lineage::check_acyclic(view, &transaction.changes)?;
    let (mut changes, mut named) = (Vec::new(), Named::default());
    for change in &transaction.changes {
        let before = view.state(&change.path)?;
        if let Action::Set(value) = &change.action {
            let new = value
                .blobs
                .iter()
                .filter(|digest| !holds_blob(before, digest));
            named
                .blobs
                .extend(new.map(|digest| (*digest, change.path.clone())));
            let trees = value.trees.iter().filter(|root| !holds_tree(before, root));
            for root in trees {
                let beside = beside(view, &change.path)?;
                let tree = NamedTree {
                    root: *root,
                    beside,
                };
                named.trees.insert(tree, change.path.clone());
            }
        }
        changes.extend(logged(before, change));
    }
    let logged = Logged {
        actor: transaction.actor.clone(),
        reason: transaction.reason.clone(),
        idempotency_key: transaction.idempotency_key.clone(),
        request,
        changes,
    };
    Ok(Plan::Commit(Planned { logged, named }))
}

fn holds_tree(state: Option<&RefState>, root: &Digest) -> bool {
    let value = state.and_then(|state| state.value.as_ref());
    value.is_some_and(|value| value.trees.binary_search(root).is_ok())
}

/// Finds the tree that was named last beside a ref: in the directory it lies in.
pub(crate) fn beside(view: &View, path: &RefPath) -> Result<Option<Digest>> {
    let directory = path
        .as_str()
        .rsplit_once('/')
        .map_or("", |(above, _)| above);
    let mut latest: Option<(u64, Digest)> = None;
    for (_, state) in view.below(directory)? {
        let roots = state.value.iter().flat_map(|value| &value.trees);
        latest = latest.max(roots.map(|root| (state.seq, *root)).max());
    }
    Ok(latest.map(|(_, root)| root))
}

fn holds_blob(state: Option<&RefState>, digest: &Digest) -> bool {
    let value = state.and_then(|state| state.value.as_ref());
    value.is_some_and(|value| value.blobs.binary_search(digest).is_ok())
}

fn replay(key: &str, used: &KeyUse, request: Digest) -> Result<Committed> {
    if used.request == request {
        Ok(Committed {
            seq: used.seq,
            time: used.time,
            replayed: true,
        })
    } else {
        Err(Error::new(
            ErrorKind::AlreadyExists,
            "idempotency key already stands for another request",
        )
        .context("key", key)
        .context("seq", used.seq))
    }
}

fn holds(expectation: Expectation, current: Option<&RefState>) -> Result<bool> {
    let value = current.and_then(|state| state.value.as_ref());
    Ok(match (expectation, value) {
        (Expectation::Any, _) => true,
        (Expectation::Absent, value) => value.is_none(),
        (Expectation::Generation(_) | Expectation::Record(_), None) => false,
        (Expectation::Generation(expected), Some(_)) => {
            current.is_some_and(|state| state.generation == expected)
        }
        (Expectation::Record(expected), Some(value)) => value.record_digest()? == expected,
    })
}

fn logged(before: Option<&RefState>, change: &Change) -> Option<LoggedChange> {
    let value = match &change.action {
        Action::Set(value) => Some(value.clone()),
        Action::Delete => None,
        Action::Check => return None,
    };
    Some(LoggedChange {
        path: change.path.clone(),
        generation: before.map_or(1, |state| state.generation + 1),
        previous: before.map(|state| state.seq),
        value,
    })
}
