//! The contract every backend keeps.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use mainstay_core::Result;

use crate::{Key, Prefix};

/// A flat map from [`Key`] to bytes: the least that a repository needs of a storage.
///
/// The contract is the same for every backend:
/// * **Atomic.** A reader sees all of an object or none of it, never a part or a mixture.
/// * **Exclusive creation.** Of any number of concurrent [`PutMode::Create`] of one key, in any
///   processes, exactly one returns [`PutOutcome::Written`]; the others return [`PutOutcome::Exists`].
/// * **Durable.** When `put` or `delete` returns, the effect survives a crash of the process and of
///   the machine, as far as [`Capabilities::durable`] says so.
/// * **Read-after-write.** `get` and `list` that begin after a `put` or `delete` returned see its
///   effect, from every process.
///
/// # Errors
/// Absence and a lost race are values, never errors. Every method may fail with
/// [`Unavailable`](mainstay_core::ErrorKind::Unavailable),
/// [`RateLimited`](mainstay_core::ErrorKind::RateLimited) or
/// [`PermissionDenied`](mainstay_core::ErrorKind::PermissionDenied). A failed `put` that may have
/// taken effect says so by [`Error::is_ambiguous`](mainstay_core::Error::is_ambiguous); the caller
/// reads the key back.
///
/// # How to implement
/// Keep the contract above, and check it with `conformance::run` and `conformance::race` (feature
/// `conformance`). Where the backend behaves otherwise, adapt; where it cannot, return an error
/// rather than weaken a promise. `docs/guides/writing-a-backend.md` writes one step by step.
#[async_trait]
pub trait Storage: fmt::Debug + Send + Sync {
    /// Reads an object or a part of one; `None` when the key is absent.
    ///
    /// A range is cut to the object: what lies beyond its end is not returned and is no error.
    async fn get(&self, key: &Key, range: ByteRange) -> Result<Option<Object>>;

    /// Writes an object whole.
    ///
    /// [`PutMode::Overwrite`] of one key by several writers leaves the bytes of one of them.
    async fn put(&self, key: &Key, bytes: Bytes, mode: PutMode) -> Result<PutOutcome>;

    /// Lists the keys below `prefix` that come after `after`, in key order.
    ///
    /// A key written or deleted while the listing runs is listed or not; every other key exactly once.
    fn list(&self, prefix: &Prefix, after: Option<&Key>) -> BoxStream<'_, Result<ObjectMeta>>;

    /// Deletes an object; deleting an absent key is a success.
    async fn delete(&self, key: &Key) -> Result<()>;

    /// Says what this backend is and can do; constant for the life of the value.
    fn capabilities(&self) -> Capabilities;
}

/// Which bytes of an object to read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ByteRange {
    /// All of it.
    #[default]
    Full,
    /// The bytes at these offsets.
    Offsets(Range<u64>),
    /// The last so many bytes.
    Last(u64),
}

impl ByteRange {
    /// Cuts the range to an object of `size` bytes.
    #[must_use]
    pub fn within(&self, size: u64) -> Range<u64> {
        match self {
            Self::Full => 0..size,
            Self::Offsets(range) => {
                let end = range.end.min(size);
                range.start.min(end)..end
            }
            Self::Last(count) => size.saturating_sub(*count)..size,
        }
    }
}

/// The answer to [`Storage::get`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "backends construct it")]
pub struct Object {
    /// The bytes asked for.
    pub bytes: Bytes,
    /// The size in bytes of the whole object.
    pub size: u64,
}

impl Object {
    /// Cuts `range` out of a whole object, without copying.
    #[must_use]
    pub fn cut(whole: &Bytes, range: &ByteRange) -> Self {
        let size = whole.len() as u64;
        let range = range.within(size);
        // Within the length above, which is a usize.
        let at = |offset| usize::try_from(offset).unwrap_or(usize::MAX);
        Self {
            bytes: whole.slice(at(range.start)..at(range.end)),
            size,
        }
    }
}

/// One line of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "backends construct it")]
pub struct ObjectMeta {
    /// The key.
    pub key: Key,
    /// The size in bytes.
    pub size: u64,
}

/// Whether [`Storage::put`] replaces what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a third mode would be a new contract"
)]
pub enum PutMode {
    /// Write only if the key is absent.
    Create,
    /// Write in any case.
    Overwrite,
}

/// What [`Storage::put`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use]
#[expect(
    clippy::exhaustive_enums,
    reason = "a third outcome would be a new contract"
)]
pub enum PutOutcome {
    /// The bytes are stored.
    Written,
    /// The key was there; nothing changed.
    Exists,
}

/// What a backend is and can do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "backends construct it")]
pub struct Capabilities {
    /// The backend's name for people, as `local` or `s3`.
    pub backend: &'static str,
    /// Whether what is acknowledged survives a crash of the machine.
    pub durable: bool,
    /// Whether other processes can open the same storage.
    pub shared: bool,
    /// Whether writes are refused.
    pub read_only: bool,
    /// The largest object in bytes.
    pub max_object_bytes: u64,
}

/// Hands out the inner future as it is: spelled as `async_trait` spells it, since an `async fn` would
/// put it into a second allocation on every call.
macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<S: Storage + ?Sized> Storage for $pointer {
            fn get<'s, 'k, 'f>(&'s self, key: &'k Key, range: ByteRange) -> Reply<'f, Option<Object>>
            where
                's: 'f,
                'k: 'f,
                Self: 'f,
            {
                (**self).get(key, range)
            }

            fn put<'s, 'k, 'f>(
                &'s self,
                key: &'k Key,
                bytes: Bytes,
                mode: PutMode,
            ) -> Reply<'f, PutOutcome>
            where
                's: 'f,
                'k: 'f,
                Self: 'f,
            {
                (**self).put(key, bytes, mode)
            }

            fn list(&self, prefix: &Prefix, after: Option<&Key>) -> BoxStream<'_, Result<ObjectMeta>> {
                (**self).list(prefix, after)
            }

            fn delete<'s, 'k, 'f>(&'s self, key: &'k Key) -> Reply<'f, ()>
            where
                's: 'f,
                'k: 'f,
                Self: 'f,
            {
                (**self).delete(key)
            }

            fn capabilities(&self) -> Capabilities {
                (**self).capabilities()
            }
        }
    )*};
}

type Reply<'f, T> = BoxFuture<'f, Result<T>>;

forward!(Arc<S>, Box<S>, &S);

/// Conveniences on every [`Storage`].
#[async_trait]
pub trait StorageExt: Storage {
    /// Reads a whole object; `None` when absent.
    async fn get_all(&self, key: &Key) -> Result<Option<Bytes>> {
        Ok(self
            .get(key, ByteRange::Full)
            .await?
            .map(|object| object.bytes))
    }

    /// Writes an object if the key is absent.
    async fn create(&self, key: &Key, bytes: Bytes) -> Result<PutOutcome> {
        self.put(key, bytes, PutMode::Create).await
    }
}

impl<S: Storage + ?Sized> StorageExt for S {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_object() {
        assert_eq!(ByteRange::Full.within(5), 0..5);
        assert_eq!(ByteRange::Offsets(3..9).within(5), 3..5);
        assert_eq!(ByteRange::Offsets(7..9).within(5), 5..5);
        assert_eq!(ByteRange::Last(2).within(5), 3..5);
        assert_eq!(ByteRange::Last(9).within(5), 0..5);
    }
}
