//! Checkpoints that newer ones supersede: condemned by one run, deleted by a later one.

mod delete;
mod explain;
mod names;
mod orphans;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::TryStreamExt as _;
use mainstay_core::{Digest, ErrorKind, RefPath, Result, Timestamp};
use mainstay_store::Storage;
use serde::{Deserialize, Serialize};
use tracing::warn;

use self::names::Names;
use super::CollectOptions;
use crate::checkpoint::swept::{self, Swept};
use crate::checkpoint::{self, thin};
use crate::repo::Inner;
use crate::{Value, View, keys};

pub use self::delete::SweptCheckpoints;
pub use self::explain::CheckpointExplanation;
pub(crate) use self::explain::checkpoint as explain_checkpoint;

/// Fewer are not worth an entry, which brings the next checkpoint nearer.
const LEAST_SUPERSEDED: usize = 4;

/// What would be done about checkpoints, each named by the number of its log entry.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PlannedCheckpoints {
    /// Those that stay.
    pub keep: Vec<u64>,
    /// Those that were condemned and wait for the grace to end.
    pub wait: Vec<u64>,
    /// Those that newer ones supersede, to be condemned.
    pub condemn: Vec<u64>,
    /// Those condemned by an earlier run, to be deleted.
    pub delete: Vec<u64>,
    /// Shards to be deleted: of those, or of checkpoints that were never finished.
    pub delete_shards: u64,
    /// How many bytes are deleted.
    pub delete_bytes: u64,
}

/// The checkpoints of a repository, and what follows for them.
#[derive(Debug, Default)]
pub(in crate::gc) struct Sweep {
    /// Those in the storage, and the sizes of their roots.
    roots: BTreeMap<u64, u64>,
    /// The shards in the storage, and their sizes.
    shards: BTreeMap<Digest, u64>,
    /// Those that the log is to say stay.
    kept: BTreeSet<u64>,
    waiting: BTreeSet<u64>,
    condemn: BTreeSet<u64>,
    /// Those to delete, each with the shards that go with it.
    delete: BTreeMap<u64, Vec<Digest>>,
    /// Shards that no checkpoint names, nor can come to name.
    orphans: Vec<Digest>,
}

impl Sweep {
    /// Looks at the checkpoints; with `allowed`, no others are condemned or deleted.
    pub(in crate::gc) async fn of(
        inner: &Arc<Inner>,
        view: &View,
        (options, now): (&CollectOptions, Timestamp),
        allowed: Option<&PlannedCheckpoints>,
    ) -> Result<Self> {
        let survey = Self::survey(inner, view, (options, now), allowed);
        match survey.await {
            Err(error) if error.kind() == ErrorKind::Incompatible => {
                warn!(%error, "checkpoints of a newer version are left alone");
                Ok(Self::default())
            }
            survey => survey,
        }
    }

    async fn survey(
        inner: &Arc<Inner>,
        view: &View,
        (options, now): (&CollectOptions, Timestamp),
        allowed: Option<&PlannedCheckpoints>,
    ) -> Result<Self> {
        let storage = &*inner.storage;
        let swept = Swept::read(view).await?;
        // In this order: shards are there before the roots that name them.
        let roots = roots(storage).await?;
        let shards = shards(storage).await?;
        let numbers = roots.keys().copied();
        let (condemned, standing): (BTreeSet<u64>, BTreeSet<u64>) =
            numbers.partition(|root| swept.condemns(*root));
        let newest_kept = swept.kept.last().copied();
        let ready = condemned
            .iter()
            .copied()
            .filter(|root| newest_kept.is_some_and(|newest| *root < newest));
        let ready: BTreeSet<u64> = ready.collect();
        let since = swept.since.unwrap_or(now);
        if !ready.is_empty() && now.saturating_since(since) < options.grace {
            return Ok(Self {
                kept: standing,
                waiting: ready,
                roots,
                shards,
                ..Self::default()
            });
        }
        let mut names = Names::new(storage);
        let chosen = names
            .choose(&standing, &shards, |sound| {
                thin::kept(sound, view.seq, options.checkpoint_spacing_percent)
            })
            .await?;
        let is_allowed = |root: &u64, list: fn(&PlannedCheckpoints) -> &Vec<u64>| {
            allowed.is_none_or(|allowed| list(allowed).contains(root))
        };
        let superseded = standing.difference(&chosen).copied();
        let mut condemn: BTreeSet<u64> = superseded
            .filter(|root| is_allowed(root, |plan| &plan.condemn))
            .collect();
        if condemn.len() < LEAST_SUPERSEDED {
            condemn.clear();
        }
        let mut sweep = Self {
            kept: standing.difference(&condemn).copied().collect(),
            condemn,
            roots,
            shards,
            ..Self::default()
        };
        // What is older than a checkpoint, and not in it, is in none after it.
        if let Some(newest) = newest_kept
            && names.of(newest).await?.is_some()
        {
            let goes = ready.into_iter();
            let goes = goes.filter(|root| is_allowed(root, |plan| &plan.delete));
            let unnamed = sweep.choose_deleted(&mut names, goes.collect()).await?;
            if allowed.is_none_or(|plan| plan.delete_shards > 0) {
                sweep.orphans = orphans::among(inner, newest, unnamed).await?;
            }
        }
        Ok(sweep)
    }

