//! How fast the encrypting wrapper is.

use std::sync::Arc;

use mainstay::Result;
use mainstay::store::{
    EncryptedStorage, EncryptionKey, Key, KeyId, MemoryStorage, PutMode, StaticKeys, Storage,
    StorageExt as _,
};
use serde::Serialize;

use super::input::Input;
use super::metric::median;
use super::scale::Scale;
use super::timing::Stopwatch;

/// How fast the encrypting wrapper is around memory.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct EncryptionRow {
    /// `get` or `put`.
    pub operation: &'static str,
    /// Size in bytes of the object.
    pub bytes: usize,
    /// The median.
    pub mib_per_second: f64,
}

/// Encrypts what goes to `storage`, under a key that is no secret.
pub(super) fn encrypted<S: Storage>(storage: S) -> Result<EncryptedStorage<S>> {
    let key = EncryptionKey::from_bytes([7; 32]);
    let keys = StaticKeys::new(KeyId::new("bench")?, key);
    Ok(EncryptedStorage::new(storage, Arc::new(keys)))
}

/// Measures around memory, which takes no time of its own.
pub(super) async fn measure(scale: &Scale, input: &Input) -> Result<Vec<EncryptionRow>> {
    let storage = encrypted(MemoryStorage::new())?;
    let key = Key::new("pack")?;
    let bytes = input.pack().len();
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let mebibytes = bytes as f64 / f64::from(1 << 20);
    let (mut puts, mut gets) = (Vec::new(), Vec::new());
    for _ in 0..=scale.repetitions {
        let watch = Stopwatch::start();
        let _written = storage.put(&key, input.pack(), PutMode::Overwrite).await?;
        puts.push(mebibytes / watch.elapsed().as_secs_f64());
        let watch = Stopwatch::start();
        storage.get_all(&key).await?;
        gets.push(mebibytes / watch.elapsed().as_secs_f64());
    }
    // The first was to warm up.
    let row = |operation, values: &[f64]| {
        let mib_per_second = median(&values[1..])?;
        Some(EncryptionRow {
            operation,
            bytes,
            mib_per_second,
        })
    };
    Ok([row("put", &puts), row("get", &gets)]
        .into_iter()
        .flatten()
        .collect())
}
