//! Running functions of a view whose parts load on demand.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use mainstay_core::{Error, Result};

use super::View;
use crate::log::read::READ_AHEAD;

/// A shard that is not in memory, by its place in the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Miss {
    Ref(usize),
    Key(usize),
    Link(usize),
}

/// What an evaluation asked for and did not find in memory.
#[derive(Debug, Default)]
pub(crate) struct Misses(Mutex<BTreeSet<Miss>>);

impl Misses {
    fn take(&self) -> BTreeSet<Miss> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl View {
    /// Runs a function of this view, loading what it needs; see [`View`].
    ///
    /// `f` may run several times, each time with more of the view in memory.
    ///
    /// # Errors
    /// Those of `f`, those of the storage, and [`Corrupt`](mainstay_core::ErrorKind::Corrupt) when a
    /// part of the checkpoint is damaged and so is the log it could be made from again.
    pub async fn read<T>(&self, mut f: impl FnMut(&Self) -> Result<T>) -> Result<T> {
        loop {
            let missed = match self.try_read(&mut f) {
                Ok(outcome) => return outcome,
                Err(missed) => missed,
            };
            self.load_missed(missed).await?;
        }
    }

    /// Loads the refs below `prefix`, so that they can be read without I/O from this view, its
    /// clones, and views of later entries.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn load(&self, prefix: &str) -> Result<()> {
        self.read(|view| view.states_below(prefix).map(drop)).await
    }

    /// Runs a function of this view once; returns what is not in memory if it needed such.
    pub(crate) fn try_read<T>(
        &self,
        f: impl FnOnce(&Self) -> Result<T>,
    ) -> Result<Result<T>, BTreeSet<Miss>> {
        let mut evaluated = self.clone();
        evaluated.misses = Arc::default();
        let outcome = f(&evaluated);
        let missed = evaluated.misses.take();
        if missed.is_empty() {
            Ok(outcome)
        } else {
            Err(missed)
        }
    }

    /// Brings shards into memory.
    pub(crate) fn load_missed(&self, missed: BTreeSet<Miss>) -> BoxFuture<'_, Result<()>> {
        stream::iter(missed)
            .map(|miss| self.base.load(miss))
            .buffer_unordered(READ_AHEAD)
            .try_collect()
            .boxed()
    }

    /// Notes what is not in memory; returns the error for the caller.
    pub(super) fn miss(&self, missed: impl IntoIterator<Item = Miss>) -> Error {
        let mut noted = self.misses.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.extend(missed);
        Error::invalid("this part of the view is not in memory: read it within View::read")
            .context("seq", self.seq)
    }
}
