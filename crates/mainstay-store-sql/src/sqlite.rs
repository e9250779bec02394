//! SQLite.

mod change;
mod connection;
mod error;
mod read;
mod readers;
mod schema;
mod writer;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use mainstay_core::{Error, ErrorKind, Result};
use mainstay_store::{
    ByteRange, Capabilities, Key, Object, ObjectMeta, Prefix, PutMode, PutOutcome, RetryOptions,
    RetryStorage, Storage, TokioTimer,
};
use rusqlite::{Connection, MAIN_DB};

use crate::tables::blocking::blocking;
use crate::tables::bounds::Bounds;
use crate::tables::pages;
use crate::tables::patience::patiently;
use crate::tables::settings::{Options, Settings, read_only};
use change::Change;
use connection::Purpose;
use readers::Readers;
use writer::Writer;

pub(crate) async fn open(
    file: &Path,
    options: BTreeMap<String, String>,
) -> Result<Arc<dyn Storage>> {
    let mut options = Options::new(options);
    let settings = Settings::take(&mut options)?;
    options.finish()?;
    let timer = Arc::new(TokioTimer::default());
    // Of several that make the file at once, SQLite sends some away without waiting.
    let open = async || SqliteStorage::open(file, settings.clone()).await;
    let storage = patiently(&*timer, open).await?;
    let patience = RetryOptions::default();
    Ok(Arc::new(RetryStorage::new(storage, timer, patience)))
}

/// A storage in one SQLite file.
#[derive(Debug)]
struct SqliteStorage {
    path: PathBuf,
    settings: Settings,
    readers: Arc<Readers>,
    /// `None` when the file cannot or must not be written.
    writer: Option<Writer>,
}

impl SqliteStorage {
    async fn open(path: &Path, settings: Settings) -> Result<Self> {
        let path = path.to_path_buf();
        blocking(move || Self::open_blocking(path, settings)).await
    }

    fn open_blocking(path: PathBuf, settings: Settings) -> Result<Self> {
        if settings.read_only {
            return Self::open_read_only(path, settings);
        }
        let mut connection = connection::open(&path, Purpose::Write)?;
        // SQLite falls back to reading where it may not write.
        if connection
            .is_readonly(MAIN_DB)
            .map_err(|error| error::failure(&error))?
        {
            return Self::open_read_only(path, settings);
        }
        schema::prepare(&mut connection)?;
        let writer = Writer::start(connection, settings.namespace.clone())?;
        Ok(Self {
            readers: Arc::new(Readers::new(path.clone(), Purpose::Read)),
            path,
            settings,
            writer: Some(writer),
        })
    }

    fn open_read_only(path: PathBuf, settings: Settings) -> Result<Self> {
        let mut connection = connection::open(&path, Purpose::ReadOnly)?;
        if !schema::is_current(&mut connection)? {
            return Err(Error::new(
                ErrorKind::NotFound,
                "the file holds no tables of this version, and none can be made",
            ));
        }
        Ok(Self {
            readers: Arc::new(Readers::new(path.clone(), Purpose::ReadOnly)),
            path,
            settings,
            writer: None,
        })
    }

    async fn read<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&mut Connection, &str) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let namespace = self.settings.namespace.clone();
        let result = self
            .readers
            .with(move |connection| work(connection, &namespace))
            .await;
        result.map_err(|error| self.named(error.operation(operation)))
    }

    async fn write(
        &self,
        operation: &'static str,
        key: &Key,
        change: Change,
    ) -> Result<PutOutcome> {
        let writer = self
            .writer
            .as_ref()
            .ok_or_else(|| self.named(read_only(operation, key)))?;
        let result = writer.change(change).await;
        result.map_err(|error| self.named(error.operation(operation).context("key", key)))
    }

    fn named(&self, error: Error) -> Error {
        error.context("file", self.path.display())
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Storage for SqliteStorage {
    #[tracing::instrument(level = "debug", name = "sqlite_get", skip_all, fields(%key), err(level = "debug"))]
    async fn get(&self, key: &Key, range: ByteRange) -> Result<Option<Object>> {
        let wanted = key.clone();
        self.read("get", move |connection, namespace| {
            read::get(connection, namespace, &wanted, &range)
        })
        .await
        .map_err(|error| error.context("key", key))
    }

    #[tracing::instrument(level = "debug", name = "sqlite_put", skip_all, fields(%key, bytes = bytes.len()), err(level = "debug"))]
    async fn put(&self, key: &Key, bytes: Bytes, mode: PutMode) -> Result<PutOutcome> {
        self.settings.check_size(key, &bytes)?;
        self.write("put", key, Change::Put(key.clone(), bytes, mode))
            .await
    }

    fn list(&self, prefix: &Prefix, after: Option<&Key>) -> BoxStream<'_, Result<ObjectMeta>> {
        pages::list(prefix, after, |bounds: Bounds| {
            self.read("list", move |connection, namespace| {
                read::list(connection, namespace, &bounds)
            })
        })
    }

    #[tracing::instrument(level = "debug", name = "sqlite_delete", skip_all, fields(%key), err(level = "debug"))]
    async fn delete(&self, key: &Key) -> Result<()> {
        let deleted = self.write("delete", key, Change::Delete(key.clone())).await;
        deleted.map(|_| ())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            backend: "sqlite",
            durable: true,
            shared: true,
            read_only: self.writer.is_none(),
            max_object_bytes: self.settings.max_object_bytes,
        }
    }
}
