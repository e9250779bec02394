//! The tensors of one side of a comparison, with what their chunks say.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::Result;
use mainstay_repo::{Blob, Repo};

use super::Tensor;
use super::chunks::{Chunks, Stock, identify};
use super::inventory::{Shard, shards};
use crate::artifact::ArtifactFile;

/// A tensor, where its bytes are, and what its chunks say.
pub(super) struct Stored {
    pub(super) tensor: Tensor,
    pub(super) blob: Blob,
    pub(super) chunks: Chunks,
}

impl Stored {
    /// Reports whether the other has the same type and shape.
    pub(super) fn is_shaped_as(&self, other: &Self) -> bool {
        let (a, b) = (&self.tensor, &other.tensor);
        (a.dtype, &a.shape) == (b.dtype, &b.shape)
    }
}

/// The name of a tensor, and its file where the name alone is not enough.
pub(super) type Key = (String, Option<String>);

/// Reads the headers of safetensors files and where their chunks lie, if those are no more than `limit`.
pub(super) async fn stored(
    repo: &Repo,
    files: impl IntoIterator<Item = &ArtifactFile>,
    limit: usize,
) -> Result<(Vec<Stored>, Stock)> {
    let (mut all, mut stock) = (Vec::new(), Stock::within(limit));
    for Shard { blob, tensors } in shards(repo, files).await? {
        let chunks = identify(&blob, &tensors, &mut stock).await?;
        let with = |(tensor, chunks)| Stored {
            tensor,
            chunks,
            blob: blob.clone(),
        };
        all.extend(tensors.into_iter().zip(chunks).map(with));
    }
    stock.seal();
    Ok((all, stock))
}

/// Keys both sides by name, and by file where a side has the name in several.
pub(super) fn keyed(
    old: Vec<Stored>,
    new: Vec<Stored>,
) -> (BTreeMap<Key, Stored>, BTreeMap<Key, Stored>) {
    let twice: BTreeSet<String> = repeated(&old).chain(repeated(&new)).collect();
    let key = |tensor: &Tensor| {
        let file = twice
            .contains(&tensor.name)
            .then(|| tensor.file.to_string());
        (tensor.name.clone(), file)
    };
    let keyed = |side: Vec<Stored>| {
        let side = side.into_iter();
        side.map(|stored| (key(&stored.tensor), stored)).collect()
    };
    (keyed(old), keyed(new))
}

/// The names that several files have.
fn repeated(side: &[Stored]) -> impl Iterator<Item = String> {
    let mut names: Vec<&String> = side.iter().map(|stored| &stored.tensor.name).collect();
    names.sort_unstable();
    let twice = names.windows(2).filter(|pair| pair[0] == pair[1]);
    twice
        .map(|pair| pair[0].clone())
        .collect::<Vec<_>>()
        .into_iter()
}
