//! What things are called by now.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::{Name, NodeKind, NodeRef, Result};
use mainstay_registry::model_name;
use mainstay_repo::View;

/// Finds what the renamed models among some nodes are called in `view`; the others are left out.
///
/// A node names a model for ever by its id, which is the first name that it had.
///
/// # Errors
/// Those of [`model_name`].
///
/// # Complexity
/// A look-up for each model.
pub fn called<'n>(
    view: &View,
    nodes: impl IntoIterator<Item = &'n NodeRef>,
) -> Result<BTreeMap<NodeRef, Name>> {
    let nodes = nodes.into_iter();
    let models: Vec<&NodeRef> = nodes
        .filter(|node| node.kind() == NodeKind::Model)
        .collect();
    let ids: BTreeSet<&Name> = models.iter().map(|node| node.name()).collect();
    // Asks for all that it needs of the view before it gives up, so that it is loaded at once.
    let found = ids.into_iter().map(|id| Ok((id, model_name(view, id)?)));
    let (names, missed): (Vec<_>, Vec<_>) =
        found.partition(|one: &Result<(&Name, Name)>| one.is_ok());
    if let Some(Err(error)) = missed.into_iter().next() {
        return Err(error);
    }
    let names: BTreeMap<&Name, Name> = names.into_iter().flatten().collect();
    let renamed = models.into_iter().filter_map(|node| {
        let name = names.get(node.name())?;
        (name != node.name()).then(|| (node.clone(), name.clone()))
    });
    Ok(renamed.collect())
}
