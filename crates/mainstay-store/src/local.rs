//! A storage in a directory.

mod batch;
mod beneath;
mod commit;
mod direct;
mod directory;
mod file_system;
mod host;
mod kernel;
mod options;
mod place;
mod probe;
mod read;
mod staging;
mod sweep;
mod sync;
mod touched;
mod tree;
mod walk;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use mainstay_core::{Error, ErrorKind, Result};
use tokio::sync::Semaphore;
use tokio::task::coop::consume_budget;

pub use self::options::{Durability, LocalOptions};
use crate::{
    ByteRange, Capabilities, Key, Object, ObjectMeta, Prefix, PutMode, PutOutcome, Storage,
};
use batch::{Batch, LARGE_BYTES};
use commit::Change;
use tree::Tree;

/// Keeps objects as files beneath one directory, for any number of threads and processes.
///
/// A write goes to a file without a name, or with one in `.staging/`, which is synced and then
/// linked or renamed into place, and the directory is synced. [`Durability`] says whether writes
/// wait for the disk alone, together or not at all. Correctness needs no lock, so a killed process
/// leaves nothing to repair: at most a staged file, which the next [`open`](Self::open) removes.
/// Symbolic links beneath the root are never followed. Only on Unix, and on file systems that have
/// hard links. `docs/formats/local-storage.md` says how keys map to files.
///
/// On ext4, XFS, Btrfs and F2FS, who waits for the disk writes objects of 4 MiB and more past the kernel's
/// caches: the first to read one reads the disk.
///
/// On Linux, an object, or part of one, of up to 64 KiB that is in the kernel's caches is read on
/// the caller's thread, which cannot block. All other work runs on tokio's blocking threads, so
/// methods must be called within a tokio runtime. A change that has begun goes on to its end
/// when its future is dropped. At a time a value works on as many files as a quarter of the limit of the process, 512 at
/// most; further operations wait.
///
/// # Errors
/// Besides those of [`Storage`]: [`ErrorKind::Corrupt`] where a file, directory or symbolic link
/// that this storage did not make is in an object's place. After the sync of a directory or of the
/// file system failed, every write through this value is [`ErrorKind::Unavailable`]; open the
/// storage again.
///
/// # Consistency
/// An object is visible to others a moment before its directory entry is synced, so what a reader
/// sees while the `put` is still running can be taken back by a crash of the machine.
#[derive(Debug, Clone)]
pub struct LocalStorage {
    tree: Arc<Tree>,
    /// One for each file that may be worked on at a time.
    slots: Arc<Semaphore>,
}

impl LocalStorage {
    /// Opens the storage in the directory `root`, creating the directory if absent.
    ///
    /// Removes what dead writers have staged: files that nobody holds a lock on or, where locks do
    /// not tell, that nobody has written to for 24 hours.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when `root` is not a directory. [`ErrorKind::Unsupported`] when it is
    /// on a network file system, on FUSE or on one that Mainstay does not know, unless
    /// [accepted](LocalOptions::with_network_file_system), and then when that does not keep a
    /// promise that the storage rests on; the error names it.
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
        Ok(Self::on(tree))
    }

    fn on(tree: Tree) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(tree.most_files)),
            tree: Arc::new(tree),
        }
    }

    /// Returns the absolute path of the root directory.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.tree.path
    }

    /// Returns the name of the file system that the root is on, as `xfs`; `unknown` if Mainstay
    /// does not know it, and `unidentified` on systems other than Linux.
    ///
    /// On one in memory, as `tmpfs`, nothing survives a crash of the machine, and
    /// [`Capabilities::durable`] says so.
    #[must_use]
    pub fn file_system(&self) -> &'static str {
        self.tree.file_system.name
    }

    /// Runs `work` where it may block, once a slot is free, and to its end even if the caller goes.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Tree) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let tree = Arc::clone(&self.tree);
        // Never closed, so there is always a slot.
        let slot = Arc::clone(&self.slots).acquire_owned().await;
        blocking(move || {
            let result = work(&tree);
            drop(slot);
            result
        })
        .await
    }

    /// Makes a change durable, together with others if that spares waiting for the disk.
    async fn change(&self, change: Change) -> Result<PutOutcome> {
        if self.tree.durability != Durability::Batch || change.bytes() > LARGE_BYTES {
            return self.blocking(move |tree| tree.commit_one(change)).await;
        }
        let (leader, answer) = Batch::join(&self.tree, change);
        if let Some(leader) = leader {
            drop(tokio::task::spawn_blocking(move || leader.lead()));
        }
        answer.await.unwrap_or_else(|lost| {
            Err(
                Error::new(ErrorKind::Cancelled, "the runtime is shutting down")
                    .with_source(lost)
                    .ambiguous(),
            )
        })
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Storage for LocalStorage {
    #[tracing::instrument(level = "debug", name = "local_get", skip_all, fields(%key), err(level = "debug"))]
    async fn get(&self, key: &Key, range: ByteRange) -> Result<Option<Object>> {
        // Never waits as long as all is cached: without this, a loop would keep others waiting.
        consume_budget().await;
        if let Ok(found) = self.tree.get_cached(key, &range) {
            return Ok(found);
        }
        let key = key.clone();
        let read = self.blocking(move |tree| tree.get(&key, &range)).await;
        read.map_err(|error| error.operation("get"))
    }

    #[tracing::instrument(level = "debug", name = "local_put", skip_all, fields(%key, bytes = bytes.len()), err(level = "debug"))]
    async fn put(&self, key: &Key, bytes: Bytes, mode: PutMode) -> Result<PutOutcome> {
        let change = self.change(Change::put(key, bytes, mode)).await;
        change.map_err(|error| error.operation("put"))
    }

    fn list(&self, prefix: &Prefix, after: Option<&Key>) -> BoxStream<'_, Result<ObjectMeta>> {
        walk::list(Arc::clone(&self.tree), prefix, after)
    }

    #[tracing::instrument(level = "debug", name = "local_delete", skip_all, fields(%key), err(level = "debug"))]
    async fn delete(&self, key: &Key) -> Result<()> {
        let change = self.change(Change::delete(key)).await;
        change.map(drop).map_err(|error| error.operation("delete"))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            backend: "local",
            durable: self.tree.is_durable(),
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
