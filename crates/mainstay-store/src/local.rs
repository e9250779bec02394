//! A storage in a directory.

mod directory;
mod place;
mod staging;
mod walk;

use std::collections::BTreeSet;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use mainstay_core::{Clock, Error, ErrorKind, Result, SystemClock};
use rustix::io::Errno;

use crate::{
    ByteRange, Capabilities, Key, Object, ObjectMeta, Prefix, PutMode, PutOutcome, Storage,
};
use directory::{Directory, Found};
use place::Place;
use staging::Staging;

/// When a write to a [`LocalStorage`] survives a crash of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Durability {
    /// When it is acknowledged.
    #[default]
    Strict,
    /// When the operating system gets to it, typically within half a minute. Until then a crash of
    /// the machine, not of the process, loses acknowledged writes or leaves objects empty or torn. For
    /// scratch work.
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
/// Blocking work runs on tokio's blocking threads, so methods must be called within a tokio runtime. An
/// operation whose future is dropped goes on to its end.
///
/// # Errors
/// Besides those of [`Storage`]: [`ErrorKind::Corrupt`] where a file, directory or symbolic link
/// that this storage did not make is in an object's place.
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

/// Names the key in an error of the operating system.
fn failure(error: io::Error, key: &Key) -> Error {
    if error.kind() == io::ErrorKind::Unsupported {
        return Error::new(
            ErrorKind::Unsupported,
            "the file system cannot hold objects",
        )
        .context("key", key)
        .with_source(error);
    }
    match Errno::from_io_error(&error) {
        Some(Errno::NOTDIR | Errno::ISDIR | Errno::LOOP) => {
            Error::corrupt(key, "something else is in the object's place").with_source(error)
        }
        Some(Errno::XDEV) => Error::new(ErrorKind::Unsupported, "the storage spans file systems")
            .context("key", key)
            .with_source(error),
        _ => Error::from(error).context("key", key),
    }
}

/// The directory tree; every method blocks.
#[derive(Debug)]
struct Tree {
    path: PathBuf,
    root: Directory,
    staging: Staging,
    durability: Durability,
    /// The directories whose names, up to the root, this process has seen safe on the disk.
    /// Directories are never removed, so they stay so.
    settled: Mutex<BTreeSet<String>>,
    /// Set when a directory could not be synced: the kernel may have dropped the changes, and a
    /// second sync would succeed without them.
    sync_failed: AtomicBool,
}

impl Tree {
    fn open(path: &Path, options: &LocalOptions) -> Result<Self> {
        let durability = options.durability;
        let path = std::path::absolute(path)?;
        directory::create_with_ancestors(&path, durability)?;
        let root = Directory::open(&path)?;
        let staging = Staging::open(&root, durability)?;
        staging.sweep(options.clock.now())?;
        Ok(Self {
            path,
            root,
            staging,
            durability,
            settled: Mutex::default(),
            sync_failed: AtomicBool::new(false),
        })
    }

    fn get(&self, key: &Key, range: &ByteRange) -> Result<Option<Object>> {
        let place = Place::of(key);
        let read = || -> io::Result<Option<Object>> {
            let Some(directory) = self.root.descend(&place.directories)? else {
                return Ok(None);
            };
            let Some(mut file) = directory.open_file(&place.file)? else {
                return Ok(None);
            };
            let size = file.metadata()?.len();
            let range = range.within(size);
            let len = range.end - range.start;
            let mut bytes = Vec::new();
            let reserved = usize::try_from(len).map(|len| bytes.try_reserve_exact(len));
            if !matches!(reserved, Ok(Ok(()))) {
                return Err(io::ErrorKind::OutOfMemory.into());
            }
            file.seek(SeekFrom::Start(range.start))?;
            file.take(len).read_to_end(&mut bytes)?;
            if bytes.len() as u64 != len {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let bytes = bytes.into();
            Ok(Some(Object { bytes, size }))
        };
        read().map_err(|error| failure(error, key))
    }

    fn put(&self, key: &Key, bytes: &[u8], mode: PutMode) -> Result<PutOutcome> {
        let place = Place::of(key);
        self.check_syncable(key)?;
        let directory = self
            .directory_for(&place)
            .map_err(|error| failure(error, key))?;
        let published = match mode {
            PutMode::Create => self.create(&directory, &place.file, bytes),
            PutMode::Overwrite => self.replace(&directory, &place.file, bytes),
        };
        let outcome = published.map_err(|error| failure(error, key))?;
        // Also when it exists: its writer may not have come to this sync yet.
        self.sync(&directory, key)?;
        Ok(outcome)
    }

    fn create(&self, directory: &Directory, name: &str, bytes: &[u8]) -> io::Result<PutOutcome> {
        // Spares writing what cannot be published; the link below decides.
        if directory.find(name)? == Found::Nothing {
            let staged = self.staging.write(bytes, self.durability)?;
            if staged.link(directory, name)? {
                return Ok(PutOutcome::Written);
            }
        }
        match directory.find(name)? {
            Found::Other => Err(Errno::ISDIR.into()),
            Found::Nothing | Found::File { .. } => Ok(PutOutcome::Exists),
        }
    }

    fn replace(&self, directory: &Directory, name: &str, bytes: &[u8]) -> io::Result<PutOutcome> {
        let staged = self.staging.write(bytes, self.durability)?;
        staged.rename(directory, name)?;
        Ok(PutOutcome::Written)
    }

    fn delete(&self, key: &Key) -> Result<()> {
        let place = Place::of(key);
        self.check_syncable(key)?;
        let directory = match self.root.descend(&place.directories) {
            Ok(Some(directory)) => directory,
            Ok(None) => return Ok(()),
            Err(error) => return Err(failure(error, key)),
        };
        directory
            .remove(&place.file)
            .map_err(|error| failure(error, key))?;
        // Also when it was absent: who removed it may not have come to this sync yet.
        self.sync(&directory, key)
    }

    /// Opens the directory of `place`, making what is absent and making sure that the names of all
    /// of it are on the disk, whoever made it.
    fn directory_for(&self, place: &Place) -> io::Result<Directory> {
        let mut directory = self.root.try_clone()?;
        let mut path = String::new();
        for name in &place.directories {
            path.push_str(name);
            path.push('/');
            let child = match directory.child(name)? {
                Some(child) => child,
                None => directory.make_child(name)?,
            };
            self.settle(&path, &directory)?;
            directory = child;
        }
        Ok(directory)
    }

    fn settle(&self, path: &str, parent: &Directory) -> io::Result<()> {
        if self.durability == Durability::None {
            return Ok(());
        }
        let settled = || self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        if !settled().contains(path) {
            parent.sync()?;
            settled().insert(path.to_owned());
        }
        Ok(())
    }

    fn check_syncable(&self, key: &Key) -> Result<()> {
        if self.sync_failed.load(Ordering::Acquire) {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "an earlier sync failed: check the disk and open the storage again",
            )
            .context("key", key));
        }
        Ok(())
    }

    /// Makes what was done in `directory` durable.
    fn sync(&self, directory: &Directory, key: &Key) -> Result<()> {
        if self.durability == Durability::None {
            return Ok(());
        }
        directory.sync().map_err(|error| {
            self.sync_failed.store(true, Ordering::Release);
            failure(error, key).ambiguous()
        })
    }
}

#[cfg(test)]
mod tests;
