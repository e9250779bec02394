//! The hostile server, and storages on it.

use std::sync::Arc;

use mainstay_hostile::{Dialect, HostileServer};
use mainstay_store::{Key, NoWait, RetryOptions, RetryStorage, Storage};
use mainstay_store_object::connect;

/// Everything that can be written to.
pub(crate) const SERVICES: [Dialect; 3] = [Dialect::S3, Dialect::Gcs, Dialect::Azure];

pub(crate) async fn start(dialect: Dialect) -> HostileServer {
    HostileServer::start(dialect).await.unwrap()
}

/// A storage that does not try again.
pub(crate) fn bare(server: &HostileServer) -> Arc<dyn Storage> {
    connect(&server.url(), &server.client_options()).unwrap()
}

/// A storage as `open` makes it, but which does not wait.
pub(crate) fn retried(server: &HostileServer) -> Arc<dyn Storage> {
    impatient(bare(server))
}

pub(crate) fn impatient(storage: Arc<dyn Storage>) -> Arc<dyn Storage> {
    let options = RetryOptions::default();
    Arc::new(RetryStorage::new(
        storage,
        Arc::new(NoWait::default()),
        options,
    ))
}

pub(crate) fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}
