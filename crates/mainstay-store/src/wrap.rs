//! Storages around a storage.

mod cache;
#[cfg(feature = "encrypt")]
mod encrypt;
mod meter;
mod metrics;
mod prefix;
mod probe;
mod read_only;
mod retry;
mod route;

pub use cache::CacheStorage;
#[cfg(feature = "encrypt")]
pub use encrypt::{EncryptedStorage, EncryptionKey, KeyId, KeyProvider, RewriteReport, StaticKeys};
pub use meter::{MeterReading, MeterStorage};
pub use metrics::MetricsStorage;
pub use prefix::PrefixStorage;
pub use probe::ProbeStorage;
pub use read_only::ReadOnlyStorage;
pub use retry::{RetryOptions, RetryStorage};
pub use route::RouteStorage;
