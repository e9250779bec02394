//! Who changes something, and why.

use mainstay_core::Actor;
use mainstay_repo::Transaction;

/// What the log records of a change beside the change.
#[derive(Debug, Clone)]
pub(super) struct By {
    actor: Actor,
    reason: String,
}

impl By {
    pub(super) fn new(actor: Actor, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self { actor, reason }
    }

    pub(super) fn actor(&self) -> Actor {
        self.actor.clone()
    }

    pub(super) fn reason(&self) -> &str {
        &self.reason
    }

    pub(super) fn transaction(&self) -> Transaction {
        Transaction::new(self.actor.clone(), self.reason.clone())
    }
}
