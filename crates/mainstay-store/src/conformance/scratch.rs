//! Many objects at once.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use mainstay_core::Result;

use crate::{Key, Prefix, Storage};

/// Calls under way at once: enough to hide a network's latency, few enough for any server.
const AT_ONCE: usize = 16;

/// Does `work` with each key, several at a time, until one fails.
pub(super) async fn for_each<'a, F, E>(
    keys: impl IntoIterator<Item = &'a Key>,
    work: impl FnMut(&'a Key) -> F,
) -> Result<(), E>
where
    F: Future<Output = Result<(), E>>,
{
    let works: Vec<_> = keys.into_iter().map(work).collect();
    stream::iter(works)
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

/// Deletes every object below `prefix`.
pub(super) async fn delete_all(storage: &dyn Storage, prefix: &Prefix) -> Result<()> {
    let listing = storage.list(prefix, None).map_ok(|object| object.key);
    let keys: Vec<_> = listing.try_collect().await?;
    for_each(&keys, |key| storage.delete(key)).await
}
