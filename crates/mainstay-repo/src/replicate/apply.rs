//! Committing in the target what a transaction of the source did.

use std::collections::BTreeSet;

use mainstay_core::{Digest, Error, Result};

use super::cursor::{Position, Stream};
use super::read::Incoming;
use super::run::Run;
use super::standing::{Past, Standing, standing};
use crate::repo::Step;
use crate::{Expectation, Transaction, Value, View};

/// How a transaction went.
pub(super) enum Outcome {
    Committed {
        changes: u64,
        there: u64,
        moved: bool,
    },
    /// The target has all of it.
    IsThere(u64),
    /// Another run has moved the cursor.
    Overtaken,
    /// The history of refs has to be looked at.
    Past,
    Differs(Error),
}

impl Run<'_> {
    /// Commits what a transaction of the source did, and the move of the cursor from `committed`.
    pub(super) async fn commit(
        &mut self,
        incoming: &Incoming,
        committed: Option<Position>,
    ) -> Result<Outcome> {
        self.clock.set(Some(incoming.time));
        loop {
            let (stream, past, collected) = (&self.stream, &self.past, &self.collected);
            let room = self.options.limits.changes;
            let committing = self.target.transact(|view| {
                if stream.position(view)? != committed {
                    return Ok(Step::Done(Outcome::Overtaken));
                }
                transaction(view, incoming, stream, (past, collected), room)
            });
            match committing.await? {
                (_, Outcome::Past) => self.look_back(incoming).await?,
                (_, outcome) => return Ok(outcome),
            }
        }
    }

    /// Reads the history of refs that have changed since.
    async fn look_back(&mut self, incoming: &Incoming) -> Result<()> {
        let view = self.target.view().await?;
        for change in &incoming.changes {
            let past = &self.past;
            let found = view.read(|view| standing(view, change, past)).await?;
            if matches!(found, Standing::Past) {
                let (path, since) = (&change.target, change.generation);
                self.past.learn(&self.target, path, since).await?;
            }
        }
        Ok(())
    }
}

/// What is to be committed on `view` for a transaction of the source.
fn transaction(
    view: &View,
    incoming: &Incoming,
    stream: &Stream,
    (past, collected): (&Past, &BTreeSet<Digest>),
    room: usize,
) -> Result<Step<Outcome>> {
    let mut transaction = Transaction::new(incoming.actor.clone(), incoming.reason.clone());
    let (mut changes, mut there) = (0, 0);
    let mut left_out = BTreeSet::new();
    for change in &incoming.changes {
        match standing(view, change, past)? {
            Standing::Follows => {}
            Standing::IsThere => {
                there += 1;
                continue;
            }
            Standing::Past => return Ok(Step::Done(Outcome::Past)),
            Standing::Differs(error) => return Ok(Step::Done(Outcome::Differs(error))),
        }
        changes += 1;
        let path = change.target.clone();
        match &change.value {
            Some(value) => {
                let value = without(value, collected, &mut left_out);
                transaction.set(path, value, Expectation::Any);
            }
            None => {
                transaction.delete(path, Expectation::Any);
            }
        }
    }
    if changes == 0 {
        return Ok(Step::Done(Outcome::IsThere(there)));
    }
    // Without room for the cursor the next transaction moves it: until then a run finds these changes
    // there.
    let moved = incoming.changes.len() < room;
    if moved {
        let left_out = left_out.into_iter().collect();
        let cursor = stream.value(&incoming.at, incoming.time, left_out)?;
        transaction.set(stream.path.clone(), cursor, Expectation::Any);
    }
    let outcome = Outcome::Committed {
        changes,
        there,
        moved,
    };
    Ok(Step::Commit(transaction, outcome))
}

/// A value without the blobs that are no more, and the trees of which something is no more.
fn without(value: &Value, collected: &BTreeSet<Digest>, left_out: &mut BTreeSet<Digest>) -> Value {
    let mut value = value.clone();
    let mut is_there = |blob: &Digest| {
        let is_there = !collected.contains(blob);
        if !is_there {
            left_out.insert(*blob);
        }
        is_there
    };
    value.blobs.retain(&mut is_there);
    value.trees.retain(&mut is_there);
    value
}
