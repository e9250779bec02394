//! Proof, before anything is written, that a storage does what it must.

use std::fmt;

use bytes::Bytes;
use futures::TryStreamExt as _;
use futures::future::join_all;
use mainstay_core::{Error, ErrorKind, IdSource, Result, WriteId};

use crate::race::{Verdict, create_and_read};
use crate::{Key, Prefix, PutMode, PutOutcome, Storage, StorageExt as _};

const WRITERS: usize = 16;
const ROUNDS: usize = 3;

/// Proves with a few requests that a storage keeps the promises of [`Storage`], or refuses it.
///
/// | promise | what is tried |
/// |---|---|
/// | `creation` | an absent key can be created |
/// | `exclusive creation` | a second creation is refused and replaces nothing; of 16 concurrent ones exactly one wins and all read its bytes, three times |
/// | `read-after-write` | what was created, overwritten or deleted is read so at once |
/// | `list-after-write` | what was created or deleted is listed so at once |
///
/// It sends 113 requests, at most 16 at a time, with less than 100 bytes each, below
/// `probe/<random id>/`, and deletes what it wrote. What a probe that was cut off leaves there is in
/// nobody's way and can be deleted at any time.
///
/// A probe refutes; it cannot prove for all time. A storage that breaks a promise once in a thousand
/// times passes it most often: `conformance::race` (feature `conformance`) looks longer.
/// [`ProbeStorage`](crate::ProbeStorage) probes when it has to.
///
/// # Errors
/// [`ErrorKind::Unsupported`] when a promise is broken; the context `promise` names it as above and
/// `backend` says whose it is. An error of the storage is returned as it is and means that there is
/// no verdict. Credentials that may not read, write, list and delete are
/// [`ErrorKind::PermissionDenied`].
#[tracing::instrument(level = "debug", skip_all, err(level = "debug"))]
pub async fn probe(storage: &dyn Storage, ids: &dyn IdSource) -> Result<()> {
    examine(storage, ids)
        .await?
        .map_err(|broken| broken.error(storage))
}

/// A promise that a storage was seen to break.
#[derive(Debug)]
pub(crate) struct Broken {
    promise: &'static str,
    found: String,
}

impl Broken {
    pub(crate) fn error(&self, storage: &dyn Storage) -> Error {
        Error::new(
            ErrorKind::Unsupported,
            "the storage breaks a promise that writing relies on",
        )
        .operation("probe")
        .context("promise", self.promise)
        .context("found", &self.found)
        .context("backend", storage.capabilities().backend)
    }
}

/// Returns the verdict on `storage`; an error when there is none.
pub(crate) async fn examine(
    storage: &dyn Storage,
    ids: &dyn IdSource,
) -> Result<Result<(), Broken>> {
    let id = ids.write_id()?;
    let directory = format!("probe/{id}");
    let prefix = Prefix::directory(&directory)?;
    let keys = (0..=ROUNDS)
        .map(|number| Key::new(format!("{directory}/{number}")))
        .collect::<Result<Vec<_>>>()?;
    let probe = Probe {
        storage,
        id,
        prefix,
    };
    let found = probe.run(&keys).await;
    if found.is_err() {
        probe.clear(&keys).await;
    }
    match found {
        Ok(()) => Ok(Ok(())),
        Err(Halt::Broken(broken)) => Ok(Err(broken)),
        Err(Halt::Failed(error)) => Err(error),
    }
}

/// Why an examination ended early.
enum Halt {
    Broken(Broken),
    Failed(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

fn broken(promise: &'static str, found: impl fmt::Display) -> Halt {
    Halt::Broken(Broken {
        promise,
        found: found.to_string(),
    })
}

struct Probe<'a> {
    storage: &'a dyn Storage,
    id: WriteId,
    prefix: Prefix,
}

impl Probe<'_> {
    async fn run(&self, keys: &[Key]) -> Result<(), Halt> {
        for (number, key) in keys.iter().enumerate() {
            match number {
                0 => self.one_writer(key).await?,
                round => self.racing_writers(key, round).await?,
            }
        }
        self.lists(&[], "deleted").await
    }

    async fn one_writer(&self, key: &Key) -> Result<(), Halt> {
        let first = self.bytes(0, 0);
        if self.storage.create(key, first.clone()).await? == PutOutcome::Exists {
            return Err(broken("creation", "creating an absent key was refused"));
        }
        self.reads(key, Some(&first), "created").await?;
        self.lists(&[key], "created").await?;

        if self.storage.create(key, self.bytes(0, 1)).await? == PutOutcome::Written {
            let found = "creating a key that was there was not refused";
            return Err(broken("exclusive creation", found));
        }
        if self.storage.get_all(key).await?.as_ref() != Some(&first) {
            let found = "a refused creation replaced what was there";
            return Err(broken("exclusive creation", found));
        }

        let last = self.bytes(0, 2);
        let _replaced = self
            .storage
            .put(key, last.clone(), PutMode::Overwrite)
            .await?;
        self.reads(key, Some(&last), "overwritten").await?;

        self.storage.delete(key).await?;
        self.reads(key, None, "deleted").await?;
        self.lists(&[], "deleted").await
    }

    async fn racing_writers(&self, key: &Key, round: usize) -> Result<(), Halt> {
        let bytes: Vec<_> = (0..WRITERS)
            .map(|writer| self.bytes(round, writer))
            .collect();
        let creators = bytes
            .iter()
            .map(|bytes| create_and_read(self.storage, key, bytes.clone()));
        let answers = join_all(creators).await;
        let stored = self.storage.get_all(key).await;
        let verdict = Verdict::of(answers, &bytes, stored);
        if let Some(complaint) = verdict.complaint() {
            return Err(broken("exclusive creation", complaint));
        }
        if let Some(error) = verdict.error {
            return Err(error.into());
        }
        Ok(self.storage.delete(key).await?)
    }

    async fn reads(&self, key: &Key, wanted: Option<&Bytes>, done: &str) -> Result<(), Halt> {
        if self.storage.get_all(key).await?.as_ref() == wanted {
            return Ok(());
        }
        let found = format!("an object was {done} but did not read so");
        Err(broken("read-after-write", found))
    }

    async fn lists(&self, wanted: &[&Key], done: &str) -> Result<(), Halt> {
        let listing = self.storage.list(&self.prefix, None);
        let listed: Vec<_> = listing.map_ok(|object| object.key).try_collect().await?;
        if listed.iter().eq(wanted.iter().copied()) {
            return Ok(());
        }
        let found = format!("an object was {done} but was not listed so");
        Err(broken("list-after-write", found))
    }

    /// What a writer writes: nobody else ever does.
    fn bytes(&self, round: usize, writer: usize) -> Bytes {
        format!("probe {} round {round} writer {writer}", self.id).into()
    }

    /// Deletes what a failed examination left, as well as the storage can.
    async fn clear(&self, keys: &[Key]) {
        for key in keys {
            if let Err(error) = self.storage.delete(key).await {
                tracing::debug!(%key, %error, "an object of a probe may be left behind");
            }
        }
    }
}
