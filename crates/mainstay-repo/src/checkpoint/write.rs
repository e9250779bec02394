//! Writing a checkpoint: shards first, then the root that names them.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::{FuturesOrdered, TryStreamExt as _};
use mainstay_core::Result;
use mainstay_store::{PutMode, Storage, StorageExt as _};

use super::item::{Held, Keys, Refs};
use super::link::Links;
use super::recut::{Piece, Recut};
use super::root::{FORMAT, Root, Slice};
use super::{root_key, shard_key};
use crate::View;
use crate::view::{Base, Layer, Source};

/// How many shards are written at once.
const WRITES: usize = 8;

/// Writes the checkpoint of the entry that `view` is of; returns it to begin views from.
///
/// Costs what has changed since the checkpoint that the view begins from, and the root. Shards that
/// stay are named again; what of them is in memory stays there.
pub(super) async fn write(source: &Arc<Source>, view: &View) -> Result<Option<Base>> {
    let Some(entry) = view.entry else {
        return Ok(None);
    };
    let storage = &*source.storage;
    let (refs, ref_slices) = layer::<Refs>(storage, view).await?;
    let (keys, key_slices) = layer::<Keys>(storage, view).await?;
    let (links, link_slices) = layer::<Links>(storage, view).await?;
    let root = Root {
        format: FORMAT,
        seq: view.seq,
        entry,
        time: view.time,
        refs: ref_slices,
        keys: key_slices,
        links: Some(link_slices),
    };
    // Exists: another process was first, with the same bytes.
    let created = storage.create(&root_key(view.seq), root.encode()?).await;
    created.map(drop)?;
    let layers = (refs, keys, links);
    Ok(Some(Base::of_layers(root.anchor(), layers, source)))
}

fn layer<'a, T: Held>(
    storage: &'a dyn Storage,
    view: &'a View,
) -> BoxFuture<'a, Result<(Layer<T>, Vec<Slice>)>> {
    let write = async move {
        let mut recut = Recut::<T>::new(view);
        let (mut pieces, mut writes) = (Vec::new(), FuturesOrdered::new());
        while let Some(piece) = recut.next().await? {
            if piece.bytes.is_some() {
                // Cutting takes a processor; others want it, too.
                tokio::task::yield_now().await;
            }
            writes.push_back(store(storage, piece).boxed());
            if writes.len() == WRITES {
                pieces.extend(writes.try_next().await?);
            }
        }
        pieces.extend(writes.try_collect::<Vec<Piece<T>>>().await?);
        let slices = pieces.iter().map(|piece| piece.slice.clone()).collect();
        Ok((Layer::of_pieces(pieces), slices))
    };
    write.boxed()
}

async fn store<T: Held>(storage: &dyn Storage, mut piece: Piece<T>) -> Result<Piece<T>> {
    if let Some(bytes) = piece.bytes.take() {
        let key = shard_key(&piece.slice.digest);
        let mode = if piece.heals {
            PutMode::Overwrite
        } else {
            PutMode::Create
        };
        // Exists: another checkpoint has the same shard.
        storage.put(&key, bytes, mode).await.map(drop)?;
    }
    Ok(piece)
}
