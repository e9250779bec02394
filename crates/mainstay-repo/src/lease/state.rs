//! What the log says of a lease.

use std::time::Duration;

use mainstay_core::{Actor, Error, RefPath, Result, WriteId};
use serde::{Deserialize, Serialize};

use crate::{Value, View};

const FORMAT: u64 = 1;
const HOLDER: &str = "lease.holder";
const BEAT: &str = "lease.beat";
const MAX_TERM_MS: u64 = 24 * 60 * 60 * 1_000;

/// The refs of a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LeaseRefs {
    /// Its generation is the epoch: it changes with the holder and at no other time, so that what a
    /// holder commits does not race with its own renewals.
    pub(super) holder: RefPath,
    /// Its generation grows with every renewal.
    pub(super) beat: RefPath,
}

impl LeaseRefs {
    pub(super) fn new(name: &str) -> Result<Self> {
        let path = |of| {
            RefPath::new(&format!("lease/{name}/{of}")).map_err(|error| {
                Error::invalid("a lease is called by one to ten names joined by '/'")
                    .with_source(error)
            })
        };
        Ok(Self {
            holder: path("holder")?,
            beat: path("beat")?,
        })
    }
}

/// Who holds a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct LeaseHolder {
    format: u64,
    /// Marks the one acquisition; never used again.
    pub id: WriteId,
    /// Who acquired it.
    pub actor: Actor,
    /// How long, in milliseconds, it may stay without renewal before others take it over.
    pub term_ms: u64,
}

impl LeaseHolder {
    pub(super) fn new(id: WriteId, actor: Actor, term: Duration) -> Result<Self> {
        let holder = Self {
            format: FORMAT,
            id,
            actor,
            term_ms: u64::try_from(term.as_millis()).unwrap_or(u64::MAX),
        };
        if holder.has_sane_term() {
            Ok(holder)
        } else {
            let error = Error::invalid("the term of a lease is 1 ms to 1 day");
            Err(error.context("term_ms", holder.term_ms))
        }
    }

    /// How long it may stay without renewal before others take it over.
    #[must_use]
    pub fn term(&self) -> Duration {
        Duration::from_millis(self.term_ms)
    }

    pub(super) fn to_value(&self) -> Result<Value> {
        Value::new(HOLDER, self)
    }

    fn has_sane_term(&self) -> bool {
        (1..=MAX_TERM_MS).contains(&self.term_ms)
    }

    fn of(value: &Value) -> Result<Self> {
        value.check_format(HOLDER, FORMAT)?;
        let holder: Self = value.decode(HOLDER)?;
        if holder.has_sane_term() {
            Ok(holder)
        } else {
            Err(Error::corrupt(HOLDER, "a term beyond its bounds"))
        }
    }
}

/// A renewal.
#[derive(Debug, Serialize)]
struct Beat {
    format: u64,
    epoch: u64,
}

pub(super) fn beat_value(epoch: u64) -> Result<Value> {
    Value::new(
        BEAT,
        &Beat {
            format: FORMAT,
            epoch,
        },
    )
}

/// A lease as of one view. Two that are equal tell of a holder who has not been heard of between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LeaseState {
    /// The generation of the holder's ref, tombstones included; 0 when there never was a holder.
    pub(super) epoch: u64,
    /// The generation of the beat's ref.
    beats: u64,
    pub(super) holder: Option<LeaseHolder>,
}

impl LeaseState {
    /// Reads a lease; made for [`View::read`].
    pub(super) fn read(view: &View, refs: &LeaseRefs) -> Result<Self> {
        let (holder, beat) = (view.state(&refs.holder)?, view.state(&refs.beat)?);
        let held = holder.and_then(|state| state.value.as_ref());
        Ok(Self {
            epoch: holder.map_or(0, |state| state.generation),
            beats: beat.map_or(0, |state| state.generation),
            holder: held
                .map(LeaseHolder::of)
                .transpose()
                .map_err(|error| error.context("ref", &refs.holder))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::hostile;

    proptest! {
        #[test]
        fn a_holder_is_read_as_it_was_written_or_refused(record in hostile::near(json!({
            "actor": "router-7",
            "format": 1,
            "id": "ab".repeat(16),
            "term_ms": 15_000,
        }))) {
            let value = Value { record: record.clone(), ..beat_value(1).unwrap() };
            let value = Value { kind: HOLDER.to_owned(), ..value };
            if let Ok(holder) = LeaseHolder::of(&value) {
                prop_assert!(holder.has_sane_term());
                prop_assert_eq!(holder.to_value().unwrap().record, record);
            }
        }
    }
}
