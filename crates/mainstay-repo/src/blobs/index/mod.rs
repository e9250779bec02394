//! The index in memory: every record of the repository and where it lies.

mod avoided;
mod format;
mod merge;
mod table;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use mainstay_core::{ErrorKind, Result};
use mainstay_store::{Prefix, Storage, StorageExt as _};
use tokio::sync::Mutex;

pub(crate) use self::format::{DIRECTORY, Encoded, IndexName, IndexObject, PackRef, key};
use self::table::Table;
use super::blocking;
use super::condemned::Condemned;
use super::object::hash_in_key;
use super::pack::PackId;
use super::record::{Entry, Kind, RecordId};

/// An index object is not made larger; it is read whole.
pub(crate) const INDEX_BYTES: usize = 16 * 1024 * 1024;
/// How many index objects of about one size are merged.
const FAN_IN: usize = 16;
/// An index object is checked sooner than a thread is woken when it is no larger.
const SMALL_BYTES: usize = 64 * 1024;
/// How many index objects are fetched at a time.
const FETCHES: usize = 8;

/// Where a record lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) pack: PackId,
    pub(crate) entry: Entry,
}

/// The index objects of a repository, loaded when they are needed.
///
/// A look-up loads index objects, large ones first, until one tells what is looked for; writing needs
/// all of them. Memory: about 60 bytes a record.
#[derive(Debug)]
pub(crate) struct Index {
    storage: Arc<dyn Storage>,
    /// Whether what is not found is looked for in the storage.
    refreshes: bool,
    fan_in: usize,
    table: RwLock<Table>,
    /// How many refreshes have begun.
    begun: AtomicU64,
    /// Held while refreshing: which refresh was the last that loaded everything.
    refreshed: Mutex<u64>,
}

impl Index {
    pub(crate) fn new(storage: Arc<dyn Storage>) -> Self {
        Self {
            storage,
            refreshes: true,
            fan_in: FAN_IN,
            table: RwLock::default(),
            begun: AtomicU64::new(0),
            refreshed: Mutex::new(0),
        }
    }

    /// Creates an index that knows only what is [inserted](Self::insert).
    pub(crate) fn fixed(storage: Arc<dyn Storage>) -> Self {
        Self {
            refreshes: false,
            ..Self::new(storage)
        }
    }

    /// As [`fixed`](Self::fixed), avoiding condemned packs.
    pub(crate) fn fixed_beside(storage: Arc<dyn Storage>, condemned: Arc<Condemned>) -> Self {
        Self {
            table: RwLock::new(Table::beside(condemned)),
            ..Self::fixed(storage)
        }
    }

    /// Creates an index that merges so many index objects, at least two.
    #[cfg(test)]
    pub(crate) fn with_fan_in(storage: Arc<dyn Storage>, fan_in: usize) -> Self {
        Self {
            fan_in,
            ..Self::new(storage)
        }
    }

    /// Finds a record among those loaded.
    pub(crate) fn get(&self, id: &RecordId) -> Option<Location> {
        self.table().get(id)
    }

    /// Finds a record among those loaded, in any pack but some.
    pub(crate) fn get_besides(&self, id: &RecordId, passed: &[PackId]) -> Option<Location> {
        self.table().get_besides(id, passed)
    }

    /// Finds the pack of a record among those loaded, if there is nothing against it.
    pub(crate) fn sound_pack(&self, id: &RecordId) -> Option<PackId> {
        self.table().sound_pack(id)
    }

    /// Takes note of packs that have been condemned: what also lies elsewhere is found there.
    ///
    /// # Errors
    /// As [`refresh`](Self::refresh).
    pub(crate) async fn condemn(&self, condemned: &Arc<Condemned>) -> Result<()> {
        if self.table_mut().condemn(condemned) {
            self.refresh().await
        } else {
            Ok(())
        }
    }

    /// Takes note of packs that are not there, and loads what was written meanwhile: what they held may
    /// lie elsewhere.
    pub(crate) async fn lose(&self, packs: &[PackId]) -> Result<()> {
        if self.refreshes {
            self.table_mut().lose(packs);
        }
        self.refresh_for_writing().await
    }

    /// Takes note of a manifest in a pack that names what is not there, and loads what was written
    /// meanwhile: the manifest may lie elsewhere, too, and that one is found from now on.
    pub(crate) async fn hollow(&self, id: &RecordId, pack: PackId) -> Result<()> {
        self.table_mut().hollow(id, pack);
        self.refresh_for_writing().await
    }

    /// As [`condemn`](Self::condemn), but damaged index objects only cost deduplication.
    pub(crate) async fn condemn_for_writing(&self, condemned: &Arc<Condemned>) -> Result<()> {
        ignore_damage(self.condemn(condemned).await)
    }

