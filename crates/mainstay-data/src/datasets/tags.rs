//! Tags: names that a version keeps for good.

use mainstay_core::{Error, ErrorKind, Name, NodeRef, Result};
use mainstay_repo::{Expectation, Repo, Series, Step, Transaction, Value, View};

use super::by::By;
use super::names::check_pointer;
use super::{branches, series_of, version_state};

/// The family of pointers that tags are.
pub(super) const FAMILY: &str = "tag";

/// Adds to `transaction` that `tag` points to `node`; `false` when it already does.
///
/// # Errors
/// [`ErrorKind::Invalid`] when it could be taken for a version. [`ErrorKind::AlreadyExists`] when it
/// points elsewhere, was deleted, or is the name of a branch: a tag means one version for good.
pub(super) fn set_tag(
    view: &View,
    transaction: &mut Transaction,
    series: &Series,
    tag: &Name,
    node: &NodeRef,
) -> Result<bool> {
    check_pointer("tag", tag)?;
    let taken = |why| Error::new(ErrorKind::AlreadyExists, why).context("tag", tag);
    if view.get(&series.pointer(branches::FAMILY, tag)?)?.is_some() {
        return Err(taken("a branch has this name"));
    }
    let path = series.pointer(FAMILY, tag)?;
    let Some(state) = view.state(&path)? else {
        transaction.set(path, Value::pointer(node), Expectation::Absent);
        return Ok(true);
    };
    let Some(value) = &state.value else {
        return Err(taken("the tag was deleted, and tags are not used again"));
    };
    match value.pointee() {
        Some(current) if current == *node => Ok(false),
        Some(current) => {
            Err(taken("the tag is taken, and tags do not move").context("version", current))
        }
        None => Err(Error::corrupt(path, "not a pointer")),
    }
}

pub(super) async fn tag(repo: &Repo, node: &NodeRef, tag: &Name, by: By) -> Result<()> {
    let series = series_of(node)?;
    let (_, ()) = repo
        .transact(|view| {
            version_state(view, node)?;
            let mut transaction = by.transaction();
            Ok(if set_tag(view, &mut transaction, &series, tag, node)? {
                Step::Commit(transaction, ())
            } else {
                Step::Done(())
            })
        })
        .await?;
    Ok(())
}
