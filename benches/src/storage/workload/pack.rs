//! An object as large as a pack.

use mainstay::store::{PutMode, StorageExt as _};
use mainstay::{Error, Result};

use super::Job;
use crate::storage::metric::{Measured, Metric, Unit};
use crate::storage::timing::Stopwatch;

/// Measures nothing on a storage that takes no objects of that size.
pub(super) async fn run(job: &Job<'_>) -> Result<Vec<Measured>> {
    let storage = job.place.raw();
    let pack = job.input.pack();
    let size = pack.len();
    if size as u64 > storage.capabilities().max_object_bytes {
        return Ok(Vec::new());
    }
    let key = job.place.key("pack")?;
    let watch = Stopwatch::start();
    let _written = storage.put(&key, pack, PutMode::Create).await?;
    let put = watch.elapsed();
    let watch = Stopwatch::start();
    let read = storage.get_all(&key).await?;
    let get = watch.elapsed();
    if read != Some(job.input.pack()) {
        return Err(Error::corrupt(key, "what is read is not what was written"));
    }
    let metric = |name, verb| {
        let title = format!("{verb} of a pack of {} MiB", size >> 20);
        Metric::new(name, title, Unit::MebibytesPerSecond)
    };
    Ok(vec![
        metric("pack_put", "put").rate(size, put),
        metric("pack_get", "get").rate(size, get),
    ])
}
