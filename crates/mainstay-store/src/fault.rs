//! A storage that fails on schedule, to test what is built on one.
//!
//! Every call is an *operation* and has a number, from 1. A test runs a workflow once to count its
//! operations, then once more for each of them with a crash there:
//!
//! ```
//! use mainstay_store::fault::{Applied, FaultStorage};
//! use mainstay_store::{Key, MemoryStorage, StorageExt};
//!
//! async fn workflow(storage: &FaultStorage<MemoryStorage>) -> mainstay_core::Result<()> {
//!     storage.create(&Key::new("pack/1")?, "bytes".into()).await?;
//!     storage.create(&Key::new("log/1")?, "names pack/1".into()).await?;
//!     Ok(())
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let counted = FaultStorage::new(MemoryStorage::new());
//! workflow(&counted).await?;
//!
//! for k in 1..=counted.operations() {
//!     for applied in [Applied::Yes, Applied::No] {
//!         let storage = FaultStorage::new(MemoryStorage::new());
//!         storage.crash_at(k, applied);
//!         assert!(workflow(&storage).await.is_err());
//!         storage.revive();
//!         // What a log entry names is there, wherever the crash was.
//!         if storage.get_all(&Key::new("log/1")?).await?.is_some() {
//!             assert!(storage.get_all(&Key::new("pack/1")?).await?.is_some());
//!         }
//!     }
//! }
//! # Ok::<(), mainstay_core::Error>(()) }).unwrap();
//! ```
//!
//! Start with [`FaultStorage::crash_at`] and [`FaultStorage::fail_at`]; [`Trigger`] picks
//! operations by what they do. [`LyingStorage`] does not fail but breaks a promise. A write torn in the middle cannot happen here: [`Storage`] promises
//! that an object is there whole or not at all.

mod lying;
mod plan;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use mainstay_core::{ErrorKind, Result};

use crate::{
    ByteRange, Capabilities, Key, NoWait, Object, ObjectMeta, Prefix, PutMode, PutOutcome, Storage,
    Timer,
};
pub use lying::{Lie, LyingStorage};
pub use plan::{Applied, Fault, Trigger, Verb};
use plan::{Operation, Plan};

/// Wraps a storage and fails as planned.
///
/// Plans may be added and the storage revived at any time, also from other tasks. Without a plan it
/// only counts.
#[derive(Debug)]
pub struct FaultStorage<S> {
    inner: S,
    timer: Arc<dyn Timer>,
    plan: Mutex<Plan>,
}

impl<S: Storage> FaultStorage<S> {
    /// Wraps `inner` with an empty plan; delays let other tasks run but take no time.
    #[must_use]
    pub fn new(inner: S) -> Self {
        Self::with_timer(inner, Arc::new(NoWait))
    }

    /// Wraps `inner` with an empty plan; delays wait on `timer`.
    #[must_use]
    pub fn with_timer(inner: S, timer: Arc<dyn Timer>) -> Self {
        Self {
            inner,
            timer,
            plan: Mutex::default(),
        }
    }

    /// Plans a crash of the process at an operation: it and every later one fail until
    /// [`revive`](Self::revive). Operations that other tasks have begun go on to their end.
    pub fn crash_at(&self, operation: u64, applied: Applied) {
        self.fail_at(operation, Fault::Crash(applied));
    }

    /// Plans a fault at an operation, counted from 1 since this value was made; replaces an earlier
    /// plan for the same operation. To start from now, add [`operations`](Self::operations).
    pub fn fail_at(&self, operation: u64, fault: Fault) {
        self.plan().at(operation, fault);
    }

    /// Plans a fault wherever `trigger` matches. Of several matches the first planned one acts;
    /// [`fail_at`](Self::fail_at) goes before all of them.
    pub fn fail_when(&self, trigger: Trigger, fault: Fault) {
        self.plan().when(trigger, fault);
    }

    /// Plans one of `faults` at about one in `one_in` operations not planned otherwise; never when
    /// `one_in` is 0 or `faults` is empty.
    ///
    /// The choice depends only on `seed` and the operation's number.
    pub fn fail_randomly(&self, seed: u64, one_in: u64, faults: Vec<Fault>) {
        self.plan().randomly(seed, one_in, faults);
    }

