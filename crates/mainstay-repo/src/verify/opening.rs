//! What makes opening slow, and is not wrong: checkpoints that are not there.

use std::collections::BTreeSet;

use mainstay_core::Result;
use mainstay_store::{ByteRange, Storage};

use super::Findings;
use crate::View;
use crate::checkpoint::swept::Swept;
use crate::checkpoint::{self, load};
use crate::log::read::{self, READ_AHEAD};
use crate::options::CHECKPOINT_EVERY;

/// Notes checkpoints that nobody can have deleted, and a log that has become long since the newest of those
/// that are `whole`.
pub(super) async fn note(
    storage: &dyn Storage,
    view: &View,
    whole: &BTreeSet<u64>,
    findings: &mut Findings,
) -> Result<()> {
    for seq in lost(storage, view, whole).await? {
        let detail = "a checkpoint that no collection has deleted is not there";
        findings.notice(checkpoint::root_key(seq), detail);
    }
    let mut newest = whole.iter().rev();
    let (last, before) = (newest.next().copied(), newest.next().copied());
    let usual = match (last, before) {
        (Some(last), Some(before)) => last - before,
        _ => CHECKPOINT_EVERY,
    };
    let (last, head) = (last.unwrap_or(0), view.seq);
    // One that is due may be about to be written.
    if head.saturating_sub(last) >= usual.saturating_mul(2) {
        let detail = format!(
            "opening reads the log from entry {} to {head}: there is no newer checkpoint",
            last + 1
        );
        findings.notice("checkpoint", detail);
    }
    Ok(())
}

/// The checkpoints that the log says stay, and that are not in the storage.
async fn lost(storage: &dyn Storage, view: &View, whole: &BTreeSet<u64>) -> Result<BTreeSet<u64>> {
    let mut lost = BTreeSet::new();
    for seq in kept(view).await?.difference(whole) {
        let range = ByteRange::Offsets(0..0);
        let stored = storage.get(&checkpoint::root_key(*seq), range).await?;
        if stored.is_none() {
            lost.insert(*seq);
        }
    }
    if lost.is_empty() {
        return Ok(lost);
    }
    // A run of collection may have deleted them since.
    match read::catch_up(storage, view.clone(), u64::MAX, READ_AHEAD).await {
        Ok(newest) => Ok(&lost & &kept(&newest).await?),
        Err(error) if load::is_damage(&error) => Ok(BTreeSet::new()),
        Err(error) => Err(error),
    }
}

async fn kept(view: &View) -> Result<BTreeSet<u64>> {
    match Swept::read(view).await {
        Ok(swept) => Ok(swept.kept),
        // Told of elsewhere.
        Err(error) if load::is_damage(&error) => Ok(BTreeSet::new()),
        Err(error) => Err(error),
    }
}
