//! The index in memory: every record of the repository and where it lies.

mod format;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use mainstay_core::{Error, ErrorKind, Result};
use mainstay_store::{Key, Prefix, Storage, StorageExt as _};
use tokio::sync::Mutex;

pub(crate) use self::format::{DIRECTORY, IndexObject, PackRef, key};
use super::codec::Codec;
use super::object::hash_in_key;
use super::pack::PackId;
use super::record::{Entry, Header, Kind, RecordId};

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
/// Memory: about 90 bytes a record.
#[derive(Debug)]
pub(crate) struct Index {
    storage: Arc<dyn Storage>,
    /// Whether what is not found is looked for in the storage.
    refreshes: bool,
    table: RwLock<Table>,
    /// How many refreshes have begun.
    begun: AtomicU64,
    /// Held while refreshing: which refresh was the last that went well.
    refreshed: Mutex<u64>,
}

#[derive(Debug, Default)]
struct Table {
    loaded: HashSet<[u8; 32]>,
    packs: Vec<PackId>,
    records: HashMap<RecordId, Slot>,
}

/// A [`Location`] without what the table holds elsewhere.
#[derive(Debug, Clone, Copy)]
struct Slot {
    pack: u32,
    offset: u32,
    stored_len: u32,
    len: u32,
    codec: Codec,
}

impl Table {
    fn location(&self, id: RecordId, slot: &Slot) -> Option<Location> {
        let header = Header {
            id,
            codec: slot.codec,
            stored_len: slot.stored_len,
            len: slot.len,
        };
        Some(Location {
            pack: *self.packs.get(slot.pack as usize)?,
            entry: Entry {
                header,
                offset: slot.offset,
            },
        })
    }
}

impl Index {
    pub(crate) fn new(storage: Arc<dyn Storage>) -> Self {
        Self {
            storage,
            refreshes: true,
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

    /// Finds a record among those loaded.
    pub(crate) fn get(&self, id: &RecordId) -> Option<Location> {
        let table = self.table();
        let slot = table.records.get(id)?;
        table.location(*id, slot)
    }

    /// Reports whether a record is among those loaded.
    pub(crate) fn contains(&self, id: &RecordId) -> bool {
        self.table().records.contains_key(id)
    }

    /// Finds a record, looking for new index objects if need be.
    ///
    /// A damaged index object hides nothing that another one tells, but when the record is not found
    /// it is an error: the record may be there.
    pub(crate) async fn find(&self, id: &RecordId) -> Result<Option<Location>> {
        let found = self.get(id);
        if found.is_some() || !self.refreshes {
            return Ok(found);
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
        let mut refreshed = self.refreshed.lock().await;
        if *refreshed > begun {
            // It began after this call did, so it saw all that this one must.
            return Ok(());
        }
        let number = 1 + self.begun.fetch_add(1, Ordering::AcqRel);
        let mut loads = stream::iter(self.unknown().await?)
            .map(|(key, hash)| self.load(key, hash))
            .buffer_unordered(FETCHES);
        let mut outcome = Ok(());
        while let Some(loaded) = loads.next().await {
            outcome = outcome.and(loaded);
        }
        if outcome.is_ok() {
            *refreshed = number;
        }
        outcome
    }

    /// Lists the index objects that are not loaded yet.
    async fn unknown(&self) -> Result<Vec<(Key, [u8; 32])>> {
        let prefix = Prefix::directory(DIRECTORY)?;
        let mut listed = self.storage.list(&prefix, None);
        let mut unknown = Vec::new();
        while let Some(object) = listed.try_next().await? {
            if let Some(hash) = hash_in_key(&object.key)
                && !self.table().loaded.contains(&hash)
            {
                unknown.push((object.key, hash));
            }
        }
        Ok(unknown)
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
            table.records.entry(entry.header.id).or_insert(Slot {
                pack,
                offset: entry.offset,
                stored_len: entry.header.stored_len,
                len: entry.header.len,
                codec: entry.header.codec,
            });
        }
    }

    /// Returns the manifests among the records loaded, by pack, in order.
    pub(crate) fn manifests(&self) -> BTreeMap<PackId, Vec<Entry>> {
        let table = self.table();
        let mut manifests: BTreeMap<PackId, Vec<Entry>> = BTreeMap::new();
        #[expect(clippy::iter_over_hash_type, reason = "sorted below")]
        for (id, slot) in &table.records {
            if id.kind == Kind::Manifest
                && let Some(location) = table.location(*id, slot)
            {
                let entries = manifests.entry(location.pack).or_default();
                entries.push(location.entry);
            }
        }
        for entries in manifests.values_mut() {
            entries.sort_unstable_by_key(|entry| entry.offset);
        }
        manifests
    }

    fn table(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
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
