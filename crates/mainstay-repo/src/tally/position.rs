//! What the log says of a subject: which era is open, and where the earlier ones are.

use std::collections::BTreeMap;

use mainstay_core::{Digest, Error, ErrorKind, RefPath, Result, WriteId};
use mainstay_store::Key;
use serde::{Deserialize, Serialize};

use super::TallyName;
use super::object::ObjectName;
use crate::{RefState, Value, View};

const FORMAT: u64 = 1;
const KIND: &str = "tally";

/// Which eras count where.
///
/// Replicas write in the open era. One that is no more open is *sealed*: what its replicas have
/// written stands, and nothing is acknowledged in it any more. Once a base holds what they wrote it
/// is *folded*. At most the era before the open one is sealed and not folded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Position {
    format: u64,
    /// The open era, from 1.
    pub(super) open: u64,
    /// Holds the eras that are folded.
    pub(super) base: Option<BaseRef>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BaseRef {
    pub(super) through: u64,
    pub(super) digest: Digest,
    /// The replicas of era `through`, and the sequence of the state that was folded: by it a replica
    /// that was writing meanwhile tells whether that counts.
    pub(super) folded: BTreeMap<String, u64>,
}

impl Default for Position {
    fn default() -> Self {
        Self {
            format: FORMAT,
            open: 1,
            base: None,
        }
    }
}

impl Position {
    /// Reads it in a view; made for [`View::read`].
    pub(super) fn read(view: &View, path: &RefPath) -> Result<Self> {
        match view.state(path)? {
            None => Ok(Self::default()),
            Some(state) => Self::of(path, state.value.as_ref()),
        }
    }

    /// Decodes the value of a subject's ref, which is never deleted.
    pub(super) fn of(path: &RefPath, value: Option<&Value>) -> Result<Self> {
        let corrupt = |why| Error::corrupt(format!("ref {path}"), why);
        let Some(value) = value else {
            return Err(corrupt("deleted, and with it what was compacted"));
        };
        let decoded = value
            .check_format(KIND, FORMAT)
            .and_then(|()| value.decode::<Self>(KIND));
        let position = match decoded {
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                return Err(corrupt("not a record of tallies").with_source(error));
            }
            decoded => decoded?,
        };
        let next = position.through().checked_add(1);
        let follows = [Some(position.open), position.open.checked_sub(1)].contains(&next);
        let begins = position.base.as_ref().is_none_or(|base| base.through > 0);
        if follows && begins && position.open > 1 {
            Ok(position)
        } else {
            Err(corrupt("eras that do not follow each other"))
        }
    }

    pub(super) fn to_value(&self) -> Result<Value> {
        Value::new(KIND, self)
    }

    /// The last folded era; 0 before the first is.
    pub(super) fn through(&self) -> u64 {
        self.base.as_ref().map_or(0, |base| base.through)
    }

    /// The era that is sealed and not folded.
    pub(super) fn sealed(&self) -> Option<u64> {
        let sealed = self.through() + 1;
        (sealed < self.open).then_some(sealed)
    }

    /// What the base is called.
    pub(super) fn base_name(&self) -> Option<ObjectName> {
        self.base.as_ref().map(|base| ObjectName::Base {
            through: base.through,
            digest: base.digest,
        })
    }

    /// As it is once a new era is open.
    pub(super) fn with_next_era(&self) -> Self {
        Self {
            open: self.open + 1,
            ..self.clone()
        }
    }

    /// As it is once the sealed era is folded into `base`.
    pub(super) fn with_base(&self, base: BaseRef) -> Self {
        Self {
            base: Some(base),
            ..self.clone()
        }
    }
}

impl BaseRef {
    /// The sequence of a replica's state that was folded; 0 when none was.
    pub(super) fn folded(&self, replica: WriteId) -> u64 {
        self.folded.get(&replica.to_string()).copied().unwrap_or(0)
    }
}

/// The key of the base that a subject's ref names.
///
/// # Errors
/// [`Corrupt`](ErrorKind::Corrupt) when the ref is no such ref.
pub(crate) fn base_key(path: &RefPath, state: &RefState) -> Result<Option<Key>> {
    let position = Position::of(path, state.value.as_ref())?;
    let subject = path.as_str().strip_prefix("tally/").unwrap_or_default();
    let subject = TallyName::new(subject)
        .map_err(|error| Error::corrupt(format!("ref {path}"), "no subject").with_source(error))?;
    let name = position.base_name();
    name.map(|name| name.key(&subject)).transpose()
}
