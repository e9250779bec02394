//! Which shards each checkpoint names.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::{Digest, ErrorKind, Result};
use mainstay_store::Storage;

use crate::checkpoint::load;

/// The shards that roots name, each read once.
///
/// Memory: 32 bytes for each shard that a root names.
pub(super) struct Names<'a> {
    storage: &'a dyn Storage,
    /// `None` for a root that is damaged or gone.
    read: BTreeMap<u64, Option<Vec<Digest>>>,
}

impl<'a> Names<'a> {
    pub(super) fn new(storage: &'a dyn Storage) -> Self {
        Self {
            storage,
            read: BTreeMap::new(),
        }
    }

    /// The shards of a checkpoint; `None` when its root cannot be read.
    ///
    /// # Errors
    /// [`Incompatible`](ErrorKind::Incompatible) when a newer version wrote it.
    pub(super) async fn of(&mut self, root: u64) -> Result<Option<&[Digest]>> {
        if !self.read.contains_key(&root) {
            let named = match load::root(self.storage, root).await {
                Ok(root) => Some(root.shards().collect()),
                Err(error) if error.kind() == ErrorKind::Corrupt => None,
                Err(error) => return Err(error),
            };
            self.read.insert(root, named);
        }
        Ok(self.read.get(&root).and_then(|named| named.as_deref()))
    }

    /// Lets `choose` choose among checkpoints, until all that it chose have a root that can be read and
    /// every shard that this names.
    pub(super) async fn choose(
        &mut self,
        standing: &BTreeSet<u64>,
        stored: &BTreeMap<Digest, u64>,
        choose: impl Fn(&BTreeSet<u64>) -> BTreeSet<u64> + Send,
    ) -> Result<BTreeSet<u64>> {
        let mut sound = standing.clone();
        loop {
            let chosen = choose(&sound);
            let mut broken = Vec::new();
            for root in &chosen {
                let named = self.of(*root).await?;
                if !named.is_some_and(|named| named.iter().all(|name| stored.contains_key(name))) {
                    broken.push(*root);
                }
            }
            if broken.is_empty() {
                return Ok(chosen);
            }
            sound.retain(|root| !broken.contains(root));
        }
    }
}
