//! What stands in plain before each segment.

use std::cmp::Ordering;

use bytes::BufMut as _;
use mainstay_core::{Error, ErrorKind, IdSource, Result};

use super::keys::KeyId;
use super::layout;
use crate::Key;

/// Length of an encoded [`Head`] in bytes.
pub(super) const HEAD_LEN: usize = 80;

const MAGIC: &[u8; 8] = b"MNSTENCR";
const FORMAT: u32 = 1;
/// HKDF-SHA-256 and AES-256-GCM-SIV.
const ALGORITHM: u32 = 1;

/// The head of a segment, the same for all of one object.
///
/// | offset | size | field |
/// |---|---|---|
/// | 0 | 8 | magic |
/// | 8 | 4 | format, little endian |
/// | 12 | 4 | algorithm, little endian |
/// | 16 | 32 | key id, filled up with zeros |
/// | 48 | 32 | salt |
#[derive(Debug)]
pub(super) struct Head {
    pub(super) key_id: KeyId,
    /// What no other write has.
    pub(super) salt: [u8; 32],
}

impl Head {
    /// Makes the head of a new object.
    pub(super) fn new(key_id: KeyId, ids: &dyn IdSource) -> Result<Self> {
        let mut salt = [0; 32];
        let (first, second) = salt.split_at_mut(16);
        first.copy_from_slice(ids.write_id()?.as_bytes());
        second.copy_from_slice(ids.write_id()?.as_bytes());
        Ok(Self { key_id, salt })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD_LEN);
        bytes.put_slice(MAGIC);
        bytes.put_u32_le(FORMAT);
        bytes.put_u32_le(ALGORITHM);
        bytes.put_slice(&self.key_id.padded());
        bytes.put_slice(&self.salt);
        bytes
    }

    /// Reads the head that a segment of `object` begins with.
    pub(super) fn parse(object: &Key, segment: &[u8]) -> Result<Self> {
        let fields = Fields::split(segment).ok_or_else(|| layout::not_encrypted(object))?;
        known("format", fields.format, FORMAT)
            .and_then(|()| known("algorithm", fields.algorithm, ALGORITHM))
            .map_err(|error| error.context("object", object))?;
        let key_id = KeyId::from_padded(fields.key_id)
            .ok_or_else(|| Error::corrupt(object, "the object names an impossible key"))?;
        let salt = *fields.salt;
        Ok(Self { key_id, salt })
    }
}

struct Fields<'a> {
    format: u32,
    algorithm: u32,
    key_id: &'a [u8; KeyId::MAX_LEN],
    salt: &'a [u8; 32],
}

impl<'a> Fields<'a> {
    fn split(segment: &'a [u8]) -> Option<Self> {
        let rest = segment.strip_prefix(MAGIC)?;
        let (format, rest) = rest.split_first_chunk()?;
        let (algorithm, rest) = rest.split_first_chunk()?;
        let (key_id, rest) = rest.split_first_chunk()?;
        Some(Self {
            format: u32::from_le_bytes(*format),
            algorithm: u32::from_le_bytes(*algorithm),
            key_id,
            salt: rest.first_chunk()?,
        })
    }
}

/// Reports whether `bytes` begin as a segment does.
pub(super) fn is_present(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

fn known(what: &str, found: u32, known: u32) -> Result<()> {
    let (kind, why) = match found.cmp(&known) {
        Ordering::Equal => return Ok(()),
        Ordering::Less => (ErrorKind::Corrupt, format!("there is no {what} {found}")),
        Ordering::Greater => (
            ErrorKind::Incompatible,
            format!("written by a newer Mainstay: {what} {found}, this build reads {known}"),
        ),
    };
    Err(Error::new(kind, why))
}
