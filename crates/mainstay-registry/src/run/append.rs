//! Where points go: into a slot of their own, or with those of earlier slots into a segment.
//!
//! So a batch costs what it is long, a reader has few refs to look at, and the log never repeats a
//! point more than once.

use mainstay_core::{Error, ErrorKind, NodeRef, RefPath, Result};
use mainstay_repo::{Expectation, Repo, Transaction, Value, View};

use super::point::{Block, Segment};
use super::refs::{self, SLOTS};

/// The largest batch that a slot holds, in bytes of canonical JSON.
pub(super) const MAX_SLOT_BYTES: usize = 16 * 1024;

/// How often to begin anew while others log to the same run.
const MAX_ATTEMPTS: u32 = 64;

/// Points to be stored.
#[derive(Debug)]
pub(super) struct Batch {
    block: Block,
    fits_slot: bool,
}

impl Batch {
    pub(super) fn new(block: Block) -> Result<Self> {
        let fits_slot = block.encode()?.len() <= MAX_SLOT_BYTES;
        Ok(Self { block, fits_slot })
    }

    pub(super) fn none() -> Self {
        Self {
            block: Block::empty(),
            fits_slot: true,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.block.is_empty()
    }
}

/// When slots are put into a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fold {
    /// When there is no room otherwise.
    WhenFull,
    /// When it pays: the run ends.
    AtEnd,
}

/// Slots that have been put into a segment together with a batch, and are not committed yet.
#[derive(Debug)]
pub(super) struct Folded {
    /// The slots, with their generations.
    slots: Vec<(RefPath, u64)>,
    segment: Option<Segment>,
}

/// Adds `batch` to a transaction; `false` when slots have to be [folded](fold) first, or again.
pub(super) fn place(
    view: &View,
    run: &NodeRef,
    batch: &Batch,
    mode: Fold,
    folded: Option<&Folded>,
    transaction: &mut Transaction,
) -> Result<bool> {
    let recent = refs::recent(view, run)?;
    let full = match mode {
        Fold::WhenFull => !batch.fits_slot || (!batch.is_empty() && recent.len() >= SLOTS),
        Fold::AtEnd => recent.len() > 1,
    };
    if !full {
        if !batch.is_empty() {
            let value = Value::new(Block::KIND, &batch.block)?;
            transaction.set(refs::slot(run, recent.len())?, value, Expectation::Absent);
        }
        return Ok(true);
    }
    let Some(folded) = folded else {
        return Ok(false);
    };
    let now = recent
        .iter()
        .map(|(_, path, state)| (*path, state.generation));
    if !now.eq(folded
        .slots
        .iter()
        .map(|(path, generation)| (path, *generation)))
    {
        return Ok(false);
    }
    for (path, generation) in &folded.slots {
        transaction.delete(path.clone(), Expectation::Generation(*generation));
    }
    if let Some(segment) = &folded.segment {
        let number = refs::segments(view, run)?.len() + 1;
        let value = Value::new(Segment::KIND, segment)?.with_blobs([segment.blob]);
        transaction.set(refs::segment(run, number)?, value, Expectation::Absent);
    }
    Ok(true)
}

/// Stores the points of all slots and of `batch` as one blob.
pub(super) async fn fold(repo: &Repo, run: &NodeRef, batch: &Batch) -> Result<Folded> {
    let read = |view: &View| {
        let mut block = Block::empty();
        let mut slots = Vec::new();
        for (_, path, state) in refs::recent(view, run)? {
            block.extend(&refs::block(path, state)?);
            slots.push((path.clone(), state.generation));
        }
        Ok((slots, block))
    };
    let (slots, mut block) = repo.read(read).await?;
    block.extend(&batch.block);
    if block.is_empty() {
        return Ok(Folded {
            slots,
            segment: None,
        });
    }
    let mut session = repo.ingest();
    let stored = session.bytes(block.encode()?.into()).await?;
    session.finish().await?;
    Ok(Folded {
        slots,
        segment: Some(Segment::of(stored.digest, &block)),
    })
}

/// Counts attempts.
pub(super) fn attempts() -> std::ops::Range<u32> {
    0..MAX_ATTEMPTS
}

/// The error when all of them were in vain.
pub(super) fn crowded(run: &NodeRef) -> Error {
    let why = "others logged to the run every time";
    Error::new(ErrorKind::Conflict, why).context("run", run)
}
