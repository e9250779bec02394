//! Objects named by the BLAKE3 of their bytes.

use bytes::Bytes;
use mainstay_core::{Error, ErrorKind, Result};
use mainstay_store::{ByteRange, Key, PutMode, PutOutcome, Storage, StorageExt as _};

use super::pack::SALT_BYTES;

/// How much is read at once to compare an object that is already there.
const COMPARED_BYTES: usize = 4 * 1024 * 1024;

/// Reads the hash out of `<directory>/<hex>`; `None` when the key is not of that form.
pub(crate) fn hash_in_key(key: &Key) -> Option<[u8; 32]> {
    let (_, hex) = key.as_str().split_once('/')?;
    let address: mainstay_core::BulkDigest = format!("blake3:{hex}").parse().ok()?;
    Some(*address.as_bytes())
}

/// How large packs and index objects become that are to be of `wanted` bytes at most: no larger than the
/// storage takes once a pack has got another identity.
pub(crate) fn limit(storage: &dyn Storage, wanted: usize) -> usize {
    let largest = usize::try_from(storage.capabilities().max_object_bytes);
    let largest = largest.unwrap_or(usize::MAX);
    largest.saturating_sub(SALT_BYTES).min(wanted)
}

/// How often an object is written that others delete at once.
const ATTEMPTS: u32 = 16;

/// What lies under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stored {
    Same,
    Other,
    Nothing,
}

/// Stores an object under a key that its bytes determine; returns how many bytes were written.
///
/// An object that is there, or whose writing ended in doubt, is compared: equal bytes are a success,
/// other bytes are damage and are replaced. One that a collection deletes meanwhile is written again.
pub(crate) async fn put(storage: &dyn Storage, key: &Key, bytes: Bytes) -> Result<u64> {
    let size = bytes.len() as u64;
    for _ in 0..ATTEMPTS {
        match storage.create(key, bytes.clone()).await {
            Ok(PutOutcome::Written) => return Ok(size),
            Ok(PutOutcome::Exists) => {}
            Err(error) if error.is_ambiguous() => {
                return match compare(storage, key, &bytes).await {
                    Ok(Stored::Same) => Ok(size),
                    _ => Err(error),
                };
            }
            Err(error) => return Err(error),
        }
        match compare(storage, key, &bytes).await? {
            Stored::Same => return Ok(0),
            Stored::Other => {
                let _written = storage.put(key, bytes, PutMode::Overwrite).await?;
                return Ok(size);
            }
            Stored::Nothing => {}
        }
    }
    Err(Error::new(
        ErrorKind::Conflict,
        "others delete it as fast as it is written",
    )
    .context("object", key))
}

async fn compare(storage: &dyn Storage, key: &Key, bytes: &Bytes) -> Result<Stored> {
    for (number, piece) in bytes.chunks(COMPARED_BYTES).enumerate() {
        let start = (number * COMPARED_BYTES) as u64;
        let range = ByteRange::Offsets(start..start + piece.len() as u64);
        let stored = match storage.get(key, range).await {
            // Damage that the storage finds by itself.
            Err(error) if error.kind() == ErrorKind::Corrupt => return Ok(Stored::Other),
            stored => stored?,
        };
        match stored {
            None => return Ok(Stored::Nothing),
            Some(stored) if stored.size != bytes.len() as u64 || stored.bytes != piece => {
                return Ok(Stored::Other);
            }
            Some(_) => {}
        }
    }
    Ok(Stored::Same)
}
