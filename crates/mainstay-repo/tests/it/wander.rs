//! A storage for random schedules: every call takes its time, some take very long, some fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use mainstay_core::{Error, ErrorKind, Result};
use mainstay_store::{
    ByteRange, Capabilities, Key, Object, ObjectMeta, Prefix, PutMode, PutOutcome, Storage,
};

/// Random numbers that repeat with their seed.
#[derive(Debug)]
pub(crate) struct Dice(AtomicU64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    /// Draws a number below `bound`.
    pub(crate) fn below(&self, bound: u64) -> u64 {
        // SplitMix64.
        let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    pub(crate) fn one_in(&self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// Lets other tasks run so many times.
pub(crate) async fn pause(times: u64) {
    for _ in 0..times {
        tokio::task::yield_now().await;
    }
}

/// How one process sees the storage that all share.
#[derive(Debug)]
pub(crate) struct WanderingStorage {
    inner: Arc<dyn Storage>,
    dice: Dice,
    /// Ends failures and delays.
    calm: Arc<AtomicBool>,
}

impl WanderingStorage {
    pub(crate) fn new(inner: Arc<dyn Storage>, seed: u64, calm: Arc<AtomicBool>) -> Self {
        let dice = Dice::new(seed);
        Self { inner, dice, calm }
    }

    async fn wander(&self) -> Result<()> {
        if self.calm.load(Ordering::Relaxed) {
            return Ok(());
        }
        let longest = if self.dice.one_in(30) { 600 } else { 6 };
        pause(self.dice.below(longest)).await;
        if self.dice.one_in(60) {
            return Err(Error::new(ErrorKind::Unavailable, "injected refusal"));
        }
        Ok(())
    }

    fn lost(&self) -> Option<Error> {
        let lost = !self.calm.load(Ordering::Relaxed) && self.dice.one_in(40);
        lost.then(|| Error::new(ErrorKind::Unavailable, "injected loss").ambiguous())
    }
}

#[async_trait]
impl Storage for WanderingStorage {
    async fn get(&self, key: &Key, range: ByteRange) -> Result<Option<Object>> {
        self.wander().await?;
        let object = self.inner.get(key, range).await;
        self.wander().await?;
        object
    }

    async fn put(&self, key: &Key, bytes: Bytes, mode: PutMode) -> Result<PutOutcome> {
        self.wander().await?;
        if let Some(lost) = self.lost() {
            // The client gives up; what it sent arrives when it will.
            let (inner, key) = (Arc::clone(&self.inner), key.clone());
            let delay = self.dice.below(800);
            drop(tokio::spawn(async move {
                pause(delay).await;
                drop(inner.put(&key, bytes, mode).await);
            }));
            return Err(lost);
        }
        let outcome = self.inner.put(key, bytes, mode).await;
        self.wander().await.map_err(Error::ambiguous)?;
        outcome
    }

    fn list(&self, prefix: &Prefix, after: Option<&Key>) -> BoxStream<'_, Result<ObjectMeta>> {
        let listed = self.inner.list(prefix, after);
        let wander = move |object| async move {
            self.wander().await?;
            object
        };
        listed.then(wander).boxed()
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.wander().await?;
        self.inner.delete(key).await
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
}
