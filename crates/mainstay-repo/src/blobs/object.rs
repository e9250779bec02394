//! Objects named by the BLAKE3 of their bytes.

use bytes::Bytes;
use mainstay_core::{Error, ErrorKind, Result};
use mainstay_store::{ByteRange, Key, PutMode, PutOutcome, Storage, StorageExt as _};

/// How much is read at once to compare an object that is already there.
const COMPARED_BYTES: usize = 4 * 1024 * 1024;

/// Reads the hash out of `<directory>/<hex>`; `None` when the key is not of that form.
pub(crate) fn hash_in_key(key: &Key) -> Option<[u8; 32]> {
    let (_, hex) = key.as_str().split_once('/')?;
    let address: mainstay_core::BulkDigest = format!("blake3:{hex}").parse().ok()?;
    Some(*address.as_bytes())
}

/// Stores an object under a key that its bytes determine; returns how many bytes were written.
///
/// An object that is there, or whose writing ended in doubt, is compared: equal bytes are a success,
/// other bytes are damage and are replaced.
pub(crate) async fn put(storage: &dyn Storage, key: &Key, bytes: Bytes) -> Result<u64> {
    let size = bytes.len() as u64;
    match storage.create(key, bytes.clone()).await {
        Ok(PutOutcome::Written) => return Ok(size),
        Ok(PutOutcome::Exists) => {}
        Err(error) if error.is_ambiguous() => {
            return match same(storage, key, &bytes).await {
                Ok(true) => Ok(size),
                _ => Err(error),
            };
        }
        Err(error) => return Err(error),
    }
    if same(storage, key, &bytes).await? {
        return Ok(0);
    }
    let _written = storage.put(key, bytes, PutMode::Overwrite).await?;
    Ok(size)
}

async fn same(storage: &dyn Storage, key: &Key, bytes: &Bytes) -> Result<bool> {
    for (number, piece) in bytes.chunks(COMPARED_BYTES).enumerate() {
        let start = (number * COMPARED_BYTES) as u64;
        let range = ByteRange::Offsets(start..start + piece.len() as u64);
        let stored = match storage.get(key, range).await {
            // Damage that the storage finds by itself.
            Err(error) if error.kind() == ErrorKind::Corrupt => return Ok(false),
            stored => stored?.ok_or_else(|| Error::corrupt(key, "was there and is missing"))?,
        };
        if stored.size != bytes.len() as u64 || stored.bytes != piece {
            return Ok(false);
        }
    }
    Ok(true)
}
