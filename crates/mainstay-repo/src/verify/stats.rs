//! Counts what is stored.

use futures::TryStreamExt as _;
use mainstay_core::Result;
use mainstay_store::Prefix;

use super::RepoStats;
use crate::tally::object::DIRECTORY;
use crate::{Repo, checkpoint, keys};

/// Lists the storage and reads the manifests of all blobs.
pub(crate) async fn stats(repo: &Repo) -> Result<RepoStats> {
    let storage = &repo.inner.storage;
    let (log, tallies) = (keys::below("log"), keys::below(DIRECTORY));
    let (roots, shards) = (
        keys::below(checkpoint::ROOTS),
        keys::below(checkpoint::SHARDS),
    );
    let mut stats = RepoStats::default();
    let mut listed = storage.list(&Prefix::all(), None);
    let telling = repo.telling();
    while let Some(object) = listed.try_next().await? {
        telling.add("objects", 1);
        stats.objects += 1;
        stats.stored_bytes += object.size;
        stats.log_entries += u64::from(log.covers(&object.key));
        if roots.covers(&object.key) || shards.covers(&object.key) {
            stats.checkpoints += u64::from(roots.covers(&object.key));
            stats.checkpoint_bytes += object.size;
        }
        stats.tally_objects += u64::from(tallies.covers(&object.key));
    }
    stats.head = repo.view().await?.seq();
    stats.logical_bytes = repo.inner.blobs.logical_bytes(&telling).await?;
    Ok(stats)
}
