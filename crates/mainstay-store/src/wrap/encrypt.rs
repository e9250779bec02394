//! Encryption before anything leaves the process.

mod envelope;
mod head;
mod keys;
mod layout;
mod rewrite;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use mainstay_core::{Error, ErrorKind, IdSource, RandomIds, Result};

use crate::{
    ByteRange, Capabilities, Key, Object, ObjectMeta, Prefix, PutMode, PutOutcome, Storage,
};
use envelope::Envelope;
use head::Head;
pub use keys::{EncryptionKey, KeyId, KeyProvider, StaticKeys};
pub use rewrite::RewriteReport;

/// Encrypts the content of every object before it reaches the storage, and refuses content that
/// was altered there.
///
/// ```
/// use std::sync::Arc;
/// use mainstay_store::{EncryptedStorage, EncryptionKey, Key, KeyId, MemoryStorage, StaticKeys};
/// use mainstay_store::StorageExt;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// # let from_the_secret_manager = || [7; 32];
/// let raw = Arc::new(MemoryStorage::new());
/// let key = EncryptionKey::from_bytes(from_the_secret_manager());
/// let keys = StaticKeys::new(KeyId::new("2026-11")?, key);
/// let storage = EncryptedStorage::new(Arc::clone(&raw), Arc::new(keys));
///
/// let name = Key::new("log/1")?;
/// let _created = storage.create(&name, "salaries".into()).await?;
/// assert_eq!(storage.get_all(&name).await?.unwrap(), "salaries");
/// assert_ne!(raw.get_all(&name).await?.unwrap(), "salaries");
/// # Ok::<(), mainstay_core::Error>(()) }).unwrap();
/// ```
///
/// What takes an `Arc<dyn Storage>`, as a repository does, takes this one. Encrypt all of a
/// storage or none of it: an object that is not encrypted is an error.
///
/// # Security
/// AES-256-GCM-SIV in segments of 64 KiB, under a key that is derived anew for each write. The
/// content is bound to the object's name and size: altered, cut, extended, rearranged and renamed
/// objects are refused. Names, sizes and times are in plain sight, and a storage can bring back what
/// an object held before it was replaced. `docs/threat-model.md` says what else holds and what does
/// not; `docs/formats/encrypted-object.md` is the format.
///
/// # Errors
/// Besides those of the storage, reading fails with
/// * [`ErrorKind::PermissionDenied`] when the provider lacks the object's key, naming both;
/// * [`ErrorKind::Corrupt`] when the object is not encrypted, was altered, or another key goes by
///   that name;
/// * [`ErrorKind::Incompatible`] when a newer Mainstay wrote it.
///
/// # Complexity
/// One request each, as without encryption. A read fetches the segments around its range: at most
/// 128 KiB more than was asked for, 192 KiB for [`ByteRange::Last`]. 96 bytes are added to each
/// segment, one at least. Sizes in listings, and with a range that holds no bytes, are computed from
/// what the storage says; all others are authenticated.
#[derive(Debug)]
pub struct EncryptedStorage<S> {
    inner: S,
    keys: Arc<dyn KeyProvider>,
    ids: Arc<dyn IdSource>,
}

impl<S: Storage> EncryptedStorage<S> {
    /// Encrypts what goes to `inner` under `keys`.
    #[must_use]
    pub fn new(inner: S, keys: Arc<dyn KeyProvider>) -> Self {
        Self::with_ids(inner, keys, Arc::new(RandomIds::default()))
    }

    /// Takes salts from `ids`, for tests: ids that repeat show which objects are equal.
    #[must_use]
    pub fn with_ids(inner: S, keys: Arc<dyn KeyProvider>, ids: Arc<dyn IdSource>) -> Self {
        Self { inner, keys, ids }
    }

    async fn key(&self, object: &Key, id: &KeyId) -> Result<EncryptionKey> {
        self.keys.key(id).await?.ok_or_else(|| {
            Error::new(
                ErrorKind::PermissionDenied,
                "the object is encrypted under a key that is not at hand",
            )
            .context("object", object)
            .context("key_id", id)
        })
    }

    async fn seal(
        &self,
        object: &Key,
        plain: &[u8],
        key: &(KeyId, EncryptionKey),
    ) -> Result<Bytes> {
        let (id, secret) = key;
        let head = Head::new(id.clone(), self.ids.as_ref())?;
        Envelope::new(secret, &head, object, plain.len() as u64)?
            .seal(plain)
            .await
    }

    /// Decrypts what `stored`, the answer to a request for [`layout::stored_range`], holds of `range`.
    async fn open(&self, object: &Key, stored: Object, range: &ByteRange) -> Result<Object> {
        let answer = layout::Answer::new(object, &stored, range)?;
        let size = answer.size;
        let Some((first, segments)) = answer.segments else {
            let bytes = Bytes::new();
            return Ok(Object { bytes, size });
        };
        let head = Head::parse(object, segments)?;
        let secret = self.key(object, &head.key_id).await?;
        let plain = Envelope::new(&secret, &head, object, size)?
            .open(first, segments)
            .await?;
        let bytes = layout::cut(&plain, first, &range.within(size));
        Ok(Object { bytes, size })
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Storage> Storage for EncryptedStorage<S> {
    #[tracing::instrument(level = "debug", name = "encrypted_get", skip_all, fields(%key), err(level = "debug"))]
    async fn get(&self, key: &Key, range: ByteRange) -> Result<Option<Object>> {
        match self.inner.get(key, layout::stored_range(&range)).await? {
            Some(stored) => self.open(key, stored, &range).await.map(Some),
            None => Ok(None),
        }
    }

    #[tracing::instrument(level = "debug", name = "encrypted_put", skip_all, fields(%key), err(level = "debug"))]
    async fn put(&self, key: &Key, bytes: Bytes, mode: PutMode) -> Result<PutOutcome> {
        let current = self.keys.current().await?;
        let sealed = self.seal(key, &bytes, &current).await?;
        self.inner.put(key, sealed, mode).await
    }

    fn list(&self, prefix: &Prefix, after: Option<&Key>) -> BoxStream<'_, Result<ObjectMeta>> {
        let listed = self.inner.list(prefix, after);
        listed
            .map(|object| {
                let ObjectMeta { key, size } = object?;
                let size = layout::plain_size(size).ok_or_else(|| layout::not_encrypted(&key))?;
                Ok(ObjectMeta { key, size })
            })
            .boxed()
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.inner.delete(key).await
    }

    fn capabilities(&self) -> Capabilities {
        let inner = self.inner.capabilities();
        Capabilities {
            max_object_bytes: layout::largest_plain(inner.max_object_bytes),
            ..inner
        }
    }
}