    /// Finds the shards that go with each checkpoint; returns those that no checkpoint names.
    async fn choose_deleted(
        &mut self,
        names: &mut Names<'_>,
        goes: BTreeSet<u64>,
    ) -> Result<Vec<Digest>> {
        let (mut last, mut stay) = (BTreeMap::new(), BTreeSet::new());
        for root in self.roots.keys() {
            for shard in names.of(*root).await?.unwrap_or_default() {
                if goes.contains(root) {
                    last.insert(*shard, *root);
                } else {
                    stay.insert(*shard);
                }
            }
        }
        let unnamed = self.shards.keys().copied();
        let unnamed = unnamed.filter(|shard| !stay.contains(shard) && !last.contains_key(shard));
        let unnamed = unnamed.collect();
        self.delete = goes.into_iter().map(|root| (root, Vec::new())).collect();
        for (shard, root) in last {
            if !stay.contains(&shard)
                && self.shards.contains_key(&shard)
                && let Some(shards) = self.delete.get_mut(&root)
            {
                shards.push(shard);
            }
        }
        Ok(unnamed)
    }

    /// Reports whether the log has to say something.
    pub(in crate::gc) fn is_due(&self) -> bool {
        !(self.condemn.is_empty() && self.delete.is_empty() && self.orphans.is_empty())
    }

    /// Lets checkpoints stay that were written since.
    pub(in crate::gc) async fn admit_newer(&mut self, storage: &dyn Storage) -> Result<()> {
        let newest = self.roots.keys().next_back().copied().unwrap_or(0);
        let newer = checkpoint::numbers_after(storage, newest);
        self.kept.extend(newer.try_collect::<Vec<u64>>().await?);
        Ok(())
    }

    /// What the log is to say, before anything is deleted.
    pub(in crate::gc) fn change(&self) -> Result<Option<(RefPath, Value)>> {
        if !self.is_due() {
            return Ok(None);
        }
        let deletes = self.delete.keys().copied().collect();
        let value = swept::value(self.kept.clone(), deletes)?;
        Ok(Some((swept::path()?, value)))
    }

    pub(in crate::gc) fn plan(&self) -> PlannedCheckpoints {
        let list = |numbers: &BTreeSet<u64>| numbers.iter().copied().collect();
        let (shards, bytes) = self.goes();
        PlannedCheckpoints {
            keep: list(&self.kept),
            wait: list(&self.waiting),
            condemn: list(&self.condemn),
            delete: self.delete.keys().copied().collect(),
            delete_shards: shards,
            delete_bytes: bytes,
        }
    }

    /// How many shards go, and the bytes of them and their roots.
    fn goes(&self) -> (u64, u64) {
        let shards = self.delete.values().flatten().chain(&self.orphans);
        let sizes: Vec<u64> = shards
            .filter_map(|shard| self.shards.get(shard))
            .copied()
            .collect();
        let roots = self.delete.keys().filter_map(|root| self.roots.get(root));
        let bytes = sizes.iter().sum::<u64>() + roots.sum::<u64>();
        (sizes.len() as u64, bytes)
    }
}

/// The roots in the storage, and their sizes.
async fn roots(storage: &dyn Storage) -> Result<BTreeMap<u64, u64>> {
    let listed = storage.list(&keys::below(checkpoint::ROOTS), None);
    let roots = listed.try_filter_map(|object| {
        let number = keys::number(&object.key).filter(|number| *number > 0);
        futures::future::ready(Ok(number.map(|number| (number, object.size))))
    });
    roots.try_collect().await
}

/// The shards in the storage, and their sizes.
async fn shards(storage: &dyn Storage) -> Result<BTreeMap<Digest, u64>> {
    let listed = storage.list(&keys::below(checkpoint::SHARDS), None);
    let shards = listed.try_filter_map(|object| {
        let hex = object.key.as_str().rsplit('/').next().unwrap_or_default();
        let digest = format!("sha256:{hex}").parse::<Digest>().ok();
        futures::future::ready(Ok(digest.map(|digest| (digest, object.size))))
    });
    shards.try_collect().await
}
