//! Checkpoints of a sound log: those that are damaged are deleted, since the log says all they said.

use futures::TryStreamExt as _;
use mainstay_core::{Digest, Error, ErrorKind, Result};
use mainstay_store::{Key, Storage, StorageExt as _};

use super::RepairReport;
use crate::checkpoint::item::{Keys, Refs};
use crate::checkpoint::link::Links;
use crate::checkpoint::swept::Swept;
use crate::checkpoint::{self, load};
use crate::{View, keys};

/// Deletes damaged roots and shards; a root that a collection has condemned, as of the newest view, may
/// lack shards.
pub(super) async fn repair(
    storage: &dyn Storage,
    view: &View,
    report: &mut RepairReport,
) -> Result<()> {
    let swept = Swept::read(view).await?;
    for key in list(storage, checkpoint::ROOTS).await? {
        let Some(seq) = keys::number(&key) else {
            continue;
        };
        let checked = if swept.condemns(seq) {
            load::root_if_stored(storage, seq).await.map(drop)
        } else {
            check(storage, seq).await
        };
        if let Err(error) = checked {
            delete(storage, &key, error, report).await?;
        }
    }
    for key in list(storage, checkpoint::SHARDS).await? {
        let hex = key.as_str().rsplit('/').next().unwrap_or_default();
        let Ok(named) = format!("sha256:{hex}").parse::<Digest>() else {
            continue;
        };
        let bytes = storage.get_all(&key).await?;
        if bytes.is_some_and(|bytes| Digest::of(&bytes) != named) {
            let error = Error::corrupt(&key, "content does not match its name");
            delete(storage, &key, error, report).await?;
        }
    }
    Ok(())
}

async fn check(storage: &dyn Storage, seq: u64) -> Result<()> {
    let root = load::root(storage, seq).await?;
    load::check_anchor(storage, &root).await?;
    load::layer::<Refs>(storage, &root).await?;
    load::layer::<Keys>(storage, &root).await?;
    load::layer::<Links>(storage, &root).await?;
    Ok(())
}

async fn delete(
    storage: &dyn Storage,
    key: &Key,
    error: Error,
    report: &mut RepairReport,
) -> Result<()> {
    match error.kind() {
        ErrorKind::Corrupt => {}
        // What a newer version wrote is for it to judge.
        ErrorKind::Incompatible => {
            report.act(key, "leave", error);
            return Ok(());
        }
        _ => return Err(error),
    }
    if report.applied {
        storage.delete(key).await?;
    }
    report.act(key, "delete", error);
    Ok(())
}

async fn list(storage: &dyn Storage, directory: &str) -> Result<Vec<Key>> {
    let listed = storage.list(&keys::below(directory), None);
    listed.map_ok(|object| object.key).try_collect().await
}
