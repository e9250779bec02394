//! What models are called. A model is kept under its id, the name that its first version was registered
//! under; other names lead to the id. Normative description: `docs/formats/model-version.md`.

use mainstay_core::{Name, NodeKind, Result};
use mainstay_repo::{Transaction, Value, View};
use serde::{Deserialize, Serialize};

use crate::format::{Formatted, decode};
use crate::refs;

/// That a model is or was called something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Naming {
    format: u32,
    id: Name,
    name: Name,
}

impl Formatted for Naming {
    const KIND: &'static str = "model.name";
    const NEWEST: u32 = 1;

    fn format(&self) -> u32 {
        self.format
    }

    fn least_format(&self) -> u32 {
        1
    }
}

/// Returns the id of the model that a name leads to: the model that has the name, or had it last.
///
/// A name that nobody ever had is the id of the model that is to have it.
///
/// # Errors
/// [`Corrupt`](mainstay_core::ErrorKind::Corrupt) when the ref of the name holds something else.
///
/// # Complexity
/// O(log n): one look-up.
pub fn model_id(view: &View, name: &Name) -> Result<Name> {
    match refs::value(view, &refs::name(name)?)? {
        Some(value) => Ok(decode::<Naming>(value)?.id),
        None => Ok(name.clone()),
    }
}

/// Returns what the model with an id is called.
///
/// # Errors
/// As [`model_id`].
///
/// # Complexity
/// O(log n): one look-up.
pub fn model_name(view: &View, id: &Name) -> Result<Name> {
    match refs::value(view, &refs::called(id)?)? {
        Some(value) => named(value),
        None => Ok(id.clone()),
    }
}

/// Reads the name in the value of the ref that says what a model is called.
pub(crate) fn named(value: &Value) -> Result<Name> {
    Ok(decode::<Naming>(value)?.name)
}

/// Reports whether there is, or was, a version of the model with an id.
pub(crate) fn is_model(view: &View, id: &Name) -> Result<bool> {
    let versions = format!("{}/{id}/version", NodeKind::Model);
    Ok(view.states_below(&versions)?.next().is_some())
}

/// Gives a model a name.
pub(crate) fn call(
    view: &View,
    id: &Name,
    name: &Name,
    transaction: &mut Transaction,
) -> Result<()> {
    let naming = Naming {
        format: 1,
        id: id.clone(),
        name: name.clone(),
    };
    for path in [refs::name(name)?, refs::called(id)?] {
        let expectation = refs::unchanged(view, &path)?;
        transaction.set(path, Value::new(Naming::KIND, &naming)?, expectation);
    }
    Ok(())
}
