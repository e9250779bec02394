//! A storage in a directory.

mod directory;
mod place;
mod staging;
mod tree;
mod walk;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use mainstay_core::{Clock, Error, ErrorKind, Result, SystemClock};

use crate::{
    ByteRange, Capabilities, Key, Object, ObjectMeta, Prefix, PutMode, PutOutcome, Storage,
};
use tree::Tree;

/// When a write to a [`LocalStorage`] survives a crash of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Durability {
    /// When it is acknowledged.
    #[default]
    Strict,
    /// When the operating system gets to it, typically within half a minute. Until then a crash of
    /// the machine, not of the process, loses acknowledged writes or leaves objects empty or torn.
    /// For scratch work.
    None,
}

/// How to open a [`LocalStorage`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LocalOptions {
    durability: Durability,
    clock: Arc<dyn Clock>,
}

impl Default for LocalOptions {
    fn default() -> Self {
        Self {
            durability: Durability::default(),
            clock: Arc::new(SystemClock::default()),
        }
    }
}

impl LocalOptions {
    /// Sets when writes survive a crash of the machine; [`Durability::Strict`] unless set.
    #[must_use]
    pub fn with_durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Sets the clock that tells how old the leavings of dead writers are; the system's unless set.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }
}

/// Keeps objects as files beneath one directory, for any number of threads and processes.
///
/// A write goes to a file in `.staging/`, which is synced and then linked or renamed into place,
/// and the directory is synced. There are no lock files and correctness needs no lock, so a killed
/// process leaves nothing to repair: at most a staged file, which a later [`open`](Self::open)
/// removes. Symbolic links beneath the root are never followed. Only on Unix, and on file systems
/// that have hard links. `docs/formats/local-storage.md` says how keys map to files.
///
/// Blocking work runs on tokio's blocking threads, so methods must be called within a tokio
/// runtime. An operation whose future is dropped goes on to its end.
///
/// # Errors
/// Besides those of [`Storage`]: [`ErrorKind::Corrupt`] where a file, directory or symbolic link
/// that this storage did not make is in an object's place. After a directory could not be synced,
/// every write through this value is [`ErrorKind::Unavailable`]; open the storage again.
///
/// # Consistency
/// An object is visible to others a moment before its directory entry is synced, so what a reader
/// sees while the `put` is still running can be taken back by a crash of the machine.
#[derive(Debug, Clone)]
pub struct LocalStorage {
    tree: Arc<Tree>,
}

impl LocalStorage {
    /// Opens the storage in the directory `root`, creating the directory if absent.
    ///
    /// Removes staged files that nobody has written to for 24 hours.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when `root` is not a directory.
    #[tracing::instrument(name = "local_open", skip_all, err(level = "debug"))]
    pub async fn open(root: impl AsRef<Path> + Send, options: LocalOptions) -> Result<Self> {
        let root = root.as_ref().to_path_buf();
        let tree = blocking(move || {
            Tree::open(&root, &options).map_err(|error| {
                error
                    .operation("open storage")
                    .context("root", root.display())
            })
        })
        .await?;
        Ok(Self {
            tree: Arc::new(tree),
        })
    }

    /// Returns the absolute path of the root directory.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.tree.path
    }

    async fn on_tree<T: Send + 'static>(
        &self,
        operation: &'static str,
        key: &Key,
        work: impl FnOnce(&Tree, &Key) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let tree = Arc::clone(&self.tree);
        let key = key.clone();
        blocking(move || work(&tree, &key).map_err(|error| error.operation(operation))).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Storage for LocalStorage {
    #[tracing::instrument(level = "debug", name = "local_get", skip_all, fields(%key), err(level = "debug"))]
    async fn get(&self, key: &Key, range: ByteRange) -> Result<Option<Object>> {
        self.on_tree("get", key, move |tree, key| tree.get(key, &range))
            .await
    }

    #[tracing::instrument(level = "debug", name = "local_put", skip_all, fields(%key, bytes = bytes.len()), err(level = "debug"))]
    async fn put(&self, key: &Key, bytes: Bytes, mode: PutMode) -> Result<PutOutcome> {
        self.on_tree("put", key, move |tree, key| tree.put(key, &bytes, mode))
            .await
    }

    fn list(&self, prefix: &Prefix, after: Option<&Key>) -> BoxStream<'_, Result<ObjectMeta>> {
        walk::list(Arc::clone(&self.tree), prefix, after)
    }

    #[tracing::instrument(level = "debug", name = "local_delete", skip_all, fields(%key), err(level = "debug"))]
    async fn delete(&self, key: &Key) -> Result<()> {
        self.on_tree("delete", key, Tree::delete).await
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            backend: "local",
            durable: self.tree.durability == Durability::Strict,
            shared: true,
            read_only: false,
            max_object_bytes: u64::MAX,
        }
    }
}

/// Runs `work` where it may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => {
            let (kind, message) = if error.is_cancelled() {
                (ErrorKind::Cancelled, "the runtime is shutting down")
            } else {
                (ErrorKind::Internal, "a storage task panicked")
            };
            Err(Error::new(kind, message).with_source(error).ambiguous())
        }
    }
}

#[cfg(test)]
mod tests;
