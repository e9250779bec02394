//! Manifests: how a blob is put together. `docs/formats/blob.md` is normative.

use bytes::Bytes;
use mainstay_core::Digest;

use super::chunker::MAX_CHUNK;
use super::damage::Damage;
use super::record::{Fields, RecordId};

/// Blobs up to this size lie in their manifest.
pub(crate) const MAX_INLINE: usize = 16 * 1024;
/// The most chunks a manifest or a list names.
pub(crate) const MAX_CHUNKS: usize = 4096;
/// The most lists a manifest names: blobs of about 17 TB.
pub(crate) const MAX_LISTS: usize = 65_536;
pub(crate) const MAX_LIST_BYTES: usize = MAX_CHUNKS * ChunkRef::LEN;
pub(crate) const MAX_MANIFEST_BYTES: usize = HEAD_LEN + MAX_LISTS * ListRef::LEN + CHECK_LEN;

const VERSION: u8 = 1;
const INLINE: u8 = 0;
const CHUNKS: u8 = 1;
const LISTS: u8 = 2;
/// Version, form, zero, count, size, SHA-256.
const HEAD_LEN: usize = 1 + 1 + 2 + 4 + 8 + 32;
/// The BLAKE3 of everything before.
const CHECK_LEN: usize = 32;

/// A chunk of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChunkRef {
    pub(crate) address: [u8; 32],
    pub(crate) len: u32,
}

impl ChunkRef {
    const LEN: usize = 32 + 4;

    pub(crate) fn id(&self) -> RecordId {
        RecordId::chunk(self.address.into())
    }
}

/// A list of chunks of a large blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ListRef {
    pub(crate) address: [u8; 32],
    /// How many chunks it names.
    pub(crate) chunks: u32,
    /// How many bytes of the blob those are.
    pub(crate) size: u64,
}

impl ListRef {
    const LEN: usize = 32 + 4 + 8;

    pub(crate) fn id(&self) -> RecordId {
        RecordId::list(self.address.into())
    }
}

/// What a blob is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Body {
    Inline(Bytes),
    Chunks(Vec<ChunkRef>),
    Lists(Vec<ListRef>),
}

/// A blob's name, size and parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    pub(crate) body: Body,
}

impl Manifest {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let (form, count) = match &self.body {
            Body::Inline(bytes) => (INLINE, bytes.len()),
            Body::Chunks(chunks) => (CHUNKS, chunks.len()),
            Body::Lists(lists) => (LISTS, lists.len()),
        };
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let mut bytes = vec![VERSION, form, 0, 0];
        bytes.extend(count.to_le_bytes());
        bytes.extend(self.size.to_le_bytes());
        bytes.extend(self.digest.as_bytes());
        match &self.body {
            Body::Inline(inline) => bytes.extend_from_slice(inline),
            Body::Chunks(chunks) => bytes.extend(encode_list(chunks)),
            Body::Lists(lists) => {
                for list in lists {
                    bytes.extend(list.address);
                    bytes.extend(list.chunks.to_le_bytes());
                    bytes.extend(list.size.to_le_bytes());
                }
            }
        }
        let check = blake3::hash(&bytes);
        bytes.extend(check.as_bytes());
        bytes
    }

    /// Decodes the manifest of the blob `digest` and checks all that can be checked without its chunks.
    pub(crate) fn decode(bytes: &Bytes, digest: &Digest) -> Result<Self, Damage> {
        let Some((content, check)) = bytes.split_last_chunk::<CHECK_LEN>() else {
            return Err(Damage::Broken("manifest ends too early"));
        };
        if blake3::hash(content) != *check {
            return Err(Damage::Broken("manifest does not match its hash"));
        }
        let mut fields = Fields(content);
        let [version, form, zero @ ..] = fields.array::<4>()?;
        match version {
            VERSION => {}
            version if version > VERSION => return Err(Damage::Newer(version.into())),
            _ => return Err(Damage::Broken("no such format version")),
        }
        let count = fields.u32()? as usize;
        let size = fields.u64()?;
        if zero != [0, 0] || fields.array()? != *digest.as_bytes() {
            return Err(Damage::Broken("manifest is not of this blob"));
        }
        let body = match form {
            INLINE => inline(bytes.slice(HEAD_LEN..content.len()), count, size, digest)?,
            CHUNKS => Body::Chunks(decode_list(fields.0, count, size)?),
            LISTS => Body::Lists(lists(fields, count, size)?),
            _ => return Err(Damage::Unknown("manifest form", form)),
        };
        Ok(Self {
            digest: *digest,
            size,
            body,
        })
    }
}

fn inline(bytes: Bytes, count: usize, size: u64, digest: &Digest) -> Result<Body, Damage> {
    if count > MAX_INLINE || bytes.len() != count || size != count as u64 {
        return Err(Damage::Broken("inline bytes do not fit the size"));
    }
    if Digest::of(&bytes) != *digest {
        return Err(Damage::Broken("inline bytes do not match the digest"));
    }
    Ok(Body::Inline(bytes))
}

fn lists(mut fields: Fields<'_>, count: usize, size: u64) -> Result<Vec<ListRef>, Damage> {
    if count > MAX_LISTS || fields.0.len() != count * ListRef::LEN {
        return Err(Damage::Broken("list count does not fit"));
    }
    let mut lists = Vec::with_capacity(count);
    let mut total = 0_u64;
    for _ in 0..count {
        let list = ListRef {
            address: fields.array()?,
            chunks: fields.u32()?,
            size: fields.u64()?,
        };
        let chunks = u64::from(list.chunks);
        if !(1..=MAX_CHUNKS as u64).contains(&chunks)
            || !(chunks..=chunks * MAX_CHUNK as u64).contains(&list.size)
        {
            return Err(Damage::Broken("impossible list length"));
        }
        total += list.size;
        lists.push(list);
    }
    if total != size {
        return Err(Damage::Broken("lists do not add up to the size"));
    }
    Ok(lists)
}

/// Encodes chunk references, as in a manifest or as a list record.
pub(crate) fn encode_list(chunks: &[ChunkRef]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(chunks.len() * ChunkRef::LEN);
    for chunk in chunks {
        bytes.extend(chunk.address);
        bytes.extend(chunk.len.to_le_bytes());
    }
    bytes
}

/// Decodes `count` chunk references that make up `size` bytes.
pub(crate) fn decode_list(bytes: &[u8], count: usize, size: u64) -> Result<Vec<ChunkRef>, Damage> {
    if count > MAX_CHUNKS || bytes.len() != count * ChunkRef::LEN {
        return Err(Damage::Broken("chunk count does not fit"));
    }
    let mut fields = Fields(bytes);
    let mut chunks = Vec::with_capacity(count);
    let mut total = 0_u64;
    for _ in 0..count {
        let chunk = ChunkRef {
            address: fields.array()?,
            len: fields.u32()?,
        };
        if !(1..=MAX_CHUNK).contains(&(chunk.len as usize)) {
            return Err(Damage::Broken("impossible chunk length"));
        }
        total += u64::from(chunk.len);
        chunks.push(chunk);
    }
    if total != size {
        return Err(Damage::Broken("chunks do not add up to the size"));
    }
    Ok(chunks)
}
