//! Several storages as one.

mod merge;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use mainstay_core::{Error, Result};

use crate::{
    ByteRange, Capabilities, Key, Object, ObjectMeta, Prefix, PutMode, PutOutcome, Storage,
};
use merge::Merge;

/// Keeps the keys below given prefixes in other storages than the rest.
///
/// So a repository can keep its log in a database and its packs in an object store:
///
/// ```
/// # use mainstay_store::MemoryStorage;
/// use std::sync::Arc;
/// use mainstay_store::{Key, Prefix, RouteStorage, StorageExt};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// # let (database, object_store) = (Arc::new(MemoryStorage::new()), Arc::new(MemoryStorage::new()));
/// let packs = Arc::clone(&object_store);
/// let storage = RouteStorage::new(database).with(Prefix::directory("pack")?, packs)?;
/// let key = Key::new("pack/1")?;
/// let _created = storage.create(&key, "bytes".into()).await?;
/// assert!(object_store.get_all(&key).await?.is_some());
/// # Ok::<(), mainstay_core::Error>(()) }).unwrap();
/// ```
///
/// Every storage keeps the whole key, prefix included. Listings are merged in key order; a storage
/// is asked only when the listing comes to its keys. Keys of the default storage that are below the
/// prefix of another are out of sight. Nothing records the routes: open with the same ones each time.
///
/// # Consistency
/// Each storage keeps its promises for its own keys, and a write that returned is durable before the
/// next begins, so what is written in order is found in order across them. There is nothing atomic
/// across objects, as in any storage. A [`ProbeStorage`](crate::ProbeStorage) around this value
/// would probe the default storage only: put one around each part.
///
/// # Capabilities
/// What holds for every part: durable and shared if all are, read-only if one is, and objects as
/// large as the most limited one takes. That is less than one part alone could do; a larger object
/// is still stored where its own part takes it.
#[derive(Debug)]
pub struct RouteStorage {
    default: Arc<dyn Storage>,
    /// Sorted by prefix; no prefix covers another.
    routes: Vec<Route>,
}

#[derive(Debug)]
struct Route {
    prefix: Prefix,
    storage: Arc<dyn Storage>,
}

impl RouteStorage {
    /// Keeps every key in `default`, until routes are added.
    #[must_use]
    pub fn new(default: Arc<dyn Storage>) -> Self {
        Self {
            default,
            routes: Vec::new(),
        }
    }

    /// Keeps the keys below `prefix` in `storage`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when the prefix covers every key,
    /// or overlaps with that of another route.
    pub fn with(mut self, prefix: Prefix, storage: Arc<dyn Storage>) -> Result<Self> {
        let text = prefix.as_str();
        if text.is_empty() {
            return Err(Error::invalid("a route needs a prefix"));
        }
        let overlaps = |route: &&Route| {
            let other = route.prefix.as_str();
            text.starts_with(other) || other.starts_with(text)
        };
        if let Some(other) = self.routes.iter().find(overlaps) {
            return Err(Error::invalid("two routes overlap")
                .context("prefix", &prefix)
                .context("other", &other.prefix));
        }
        let at = self
            .routes
            .partition_point(|other| other.prefix.as_str() < text);
        self.routes.insert(at, Route { prefix, storage });
        Ok(self)
    }

    fn of(&self, key: &Key) -> &dyn Storage {
        let mut routes = self.routes.iter();
        match routes.find(|route| route.prefix.covers(key)) {
            Some(route) => &*route.storage,
            None => &*self.default,
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Storage for RouteStorage {
    async fn get(&self, key: &Key, range: ByteRange) -> Result<Option<Object>> {
        self.of(key).get(key, range).await
    }

    async fn put(&self, key: &Key, bytes: Bytes, mode: PutMode) -> Result<PutOutcome> {
        self.of(key).put(key, bytes, mode).await
    }

    fn list(&self, prefix: &Prefix, after: Option<&Key>) -> BoxStream<'_, Result<ObjectMeta>> {
        let within = |route: &&Route| prefix.as_str().starts_with(route.prefix.as_str());
        match self.routes.iter().find(within) {
            Some(route) => route.storage.list(prefix, after),
            None => Merge::new(&*self.default, &self.routes, prefix, after).stream(),
        }
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.of(key).delete(key).await
    }

    fn capabilities(&self) -> Capabilities {
        let whole = Capabilities {
            backend: "routes",
            ..self.default.capabilities()
        };
        self.routes.iter().fold(whole, |whole, route| {
            let part = route.storage.capabilities();
            Capabilities {
                backend: whole.backend,
                durable: whole.durable && part.durable,
                shared: whole.shared && part.shared,
                read_only: whole.read_only || part.read_only,
                max_object_bytes: whole.max_object_bytes.min(part.max_object_bytes),
            }
        })
    }
}
