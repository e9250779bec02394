//! Records: what packs hold and the index finds. `docs/formats/pack.md` is normative.

use std::fmt;

use bytes::Bytes;
use mainstay_core::{BulkDigest, Digest};

use super::chunker::MAX_CHUNK;
use super::codec::{Codec, decompress};
use super::damage::Damage;
use super::manifest::{MAX_LIST_BYTES, MAX_MANIFEST_BYTES};

/// What a record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Bytes of blobs, addressed by their BLAKE3.
    Chunk = 1,
    /// How a blob is put together, found by the SHA-256 of the blob.
    Manifest = 2,
    /// A part of the chunk list of a large blob, addressed by its BLAKE3.
    List = 3,
}

impl Kind {
    /// The most bytes a record of this kind has after decompression.
    pub(crate) const fn max_len(self) -> usize {
        match self {
            Self::Chunk => MAX_CHUNK,
            Self::Manifest => MAX_MANIFEST_BYTES,
            Self::List => MAX_LIST_BYTES,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Chunk, Self::Manifest, Self::List]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
    }
}

/// The name of a record.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RecordId {
    pub(crate) kind: Kind,
    pub(crate) hash: [u8; 32],
}

impl RecordId {
    pub(crate) fn chunk(address: blake3::Hash) -> Self {
        Self {
            kind: Kind::Chunk,
            hash: *address.as_bytes(),
        }
    }

    pub(crate) fn list(address: blake3::Hash) -> Self {
        Self {
            kind: Kind::List,
            hash: *address.as_bytes(),
        }
    }

    pub(crate) fn manifest(blob: &Digest) -> Self {
        Self {
            kind: Kind::Manifest,
            hash: *blob.as_bytes(),
        }
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Chunk => write!(f, "chunk {}", BulkDigest::from_bytes(self.hash)),
            Kind::Manifest => write!(f, "manifest {}", Digest::from_bytes(self.hash)),
            Kind::List => write!(f, "list {}", BulkDigest::from_bytes(self.hash)),
        }
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The head of a record in a pack.
///
/// ```text
/// offset  size
///      0     1  kind
///      1     1  codec
///      2     2  zero
///      4     4  stored length, little endian
///      8     4  length after decompression, little endian
///     12    32  hash
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) id: RecordId,
    pub(crate) codec: Codec,
    pub(crate) stored_len: u32,
    pub(crate) len: u32,
}

impl Header {
    pub(crate) const LEN: usize = 44;
    /// Where the hash is; the kind is the first byte.
    pub(crate) const HASH_AT: usize = 12;

    pub(crate) fn encode(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[0] = self.id.kind as u8;
        bytes[1] = self.codec as u8;
        bytes[4..8].copy_from_slice(&self.stored_len.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.len.to_le_bytes());
        bytes[Self::HASH_AT..].copy_from_slice(&self.id.hash);
        bytes
    }

    /// Decodes and checks every limit, so that lengths may be trusted to allocate.
    pub(crate) fn decode(bytes: &[u8; Self::LEN]) -> Result<Self, Damage> {
        let [kind, codec, ..] = *bytes;
        let kind = Kind::from_byte(kind).ok_or(Damage::Unknown("record kind", kind))?;
        let codec = Codec::from_byte(codec).ok_or(Damage::Unknown("codec", codec))?;
        if bytes[2..4] != [0, 0] {
            return Err(Damage::Broken("reserved bytes are not zero"));
        }
        let mut fields = Fields(&bytes[4..]);
        let header = Self {
            stored_len: fields.u32()?,
            len: fields.u32()?,
            id: RecordId {
                kind,
                hash: fields.array()?,
            },
            codec,
        };
        let fits = match codec {
            Codec::Raw => header.stored_len == header.len,
            _ => header.stored_len < header.len,
        };
        if !fits || header.len == 0 || header.len as usize > kind.max_len() {
            return Err(Damage::Broken("impossible record length"));
        }
        Ok(header)
    }

    /// The bytes of the record in a pack, header included.
    pub(crate) fn record_len(&self) -> u64 {
        Self::LEN as u64 + u64::from(self.stored_len)
    }
}

/// A record and its place in a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) header: Header,
    /// Where the header begins.
    pub(crate) offset: u32,
}

impl Entry {
    pub(crate) const LEN: usize = Header::LEN + 4;

    pub(crate) fn encode(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..Header::LEN].copy_from_slice(&self.header.encode());
        bytes[Header::LEN..].copy_from_slice(&self.offset.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(fields: &mut Fields<'_>) -> Result<Self, Damage> {
        Ok(Self {
            header: Header::decode(&fields.array()?)?,
            offset: fields.u32()?,
        })
    }

    /// Opens the record from its bytes in the pack, header included, and checks all of it.
    ///
    /// What a manifest says is checked by its own decoder.
    pub(crate) fn open(&self, record: &Bytes) -> Result<Bytes, Damage> {
        let Some((header, stored)) = record.split_first_chunk::<{ Header::LEN }>() else {
            return Err(Damage::Broken("record ends too early"));
        };
        if *header != self.header.encode() || stored.len() != self.header.stored_len as usize {
            return Err(Damage::Broken("record is not the one expected here"));
        }
        let bytes = match self.header.codec {
            Codec::Raw => record.slice(Header::LEN..),
            codec => decompress(codec, stored, self.header.len as usize)?.into(),
        };
        let id = self.header.id;
        if id.kind != Kind::Manifest && blake3::hash(&bytes) != id.hash {
            return Err(Damage::Broken("bytes do not match their address"));
        }
        Ok(bytes)
    }

    /// Where the record ends in its pack.
    pub(crate) fn end(&self) -> u64 {
        u64::from(self.offset) + self.header.record_len()
    }
}

/// Reads fixed-size fields from the front of untrusted bytes.
#[derive(Debug)]
pub(crate) struct Fields<'b>(pub(crate) &'b [u8]);

impl Fields<'_> {
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Damage> {
        let (array, rest) = self
            .0
            .split_first_chunk()
            .ok_or(Damage::Broken("ends too early"))?;
        self.0 = rest;
        Ok(*array)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Damage> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Damage> {
        self.array().map(u64::from_le_bytes)
    }
}
