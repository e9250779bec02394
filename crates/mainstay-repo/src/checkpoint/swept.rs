//! Which checkpoints a collection has condemned, as the log says; `docs/formats/collection.md` is
//! normative.

use std::collections::BTreeSet;

use mainstay_core::{RefPath, Result, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{RefState, Value, View};

const PATH: &str = "gc/checkpoints";
const KIND: &str = "gc.checkpoints";
const FORMAT: u64 = 1;

/// The value of the ref.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    format: u64,
    /// The checkpoints that stay, of all before the entry that says so.
    kept: BTreeSet<u64>,
    /// Those that the run goes on to delete.
    deletes: BTreeSet<u64>,
}

/// What the log says of checkpoints as of one view.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Swept {
    /// The entry that said so last; 0 before the first.
    pub(crate) seq: u64,
    /// Its time.
    pub(crate) since: Option<Timestamp>,
    /// The checkpoints before it that stay.
    pub(crate) kept: BTreeSet<u64>,
}

impl Swept {
    /// Reads what a view says.
    ///
    /// # Errors
    /// [`Incompatible`](mainstay_core::ErrorKind::Incompatible) when a newer version said it.
    pub(crate) async fn read(view: &View) -> Result<Self> {
        let path = path()?;
        view.read(|view| view.state(&path)?.map_or(Ok(Self::default()), Self::of))
            .await
    }

    fn of(state: &RefState) -> Result<Self> {
        let Some(value) = &state.value else {
            return Ok(Self::default());
        };
        Ok(Self {
            seq: state.seq,
            since: Some(state.time),
            kept: record(value)?.kept,
        })
    }

    /// Reports whether the checkpoint of an entry is condemned, whether it is there or not: nothing may
    /// be made of it that others rely on.
    pub(crate) fn condemns(&self, checkpoint: u64) -> bool {
        checkpoint < self.seq && !self.kept.contains(&checkpoint)
    }
}

fn record(value: &Value) -> Result<Record> {
    value.check_format(KIND, FORMAT)?;
    value.decode(KIND)
}

/// The checkpoints that the run which set a value went on to delete.
pub(crate) fn deletes(value: &Value) -> Result<BTreeSet<u64>> {
    Ok(record(value)?.deletes)
}

/// The ref.
pub(crate) fn path() -> Result<RefPath> {
    RefPath::new(PATH)
}

/// The value that condemns what is not `kept`.
pub(crate) fn value(kept: BTreeSet<u64>, deletes: BTreeSet<u64>) -> Result<Value> {
    let record = Record {
        format: FORMAT,
        kept,
        deletes,
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
        fn what_stays_is_read_as_it_was_written_or_refused(stored in hostile::near(json!({
            "deletes": [1, 2],
            "format": 1,
            "kept": [3, 4, 18_446_744_073_709_551_615_u64],
        }))) {
            let sample = value(BTreeSet::new(), BTreeSet::new()).unwrap();
            let value = Value { record: stored.clone(), ..sample };
            if let Ok(read) = record(&value) {
                let held = [(read.kept, "kept"), (read.deletes, "deletes")];
                for (numbers, member) in held {
                    let all = stored[member].as_array().unwrap().iter();
                    let all: Option<BTreeSet<u64>> = all.map(serde_json::Value::as_u64).collect();
                    prop_assert_eq!(Some(numbers), all);
                }
            }
        }
    }
}
