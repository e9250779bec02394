//! The storage under test.

use std::sync::{Arc, LazyLock, Once};

use futures::TryStreamExt as _;
use mainstay::store::{MemoryStorage, Prefix, PrefixStorage, Storage};
use mainstay::{IdSource as _, Location, RandomIds};

/// A prefix of the storage that nobody else uses.
pub(crate) struct Target {
    url: String,
    directory: String,
}

impl Target {
    /// Takes a prefix for the test `name`; `None` when there is nothing to test.
    pub(crate) fn new(name: &str) -> Option<Self> {
        static NOTICE: Once = Once::new();
        let Ok(url) = std::env::var("MAINSTAY_TEST_URL") else {
            NOTICE.call_once(|| eprintln!("MAINSTAY_TEST_URL is not set: no storage to test"));
            return None;
        };
        let id = RandomIds::default().write_id().unwrap();
        let directory = format!("tests/{id}/{name}");
        Some(Self { url, directory })
    }

    /// Opens it once more, as another process would.
    pub(crate) async fn open(&self) -> Arc<dyn Storage> {
        static MEMORY: LazyLock<Arc<MemoryStorage>> = LazyLock::new(Arc::default);
        let location = Location::parse(&self.url).unwrap();
        let storage: Arc<dyn Storage> = if location == Location::Memory {
            Arc::<MemoryStorage>::clone(&MEMORY)
        } else {
            location.open().await.unwrap()
        };
        let prefix = Prefix::directory(&self.directory).unwrap();
        Arc::new(PrefixStorage::new(storage, prefix))
    }

    /// Deletes what the test left, and sees that it is gone.
    pub(crate) async fn clear(self) {
        let storage = self.open().await;
        let list = || {
            storage
                .list(&Prefix::all(), None)
                .map_ok(|object| object.key)
        };
        let keys: Vec<_> = list().try_collect().await.unwrap();
        for key in keys {
            storage.delete(&key).await.unwrap();
        }
        let left: Vec<_> = list().try_collect().await.unwrap();
        assert_eq!(left, []);
    }
}
