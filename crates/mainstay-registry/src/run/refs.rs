//! Where runs keep what: the refs below `run/<experiment>/`.
//!
//! ```text
//! version/<id>             the run
//! recent/<id>/<slot>       the points of one batch, slots from 0
//! segment/<id>/<number>    a blob of points, from 1; older than every slot
//! files/<id>               the files it left
//! output/<id>/<kind>/<name>/<version>    something the run made
//! ```

use mainstay_core::{Error, NodeKind, NodeRef, RefPath, Result};
use mainstay_repo::{RefState, View};

use super::point::{Block, Segment};
use super::record::{FORMAT, Run};
use crate::refs::held;

/// How many batches wait to be put into a segment together.
pub(super) const SLOTS: usize = 64;

pub(super) fn slot(run: &NodeRef, slot: usize) -> Result<RefPath> {
    below(run, "recent", slot)
}

pub(super) fn segment(run: &NodeRef, number: usize) -> Result<RefPath> {
    below(run, "segment", number)
}

fn below(run: &NodeRef, family: &str, number: usize) -> Result<RefPath> {
    RefPath::from_names(&[
        NodeKind::Run.as_str().parse()?,
        run.name().clone(),
        family.parse()?,
        run.version().clone(),
        number.to_string().parse()?,
    ])
}

fn prefix(run: &NodeRef, family: &str) -> String {
    format!(
        "{}/{}/{family}/{}",
        NodeKind::Run,
        run.name(),
        run.version()
    )
}

/// Reads a run and its state.
pub(super) fn run<'v>(view: &'v View, run: &NodeRef) -> Result<(Run, &'v RefState)> {
    if run.kind() != NodeKind::Run {
        return Err(Error::invalid("not a run").context("reference", run));
    }
    let path = run.ref_path();
    let state = view
        .get(&path)?
        .ok_or_else(|| Error::not_found("run", run))?;
    Ok((Run::from_value(held(&path, state)?)?, state))
}

/// Lists the batches that are not in a segment yet, the one logged first first.
pub(super) fn recent<'v>(
    view: &'v View,
    run: &NodeRef,
) -> Result<Vec<(usize, &'v RefPath, &'v RefState)>> {
    numbered(view, &prefix(run, "recent"))
}

/// Reads the points of a batch.
pub(super) fn block(path: &RefPath, state: &RefState) -> Result<Block> {
    let value = held(path, state)?;
    value.check_format(Block::KIND, u64::from(FORMAT))?;
    value.decode(Block::KIND)
}

/// Reads the segments, the one logged first first.
pub(super) fn segments(view: &View, run: &NodeRef) -> Result<Vec<Segment>> {
    let read = |(_, path, state): (usize, &RefPath, &RefState)| {
        let value = held(path, state)?;
        value.check_format(Segment::KIND, u64::from(FORMAT))?;
        value.decode(Segment::KIND)
    };
    let found = numbered(view, &prefix(run, "segment"))?;
    found.into_iter().map(read).collect()
}

fn numbered<'v>(view: &'v View, prefix: &str) -> Result<Vec<(usize, &'v RefPath, &'v RefState)>> {
    let mut found = Vec::new();
    for (path, state) in view.below(prefix)? {
        let last = path.segments().next_back().unwrap_or_default();
        let number = last
            .parse()
            .map_err(|_| Error::corrupt(path, "not a number of a batch or segment"))?;
        found.push((number, path, state));
    }
    found.sort_unstable_by_key(|(number, ..)| *number);
    Ok(found)
}
