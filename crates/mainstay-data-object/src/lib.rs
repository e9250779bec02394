//! A snapshot of a dataset as a read-only [`ObjectStore`], so that engines built on the
//! [`object_store`] crate (`DataFusion`, Polars, delta-rs and others) read any version in place.
//!
//! ```
//! use std::sync::Arc;
//!
//! use mainstay_core::Actor;
//! use mainstay_data::{Datasets, SnapshotSpec, arrow};
//! use mainstay_data_object::SnapshotStore;
//! use mainstay_data_object::object_store::{ObjectStore, ObjectStoreExt};
//! use mainstay_repo::{Repo, RepoOptions};
//! use mainstay_store::MemoryStorage;
//!
//! # tokio::runtime::Builder::new_multi_thread().build().unwrap().block_on(async {
//! # let masses: arrow::array::ArrayRef = Arc::new(arrow::array::Float64Array::from(vec![3750.0]));
//! # let batch = arrow::array::RecordBatch::try_from_iter([("mass", masses)]).unwrap();
//! let datasets = Datasets::new(Repo::create(Arc::new(MemoryStorage::new()), RepoOptions::default()).await?);
//! let spec = SnapshotSpec::new("penguins".parse()?, Actor::new("ada")?, "first season")
//!     .with_batches("2007/penguins.parquet".parse()?, vec![batch]);
//! datasets.snapshot(spec).await?;
//!
//! let store = SnapshotStore::open(&datasets, &"penguins@latest".parse()?).await?;
//! assert_eq!(store.url(), "mainstay://penguins-1/");
//! let store: Arc<dyn ObjectStore> = Arc::new(store);
//! let file = store.get(&"2007/penguins.parquet".into()).await.unwrap();
//! assert_eq!(&file.bytes().await.unwrap()[..4], b"PAR1");
//! # Ok::<(), mainstay_core::Error>(()) }).unwrap();
//! ```
//!
//! An engine is given the store under its [URL](SnapshotStore::url). `DataFusion` 55 then reads its files as
//! tables, with the feature `object_store_0_13`:
//!
//! ```text
//! let store = SnapshotStore::open(&datasets, &"penguins@v1".parse()?).await?;
//! let url = store.url();                                   // mainstay://penguins-1/
//! let ctx = SessionContext::new();
//! let store = mainstay_data_object::v0_13::SnapshotStore::from(store);
//! ctx.register_object_store(&url.parse()?, Arc::new(store));
//! ctx.register_parquet("penguins", format!("{url}2007/"), ParquetReadOptions::default()).await?;
//! ctx.sql("SELECT max(mass) FROM penguins").await?.show().await?;
//! ```
//!
//! The one type is [`SnapshotStore`], which `v0_13` has once more for engines of an earlier version. What it does not do: it writes nothing, and it shows one version
//! for as long as it lives, whatever is committed meanwhile. To read batches of Arrow without an engine
//! use `mainstay_data::Datasets::read`.

//!
//! | feature | what it adds |
//! |---|---|
//! | `object_store_0_13` | `v0_13`, the store for engines that are built on version 0.13 of `object_store` |

pub use object_store;
#[cfg(doc)]
use object_store::ObjectStore;

mod error;
mod listing;
mod object;
mod store;
#[cfg(feature = "object_store_0_13")]
pub mod v0_13;

pub use store::SnapshotStore;
