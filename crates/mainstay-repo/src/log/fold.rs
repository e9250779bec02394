//! Folding: what an entry makes of the view before it.

use mainstay_core::{Digest, Error, Result, Timestamp};

use super::entry::{self, Logged, LoggedChange};
use super::read::Stored;
use crate::View;
use crate::checkpoint::link;
use crate::view::KeyUse;

impl View {
    /// Returns the view after the entry that follows this one.
    ///
    /// What is not in memory is not loaded for it: that a generation or a key follows from it is
    /// taken on trust of the writer. Verification checks it.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`](mainstay_core::ErrorKind::Corrupt) when the entry does not follow: chain,
    /// number, time, generations or an idempotency key used again.
    pub(crate) fn apply(&self, stored: Stored) -> Result<Self> {
        let Stored { entry, digest } = stored;
        let broken = |why: &str| Error::corrupt(entry::key(entry.seq), why);
        if entry.seq != self.seq + 1 {
            return Err(broken("not the entry that follows").context("after", self.seq));
        }
        if entry.prev != self.entry {
            return Err(broken("the hash chain of the log is broken here")
                .context("expected", shown(self.entry))
                .context("found", shown(entry.prev)));
        }
        if entry.time < self.time {
            return Err(broken("time runs backwards"));
        }
        let mut next = self.begin(entry.time);
        for transaction in entry.transactions {
            next.apply_transaction(transaction).map_err(|why| {
                broken("entry does not follow from those before").with_source(why)
            })?;
        }
        next.entry = Some(digest);
        Ok(next)
    }

    /// Begins the view of the entry that follows, before its first transaction.
    pub(crate) fn begin(&self, time: Timestamp) -> Self {
        let mut next = self.clone();
        next.seq += 1;
        next.time = time;
        // Not known before the entry is whole.
        next.entry = None;
        next
    }

    /// Goes on to the view after a transaction of the entry that this view is of.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when it does not follow; then the
    /// view is of no use.
    pub(super) fn apply_transaction(&mut self, transaction: Logged) -> Result<()> {
        if let (Some(key), Some(request)) = (transaction.idempotency_key, transaction.request) {
            if let Ok(Some(_)) = self.peek_key(&key) {
                return Err(Error::invalid("idempotency key used again").context("key", key));
            }
            let used = KeyUse {
                request,
                seq: self.seq,
                time: self.time,
            };
            self.keys.insert_mut(key, used);
        }
        transaction
            .changes
            .into_iter()
            .try_for_each(|change| self.apply_change(change))
    }

    fn apply_change(&mut self, change: LoggedChange) -> Result<()> {
        let follows = match self.peek_state(&change.path) {
            Ok(before) => {
                let expected = (
                    before.map_or(1, |state| state.generation + 1),
                    before.map(|state| state.seq),
                );
                (change.generation, change.previous) == expected
            }
            // Not in memory, but no later than the checkpoint that holds it.
            Err(_) => change.previous.is_none_or(|seq| seq <= self.base.seq),
        };
        if !follows {
            return Err(Error::invalid("generation does not follow").context("ref", &change.path));
        }
        let (path, state) = change.into_state(self.seq, self.time);
        if let Some(value) = &state.value {
            for link in link::of(&path, value) {
                self.links.insert_mut(link, self.seq);
            }
        }
        self.put(path, state);
        Ok(())
    }
}

fn shown(digest: Option<Digest>) -> String {
    digest.map_or_else(|| "none".into(), |digest| digest.to_string())
}

#[cfg(test)]
mod tests;
