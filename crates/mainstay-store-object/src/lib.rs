//! S3, Google Cloud Storage, Azure and web servers as a Mainstay [`Storage`](mainstay_store::Storage).
//!
//! [`open()`] takes a URL and options and returns a storage that tries again when the service
//! falters. [`ObjectStorage`] adapts any store of the [`object_store`] crate and is what `open` is
//! built on:
//!
//! ```
//! use std::sync::Arc;
//! use mainstay_store::{Key, PutOutcome, StorageExt};
//! use mainstay_store_object::{ObjectStorage, StoreProfile};
//! use mainstay_store_object::object_store::memory::InMemory;
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let storage = ObjectStorage::new(Arc::new(InMemory::new()), StoreProfile::memory());
//! let key = Key::new("log/1")?;
//! assert_eq!(storage.create(&key, "first".into()).await?, PutOutcome::Written);
//! assert_eq!(storage.create(&key, "second".into()).await?, PutOutcome::Exists);
//! # Ok::<(), mainstay_core::Error>(()) }).unwrap();
//! ```
//!
//! [`connect()`] is the same without the trying again. The types to know are [`ObjectStorage`] and
//! [`StoreProfile`], which says how a store differs from the others. The crate re-exports
//! [`object_store`] 0.14, whose types are in its interface.
//!
//! It needs a store that honors creation with `If-None-Match: *` or its like, as S3, Google Cloud
//! Storage, Azure, Ceph and R2 do; it does not find out whether one does, which
//! [`ProbeStorage`](mainstay_store::ProbeStorage) around it will. Nothing else is relied on: no
//! condition on an existing object, no entity tag, no multipart upload, since stores differ in them.
//! So objects are limited to what the service takes in one request.
//!
//! A refusal that only says that another creation is under way, as S3 gives it, is tried again. An
//! answer that got lost is [ambiguous](mainstay_core::Error::is_ambiguous), and read back above.
//! Whether an answer to a read is whole is told by the length that the server declares. A server that
//! declares less than there is lies undetected here, and is found out by digests above.
//!
//! Its tests speak to a server in the same process that breaks off, repeats and lies. Google Cloud
//! Storage is tested only against that model of its documentation.
//!
//! A directory is better kept by [`LocalStorage`](mainstay_store::LocalStorage): the file system
//! store of `object_store` does not sync deletions and cannot hold a key below another key.
//!
//! | feature | URLs |
//! |---|---|
//! | `s3` | `s3://bucket/prefix` |
//! | `gcs` | `gs://bucket/prefix` |
//! | `azure` | `az://container/prefix` |
//! | `http` | `https://server/prefix`, to read only |

mod adapter;
mod error;
mod get;
mod list;
mod open;
mod profile;

pub use object_store;

pub use adapter::ObjectStorage;
pub use open::{connect, open, options_from_env};
pub use profile::StoreProfile;
