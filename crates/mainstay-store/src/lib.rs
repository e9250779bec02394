//! Where Mainstay keeps its bytes: the [`Storage`] trait and what comes with it.
//!
//! A storage is a flat map from [`Key`] to bytes with five methods and one contract that every
//! backend keeps: objects are whole, creation is exclusive also between processes, what is
//! acknowledged is durable, and listings see it. Everything above, up to atomic commits, is built
//! on that and nothing more, so it works the same in memory, in a directory and in a cloud.
//!
//! ```
//! use mainstay_store::{Key, MemoryStorage, PutOutcome, StorageExt};
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let storage = MemoryStorage::new();
//! let key = Key::new("log/1")?;
//! assert_eq!(storage.create(&key, "first".into()).await?, PutOutcome::Written);
//! // A lost race is a value, not an error.
//! assert_eq!(storage.create(&key, "second".into()).await?, PutOutcome::Exists);
//! assert_eq!(storage.get_all(&key).await?.unwrap(), "first");
//! # Ok::<(), mainstay_core::Error>(()) }).unwrap();
//! ```
//!
//! Start with [`Storage`], [`Key`], [`LocalStorage`] and [`MemoryStorage`]. Wrappers add to any
//! storage: [`ProbeStorage`] refuses to write to one that [`probe()`] finds out not to keep the
//! contract; [`RouteStorage`] makes one of several, by prefix; [`PrefixStorage`] shows a part of
//! one; [`RetryStorage`] tries again, [`MeterStorage`] counts, [`MetricsStorage`] tells whoever
//! watches, [`CacheStorage`] remembers, and [`ReadOnlyStorage`] protects. [`Timer`] is how they wait. To write a backend of your own, follow
//! `docs/guides/writing-a-backend.md`.
//!
//! There is no compare-and-swap of existing objects, no lock, no append and no metadata beside the
//! bytes: not every backend has them, and nothing above needs them. S3, Google Cloud Storage and
//! Azure are in `mainstay-store-object`, to keep their clients away from who does not use them.
//!
//! | feature | adds |
//! |---|---|
//! | `conformance` | `conformance`: named test cases that every backend runs against itself, and races |
//! | `encrypt` | `EncryptedStorage`: encryption before anything leaves the process |
//! | `fault` | `fault`: storages that fail, lose answers and crash on schedule, or lie |

#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "fault")]
pub mod fault;
mod key;
#[cfg(unix)]
mod local;
mod memory;
mod mix;
mod probe;
mod race;
mod storage;
mod timer;
mod wrap;

pub use key::{Key, Prefix};
#[cfg(unix)]
pub use local::{Durability, LocalOptions, LocalStorage};
pub use memory::MemoryStorage;
pub use probe::probe;
pub use storage::{
    ByteRange, Capabilities, Object, ObjectMeta, PutMode, PutOutcome, Storage, StorageExt,
};
pub use timer::{NoWait, Timer, TokioTimer};
pub use wrap::{
    CacheStorage, MeterReading, MeterStorage, MetricsStorage, PrefixStorage, ProbeStorage,
    ReadOnlyStorage, RetryOptions, RetryStorage, RouteStorage,
};
#[cfg(feature = "encrypt")]
pub use wrap::{EncryptedStorage, EncryptionKey, KeyId, KeyProvider, RewriteReport, StaticKeys};

#[cfg(all(doctest, unix, feature = "conformance"))]
#[doc = include_str!("../../../docs/guides/writing-a-backend.md")]
mod guide {}
