//! Deleting what an entry of the log has condemned.

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use mainstay_core::{Digest, Result, Telling};
use mainstay_store::Storage;
use serde::Serialize;

use super::Sweep;
use crate::checkpoint::{root_key, shard_key};

/// How many shards are deleted at a time.
const DELETES: usize = 8;

/// What a run of collection did about checkpoints.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct SweptCheckpoints {
    /// How many are condemned and wait for the grace to end.
    pub waiting: u64,
    /// How many were condemned.
    pub condemned: u64,
    /// How many were deleted.
    pub deleted: u64,
    /// How many shards were: of those, or of checkpoints that were never finished.
    pub deleted_shards: u64,
    /// The bytes of all that was deleted.
    pub freed_bytes: u64,
}

impl Sweep {
    /// What has been done when the log says it, before anything is deleted.
    pub(in crate::gc) fn begin_report(&self) -> SweptCheckpoints {
        SweptCheckpoints {
            waiting: self.waiting.len() as u64,
            ..SweptCheckpoints::default()
        }
    }

    /// Deletes each root, then the shards that go with it: a root that is there is whole, and a crash
    /// leaves the shards of one.
    pub(in crate::gc) async fn delete(
        &self,
        storage: &dyn Storage,
        (report, telling): (&mut SweptCheckpoints, &Telling),
    ) -> Result<()> {
        let shards = self.delete.values().map(Vec::len).sum::<usize>() + self.orphans.len();
        telling.expect("objects", (self.delete.len() + shards) as u64);
        report.condemned = self.condemn.len() as u64;
        for (root, shards) in &self.delete {
            storage.delete(&root_key(*root)).await?;
            telling.add("objects", 1);
            report.deleted += 1;
            report.freed_bytes += self.roots.get(root).copied().unwrap_or(0);
            self.delete_shards(storage, shards, (report, telling))
                .await?;
        }
        let told = (report, telling);
        self.delete_shards(storage, &self.orphans, told).await
    }

    async fn delete_shards(
        &self,
        storage: &dyn Storage,
        shards: &[Digest],
        (report, telling): (&mut SweptCheckpoints, &Telling),
    ) -> Result<()> {
        let mut deletions = stream::iter(shards.to_vec())
            .map(|shard| async move {
                storage.delete(&shard_key(&shard)).await?;
                Ok::<Digest, mainstay_core::Error>(shard)
            })
            .buffered(DELETES);
        while let Some(shard) = deletions.try_next().await? {
            telling.add("objects", 1);
            report.deleted_shards += 1;
            report.freed_bytes += self.shards.get(&shard).copied().unwrap_or(0);
        }
        Ok(())
    }
}
