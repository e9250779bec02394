//! How a change of the source stands to what the target holds.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt as _;
use mainstay_core::{Digest, Error, ErrorKind, RefPath, Result, canon};

use super::read::Change;
use crate::{Repo, Value, View};

/// The most past values that are remembered.
const MAX_PAST: usize = 100_000;

/// What is to be done about a change.
#[derive(Debug)]
pub(super) enum Standing {
    /// It is the next change of the ref.
    Follows,
    /// The target has it.
    IsThere,
    /// The target's ref has changed since; its history tells whether it has this.
    Past,
    /// The target's ref is another.
    Differs(Error),
}

/// Finds out how `change` stands in `view`.
///
/// A ref has as many generations in the target as in the source, so a generation says which change is
/// which, and a change that only the target has shows.
pub(super) fn standing(view: &View, change: &Change, past: &Past) -> Result<Standing> {
    let state = view.state(&change.target)?;
    let generation = state.map_or(0, |state| state.generation);
    let value = state.and_then(|state| state.value.as_ref());
    Ok(match change.generation {
        next if next == generation + 1 => Standing::Follows,
        later if later > generation => Standing::Differs(differs(
            "the target's ref lacks changes that were replicated before",
            change,
            generation,
        )),
        same if same == generation => {
            if Print::of(value)?.is_of(change.value.as_ref())? {
                Standing::IsThere
            } else {
                Standing::Differs(changed(change, generation))
            }
        }
        earlier => match past.0.get(&(change.target.clone(), earlier)) {
            None => Standing::Past,
            Some(print) if print.is_of(change.value.as_ref())? => Standing::IsThere,
            Some(_) => Standing::Differs(changed(change, generation)),
        },
    })
}

fn changed(change: &Change, generation: u64) -> Error {
    differs(
        "the ref was changed in the target by others; replicate into another namespace",
        change,
        generation,
    )
}

fn differs(why: &str, change: &Change, generation: u64) -> Error {
    Error::new(ErrorKind::Conflict, why)
        .context("ref", &change.target)
        .context("source generation", change.generation)
        .context("target generation", generation)
}

/// What the target's refs were before.
#[derive(Debug, Default)]
pub(super) struct Past(BTreeMap<(RefPath, u64), Print>);

impl Past {
    /// Reads the history of a ref back to a generation.
    pub(super) async fn learn(&mut self, target: &Repo, path: &RefPath, since: u64) -> Result<()> {
        if self.0.len() >= MAX_PAST {
            self.0.clear();
        }
        let mut history = target.history(path);
        while let Some(change) = history.try_next().await? {
            let print = Print::of(change.value.as_ref())?;
            self.0.insert((path.clone(), change.generation), print);
            if change.generation <= since {
                break;
            }
        }
        Ok(())
    }
}

/// What tells two values apart; `None` for a deletion.
#[derive(Debug)]
struct Print(Option<(Digest, BTreeSet<Digest>)>);

impl Print {
    fn of(value: Option<&Value>) -> Result<Self> {
        let print = value.map(|value| {
            let blobs = value.blobs.iter().chain(&value.trees).copied().collect();
            Ok((without_blobs(value)?, blobs))
        });
        print.transpose().map(Self)
    }

    /// Reports whether it is of this value of the source, some of whose blobs may have been collected
    /// when it was replicated.
    fn is_of(&self, source: Option<&Value>) -> Result<bool> {
        match (&self.0, source) {
            (None, None) => Ok(true),
            (Some((print, blobs)), Some(source)) => {
                let mut blobs = blobs.iter();
                let are_there = blobs.all(|blob| {
                    let mut named = [&source.blobs, &source.trees].into_iter();
                    named.any(|digests| digests.binary_search(blob).is_ok())
                });
                Ok(are_there && *print == without_blobs(source)?)
            }
            (None, Some(_)) | (Some(_), None) => Ok(false),
        }
    }
}

fn without_blobs(value: &Value) -> Result<Digest> {
    canon::digest(&(&value.kind, &value.record, &value.edges))
}