    /// Finds a record, loading index objects if need be.
    ///
    /// A damaged index object hides nothing that another one tells, but when the record is not found
    /// it is an error: the record may be there.
    pub(crate) async fn find(&self, id: &RecordId) -> Result<Option<Location>> {
        let found = self.get(id);
        if found.is_some() || !self.refreshes {
            return Ok(found);
        }
        let refreshed = self.refresh_until(|table| table.contains(id)).await;
        match self.get(id) {
            Some(found) => Ok(Some(found)),
            None => refreshed.map(|()| None),
        }
    }

    /// Loads the index objects that are not loaded yet.
    ///
    /// # Errors
    /// Of the first object that cannot be loaded, after all others have been.
    pub(crate) async fn refresh(&self) -> Result<()> {
        self.refresh_until(|_| false).await
    }

    /// As [`refresh`](Self::refresh), but ends as soon as the table has what is wanted.
    async fn refresh_until(&self, enough: impl Fn(&Table) -> bool) -> Result<()> {
        let begun = self.begun.load(Ordering::Acquire);
        let mut refreshed = self.refreshed.lock().await;
        if *refreshed > begun || enough(&self.table()) {
            // It began after this call did, so it saw all that this one must.
            return Ok(());
        }
        let number = 1 + self.begun.fetch_add(1, Ordering::AcqRel);
        let mut loads = stream::iter(self.unknown().await?)
            .map(|name| self.fetch(name))
            .buffered(FETCHES);
        let mut outcome = Ok(());
        while let Some(fetched) = loads.next().await {
            let added = fetched.and_then(|fetched| match fetched {
                Some((name, part)) => self.insert(name, part),
                None => Ok(()),
            });
            outcome = outcome.and(added);
            if enough(&self.table()) {
                return outcome;
            }
        }
        if outcome.is_ok() {
            *refreshed = number;
        }
        outcome
    }

    /// Lists the index objects that may tell something new, the largest first: so a merged object comes
    /// before those it supersedes.
    async fn unknown(&self) -> Result<Vec<IndexName>> {
        let prefix = Prefix::directory(DIRECTORY)?;
        let mut listing = self.storage.list(&prefix, None);
        let mut listed = HashMap::new();
        while let Some(object) = listing.try_next().await? {
            if let Some(name) = hash_in_key(&object.key) {
                listed.insert(name, object.size);
            }
        }
        let mut table = self.table_mut();
        table.list(listed);
        let mut unknown: Vec<(u64, IndexName)> = table
            .listed
            .iter()
            .filter(|(name, _)| !table.knows(name))
            .map(|(name, size)| (*size, *name))
            .collect();
        unknown.sort_unstable_by(|a, b| b.cmp(a));
        Ok(unknown.into_iter().map(|(_, name)| name).collect())
    }

    /// As [`refresh`](Self::refresh), but damaged index objects only cost deduplication.
    pub(crate) async fn refresh_for_writing(&self) -> Result<()> {
        ignore_damage(self.refresh().await)
    }

    /// Reports whether an index object has nothing to tell: it is loaded, or superseded by one that is.
    pub(crate) fn knows(&self, name: &IndexName) -> bool {
        self.table().knows(name)
    }

    /// Adds an index object of `size` bytes that was just written.
    pub(crate) fn add(&self, name: IndexName, bytes: &Bytes, size: u64) -> Result<()> {
        let part = Encoded::check(bytes, &name).map_err(|damage| damage.of("new index object"))?;
        self.table_mut().listed.insert(name, size);
        self.insert(name, part)
    }

    /// Adds an index object that lies in the storage.
    pub(crate) fn insert(&self, name: IndexName, part: Encoded) -> Result<()> {
        self.table_mut().insert(name, part)
    }

    /// Returns the manifests among the records loaded, by pack, in order.
    pub(crate) fn manifests(&self) -> BTreeMap<PackId, Vec<Entry>> {
        let mut manifests: BTreeMap<PackId, Vec<Entry>> = BTreeMap::new();
        for location in self.table().locations() {
            if location.entry.header.id.kind == Kind::Manifest {
                let entries = manifests.entry(location.pack).or_default();
                entries.push(location.entry);
            }
        }
        for entries in manifests.values_mut() {
            entries.sort_unstable_by_key(|entry| entry.offset);
        }
        manifests
    }

    /// Reads an index object, unless it has been superseded meanwhile.
    async fn fetch(&self, name: IndexName) -> Result<Option<(IndexName, Encoded)>> {
        if self.knows(&name) {
            return Ok(None);
        }
        let key = key(name)?;
        let Some(bytes) = self.storage.get_all(&key).await? else {
            // A collection deleted it, since others say the same.
            return Ok(None);
        };
        let part = if bytes.len() <= SMALL_BYTES {
            Encoded::check(&bytes, &name)
        } else {
            blocking::run(move || Encoded::check(&bytes, &name)).await?
        };
        part.map(|part| Some((name, part)))
            .map_err(|damage| damage.of(&key))
    }

    fn table(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn table_mut(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ignore_damage(outcome: Result<()>) -> Result<()> {
    match outcome {
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            tracing::warn!(%error, "damaged index object ignored");
            Ok(())
        }
        outcome => outcome,
    }
}
