//! Packs: many records in one object. `docs/formats/pack.md` is normative.
//!
//! ```text
//! header      magic, version
//! records     header, stored bytes; one after the other
//! directory   the records' headers and offsets, ordered by kind and hash
//! footer      where the directory is, its BLAKE3, magic
//! ```

use bytes::{Buf as _, Bytes, BytesMut};
use mainstay_core::{BulkDigest, Error, Result};
use mainstay_store::Key;

use super::codec::Codec;
use super::condemned::Condemned;
use super::damage::Damage;
use super::record::{Entry, Fields, Header, RecordId};

/// The most bytes a pack has.
pub(crate) const MAX_PACK: usize = 64 * 1024 * 1024;
/// Where packs are stored.
pub(crate) const DIRECTORY: &str = "pack";

/// By how much a pack may grow to get another identity.
pub(crate) const SALT_BYTES: usize = 16 * 1024;

const MAGIC: [u8; 8] = *b"MNSTPACK";
const END_MAGIC: [u8; 8] = *b"KCAPTSNM";
const VERSION: u32 = 1;
/// Magic, version, zero.
pub(crate) const HEADER_LEN: usize = 8 + 4 + 4;
/// Directory offset, count, directory BLAKE3, magic.
pub(crate) const FOOTER_LEN: usize = 4 + 4 + 32 + 8;

/// A pack that has grown to this size gets its final memory at once: to grow on would copy it.
const GROWN: usize = 1024 * 1024;
/// What disks want the addresses of what they write to be multiples of.
const ALIGNMENT: usize = 4096;

/// A pack by the BLAKE3 of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PackId(pub(crate) [u8; 32]);

impl PackId {
    pub(crate) fn key(self) -> Result<Key> {
        Key::new(format!(
            "{DIRECTORY}/{}",
            BulkDigest::from_bytes(self.0).to_hex()
        ))
    }
}

/// A finished pack.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) id: PackId,
    pub(crate) bytes: Bytes,
    /// Ordered by kind and hash.
    pub(crate) entries: Vec<Entry>,
}

/// A pack being filled.
#[derive(Debug)]
pub(crate) struct PackBuilder {
    limit: usize,
    bytes: BytesMut,
    entries: Vec<Entry>,
}

impl PackBuilder {
    /// Creates an empty pack that will not exceed `limit` bytes, or [`MAX_PACK`].
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit: limit.min(MAX_PACK),
            bytes: BytesMut::new(),
            entries: Vec::new(),
        }
    }

    /// Reports whether a record of so many stored bytes fits; into an empty pack it always does.
    pub(crate) fn fits(&self, stored_len: usize) -> bool {
        let body = self.bytes.len().max(HEADER_LEN) + Header::LEN + stored_len;
        let directory = (self.entries.len() + 1) * Entry::LEN;
        self.entries.is_empty() || body + directory + FOOTER_LEN <= self.limit
    }

    /// Adds a record that [fits](Self::fits).
    pub(crate) fn append(
        &mut self,
        id: RecordId,
        codec: Codec,
        stored: &[u8],
        len: usize,
    ) -> Result<()> {
        if self.bytes.is_empty() {
            self.bytes.extend_from_slice(&MAGIC);
            self.bytes.extend_from_slice(&VERSION.to_le_bytes());
            self.bytes.extend_from_slice(&[0; 4]);
        }
        let start = self.bytes.len();
        if start >= GROWN && self.bytes.capacity() < self.limit {
            let mut grown = aligned(self.limit);
            grown.extend_from_slice(&self.bytes);
            self.bytes = grown;
        }
        let entry = Entry {
            header: Header {
                id,
                codec,
                stored_len: length(stored.len())?,
                len: length(len)?,
            },
            offset: length(start)?,
        };
        self.bytes.extend_from_slice(&entry.header.encode());
        self.bytes.extend_from_slice(stored);
        self.entries.push(entry);
        Ok(())
    }

    /// Reports whether nothing has been added.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The records added so far.
    pub(crate) fn records(&self) -> impl Iterator<Item = RecordId> {
        self.entries.iter().map(|entry| entry.header.id)
    }

    /// Takes out the pack, to be finished elsewhere, and begins another in `buffer`, whose content does
    /// not matter.
    pub(crate) fn take(&mut self, mut buffer: BytesMut) -> Self {
        buffer.clear();
        let limit = self.limit;
        let (bytes, entries) = (buffer, Vec::new());
        std::mem::replace(
            self,
            Self {
                limit,
                bytes,
                entries,
            },
        )
    }

    /// Finishes a pack whose identity has not been condemned and begins another in `buffer`.
    pub(crate) fn seal_beside(
        &mut self,
        condemned: &Condemned,
        mut buffer: BytesMut,
    ) -> Result<Sealed> {
        let mut salt = 0_u64;
        loop {
            let sealed = self.seal(buffer)?;
            if !condemned.contains(&sealed.id) {
                return Ok(sealed);
            }
            buffer = std::mem::take(&mut self.bytes);
            self.reopen(sealed);
            self.salt(salt)?;
            salt += 1;
        }
    }

    /// Goes on filling a pack that was finished.
    fn reopen(&mut self, sealed: Sealed) {
        let directory = sealed.entries.len() * Entry::LEN + FOOTER_LEN;
        let records = sealed.bytes.len().saturating_sub(directory);
        self.bytes = BytesMut::from(&sealed.bytes[..records]);
        self.entries = sealed.entries;
    }

    /// Adds a record that nothing names, which gives the pack another identity.
    fn salt(&mut self, salt: u64) -> Result<()> {
        let bytes = salt.to_le_bytes();
        let id = RecordId::chunk(blake3::hash(&bytes));
        if self.records().any(|held| held == id) {
            return Ok(());
        }
        self.append(id, Codec::Raw, &bytes, bytes.len())
    }

    /// Finishes the pack and begins another in `buffer`, whose content does not matter.
    pub(crate) fn seal(&mut self, mut buffer: BytesMut) -> Result<Sealed> {
        buffer.clear();
        let mut bytes = std::mem::replace(&mut self.bytes, buffer);
        let mut entries = std::mem::take(&mut self.entries);
        entries.sort_unstable_by_key(|entry| entry.header.id);
        let start = bytes.len();
        for entry in &entries {
            bytes.extend_from_slice(&entry.encode());
        }
        let directory_hash = blake3::hash(&bytes[start..]);
        bytes.extend_from_slice(&length(start)?.to_le_bytes());
        bytes.extend_from_slice(&length(entries.len())?.to_le_bytes());
        bytes.extend_from_slice(directory_hash.as_bytes());
        bytes.extend_from_slice(&END_MAGIC);
        Ok(Sealed {
            id: PackId(*blake3::hash(&bytes).as_bytes()),
            bytes: bytes.freeze(),
            entries,
        })
    }
}

