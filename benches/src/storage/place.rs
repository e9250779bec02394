//! A part of the measured storage that nobody else uses.

use std::fmt;
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use mainstay::Result;
use mainstay::store::{Key, Prefix, PrefixStorage, Storage};

/// Calls under way at once where many objects are written or deleted.
pub(super) const AT_ONCE: usize = 64;

/// The keys below one directory of a storage.
#[derive(Debug, Clone)]
pub(super) struct Place {
    storage: Arc<dyn Storage>,
    directory: String,
}

impl Place {
    pub(super) fn new(storage: Arc<dyn Storage>, directory: String) -> Self {
        Self { storage, directory }
    }

    /// Returns the place in the directory `name` of this one.
    pub(super) fn part(&self, name: impl fmt::Display) -> Self {
        Self::new(
            Arc::clone(&self.storage),
            format!("{}/{name}", self.directory),
        )
    }

    /// Returns the storage itself, for keys made by [`key`](Self::key): nothing lies between.
    pub(super) fn raw(&self) -> &Arc<dyn Storage> {
        &self.storage
    }

    pub(super) fn key(&self, name: impl fmt::Display) -> Result<Key> {
        Key::new(format!("{}/{name}", self.directory))
    }

    pub(super) fn prefix(&self) -> Result<Prefix> {
        Prefix::directory(&self.directory)
    }

    /// Returns this place as a storage of its own, for a repository.
    pub(super) fn storage(&self) -> Result<Arc<dyn Storage>> {
        let storage = Arc::clone(&self.storage);
        Ok(Arc::new(PrefixStorage::new(storage, self.prefix()?)))
    }

    /// Deletes every object here.
    pub(super) async fn clear(&self) -> Result<()> {
        let listed = self.storage.list(&self.prefix()?, None);
        let keys: Vec<Key> = listed.map_ok(|object| object.key).try_collect().await?;
        stream::iter(&keys)
            .map(|key| self.storage.delete(key))
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }
}
