//! Index objects: which record is in which pack. `docs/formats/index.md` is normative.
//!
//! ```text
//! header      magic, version, counts
//! superseded  names of index objects whose records are all here; ordered
//! packs       BLAKE3, size; ordered
//! records     kind, codec, lengths, hash, offset, pack number; ordered by kind and hash
//! ```

use bytes::Bytes;
use mainstay_core::{BulkDigest, Result};
use mainstay_store::Key;

use crate::blobs::damage::Damage;
use crate::blobs::pack::{FOOTER_LEN, HEADER_LEN as PACK_HEADER_LEN, MAX_PACK, PackId};
use crate::blobs::record::{Entry, Fields, Header, RecordId};

/// Where index objects are stored.
pub(crate) const DIRECTORY: &str = "index";

const MAGIC: [u8; 8] = *b"MNSTINDX";
/// Of an object that supersedes none.
const PLAIN: u32 = 1;
/// Of one that does.
const MERGED: u32 = 2;
/// Magic, version, pack count, record count, superseded count.
const HEADER_LEN: usize = 8 + 4 + 4 + 4 + 4;
const NAME_LEN: usize = 32;
const PACK_LEN: usize = 32 + 8;
const RECORD_LEN: usize = Entry::LEN + 4;

/// The BLAKE3 of an index object, which is its name.
pub(crate) type IndexName = [u8; NAME_LEN];

/// A pack as an index knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PackRef {
    pub(crate) id: PackId,
    pub(crate) size: u64,
}

/// The content of one index object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct IndexObject {
    /// Index objects all of whose records are in this one; ordered.
    pub(crate) supersedes: Vec<IndexName>,
    /// Ordered by id.
    pub(crate) packs: Vec<PackRef>,
    /// Each with the position of its pack in `packs`; ordered by kind and hash.
    pub(crate) records: Vec<(Entry, u32)>,
}

impl IndexObject {
    /// The bytes [`encode`](Self::encode) gives for so many packs and records.
    pub(crate) const fn encoded_len(packs: usize, records: usize) -> usize {
        HEADER_LEN + packs * PACK_LEN + records * RECORD_LEN
    }

    /// Builds the index of packs that lie in the storage.
    pub(crate) fn of(mut packs: Vec<(PackRef, Vec<Entry>)>) -> Self {
        packs.sort_unstable_by_key(|(pack, _)| *pack);
        packs.dedup_by_key(|(pack, _)| *pack);
        let mut index = Self::default();
        for (number, (pack, entries)) in (0_u32..).zip(packs) {
            index.packs.push(pack);
            index
                .records
                .extend(entries.into_iter().map(|entry| (entry, number)));
        }
        // A record may be in two packs; either place will do.
        index
            .records
            .sort_unstable_by_key(|(entry, pack)| (entry.header.id, *pack));
        index.records.dedup_by_key(|(entry, _)| entry.header.id);
        index
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let count = |len| u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes();
        let version = if self.supersedes.is_empty() {
            PLAIN
        } else {
            MERGED
        };
        let len = Self::encoded_len(self.packs.len(), self.records.len());
        let mut bytes = Vec::with_capacity(len + self.supersedes.len() * NAME_LEN);
        bytes.extend(MAGIC);
        bytes.extend(version.to_le_bytes());
        bytes.extend(count(self.packs.len()));
        bytes.extend(count(self.records.len()));
        bytes.extend(count(self.supersedes.len()));
        bytes.extend(self.supersedes.iter().flatten());
        for pack in &self.packs {
            bytes.extend(pack.id.0);
            bytes.extend(pack.size.to_le_bytes());
        }
        for (entry, pack) in &self.records {
            bytes.extend(entry.encode());
            bytes.extend(pack.to_le_bytes());
        }
        bytes
    }

    /// Takes apart an object that has been checked.
    pub(crate) fn from_encoded(encoded: &Encoded) -> Result<Self, Damage> {
        let records = (0..encoded.len()).map(|at| encoded.record(at));
        Ok(Self {
            supersedes: encoded.supersedes.clone(),
            packs: encoded.packs.clone(),
            records: records.collect::<Result<_, _>>()?,
        })
    }
}

/// An index object as it is stored, checked. Its records are read where they lie: that takes 52 bytes
/// each.
#[derive(Debug, Clone)]
pub(crate) struct Encoded {
    pub(crate) supersedes: Vec<IndexName>,
    pub(crate) packs: Vec<PackRef>,
    records: Bytes,
}

