//! Sealed records: canonical JSON that carries its own checksum.
//!
//! ```text
//! {"check":"sha256:<hex>", … the other members of the record … }
//! ```
//! `check` is the digest of the canonical JSON of the record without `check`. It sorts before every
//! other member, so that sealing and checking need no second encoding. It tells a damaged record
//! from a good one where nothing else names the record's digest yet: at the head of the log.

use bytes::Bytes;
use mainstay_core::{Digest, Error, ErrorKind, Result, canon};
use mainstay_store::{ByteRange, Key, Storage};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The newest format of log entries, shards and the descriptor that this version reads.
pub(crate) const FORMAT: u64 = 1;

/// The member `"format":1`; does not deserialize from any other number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Format;

impl Serialize for Format {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(FORMAT)
    }
}

impl<'de> Deserialize<'de> for Format {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u64::deserialize(deserializer)? {
            FORMAT => Ok(Self),
            other => Err(D::Error::custom(format!(
                "format {other} instead of {FORMAT}"
            ))),
        }
    }
}

/// Encodes a record that serializes as an object whose members all sort after `check`.
pub(crate) fn encode<T: Serialize>(record: &T) -> Result<Bytes> {
    canon::to_vec(record).map(|body| seal(&body))
}

/// Seals the canonical JSON of a record.
pub(crate) fn seal(body: &[u8]) -> Bytes {
    debug_assert!(body.len() > 2 && body > br#"{"check""#.as_slice());
    let opening = opening(&Digest::of(body));
    // It takes the place of the bracket.
    [opening.as_bytes(), &body[1..]].concat().into()
}

/// The length of what a seal puts before a record, whose bracket it takes the place of.
pub(crate) fn opening_len() -> usize {
    opening(&Digest::from_bytes([0; 32])).len()
}

/// Decodes a sealed record of format 1 read from `object`.
///
/// # Errors
/// As [`decode_up_to`].
pub(crate) fn decode<T: Serialize + DeserializeOwned>(object: &Key, bytes: &[u8]) -> Result<T> {
    decode_up_to(FORMAT, object, bytes)
}

/// Decodes a sealed record of at most format `newest` read from `object`.
///
/// # Errors
/// [`ErrorKind::Incompatible`] when it has a newer format, [`ErrorKind::Corrupt`] when the bytes are
/// not exactly what [`encode`] makes of a `T`.
pub(crate) fn decode_up_to<T: Serialize + DeserializeOwned>(
    newest: u64,
    object: &Key,
    bytes: &[u8],
) -> Result<T> {
    unseal(bytes)
        .and_then(|body| canon::from_slice(&body))
        .map_err(|error| refuse(newest, object, bytes, error))
}

/// Decodes a record of at most format `newest` without a seal: one that is named by its digest.
pub(crate) fn decode_plain<T: DeserializeOwned>(
    newest: u64,
    object: &Key,
    bytes: &[u8],
) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| refuse(newest, object, bytes, error))
}

/// Reads an object of at most `limit` bytes.
///
/// # Errors
/// [`ErrorKind::Corrupt`] when it is larger.
pub(crate) async fn read(storage: &dyn Storage, key: &Key, limit: u64) -> Result<Option<Bytes>> {
    let Some(object) = storage.get(key, ByteRange::Offsets(0..limit)).await? else {
        return Ok(None);
    };
    if object.size > limit {
        let why = format!("{} bytes where at most {limit} are allowed", object.size);
        return Err(Error::corrupt(key, why));
    }
    Ok(Some(object.bytes))
}

fn opening(check: &Digest) -> String {
    format!("{{\"check\":\"{check}\",")
}

fn unseal(bytes: &[u8]) -> Result<Vec<u8>> {
    let (head, rest) = bytes
        .split_at_checked(opening_len())
        .ok_or_else(|| Error::new(ErrorKind::Corrupt, "too short"))?;
    let mut body = Vec::with_capacity(rest.len() + 1);
    body.push(b'{');
    body.extend_from_slice(rest);
    if head == opening(&Digest::of(&body)).as_bytes() {
        Ok(body)
    } else {
        Err(Error::new(ErrorKind::Corrupt, "checksum does not match"))
    }
}

/// Tells a newer format from damage.
fn refuse(
    newest: u64,
    object: &Key,
    bytes: &[u8],
    cause: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    #[derive(Deserialize)]
    struct Probe {
        format: u64,
    }
    match serde_json::from_slice::<Probe>(bytes) {
        Ok(Probe { format }) if format > newest => newer(newest, object, format),
        _ => Error::corrupt(object, "damaged record").with_source(cause),
    }
}

fn newer(newest: u64, object: &Key, format: u64) -> Error {
    Error::new(
        ErrorKind::Incompatible,
        format!("written in format {format}, newer than {newest}: upgrade Mainstay to read it"),
    )
    .context("object", object)
}

#[cfg(test)]
mod tests;
