//! Where Mainstay keeps its bytes: the [`Storage`] trait and what comes with it.
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

#[cfg(feature = "fault")]
pub mod fault;
mod key;
#[cfg(unix)]
mod local;
mod memory;
#[cfg(feature = "fault")]
mod mix;
mod storage;
mod timer;

pub use key::{Key, Prefix};
#[cfg(unix)]
pub use local::{Durability, LocalOptions, LocalStorage};
pub use memory::MemoryStorage;
pub use storage::{
    ByteRange, Capabilities, Object, ObjectMeta, PutMode, PutOutcome, Storage, StorageExt,
};
pub use timer::{NoWait, Timer, TokioTimer};
