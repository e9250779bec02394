//! Filling a pack.

use bytes::{Buf as _, Bytes, BytesMut};
use mainstay_core::{Error, ErrorKind, Result};

use super::name::name_by;
use super::{END_MAGIC, FOOTER_LEN, HEADER_LEN, MAGIC, MAX_PACK, PackId, VERSION};
use crate::blobs::codec::Codec;
use crate::blobs::condemned::Condemned;
use crate::blobs::record::{Entry, Header, Kind, RecordId};

/// A pack that has grown to this size gets its final memory at once: to grow on would copy it.
const GROWN: usize = 1024 * 1024;
/// What disks want the addresses of what they write to be multiples of.
const ALIGNMENT: usize = 4096;

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
        let id = name_by(&bytes, start, stored_hash).map_err(|_| {
            Error::new(ErrorKind::Internal, "a pack that was filled has no records")
        })?;
        Ok(Sealed {
            id,
            bytes: bytes.freeze(),
            entries,
        })
    }
}

/// The BLAKE3 of the stored bytes of a record, which most are addressed by.
fn stored_hash(header: &Header, stored: &[u8]) -> [u8; 32] {
    match (header.codec, header.id.kind) {
        (Codec::Raw, Kind::Chunk | Kind::List) => header.id.hash,
        _ => *blake3::hash(stored).as_bytes(),
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
