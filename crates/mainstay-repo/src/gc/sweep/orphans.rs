//! Shards that no checkpoint names: those of one that was never finished.
//!
//! Somebody may be writing one at this moment, and be about to name a shard that is there already. So
//! a shard goes only when what it holds has been superseded for good: refs and keys are never taken
//! out of the state, and what has changed does not change back.

use std::collections::BTreeMap;
use std::sync::Arc;

use mainstay_core::{Digest, ErrorKind, Result};
use mainstay_store::Storage;

use crate::checkpoint::item::{Held, Keys, Refs};
use crate::checkpoint::link::Links;
use crate::checkpoint::shard::{self, MAX_SHARD_BYTES};
use crate::checkpoint::{load, shard_key};
use crate::repo::Inner;
use crate::seal;
use crate::view::Base;

/// The most that one run looks at.
const MAX_SHARDS: usize = 10_000;

/// Those among `unnamed` shards that no checkpoint of entry `root` or a later one can name.
pub(super) async fn among(
    inner: &Arc<Inner>,
    root: u64,
    unnamed: Vec<Digest>,
) -> Result<Vec<Digest>> {
    if unnamed.is_empty() {
        return Ok(Vec::new());
    }
    let storage = &*inner.storage;
    let base = Base::new(load::root(storage, root).await?, &inner.source)?;
    let mut orphans = Vec::new();
    for digest in unnamed.into_iter().take(MAX_SHARDS) {
        if is_superseded(storage, &base, &digest).await? {
            orphans.push(digest);
        }
    }
    Ok(orphans)
}

async fn is_superseded(storage: &dyn Storage, base: &Base, digest: &Digest) -> Result<bool> {
    let bytes = match seal::read(storage, &shard_key(digest), MAX_SHARD_BYTES).await {
        // What is damaged is for verification to name.
        Ok(Some(bytes)) if Digest::of(&bytes) == *digest => bytes,
        Ok(_) => return Ok(false),
        Err(error) if error.kind() == ErrorKind::Corrupt => return Ok(false),
        Err(error) => return Err(error),
    };
    if let Some(items) = shard::items::<Refs>(&bytes) {
        holds_less::<Refs>(base, items).await
    } else if let Some(items) = shard::items::<Keys>(&bytes) {
        holds_less::<Keys>(base, items).await
    } else if let Some(items) = shard::items::<Links>(&bytes) {
        holds_less::<Links>(base, items).await
    } else {
        Ok(false)
    }
}

/// Reports whether a checkpoint holds, between the first and the last of `items`, one that is not
/// among them or has changed since.
async fn holds_less<T: Held>(base: &Base, items: Vec<(T::Key, T::State)>) -> Result<bool> {
    let items: BTreeMap<T::Key, T::State> = items.into_iter().collect();
    let (Some((first, _)), Some((last, _))) = (items.first_key_value(), items.last_key_value())
    else {
        return Ok(false);
    };
    let is_news = |key: &T::Key, state: &T::State| {
        let held = items.get(key);
        held.is_none_or(|held| T::moment(held).0 < T::moment(state).0)
    };
    loop {
        let missing = match T::layer(base).scan(|key| key < first, |key| key <= last) {
            Ok(mut newer) => return Ok(newer.any(|(key, state)| is_news(key, state))),
            Err(missing) => missing,
        };
        for at in missing {
            base.load(T::miss(at)).await?;
        }
    }
}
