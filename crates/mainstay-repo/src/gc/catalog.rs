//! Every pack of a repository, and every record that an index object says is in one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use mainstay_core::{Digest, Error, ErrorKind, Result, Telling};
use mainstay_store::{Storage, StorageExt as _};

use crate::blobs::index::{self, Encoded, IndexObject, PackRef};
use crate::blobs::manifest::Manifest;
use crate::blobs::object::hash_in_key;
use crate::blobs::open_within;
use crate::blobs::pack::{self, PackId};
use crate::blobs::record::{Entry, Kind, RecordId};
use crate::keys;

/// How many objects are read at a time.
const FETCHES: usize = 4;

/// A pack as storage and index tell of it.
#[derive(Debug, Default)]
pub(crate) struct Pack {
    /// Its size in the storage; `None` when it is not there.
    pub(crate) stored: Option<u64>,
    /// What the index knows in it, ordered by kind and hash.
    pub(crate) entries: Vec<Entry>,
}

impl Pack {
    pub(crate) fn entry(&self, id: &RecordId) -> Option<Entry> {
        let at = self
            .entries
            .binary_search_by_key(id, |entry| entry.header.id);
        at.ok().map(|at| self.entries[at])
    }
}

/// The packs and index objects of a repository at one moment.
///
/// Memory: about 250 bytes a record.
#[derive(Debug)]
pub(crate) struct Catalog {
    pub(super) storage: Arc<dyn Storage>,
    pub(crate) packs: BTreeMap<PackId, Pack>,
    /// The good index objects by the hash in their key.
    pub(crate) indexes: BTreeMap<[u8; 32], IndexObject>,
    /// Index objects that cannot be read, and why.
    pub(crate) damaged: BTreeMap<[u8; 32], Error>,
    /// In which packs each record is; ordered.
    records: Vec<(RecordId, PackId)>,
    /// Is told of packs that are read.
    pub(super) telling: Telling,
}

impl Catalog {
    /// Reads every index object and lists the packs.
    ///
    /// What a collection deletes meanwhile it has written elsewhere before: when something listed is gone,
    /// everything is listed again.
    pub(crate) async fn load(storage: &Arc<dyn Storage>) -> Result<Self> {
        let mut catalog = Self {
            storage: Arc::clone(storage),
            packs: BTreeMap::new(),
            indexes: BTreeMap::new(),
            damaged: BTreeMap::new(),
            records: Vec::new(),
            telling: Telling::default(),
        };
        let mut listed = addressed(&**storage, index::DIRECTORY).await?;
        loop {
            catalog.load_indexes(&listed).await?;
            // Packs are there before the index objects that name them.
            let packs = addressed(&**storage, pack::DIRECTORY).await?;
            let now = addressed(&**storage, index::DIRECTORY).await?;
            if listed.keys().all(|hash| now.contains_key(hash)) {
                for (hash, size) in packs {
                    catalog.packs.entry(PackId(hash)).or_default().stored = Some(size);
                }
                catalog.merge()?;
                return Ok(catalog);
            }
            listed = now;
        }
    }

    /// Lets it be told how many packs, and bytes of them, are read.
    pub(super) fn with_telling(mut self, telling: Telling) -> Self {
        self.telling = telling;
        self
    }

