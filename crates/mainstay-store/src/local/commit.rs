//! Making changes durable: the bytes first, then their names.

use std::io;

use bytes::Bytes;
use mainstay_core::{Error, ErrorKind, Result};
use rustix::io::Errno;

use super::Durability;
use super::directory::Found;
use super::place::Place;
use super::staging::Staged;
use super::sync::repeat;
use super::touched::Touched;
use super::tree::{Tree, failure};
use crate::{Key, PutMode, PutOutcome};

/// A change of one object.
#[derive(Debug)]
pub(super) struct Change {
    key: Key,
    pub(super) place: Place,
    action: Action,
}

#[derive(Debug)]
enum Action {
    Put(Bytes, PutMode),
    Delete,
}

impl Change {
    pub(super) fn put(key: &Key, bytes: Bytes, mode: PutMode) -> Self {
        Self::new(key, Action::Put(bytes, mode))
    }

    pub(super) fn delete(key: &Key) -> Self {
        Self::new(key, Action::Delete)
    }

    fn new(key: &Key, action: Action) -> Self {
        Self {
            key: key.clone(),
            place: Place::of(key),
            action,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        match &self.action {
            Action::Put(bytes, _) => bytes.len(),
            Action::Delete => 0,
        }
    }
}

/// What is left to do once the bytes are on the disk.
#[derive(Debug)]
pub(super) enum Ready<'a> {
    Link(Staged<'a>),
    Rename(Staged<'a>),
    Remove,
    /// The name is taken.
    Nothing,
}

impl Tree {
    /// Makes changes and waits until they are durable; one result each, in order.
    ///
    /// A deletion's outcome says nothing. Changes of one object are made in order.
    pub(super) fn commit(&self, changes: &[Change]) -> Vec<Result<PutOutcome>> {
        if self.disk.has_failed() {
            return changes.iter().map(|change| Err(closed(change))).collect();
        }
        let mut ready: Vec<_> = changes.iter().map(|change| self.stage(change)).collect();
        if self.durability != Durability::None {
            self.sync_staged(&mut ready);
        }
        let mut touched = Touched::new(self);
        let made: Vec<_> = changes
            .iter()
            .zip(ready)
            .map(|(change, ready)| touched.make(change, ready?))
            .collect();
        let synced = touched.sync();
        let results = changes.iter().zip(made).map(|(change, made)| {
            let outcome = made.map_err(|error| failure(error, &change.key))?;
            // Others may have seen it.
            repeat(&synced).map_err(|error| failure(error, &change.key).ambiguous())?;
            Ok(outcome)
        });
        results.collect()
    }

    pub(super) fn commit_one(&self, change: Change) -> Result<PutOutcome> {
        let no_answer = || {
            Err(Error::new(
                ErrorKind::Internal,
                "a change without an answer",
            ))
        };
        self.commit(&[change]).pop().unwrap_or_else(no_answer)
    }

    fn stage(&self, change: &Change) -> io::Result<Ready<'_>> {
        match &change.action {
            Action::Delete => Ok(Ready::Remove),
            Action::Put(bytes, PutMode::Overwrite) => self.staging.write(bytes).map(Ready::Rename),
            // Spares writing what cannot be published; the link decides.
            Action::Put(bytes, PutMode::Create) => match self.beneath.find(&change.place)? {
                Found::Nothing => self.staging.write(bytes).map(Ready::Link),
                Found::File { .. } => Ok(Ready::Nothing),
                Found::Other => Err(Errno::ISDIR.into()),
            },
        }
    }

    fn sync_staged(&self, ready: &mut [io::Result<Ready<'_>>]) {
        let (staged, files): (Vec<_>, Vec<_>) = ready
            .iter()
            .enumerate()
            .filter_map(|(index, ready)| match ready {
                Ok(Ready::Link(staged) | Ready::Rename(staged)) => Some((index, &staged.file)),
                _ => None,
            })
            .unzip();
        let synced = self.disk.sync_staged(&files);
        for (index, synced) in staged.into_iter().zip(synced) {
            if let Err(error) = synced {
                ready[index] = Err(error);
            }
        }
    }
}

fn closed(change: &Change) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "an earlier sync failed: check the disk and open the storage again",
    )
    .context("key", &change.key)
}
