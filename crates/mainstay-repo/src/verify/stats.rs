//! Counts what is stored.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt as _;
use mainstay_core::{Digest, RefPath, Result};
use mainstay_store::Prefix;

use super::{RepoStats, blobs};
use crate::blobs::weigh::Weight;
use crate::tally::object::DIRECTORY;
use crate::{Repo, View, checkpoint, gc, keys, tree};

/// Lists the storage and reads the manifests of all blobs, and the pages of live trees.
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
    let view = repo.view().await?;
    stats.head = view.seq();
    let live = live(repo, &view).await?;
    let store = &repo.inner.blobs;
    let condemned = gc::condemned(store, &view).await?;
    let is_read = |digest: &Digest| live.contains_key(digest);
    let weighed = |weight: Weight| {
        stats.logical_bytes += weight.bytes;
        if let Some(path) = live.get(&weight.digest) {
            stats.reading.add(weight, path);
        }
    };
    store
        .weigh(&condemned, is_read, (&telling, weighed))
        .await?;
    Ok(stats)
}

/// What live refs reach, and a ref that reaches each.
async fn live(repo: &Repo, view: &View) -> Result<BTreeMap<Digest, RefPath>> {
    let (mut live, trees) = blobs::named(view).await?;
    let mut seen = BTreeSet::new();
    for (root, path) in trees {
        let held = tree::reach(&repo.inner.blobs, [root], &mut seen).await?;
        live.extend(
            held.whole()?
                .into_iter()
                .map(|digest| (digest, path.clone())),
        );
    }
    Ok(live)
}
