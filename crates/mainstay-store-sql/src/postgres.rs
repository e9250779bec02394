//! PostgreSQL.

mod config;
mod error;
mod read;
mod schema;
mod session;
mod tls;
mod write;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use deadpool_postgres::{Client, Pool};
use futures::stream::BoxStream;
use mainstay_core::{Error, Result};
use mainstay_store::{
    ByteRange, Capabilities, Key, Object, ObjectMeta, Prefix, PutMode, PutOutcome, RetryOptions,
    RetryStorage, Storage, TokioTimer,
};
use tokio::sync::OnceCell;

use crate::tables::bounds::Bounds;
use crate::tables::pages;
use crate::tables::patience::patiently;
use crate::tables::settings::{Options, Settings, read_only};
use crate::url::Server;
use config::{Config, Place};
use session::Wanted;

/// The answer of a server that follows another, and of one that was told to.
const STANDBY: &str =
    "the server takes no writes, as a standby does: use the primary, or the option `read_only`";

pub(crate) async fn open(
    server: &Server,
    options: BTreeMap<String, String>,
) -> Result<Arc<dyn Storage>> {
    let mut options = Options::new(options);
    let settings = Settings::take(&mut options)?;
    let config = Config::take(server, &mut options)?;
    options.finish()?;
    let timer = Arc::new(TokioTimer::default());
    let open = async || PostgresStorage::open(&config, settings.clone()).await;
    let storage = patiently(&*timer, open)
        .await
        .map_err(|error| error.context("database", &config.place))?;
    let patience = RetryOptions::default();
    Ok(Arc::new(RetryStorage::new(storage, timer, patience)))
}

/// A storage in a PostgreSQL database.
struct PostgresStorage {
    place: Place,
    settings: Settings,
    durable: bool,
    pool: Pool,
    /// Set once the tables are known to be there.
    tables: OnceCell<()>,
}

impl PostgresStorage {
    async fn open(config: &Config, settings: Settings) -> Result<Self> {
        let wanted = if settings.read_only {
            Wanted::Any
        } else {
            Wanted::Primary
        };
        let pool = session::pool(config, wanted).await?;
        let client = session::client(&pool).await?;
        let there = schema::are_there(&client).await?;
        Ok(Self {
            place: config.place.clone(),
            settings,
            durable: session::is_durable(&client).await?,
            pool,
            tables: OnceCell::new_with(there.then_some(())),
        })
    }

    /// Returns a connection to read with, or `None` when there is nothing to read yet.
    async fn reader(&self) -> Result<Option<Client>> {
        let client = session::client(&self.pool).await?;
        if self.tables.get().is_none() {
            if !schema::are_there(&client).await? {
                return Ok(None);
            }
            // Set at the same time by another call, or not.
            let _set = self.tables.set(());
        }
        Ok(Some(client))
    }

    /// Returns a connection to write with; makes the tables when they are absent.
    async fn writer(&self) -> Result<Client> {
        let mut client = session::client(&self.pool).await?;
        self.tables
            .get_or_try_init(async || schema::prepare(&mut client).await)
            .await?;
        Ok(client)
    }

    fn check_writable(&self, operation: &'static str, key: &Key) -> Result<()> {
        if self.settings.read_only {
            return Err(self.named(operation, read_only(operation, key)));
        }
        Ok(())
    }

    fn named(&self, operation: &'static str, error: Error) -> Error {
        error.operation(operation).context("database", &self.place)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Storage for PostgresStorage {
    #[tracing::instrument(level = "debug", name = "postgres_get", skip_all, fields(%key), err(level = "debug"))]
    async fn get(&self, key: &Key, range: ByteRange) -> Result<Option<Object>> {
        let got = async {
            match self.reader().await? {
                Some(client) => read::get(&client, &self.settings.namespace, key, &range).await,
                None => Ok(None),
            }
        };
        got.await
            .map_err(|error| self.named("get", error.context("key", key)))
    }

    #[tracing::instrument(level = "debug", name = "postgres_put", skip_all, fields(%key, bytes = bytes.len()), err(level = "debug"))]
    async fn put(&self, key: &Key, bytes: Bytes, mode: PutMode) -> Result<PutOutcome> {
        self.check_writable("put", key)?;
        self.settings.check_size(key, &bytes)?;
        let namespace = &self.settings.namespace;
        let put = async {
            let mut client = self.writer().await?;
            match mode {
                PutMode::Create => write::create(&client, namespace, key, &bytes).await,
                PutMode::Overwrite => write::overwrite(&mut client, namespace, key, &bytes).await,
            }
        };
        put.await
            .map_err(|error| self.named("put", error.context("key", key)))
    }

    fn list(&self, prefix: &Prefix, after: Option<&Key>) -> BoxStream<'_, Result<ObjectMeta>> {
        pages::list(prefix, after, async |bounds: Bounds| {
            let page = async {
                match self.reader().await? {
                    Some(client) => read::list(&client, &self.settings.namespace, &bounds).await,
                    None => Ok(Vec::new()),
                }
            };
            page.await.map_err(|error| self.named("list", error))
        })
    }

    #[tracing::instrument(level = "debug", name = "postgres_delete", skip_all, fields(%key), err(level = "debug"))]
    async fn delete(&self, key: &Key) -> Result<()> {
        self.check_writable("delete", key)?;
        let deleted = async {
            let client = self.writer().await?;
            write::delete(&client, &self.settings.namespace, key).await
        };
        deleted
            .await
            .map_err(|error| self.named("delete", error.context("key", key)))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            backend: "postgres",
            durable: self.durable,
            shared: true,
            read_only: self.settings.read_only,
            max_object_bytes: self.settings.max_object_bytes,
        }
    }
}

impl fmt::Debug for PostgresStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStorage")
            .field("place", &self.place)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
