//! Index objects: which record is in which pack. `docs/formats/index.md` is normative.
//!
//! ```text
//! header    magic, version, pack count, record count
//! packs     BLAKE3, size; ordered
//! records   kind, codec, lengths, hash, offset, pack number; ordered by kind and hash
//! ```

use mainstay_core::{BulkDigest, Result};
use mainstay_store::Key;

use crate::blobs::damage::Damage;
use crate::blobs::pack::{FOOTER_LEN, HEADER_LEN as PACK_HEADER_LEN, MAX_PACK, PackId};
use crate::blobs::record::{Entry, Fields};

/// Where index objects are stored.
pub(crate) const DIRECTORY: &str = "index";

const MAGIC: [u8; 8] = *b"MNSTINDX";
const VERSION: u32 = 1;
/// Magic, version, pack count, record count, zero.
const HEADER_LEN: usize = 8 + 4 + 4 + 4 + 4;
const PACK_LEN: usize = 32 + 8;
const RECORD_LEN: usize = Entry::LEN + 4;

/// A pack as an index knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PackRef {
    pub(crate) id: PackId,
    pub(crate) size: u64,
}

/// The content of one index object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct IndexObject {
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
        let mut bytes = Vec::with_capacity(Self::encoded_len(self.packs.len(), self.records.len()));
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(count(self.packs.len()));
        bytes.extend(count(self.records.len()));
        bytes.extend([0; 4]);
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

    /// Decodes the object that is stored under `hash`.
    pub(crate) fn decode(bytes: &[u8], hash: &[u8; 32]) -> Result<Self, Damage> {
        if blake3::hash(bytes) != *hash {
            return Err(Damage::Broken("bytes do not match the object's name"));
        }
        let mut fields = Fields(bytes);
        if fields.array()? != MAGIC {
            return Err(Damage::Broken("not an index"));
        }
        match fields.u32()? {
            VERSION => {}
            version if version > VERSION => return Err(Damage::Newer(version)),
            _ => return Err(Damage::Broken("no such format version")),
        }
        let (packs, records) = (fields.u32()? as usize, fields.u32()? as usize);
        // Both counts are below 2^32, so this cannot overflow 64 bits.
        let len =
            HEADER_LEN as u64 + packs as u64 * PACK_LEN as u64 + records as u64 * RECORD_LEN as u64;
        if fields.u32()? != 0 || len != bytes.len() as u64 {
            return Err(Damage::Broken("index counts do not fit its length"));
        }
        let packs = decode_packs(&mut fields, packs)?;
        let records = decode_records(&mut fields, records, &packs)?;
        Ok(Self { packs, records })
    }
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

fn decode_records(
    fields: &mut Fields<'_>,
    count: usize,
    packs: &[PackRef],
) -> Result<Vec<(Entry, u32)>, Damage> {
    let mut records: Vec<(Entry, u32)> = Vec::with_capacity(count);
    for _ in 0..count {
        let (entry, pack) = (Entry::decode(fields)?, fields.u32()?);
        let ordered = records
            .last()
            .is_none_or(|(last, _)| last.header.id < entry.header.id);
        let inside = packs.get(pack as usize).is_some_and(|pack| {
            entry.offset as usize >= PACK_HEADER_LEN
                && entry.end() + (Entry::LEN + FOOTER_LEN) as u64 <= pack.size
        });
        if !ordered || !inside {
            return Err(Damage::Broken("index records break their rules"));
        }
        records.push((entry, pack));
    }
    Ok(records)
}

/// Returns the key of the index object with this BLAKE3.
pub(crate) fn key(hash: [u8; 32]) -> Result<Key> {
    Key::new(format!(
        "{DIRECTORY}/{}",
        BulkDigest::from_bytes(hash).to_hex()
    ))
}