    /// Forgets every planned fault; a crashed storage stays crashed.
    pub fn clear(&self) {
        self.plan().clear();
    }

    /// Ends a crash: the machine is up again, with what had been applied.
    pub fn revive(&self) {
        self.plan().crashed = false;
    }

    /// Reports whether a planned crash has happened and [`revive`](Self::revive) has not.
    pub fn is_crashed(&self) -> bool {
        self.plan().crashed
    }

    /// Returns how many operations have begun, failed ones and those while crashed included.
    pub fn operations(&self) -> u64 {
        self.plan().begun
    }

    /// Returns the wrapped storage, which does not fail.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an operation and plays the faults that come before it acts.
    async fn begin(&self, verb: Verb, key: &str) -> Result<Operation> {
        let operation = self.plan().begin(verb, key);
        if operation.crashed {
            return Err(operation.dead());
        }
        match operation.fault {
            Some(Fault::Refuse(kind)) => Err(operation.error(kind, "injected refusal")),
            Some(Fault::NoSpace) if verb == Verb::Put => {
                Err(operation.error(ErrorKind::Unavailable, "no space left (injected)"))
            }
            Some(Fault::LoseRequest) => Err(operation.lost("injected loss of the request")),
            Some(Fault::Crash(Applied::No)) => Err(operation.lost("injected crash")),
            Some(Fault::Delay(duration)) => {
                self.timer.sleep(duration).await;
                Ok(operation)
            }
            _ => Ok(operation),
        }
    }

    /// Plays the faults that come after an operation has acted.
    fn end<T>(operation: &Operation, result: T) -> Result<T> {
        match operation.fault {
            Some(Fault::LoseResponse) => Err(operation.lost("injected loss of the response")),
            Some(Fault::Crash(_)) => Err(operation.lost("injected crash")),
            _ => Ok(result),
        }
    }

    async fn begin_list(
        &self,
        prefix: Prefix,
        after: Option<Key>,
    ) -> Result<BoxStream<'_, Result<ObjectMeta>>> {
        let operation = self.begin(Verb::List, prefix.as_str()).await?;
        Self::end(&operation, ())?;
        let alive = move |item| {
            if self.is_crashed() {
                Err(operation.dead())
            } else {
                item
            }
        };
        Ok(self.inner.list(&prefix, after.as_ref()).map(alive).boxed())
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Storage> Storage for FaultStorage<S> {
    async fn get(&self, key: &Key, range: ByteRange) -> Result<Option<Object>> {
        let operation = self.begin(Verb::Get, key.as_str()).await?;
        let mut object = self.inner.get(key, range).await?;
        if let (Some(Fault::FlipBit(bit)), Some(object)) = (operation.fault, &mut object) {
            object.bytes = flip(&object.bytes, bit);
        }
        Self::end(&operation, object)
    }

    async fn put(&self, key: &Key, bytes: Bytes, mode: PutMode) -> Result<PutOutcome> {
        let operation = self.begin(Verb::Put, key.as_str()).await?;
        let outcome = self.inner.put(key, bytes, mode).await?;
        Self::end(&operation, outcome)
    }

    fn list(&self, prefix: &Prefix, after: Option<&Key>) -> BoxStream<'_, Result<ObjectMeta>> {
        stream::once(self.begin_list(prefix.clone(), after.cloned()))
            .try_flatten()
            .boxed()
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        let operation = self.begin(Verb::Delete, key.as_str()).await?;
        self.inner.delete(key).await?;
        Self::end(&operation, ())
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
}

/// Flips one bit, counted from the first byte's lowest and around the end; no bytes stay no bytes.
fn flip(bytes: &Bytes, bit: u64) -> Bytes {
    let mut flipped = BytesMut::from(bytes.as_ref());
    let len = flipped.len() as u64;
    let at = (bit / 8)
        .checked_rem(len)
        .and_then(|at| usize::try_from(at).ok());
    if let Some(byte) = at.and_then(|at| flipped.get_mut(at)) {
        *byte ^= 1 << (bit % 8);
    }
    flipped.freeze()
}

#[cfg(test)]
mod tests;