    /// Reads those of the listed index objects that are not known yet, and forgets all others.
    async fn load_indexes(&mut self, listed: &BTreeMap<[u8; 32], u64>) -> Result<()> {
        self.indexes.retain(|hash, _| listed.contains_key(hash));
        self.damaged.retain(|hash, _| listed.contains_key(hash));
        let storage = Arc::clone(&self.storage);
        let is_new = |hash: &&[u8; 32]| !self.indexes.contains_key(*hash);
        let new: Vec<[u8; 32]> = listed.keys().filter(is_new).copied().collect();
        let mut loads = stream::iter(new)
            .map(|hash| {
                let storage = &*storage;
                async move { (hash, load_index(storage, hash).await) }
            })
            .buffered(FETCHES);
        while let Some((hash, loaded)) = loads.next().await {
            match loaded {
                Ok(Some(object)) => {
                    self.indexes.insert(hash, object);
                }
                Ok(None) => {}
                Err(error) if is_damage(&error) => {
                    self.damaged.insert(hash, error);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn merge(&mut self) -> Result<()> {
        for (pack, entry) in self.indexes.values().flat_map(located) {
            let pack = self.packs.entry(pack.id).or_default();
            pack.entries.push(entry);
        }
        for (id, pack) in &mut self.packs {
            pack.entries.sort_unstable_by_key(|entry| entry.header.id);
            pack.entries.dedup();
            let records = pack.entries.iter().map(|entry| (entry.header.id, *id));
            self.records.extend(records);
        }
        self.records.sort_unstable();
        self.records.dedup();
        if u32::try_from(self.records.len()).is_ok() {
            Ok(())
        } else {
            let why = "more than 2^32 records are too many to look at";
            Err(Error::new(ErrorKind::Unsupported, why).context("records", self.records.len()))
        }
    }

    /// A number above the [place](Self::place) of each record.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// The place of a record among those that the index knows, which are ordered.
    pub(super) fn place(&self, id: &RecordId) -> Option<u32> {
        let place = self.records.partition_point(|(other, _)| other < id);
        let (found, _) = self.records.get(place)?;
        (found == id).then(|| u32::try_from(place).ok()).flatten()
    }

    /// The record of a place.
    pub(super) fn record(&self, place: u32) -> RecordId {
        self.records[place as usize].0
    }

    /// The packs in the storage that hold the record of a place, ordered.
    pub(super) fn holders_of(&self, place: u32) -> impl Iterator<Item = PackId> {
        let id = self.record(place);
        self.holding(place as usize, id)
    }

    /// The packs in the storage that hold a record, ordered.
    pub(crate) fn holders(&self, id: &RecordId) -> impl Iterator<Item = PackId> {
        let start = self.records.partition_point(|(other, _)| other < id);
        self.holding(start, *id)
    }

    fn holding(&self, start: usize, id: RecordId) -> impl Iterator<Item = PackId> {
        let of_record = self.records[start..]
            .iter()
            .take_while(move |(other, _)| *other == id);
        of_record
            .map(|(_, pack)| *pack)
            .filter(|pack| self.is_stored(*pack))
    }

    pub(crate) fn is_stored(&self, pack: PackId) -> bool {
        self.packs
            .get(&pack)
            .is_some_and(|pack| pack.stored.is_some())
    }

    /// Reads records, pack by pack; those that cannot be read come as errors.
    pub(crate) async fn read(
        &self,
        ids: impl IntoIterator<Item = RecordId>,
        mut each: impl FnMut(RecordId, Result<Bytes>) -> Result<()> + Send,
    ) -> Result<()> {
        let mut by_pack: BTreeMap<Option<PackId>, BTreeSet<RecordId>> = BTreeMap::new();
        for id in ids {
            let pack = self.holders(&id).next();
            by_pack.entry(pack).or_default().insert(id);
        }
        self.telling.expect("packs", by_pack.len() as u64);
        for (pack, ids) in by_pack {
            let whole = match pack {
                Some(pack) => self.storage.get_all(&pack.key()?).await?,
                None => None,
            };
            let read = whole.as_ref().map_or(0, Bytes::len);
            self.telling.add("bytes", read as u64);
            self.telling.add("packs", 1);
            for id in ids {
                let read = match (pack, &whole) {
                    (Some(pack), Some(whole)) => self.open(pack, whole, &id),
                    _ => Err(Error::corrupt(id, "missing")),
                };
                let read = match read {
                    Err(error) if is_damage(&error) => self.read_elsewhere(&id, pack, error).await,
                    read => read,
                };
                match read {
                    Err(error) if !is_damage(&error) => return Err(error),
                    read => each(id, read)?,
                }
            }
        }
        Ok(())
    }

    /// Reads a record from another pack than the one that failed.
    async fn read_elsewhere(
        &self,
        id: &RecordId,
        failed: Option<PackId>,
        mut error: Error,
    ) -> Result<Bytes> {
        for pack in self.holders(id).filter(|pack| Some(*pack) != failed) {
            let Some(whole) = self.storage.get_all(&pack.key()?).await? else {
                continue;
            };
            match self.open(pack, &whole, id) {
                Err(damage) if is_damage(&damage) => error = damage,
                read => return read,
            }
        }
        Err(error)
    }

    /// Opens a record of a pack that has been read whole.
    pub(super) fn open(&self, pack: PackId, whole: &Bytes, id: &RecordId) -> Result<Bytes> {
        let entry = self.packs.get(&pack).and_then(|pack| pack.entry(id));
        let entry = entry.ok_or_else(|| Error::corrupt(id, "missing"))?;
        let bytes = open_within(pack, &entry, whole, 0)?;
        if id.kind == Kind::Manifest {
            let digest = Digest::from_bytes(id.hash);
            Manifest::decode(&bytes, &digest).map_err(|damage| damage.of(id))?;
        }
        Ok(bytes)
    }
}

/// What an index object says, with the pack instead of its number.
pub(crate) fn located(object: &IndexObject) -> impl Iterator<Item = (PackRef, Entry)> {
    let located = object.records.iter();
    located.filter_map(|(entry, pack)| Some((*object.packs.get(*pack as usize)?, *entry)))
}

/// Whether an error tells of stored bytes.
pub(crate) fn is_damage(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Incompatible)
}

async fn load_index(storage: &dyn Storage, hash: [u8; 32]) -> Result<Option<IndexObject>> {
    let key = index::key(hash)?;
    let Some(bytes) = storage.get_all(&key).await? else {
        return Ok(None);
    };
    let object = Encoded::check(&bytes, &hash)
        .and_then(|encoded| IndexObject::from_encoded(&encoded))
        .map_err(|damage| damage.of(&key))?;
    Ok(Some(object))
}

/// The objects below a directory that are named by a hash, and their sizes.
async fn addressed(storage: &dyn Storage, directory: &str) -> Result<BTreeMap<[u8; 32], u64>> {
    let prefix = keys::below(directory);
    let listed = storage.list(&prefix, None);
    let addressed = listed.try_filter_map(|object| {
        let hash = hash_in_key(&object.key);
        futures::future::ready(Ok(hash.map(|hash| (hash, object.size))))
    });
    addressed.try_collect().await
}
