//! Merging maps.

use std::collections::{BTreeMap, BTreeSet};

/// What becomes of a key that is not simply ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Only they changed it.
    Theirs,
    /// Both changed it, differently.
    Conflict,
}

/// Merges what three maps hold below each key that any of them has; what only our
/// side changed, or both alike, is not listed.
pub(crate) fn choose<'m, K: Ord, V: PartialEq>(
    base: &'m BTreeMap<K, V>,
    ours: &'m BTreeMap<K, V>,
    theirs: &'m BTreeMap<K, V>,
) -> BTreeMap<&'m K, Choice> {
    let keys: BTreeSet<&K> = base
        .keys()
        .chain(ours.keys())
        .chain(theirs.keys())
        .collect();
    let chosen = keys.into_iter().filter_map(|key| {
        let (base, ours, theirs) = (base.get(key), ours.get(key), theirs.get(key));
        if ours == theirs || base == theirs {
            None
        } else if base == ours {
            Some((key, Choice::Theirs))
        } else {
            Some((key, Choice::Conflict))
        }
    });
    chosen.collect()
}
