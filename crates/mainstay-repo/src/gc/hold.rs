//! Holds: refs that keep what others may let go.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use futures::TryStreamExt as _;
use mainstay_core::{Actor, Digest, Error, ErrorKind, RefPath, Result, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::log::{commit, walk};
use crate::repo::Inner;
use crate::{Expectation, RefChange, Step, Transaction, Value, View};

const DIRECTORY: &str = "hold";
const KIND: &str = "hold";
const FORMAT: u64 = 1;

/// What is to be held.
///
/// As text it is `sha256:…`, or a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a value names nothing else")]
pub enum Held {
    /// One blob.
    Blob(Digest),
    /// What the ref of this path names, and those below it.
    Refs(RefPath),
}

/// What keeps blobs that no other ref may name any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Hold {
    /// What it is called: the path of its ref behind `hold/`.
    pub name: String,
    /// What was to be held; nothing where a ref below `hold/` is of another kind.
    pub of: Vec<Held>,
    /// The blobs it names.
    pub blobs: u64,
    /// The trees it names, which hold blobs of their own.
    pub trees: u64,
    /// The log entry that made it.
    pub seq: u64,
    /// The time of that.
    pub time: Timestamp,
    /// Who made it.
    pub actor: Actor,
    /// Why.
    pub reason: String,
}

/// The value of a hold; `docs/formats/collection.md` is normative.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    format: u64,
    of: BTreeSet<Held>,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blob(digest) => digest.fmt(f),
            Self::Refs(path) => path.fmt(f),
        }
    }
}

impl FromStr for Held {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.starts_with("sha256:") {
            text.parse().map(Self::Blob)
        } else {
            text.parse().map(Self::Refs)
        }
    }
}

impl Serialize for Held {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Held {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Hold {
    /// Reads a change of a ref below `hold/`; `None` for a deletion.
    ///
    /// # Errors
    /// [`Incompatible`](ErrorKind::Incompatible) when a newer Mainstay made it,
    /// [`Corrupt`](ErrorKind::Corrupt) when it is not the record of a hold.
    fn of(change: RefChange) -> Result<Option<Self>> {
        let Some(value) = change.value else {
            return Ok(None);
        };
        let of = if value.kind == KIND {
            value.check_format(KIND, FORMAT)?;
            value.decode::<Record>(KIND)?.of
        } else {
            BTreeSet::new()
        };
        let path = change.path.as_str();
        Ok(Some(Self {
            name: path.strip_prefix("hold/").unwrap_or(path).to_owned(),
            of: of.into_iter().collect(),
            blobs: value.blobs.len() as u64,
            trees: value.trees.len() as u64,
            seq: change.seq,
            time: change.time,
            actor: change.actor,
            reason: change.reason,
        }))
    }
}

/// Makes a hold of what `of` names in the newest view.
pub(crate) async fn hold(
    inner: &Arc<Inner>,
    name: &str,
    of: BTreeSet<Held>,
    (actor, reason): (Actor, String),
) -> Result<Hold> {
    let path = path(name)?;
    if of.is_empty() {
        return Err(Error::invalid("a hold of nothing").context("hold", name));
    }
    let committing = commit::transact(inner, |view| {
        if view.get(&path)?.is_some() {
            let error = Error::new(ErrorKind::AlreadyExists, "there is a hold of this name");
            return Err(error.context("hold", name));
        }
        let value = value(view, &of)?;
        let named = (value.blobs.len() as u64, value.trees.len() as u64);
        let mut transaction = Transaction::new(actor.clone(), reason.clone());
        transaction.set(path.clone(), value, Expectation::Absent);
        Ok(Step::Commit(transaction, named))
    });
    let (committed, (blobs, trees)) = committing.await?;
    let committed = committed.ok_or_else(|| Error::new(ErrorKind::Internal, "not committed"))?;
    Ok(Hold {
        name: name.to_owned(),
        of: of.into_iter().collect(),
        blobs,
        trees,
        seq: committed.seq,
        time: committed.time,
        actor,
        reason,
    })
}

/// Deletes a hold.
pub(crate) async fn release(
    inner: &Arc<Inner>,
    name: &str,
    (actor, reason): (Actor, String),
) -> Result<()> {
    let path = path(name)?;
    let committing = commit::transact(inner, |view| {
        if view.get(&path)?.is_none() {
            return Err(Error::not_found("hold", name));
        }
        let mut transaction = Transaction::new(actor.clone(), reason.clone());
        transaction.delete(path.clone(), Expectation::Any);
        Ok(Step::Commit(transaction, ()))
    });
    committing.await.map(drop)
}

/// Reads every hold there is, ordered by name.
pub(crate) async fn holds(inner: &Arc<Inner>) -> Result<Vec<Hold>> {
    let view = inner.refresh().await?;
    let paths = view.read(|view| {
        let held = view.below(DIRECTORY)?;
        Ok(held.map(|(path, _)| path.clone()).collect::<Vec<_>>())
    });
    let mut holds = Vec::new();
    for path in paths.await? {
        let last = walk::history(Arc::clone(inner), path).try_next().await?;
        holds.extend(last.map(Hold::of).transpose()?.flatten());
    }
    Ok(holds)
}

fn path(name: &str) -> Result<RefPath> {
    RefPath::new(&format!("{DIRECTORY}/{name}")).map_err(|error| {
        let why = "a hold is called by names joined by '/'";
        Error::invalid(why).context("hold", name).with_source(error)
    })
}

/// The value that keeps what `of` names as of a view.
fn value(view: &View, of: &BTreeSet<Held>) -> Result<Value> {
    let (mut blobs, mut trees) = (BTreeSet::new(), BTreeSet::new());
    for thing in of {
        let prefix = match thing {
            Held::Blob(digest) => {
                blobs.insert(*digest);
                continue;
            }
            Held::Refs(prefix) => prefix,
        };
        let itself = view.get(prefix)?;
        let below = view.below(prefix.as_str())?.map(|(_, state)| state);
        let states: Vec<_> = itself.into_iter().chain(below).collect();
        if states.is_empty() {
            return Err(Error::not_found("ref", prefix));
        }
        for value in states.into_iter().filter_map(|state| state.value.as_ref()) {
            blobs.extend(&value.blobs);
            trees.extend(&value.trees);
        }
    }
    if blobs.is_empty() && trees.is_empty() {
        return Err(Error::invalid("nothing that is to be held has any bytes"));
    }
    Ok(stored(of)?.with_blobs(blobs).with_trees(trees))
}

/// The value of a hold, without what it names.
pub(super) fn stored(of: &BTreeSet<Held>) -> Result<Value> {
    let record = Record {
        format: FORMAT,
        of: of.clone(),
    };
    Value::new(KIND, &record)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::hostile;

    proptest! {
        #[test]
        fn a_hold_is_read_as_it_was_written_or_refused(record in hostile::near(json!({
            "format": 1,
            "of": ["sha256:".to_owned() + &"ab".repeat(32), "model/fraud"],
        }))) {
            let value = Value { record: record.clone(), ..stored(&BTreeSet::new()).unwrap() };
            if let Ok(read) = value.decode::<Record>(KIND) {
                let of = record["of"].as_array().unwrap().iter();
                let of: BTreeSet<Held> = of.map(|thing| thing.as_str().unwrap().parse().unwrap()).collect();
                prop_assert_eq!(read.of, of);
            }
        }
    }
}
