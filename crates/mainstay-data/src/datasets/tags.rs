//! Tags and locators: the names of versions.

use mainstay_core::{Actor, Error, ErrorKind, Locator, Name, NodeKind, NodeRef, Result, Selector};
use mainstay_repo::{Expectation, Repo, Series, Step, Transaction, Value, View};

use super::{series_of, version_state};
use crate::record::VersionRecord;

/// The family of pointers that tags are.
pub(super) const FAMILY: &str = "tag";

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
    let (node, _) = series.resolve(view, &locator.selector, &[FAMILY])?;
    Ok(node)
}

/// Checks that a tag cannot be taken for a version.
pub(super) fn check_tag(tag: &Name) -> Result<()> {
    let reserved = if tag.as_str() == "latest" {
        "latest always means the newest version"
    } else if tag.as_str().bytes().all(|byte| byte.is_ascii_digit()) {
        "a plain number is a version"
    } else {
        return Ok(());
    };
    Err(Error::invalid(format!("bad tag: {reserved}")).context("tag", tag))
}

/// Adds to `transaction` that `tag` points to `node`; `false` when it already does.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`] when it points elsewhere: tags do not move.
pub(super) fn set_tag(
    view: &View,
    transaction: &mut Transaction,
    series: &Series,
    tag: &Name,
    node: &NodeRef,
) -> Result<bool> {
    let path = series.pointer(FAMILY, tag)?;
    let Some(state) = view.get(&path)? else {
        transaction.set(path, Value::pointer(node), Expectation::Absent);
        return Ok(true);
    };
    match state.value.as_ref().and_then(Value::pointee) {
        Some(current) if current == *node => Ok(false),
        Some(current) => Err(Error::new(
            ErrorKind::AlreadyExists,
            "the tag is taken, and tags do not move",
        )
        .context("tag", tag)
        .context("version", current)),
        None => Err(Error::corrupt(path, "not a pointer")),
    }
}

pub(super) async fn tag(
    repo: &Repo,
    node: &NodeRef,
    tag: &Name,
    actor: Actor,
    reason: String,
) -> Result<()> {
    check_tag(tag)?;
    let series = series_of(node)?;
    let (_, ()) = repo
        .transact(|view| {
            version_state(view, node)?;
            let mut transaction = Transaction::new(actor.clone(), reason.clone());
            Ok(if set_tag(view, &mut transaction, &series, tag, node)? {
                Step::Commit(transaction, ())
            } else {
                Step::Done(())
            })
        })
        .await?;
    Ok(())
}
