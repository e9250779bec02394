//! Packs: many records in one object. `docs/formats/pack.md` is normative.
//!
//! ```text
//! header      magic, version
//! records     header, stored bytes; one after the other
//! directory   the records' headers and offsets, ordered by kind and hash
//! footer      where the directory is, its BLAKE3, magic
//! ```

mod build;
mod name;

use mainstay_core::{BulkDigest, Result};
use mainstay_store::Key;

pub(crate) use self::build::{PackBuilder, Sealed};
pub(crate) use self::name::{name, records};
use super::damage::Damage;
use super::record::{Entry, Fields};

/// The most bytes a pack has.
pub(crate) const MAX_PACK: usize = 64 * 1024 * 1024;
/// Where packs are stored.
pub(crate) const DIRECTORY: &str = "pack";

/// By how much a pack may grow to get another identity.
pub(crate) const SALT_BYTES: usize = 16 * 1024;

const MAGIC: [u8; 8] = *b"MNSTPACK";
const END_MAGIC: [u8; 8] = *b"KCAPTSNM";
/// What packs are written in.
const VERSION: u32 = 2;
/// The version whose packs are named by all of their bytes in a row.
const PLAIN: u32 = 1;
/// Magic, version, zero.
pub(crate) const HEADER_LEN: usize = 8 + 4 + 4;
/// Directory offset, count, directory BLAKE3, magic.
pub(crate) const FOOTER_LEN: usize = 4 + 4 + 32 + 8;

/// A pack by the hash that it is [named](mod@name) by.
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

/// Checks the first [`HEADER_LEN`] bytes of a pack; returns its version.
pub(crate) fn check_header(bytes: &[u8]) -> Result<u32, Damage> {
    let mut fields = Fields(bytes);
    if fields.array()? != MAGIC {
        return Err(Damage::Broken("not a pack"));
    }
    let version = match fields.u32()? {
        version @ (PLAIN | VERSION) => version,
        version if version > VERSION => return Err(Damage::Newer(version)),
        _ => return Err(Damage::Broken("no such format version")),
    };
    if fields.u32()? != 0 {
        return Err(Damage::Broken("reserved bytes are not zero"));
    }
    Ok(version)
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
