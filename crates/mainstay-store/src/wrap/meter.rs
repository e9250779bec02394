//! Counting what a storage is asked to do.

use std::ops::Sub;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use mainstay_core::Result;

use crate::{
    ByteRange, Capabilities, Key, Object, ObjectMeta, Prefix, PutMode, PutOutcome, Storage,
};

/// Counts requests and bytes.
///
/// ```
/// use mainstay_store::{Key, MemoryStorage, MeterStorage, StorageExt};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let storage = MeterStorage::new(MemoryStorage::new());
/// let key = Key::new("log/1")?;
/// let _created = storage.create(&key, "first".into()).await?;
/// let before = storage.reading();
/// storage.get_all(&key).await?;
/// let cost = storage.reading() - before;
/// assert_eq!((cost.requests(), cost.gets, cost.bytes_read), (1, 1, 5));
/// # Ok::<(), mainstay_core::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct MeterStorage<S> {
    inner: S,
    gets: AtomicU64,
    puts: AtomicU64,
    lists: AtomicU64,
    deletes: AtomicU64,
    bytes_read: AtomicU64,
    bytes_written: AtomicU64,
    keys_listed: AtomicU64,
}

/// What a [`MeterStorage`] has counted up to a moment; readings subtract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct MeterReading {
    /// Calls of `get`.
    pub gets: u64,
    /// Calls of `put`.
    pub puts: u64,
    /// Calls of `list`; a backend may need several requests for one.
    pub lists: u64,
    /// Calls of `delete`.
    pub deletes: u64,
    /// Bytes returned by `get`.
    pub bytes_read: u64,
    /// Bytes given to a `put` that wrote them.
    pub bytes_written: u64,
    /// Objects returned by `list`.
    pub keys_listed: u64,
}

impl MeterReading {
    /// Returns the number of calls of any verb, failed ones included.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.gets + self.puts + self.lists + self.deletes
    }
}

impl Sub for MeterReading {
    type Output = Self;

    /// Returns what was counted since the reading `earlier`, zero where that is greater.
    fn sub(self, earlier: Self) -> Self {
        Self {
            gets: self.gets.saturating_sub(earlier.gets),
            puts: self.puts.saturating_sub(earlier.puts),
            lists: self.lists.saturating_sub(earlier.lists),
            deletes: self.deletes.saturating_sub(earlier.deletes),
            bytes_read: self.bytes_read.saturating_sub(earlier.bytes_read),
            bytes_written: self.bytes_written.saturating_sub(earlier.bytes_written),
            keys_listed: self.keys_listed.saturating_sub(earlier.keys_listed),
        }
    }
}

impl<S: Storage> MeterStorage<S> {
    /// Wraps `inner`, counting from zero.
    #[must_use]
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            gets: AtomicU64::new(0),
            puts: AtomicU64::new(0),
            lists: AtomicU64::new(0),
            deletes: AtomicU64::new(0),
            bytes_read: AtomicU64::new(0),
            bytes_written: AtomicU64::new(0),
            keys_listed: AtomicU64::new(0),
        }
    }

    /// Returns the counts so far. While calls run, the counts are of slightly different moments.
    pub fn reading(&self) -> MeterReading {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        MeterReading {
            gets: read(&self.gets),
            puts: read(&self.puts),
            lists: read(&self.lists),
            deletes: read(&self.deletes),
            bytes_read: read(&self.bytes_read),
            bytes_written: read(&self.bytes_written),
            keys_listed: read(&self.keys_listed),
        }
    }
}

fn count(counter: &AtomicU64, amount: usize) {
    counter.fetch_add(amount as u64, Ordering::Relaxed);
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Storage> Storage for MeterStorage<S> {
    async fn get(&self, key: &Key, range: ByteRange) -> Result<Option<Object>> {
        count(&self.gets, 1);
        let object = self.inner.get(key, range).await?;
        count(
            &self.bytes_read,
            object.as_ref().map_or(0, |object| object.bytes.len()),
        );
        Ok(object)
    }

    async fn put(&self, key: &Key, bytes: Bytes, mode: PutMode) -> Result<PutOutcome> {
        count(&self.puts, 1);
        let len = bytes.len();
        let outcome = self.inner.put(key, bytes, mode).await?;
        if outcome == PutOutcome::Written {
            count(&self.bytes_written, len);
        }
        Ok(outcome)
    }

    fn list(&self, prefix: &Prefix, after: Option<&Key>) -> BoxStream<'_, Result<ObjectMeta>> {
        count(&self.lists, 1);
        self.inner
            .list(prefix, after)
            .inspect(|listed| count(&self.keys_listed, usize::from(listed.is_ok())))
            .boxed()
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        count(&self.deletes, 1);
        self.inner.delete(key).await
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemoryStorage, StorageExt as _};

    #[tokio::test]
    async fn each_verb_counts_calls_and_only_bytes_that_moved() {
        let storage = MeterStorage::new(MemoryStorage::new());
        let key = Key::new("a").unwrap();
        for _ in 0..2 {
            storage
                .create(&key, "12345".into())
                .await
                .map(drop)
                .unwrap();
        }
        storage.get(&key, ByteRange::Last(2)).await.unwrap();
        let absent = Key::new("b").unwrap();
        storage.get_all(&absent).await.unwrap();
        assert_eq!(storage.list(&Prefix::all(), None).count().await, 1);
        storage.delete(&key).await.unwrap();
        let expected = MeterReading {
            gets: 2,
            puts: 2,
            lists: 1,
            deletes: 1,
            bytes_read: 2,
            bytes_written: 5,
            keys_listed: 1,
        };
        assert_eq!(storage.reading(), expected);
        assert_eq!(expected.requests(), 6);
        assert_eq!(expected - expected, MeterReading::default());
    }
}