/// Memory that a local storage can hand to the disk as it is.
fn aligned(capacity: usize) -> BytesMut {
    let mut bytes = BytesMut::with_capacity(capacity + ALIGNMENT);
    let start = bytes.as_ptr().align_offset(ALIGNMENT);
    bytes.resize(start, 0);
    bytes.advance(start);
    bytes
}

/// Lengths in a pack fit 32 bits because a pack is at most [`MAX_PACK`] long.
fn length(len: usize) -> Result<u32> {
    u32::try_from(len).map_err(|_| Error::invalid("record does not fit a pack"))
}

/// Checks the first [`HEADER_LEN`] bytes of a pack.
pub(crate) fn check_header(bytes: &[u8]) -> Result<(), Damage> {
    let mut fields = Fields(bytes);
    if fields.array()? != MAGIC {
        return Err(Damage::Broken("not a pack"));
    }
    match fields.u32()? {
        VERSION => {}
        version if version > VERSION => return Err(Damage::Newer(version)),
        _ => return Err(Damage::Broken("no such format version")),
    }
    if fields.u32()? != 0 {
        return Err(Damage::Broken("reserved bytes are not zero"));
    }
    Ok(())
}

/// The end of a pack: where its directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Footer {
    pub(crate) directory_offset: u32,
    count: u32,
    directory_hash: [u8; 32],
}

impl Footer {
    /// Decodes the last [`FOOTER_LEN`] bytes of a pack of `pack_size` bytes.
    pub(crate) fn decode(bytes: &[u8], pack_size: u64) -> Result<Self, Damage> {
        let mut fields = Fields(bytes);
        let footer = Self {
            directory_offset: fields.u32()?,
            count: fields.u32()?,
            directory_hash: fields.array()?,
        };
        if fields.array()? != END_MAGIC || !fields.0.is_empty() {
            return Err(Damage::Broken("pack has no footer"));
        }
        let directory_end =
            u64::from(footer.directory_offset) + u64::from(footer.count) * Entry::LEN as u64;
        if (footer.directory_offset as usize) < HEADER_LEN
            || directory_end + FOOTER_LEN as u64 != pack_size
            || pack_size > MAX_PACK as u64
        {
            return Err(Damage::Broken("pack footer does not fit the pack"));
        }
        Ok(footer)
    }

    /// Decodes the directory: the bytes between [`Self::directory_offset`] and the footer.
    pub(crate) fn directory(&self, bytes: &[u8]) -> Result<Vec<Entry>, Damage> {
        if blake3::hash(bytes) != self.directory_hash {
            return Err(Damage::Broken("pack directory does not match its hash"));
        }
        let mut fields = Fields(bytes);
        let mut entries: Vec<Entry> = Vec::with_capacity(bytes.len() / Entry::LEN);
        while !fields.0.is_empty() {
            let entry = Entry::decode(&mut fields)?;
            let ordered = entries
                .last()
                .is_none_or(|last| last.header.id < entry.header.id);
            if !ordered || entry.end() > u64::from(self.directory_offset) {
                return Err(Damage::Broken("pack directory breaks its rules"));
            }
            entries.push(entry);
        }
        Ok(entries)
    }
}