impl Encoded {
    /// Checks the object that is stored under `name`.
    pub(crate) fn check(bytes: &Bytes, name: &IndexName) -> Result<Self, Damage> {
        if blake3::hash(bytes) != *name {
            return Err(Damage::Broken("bytes do not match the object's name"));
        }
        let mut fields = Fields(bytes);
        if fields.array()? != MAGIC {
            return Err(Damage::Broken("not an index"));
        }
        let version = fields.u32()?;
        match version {
            PLAIN | MERGED => {}
            version if version > MERGED => return Err(Damage::Newer(version)),
            _ => return Err(Damage::Broken("no such format version")),
        }
        let [packs, records, superseded] = [fields.u32()?, fields.u32()?, fields.u32()?];
        // All counts are below 2^32, so this cannot overflow 64 bits.
        let len = HEADER_LEN as u64
            + u64::from(superseded) * NAME_LEN as u64
            + u64::from(packs) * PACK_LEN as u64
            + u64::from(records) * RECORD_LEN as u64;
        if (superseded > 0) != (version == MERGED) || len != bytes.len() as u64 {
            return Err(Damage::Broken("index counts do not fit its length"));
        }
        let supersedes = decode_names(&mut fields, superseded as usize)?;
        let packs = decode_packs(&mut fields, packs as usize)?;
        let records = bytes.slice(bytes.len() - fields.0.len()..);
        check_records(fields, &packs)?;
        Ok(Self {
            supersedes,
            packs,
            records,
        })
    }

    /// Counts the records.
    pub(crate) fn len(&self) -> usize {
        self.records.len() / RECORD_LEN
    }

    /// Reads the record at a position below [`len`](Self::len), and the position of its pack.
    pub(crate) fn record(&self, at: usize) -> Result<(Entry, u32), Damage> {
        let mut fields = Fields(self.records.get(at * RECORD_LEN..).unwrap_or_default());
        Ok((Entry::decode(&mut fields)?, fields.u32()?))
    }

    /// Reports whether the record at a position has this name.
    pub(crate) fn is_at(&self, at: usize, id: &RecordId) -> bool {
        self.name_at(at) == Some((id.kind as u8, &id.hash))
    }

    /// Reads the kind and the hash of the record at a position.
    pub(crate) fn name_at(&self, at: usize) -> Option<(u8, &[u8; 32])> {
        let record = self.records.get(at * RECORD_LEN..)?;
        let hash = record.get(Header::HASH_AT..)?.first_chunk()?;
        Some((*record.first()?, hash))
    }
}

fn decode_names(fields: &mut Fields<'_>, count: usize) -> Result<Vec<IndexName>, Damage> {
    let mut names: Vec<IndexName> = Vec::with_capacity(count);
    for _ in 0..count {
        let name = fields.array()?;
        if names.last().is_some_and(|last| *last >= name) {
            return Err(Damage::Broken("superseded index objects are not ordered"));
        }
        names.push(name);
    }
    Ok(names)
}

fn decode_packs(fields: &mut Fields<'_>, count: usize) -> Result<Vec<PackRef>, Damage> {
    let mut packs: Vec<PackRef> = Vec::with_capacity(count);
    for _ in 0..count {
        let pack = PackRef {
            id: PackId(fields.array()?),
            size: fields.u64()?,
        };
        let ordered = packs.last().is_none_or(|last| last.id < pack.id);
        if !ordered || pack.size > MAX_PACK as u64 {
            return Err(Damage::Broken("index packs break their rules"));
        }
        packs.push(pack);
    }
    Ok(packs)
}

fn check_records(mut fields: Fields<'_>, packs: &[PackRef]) -> Result<(), Damage> {
    let mut last: Option<RecordId> = None;
    while !fields.0.is_empty() {
        let (entry, pack) = (Entry::decode(&mut fields)?, fields.u32()?);
        let ordered = last.is_none_or(|last| last < entry.header.id);
        let inside = packs.get(pack as usize).is_some_and(|pack| {
            entry.offset as usize >= PACK_HEADER_LEN
                && entry.end() + (Entry::LEN + FOOTER_LEN) as u64 <= pack.size
        });
        if !ordered || !inside {
            return Err(Damage::Broken("index records break their rules"));
        }
        last = Some(entry.header.id);
    }
    Ok(())
}

/// Returns the key of an index object.
pub(crate) fn key(name: IndexName) -> Result<Key> {
    Key::new(format!(
        "{DIRECTORY}/{}",
        BulkDigest::from_bytes(name).to_hex()
    ))
}
