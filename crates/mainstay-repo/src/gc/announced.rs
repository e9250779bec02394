//! Index objects that a run goes on to delete: the log names them before, so that a receipt can
//! name them however the run ends.

use std::collections::BTreeSet;
use std::sync::Arc;

use mainstay_core::{Actor, RefPath, Result};
use serde::{Deserialize, Serialize};

use super::apply::overtaken;
use crate::log::commit;
use crate::repo::{Inner, Step};
use crate::{Expectation, Transaction, Value, View, gc};

const PATH: &str = "gc/index";
const KIND: &str = "gc.index";
const FORMAT: u64 = 1;

/// The value of the ref.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    format: u64,
    /// The keys of index objects that runs went on to delete, and that no receipt names yet.
    deletes: BTreeSet<String>,
}

/// The ref.
pub(super) fn path() -> Result<RefPath> {
    RefPath::new(PATH)
}

/// Returns the keys that no receipt names yet.
///
/// # Errors
/// [`Incompatible`](mainstay_core::ErrorKind::Incompatible) when a newer version wrote them.
pub(super) fn read(view: &View) -> Result<BTreeSet<String>> {
    let value = view.state(&path()?)?.and_then(|state| state.value.as_ref());
    value.map_or_else(|| Ok(BTreeSet::new()), keys)
}

fn keys(value: &Value) -> Result<BTreeSet<String>> {
    value.check_format(KIND, FORMAT)?;
    Ok(value.decode::<Record>(KIND)?.deletes)
}

pub(super) fn value(deletes: BTreeSet<String>) -> Result<Value> {
    let format = FORMAT;
    Value::new(KIND, &Record { format, deletes })
}

/// Makes the log name `keys`, unless it does, before they are deleted by the run that follows run
/// number `generation`.
///
/// # Errors
/// [`Conflict`](mainstay_core::ErrorKind::Conflict) when another run has been committed.
pub(super) async fn announce(
    inner: &Arc<Inner>,
    generation: u64,
    keys: &BTreeSet<String>,
    (actor, reason): (&Actor, &str),
) -> Result<()> {
    let committing = commit::transact(inner, |view| {
        if gc::runs(view)? != generation {
            return Ok(Step::Done(false));
        }
        let mut announced = read(view)?;
        if keys.is_subset(&announced) {
            return Ok(Step::Done(true));
        }
        announced.extend(keys.iter().cloned());
        let mut transaction = Transaction::new(actor.clone(), reason);
        transaction.set(path()?, value(announced)?, Expectation::Any);
        Ok(Step::Commit(transaction, true))
    });
    let (_, holds) = committing.await?;
    if holds { Ok(()) } else { Err(overtaken()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::hostile;

    proptest! {
        #[test]
        fn what_goes_is_read_as_it_was_written_or_refused(stored in hostile::near(json!({
            "deletes": ["index/ab", "index/cd"],
            "format": 1,
        }))) {
            let sample = value(BTreeSet::new()).unwrap();
            let value = Value { record: stored.clone(), ..sample };
            if let Ok(read) = keys(&value) {
                let all = stored["deletes"].as_array().unwrap().iter();
                let all: BTreeSet<String> = all.map(|key| key.as_str().unwrap().to_owned()).collect();
                prop_assert_eq!(read, all);
            }
        }
    }
}
