//! The index in memory: every record of the repository and where it lies.

mod format;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use futures::{StreamExt as _, TryStreamExt as _};
use mainstay_core::{Error, ErrorKind, Result};
use mainstay_store::{Key, Prefix, Storage, StorageExt as _};
use tokio::sync::Mutex;

pub(crate) use self::format::{DIRECTORY, IndexObject, PackRef, key};
use super::object::hash_in_key;
use super::pack::PackId;
use super::record::{Entry, Kind, RecordId};

/// How many index objects are fetched at a time.
const FETCHES: usize = 8;

/// Where a record lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) pack: PackId,
    pub(crate) entry: Entry,
}

/// The merged index objects of a repository, loaded on first use.
///
/// Memory: about 100 bytes a record.
#[derive(Debug)]
pub(crate) struct Index {
    storage: Arc<dyn Storage>,
    table: RwLock<Table>,
    refreshing: Mutex<()>,
    /// How many refreshes that went well have begun.
    begun: AtomicU64,
}

#[derive(Debug, Default)]
struct Table {
    loaded: HashSet<[u8; 32]>,
    packs: Vec<PackId>,
    records: HashMap<RecordId, (Entry, u32)>,
}

impl Index {
    pub(crate) fn new(storage: Arc<dyn Storage>) -> Self {
        Self {
            storage,
            table: RwLock::default(),
            refreshing: Mutex::default(),
            begun: AtomicU64::new(0),
        }
    }

    /// Finds a record among those loaded.
    pub(crate) fn get(&self, id: &RecordId) -> Option<Location> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let (entry, pack) = table.records.get(id)?;
        let pack = *table.packs.get(*pack as usize)?;
        Some(Location {
            pack,
            entry: *entry,
        })
    }

    /// Finds a record, looking for new index objects if need be.
    ///
    /// A damaged index object hides nothing that another one tells, but when the record is not found
    /// it is an error: the record may be there.
    pub(crate) async fn find(&self, id: &RecordId) -> Result<Option<Location>> {
        if let Some(found) = self.get(id) {
            return Ok(Some(found));
        }
        let refreshed = self.refresh().await;
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
        let begun = self.begun.load(Ordering::Acquire);
        let _turn = self.refreshing.lock().await;
        if self.begun.load(Ordering::Acquire) > begun {
            // Another caller's refresh began after this call did, so it saw all that this one must.
            return Ok(());
        }
        let prefix = Prefix::directory(DIRECTORY)?;
        let listed: Vec<_> = self.storage.list(&prefix, None).try_collect().await?;
        let new: Vec<(Key, [u8; 32])> = {
            let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
            listed
                .into_iter()
                .filter_map(|object| Some((hash_in_key(&object.key)?, object.key)))
                .filter(|(hash, _)| !table.loaded.contains(hash))
                .map(|(hash, key)| (key, hash))
                .collect()
        };
        let mut loads = futures::stream::iter(new)
            .map(|(key, hash)| self.load(key, hash))
            .buffer_unordered(FETCHES);
        let mut outcome = Ok(());
        while let Some(loaded) = loads.next().await {
            outcome = outcome.and(loaded);
        }
        if outcome.is_ok() {
            self.begun.fetch_add(1, Ordering::AcqRel);
        }
        outcome
    }

    /// As [`refresh`](Self::refresh), but damaged index objects only cost deduplication.
    pub(crate) async fn refresh_for_writing(&self) -> Result<()> {
        match self.refresh().await {
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                tracing::warn!(%error, "damaged index object ignored");
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Adds an index object that lies in the storage under `hash`.
    pub(crate) fn insert(&self, hash: [u8; 32], object: IndexObject) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        if !table.loaded.insert(hash) {
            return;
        }
        let base = table.packs.len();
        table.packs.extend(object.packs.iter().map(|pack| pack.id));
        for (entry, pack) in object.records {
            let Ok(pack) = u32::try_from(base + pack as usize) else {
                continue;
            };
            table
                .records
                .entry(entry.header.id)
                .or_insert((entry, pack));
        }
    }

    /// Returns the manifests among the records loaded, by pack, in order.
    pub(crate) fn manifests(&self) -> BTreeMap<PackId, Vec<Entry>> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let mut manifests: BTreeMap<PackId, Vec<Entry>> = BTreeMap::new();
        #[expect(clippy::iter_over_hash_type, reason = "sorted below")]
        for (entry, pack) in table.records.values() {
            if entry.header.id.kind == Kind::Manifest
                && let Some(pack) = table.packs.get(*pack as usize)
            {
                manifests.entry(*pack).or_default().push(*entry);
            }
        }
        for entries in manifests.values_mut() {
            entries.sort_unstable_by_key(|entry| entry.offset);
        }
        manifests
    }

    async fn load(&self, key: Key, hash: [u8; 32]) -> Result<()> {
        let bytes = self
            .storage
            .get_all(&key)
            .await?
            .ok_or_else(|| Error::corrupt(&key, "listed but missing"))?;
        let object = IndexObject::decode(&bytes, &hash).map_err(|damage| damage.of(&key))?;
        self.insert(hash, object);
        Ok(())
    }
}
