//! Moving objects to the current key.

use futures::{StreamExt as _, TryStreamExt as _, future};
use mainstay_core::Result;

use super::EncryptedStorage;
use super::head::{HEAD_LEN, Head};
use super::keys::{EncryptionKey, KeyId};
use crate::{ByteRange, Key, ObjectMeta, Prefix, PutMode, Storage};

/// Heads that are read at a time.
const CHECKED_AT_ONCE: usize = 16;
/// Objects that are rewritten, and held in memory, at a time.
const REWRITTEN_AT_ONCE: usize = 2;

/// What [`EncryptedStorage::rewrite`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RewriteReport {
    /// Objects now under the current key that were under another.
    pub rewritten: u64,
    /// The plain bytes in them.
    pub bytes: u64,
    /// Objects still under another key.
    pub remaining: u64,
}

impl RewriteReport {
    fn plus(self, other: Self) -> Self {
        Self {
            rewritten: self.rewritten + other.rewritten,
            bytes: self.bytes + other.bytes,
            remaining: self.remaining + other.remaining,
        }
    }
}

impl<S: Storage> EncryptedStorage<S> {
    /// Encrypts objects below `prefix` under the current key that are under another, at most `limit`
    /// of them, in place.
    ///
    /// An old key may go when nothing below any prefix remains under another than the current key;
    /// a `limit` of 0 only counts. Each object is replaced at once: wherever this ends, every object
    /// is whole under one of the keys, and calling it again goes on.
    ///
    /// # Consistency
    /// Readers and creators are not disturbed. An object that somebody else overwrites or deletes
    /// meanwhile may come back as it was before, so leave out objects that are not written once; their
    /// next write moves them.
    ///
    /// # Errors
    /// Those of reading and writing, at the first object that cannot be moved; it is named.
    ///
    /// # Complexity
    /// One listing, one small read for each object, one read and one write of each that is moved. Up
    /// to 2 objects are in memory at a time.
    #[tracing::instrument(level = "debug", skip_all, fields(%prefix, limit), err(level = "debug"))]
    pub async fn rewrite(&self, prefix: &Prefix, limit: u64) -> Result<RewriteReport> {
        let current = self.keys.current().await?;
        self.inner
            .list(prefix, None)
            .map(|listed| self.key_of_stale(listed, &current.0))
            .buffered(CHECKED_AT_ONCE)
            .try_filter_map(future::ok)
            .enumerate()
            .map(|(number, key)| self.step(key, (number as u64) < limit, &current))
            .buffered(REWRITTEN_AT_ONCE)
            .try_fold(RewriteReport::default(), |sum, step| {
                future::ok(sum.plus(step))
            })
            .await
    }

    /// Returns the listed key when the object is under another key than `current`.
    async fn key_of_stale(
        &self,
        listed: Result<ObjectMeta>,
        current: &KeyId,
    ) -> Result<Option<Key>> {
        let key = listed?.key;
        let head = ByteRange::Offsets(0..HEAD_LEN as u64);
        let Some(object) = self.inner.get(&key, head).await? else {
            return Ok(None);
        };
        let head = Head::parse(&key, &object.bytes)?;
        Ok((head.key_id != *current).then_some(key))
    }

    async fn step(
        &self,
        key: Result<Key>,
        allowed: bool,
        current: &(KeyId, EncryptionKey),
    ) -> Result<RewriteReport> {
        let key = key?;
        let mut report = RewriteReport::default();
        if !allowed {
            report.remaining = 1;
        } else if let Some(object) = self.get(&key, ByteRange::Full).await? {
            let sealed = self.seal(&key, &object.bytes, current).await?;
            let _written = self.inner.put(&key, sealed, PutMode::Overwrite).await?;
            report.rewritten = 1;
            report.bytes = object.size;
        }
        Ok(report)
    }
}
