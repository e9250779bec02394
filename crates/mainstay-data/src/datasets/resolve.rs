//! From what a person writes to a version.

use mainstay_core::{Error, Locator, NodeKind, NodeRef, Result, Selector};
use mainstay_repo::{Series, View};

use super::{branches, tags};
use crate::record::VersionRecord;

pub(super) fn resolve(view: &View, locator: &Locator) -> Result<NodeRef> {
    if let Some(kind) = locator.kind.filter(|kind| *kind != NodeKind::Data) {
        return Err(
            Error::invalid(format!("a {kind} is not a dataset")).context("reference", locator)
        );
    }
    let series = Series::new(NodeKind::Data, locator.name.clone());
    // A snapshot is pinned by the digest of its manifest, which the ref's record names.
    if let Selector::Digest(digest) = &locator.selector {
        for (node, state) in series.versions(view)?.into_iter().rev() {
            if VersionRecord::of(state)?.snapshot == *digest {
                return Ok(node);
            }
        }
    }
    let (node, _) = series.resolve(view, &locator.selector, &[tags::FAMILY, branches::FAMILY])?;
    Ok(node)
}
