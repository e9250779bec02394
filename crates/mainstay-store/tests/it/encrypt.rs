//! Encryption: what a user and what an attacker would notice.

mod golden;
mod reading;
mod rotation;
mod tampering;

use std::sync::Arc;

use bytes::Bytes;
use mainstay_core::{Error, SeededIds};
use mainstay_store::{
    EncryptedStorage, EncryptionKey, Key, KeyId, MemoryStorage, PutMode, StaticKeys, Storage,
};

/// Plain bytes of a full segment, and what is stored for it.
const SEGMENT: usize = 65_536;
const STORED: usize = SEGMENT + 96;

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn id(text: &str) -> KeyId {
    KeyId::new(text).unwrap()
}

fn secret(byte: u8) -> EncryptionKey {
    EncryptionKey::from_bytes([byte; 32])
}

fn encrypted<S: Storage>(inner: S, keys: StaticKeys) -> EncryptedStorage<S> {
    EncryptedStorage::new(inner, Arc::new(keys))
}

/// Encrypts under the key `k1`.
fn simple<S: Storage>(inner: S) -> EncryptedStorage<S> {
    encrypted(inner, StaticKeys::new(id("k1"), secret(1)))
}

async fn put(storage: &dyn Storage, name: &str, bytes: impl Into<Bytes>) {
    let name = key(name);
    let written = storage.put(&name, bytes.into(), PutMode::Overwrite).await;
    written.map(drop).unwrap();
}

/// Returns what is stored when `name` is written with `plain` under the key `k1`.
async fn sealed(name: &str, plain: &[u8], seed: u64) -> Vec<u8> {
    let raw = MemoryStorage::new();
    let keys = Arc::new(StaticKeys::new(id("k1"), secret(1)));
    let storage = EncryptedStorage::with_ids(&raw, keys, Arc::new(SeededIds::new(seed)));
    put(&storage, name, Bytes::copy_from_slice(plain)).await;
    fetch(&raw, name).await.unwrap().to_vec()
}

async fn fetch(storage: &dyn Storage, name: &str) -> Result<Bytes, Error> {
    let object = storage
        .get(&key(name), mainstay_store::ByteRange::Full)
        .await?;
    Ok(object.unwrap().bytes)
}

/// Bytes of which no segment is like another.
fn text(len: usize) -> Vec<u8> {
    (0..len).map(|n| u8::try_from(n % 251).unwrap()).collect()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.build().unwrap().block_on(future)
}
