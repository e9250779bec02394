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
        value.check_format(KIND, FORMAT)?;
        let Record { kept, .. } = value.decode(KIND)?;
        Ok(Self {
            seq: state.seq,
            since: Some(state.time),
            kept,
        })
    }

    /// Reports whether the checkpoint of an entry is condemned, whether it is there or not: nothing may
    /// be made of it that others rely on.
    pub(crate) fn condemns(&self, checkpoint: u64) -> bool {
        checkpoint < self.seq && !self.kept.contains(&checkpoint)
    }
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
