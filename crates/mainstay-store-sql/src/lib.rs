//! SQLite and PostgreSQL as a Mainstay [`Storage`](mainstay_store::Storage).
//!
//! [`open()`] takes a URL and options and returns a storage that tries again when the database
//! falters:
//!
//! ```
//! # #[cfg(feature = "sqlite")]
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! use std::collections::BTreeMap;
//! use mainstay_store::{Key, PutOutcome, StorageExt};
//! use mainstay_store_sql::DatabaseUrl;
//!
//! # let dir = tempfile::tempdir().unwrap();
//! # let url = format!("sqlite://{}/workspace.db", dir.path().display());
//! let url = DatabaseUrl::parse(&url)?;
//! let storage = mainstay_store_sql::open(&url, &BTreeMap::new()).await?;
//! let key = Key::new("log/1")?;
//! assert_eq!(storage.create(&key, "first".into()).await?, PutOutcome::Written);
//! assert_eq!(storage.create(&key, "second".into()).await?, PutOutcome::Exists);
//! # Ok::<(), mainstay_core::Error>(()) }).unwrap();
//! ```
//!
//! Creation is exclusive because a key is unique in its table, acknowledged writes are durable
//! because the database syncs before it answers, and several workspaces share a database by the
//! option `namespace`.
//!
//! A database is a good place for the small objects that make up a workspace's log and records. It
//! holds an object in rows of 1 MiB and refuses large ones: keep packs in an object store beside it.
//!
//! | feature | URLs |
//! |---|---|
//! | `sqlite` | `sqlite:relative.db`, `sqlite:///absolute/path.db` |
//! | `postgres` | `postgres://user@host:port/database` |

#[cfg(not(all(feature = "sqlite", feature = "postgres")))]
mod absent;
mod open;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod tables;
mod url;

pub use open::{open, options_from_env};
pub use url::DatabaseUrl;
