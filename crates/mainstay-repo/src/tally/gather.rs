//! Reading what replicas have written while they and compactors go on.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use mainstay_core::{Error, ErrorKind, RefPath, Result};
use mainstay_store::{Key, Storage};

use super::TallyName;
use super::object::{self, Base, Decoded, ObjectName, ReplicaId};
use super::position::Position;
use super::registers::Registers;
use super::states::States;
use crate::{Repo, View};

/// How many objects are read at once.
const READ_AHEAD: usize = 16;
/// How often the listing is read again for what was replaced meanwhile.
const MAX_ROUNDS: u32 = 64;

/// What counts of a subject.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) position: Position,
    /// What is folded.
    base: Registers,
    /// What is not.
    pub(super) states: States,
}

impl Gathered {
    /// The sum of it all.
    pub(super) fn total(self) -> Registers {
        self.states.total(self.base)
    }
}

/// Reads what counts of a subject in the eras up to `last`: at least all that was acknowledged before
/// the call.
///
/// In this order: listing, replicas, log, base. A replica's object goes only once a later one stands
/// beside it, or the log names a base that holds it, so that what is missing is found by looking on.
pub(super) async fn gather(repo: &Repo, subject: &TallyName, last: u64) -> Result<Gathered> {
    let storage = &*repo.inner.storage;
    let path = subject.ref_path()?;
    let mut position = position(&repo.cached_view(), &path).await?;
    let mut states = States::default();
    for _ in 0..MAX_ROUNDS {
        let newest = list(storage, subject, position.through() + 1, last).await?;
        let lost = fetch(storage, subject, newest, &mut states).await?;
        position = self::position(&repo.view().await?, &path).await?;
        let through = position.through();
        if lost.iter().any(|id| id.era > through) {
            continue;
        }
        let Some(base) = base(storage, subject, &position).await? else {
            let now = self::position(&repo.view().await?, &path).await?;
            if now == position {
                return Err(missing_base(subject, &position));
            }
            position = now;
            continue;
        };
        states.forget(through);
        return Ok(Gathered {
            position,
            base,
            states,
        });
    }
    Err(Error::new(
        ErrorKind::Unavailable,
        "tallies change faster than they can be read",
    )
    .context("subject", subject))
}

/// Reports whether anything was written in eras that are not folded.
pub(super) async fn any(repo: &Repo, subject: &TallyName) -> Result<bool> {
    let position = position(&repo.view().await?, &subject.ref_path()?).await?;
    let first = position.through() + 1;
    let newest = list(&*repo.inner.storage, subject, first, u64::MAX).await?;
    Ok(!newest.is_empty())
}

/// Reads which eras count where, as of a view.
pub(super) async fn position(view: &View, path: &RefPath) -> Result<Position> {
    view.read(|view| Position::read(view, path)).await
}

/// Finds the newest state of each replica in each of these eras.
async fn list(
    storage: &dyn Storage,
    subject: &TallyName,
    first: u64,
    last: u64,
) -> Result<BTreeMap<ReplicaId, u64>> {
    let directory = object::directory(subject)?;
    let mut listed = storage.list(&directory, None);
    let mut newest: BTreeMap<ReplicaId, u64> = BTreeMap::new();
    while let Some(object) = listed.try_next().await? {
        if let Some(ObjectName::Replica { id, sequence }) = ObjectName::parse(&object.key)
            && (first..=last).contains(&id.era)
        {
            let known = newest.entry(id).or_default();
            *known = sequence.max(*known);
        }
    }
    Ok(newest)
}

/// Reads the states that are not known yet; returns those that are gone.
async fn fetch(
    storage: &dyn Storage,
    subject: &TallyName,
    newest: BTreeMap<ReplicaId, u64>,
    states: &mut States,
) -> Result<BTreeSet<ReplicaId>> {
    let wanted: Vec<(ReplicaId, Key)> = newest
        .into_iter()
        .filter(|(id, _)| !states.knows(id))
        .map(|(id, sequence)| Ok((id, ObjectName::Replica { id, sequence }.key(subject)?)))
        .collect::<Result<_>>()?;
    let mut reads = stream::iter(wanted)
        .map(|(id, key)| async move { object::read(storage, &key).await.map(|read| (id, read)) })
        .buffered(READ_AHEAD);
    let mut lost = BTreeSet::new();
    while let Some((id, read)) = reads.try_next().await? {
        if let Some((_, Decoded::Replica(state))) = read {
            states.insert(state);
        } else {
            lost.insert(id);
        }
    }
    Ok(lost)
}

/// Reads the base; `None` when it is gone.
async fn base(
    storage: &dyn Storage,
    subject: &TallyName,
    position: &Position,
) -> Result<Option<Registers>> {
    let Some(name) = position.base_name() else {
        return Ok(Some(Registers::default()));
    };
    let read = object::read(storage, &name.key(subject)?).await?;
    Ok(match read {
        Some((_, Decoded::Base(Base { registers, .. }))) => Some(registers),
        _ => None,
    })
}

fn missing_base(subject: &TallyName, position: &Position) -> Error {
    let key = position.base_name().map(|name| name.key(subject));
    match key {
        Some(Ok(key)) => Error::corrupt(key, "missing, although the log names it"),
        _ => Error::corrupt(subject, "no base"),
    }
}
