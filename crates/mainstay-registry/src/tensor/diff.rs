//! How the tensors of two versions differ.

use std::sync::Arc;

use mainstay_core::Result;
use mainstay_repo::Repo;
use serde::Serialize;

use super::Tensor;
use super::compare::compare;
use super::difference::Difference;
use super::inventory::safetensors;
use super::stored::{Stored, keyed, stored};
use crate::artifact::Artifact;

/// How the tensors of two versions differ; every list is sorted by name, then by file.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TensorDiff {
    /// Those that only the second version has.
    pub added: Vec<Tensor>,
    /// Those that only the first version has.
    pub removed: Vec<Tensor>,
    /// Those with another shape or type of elements.
    pub reshaped: Vec<ReshapedTensor>,
    /// Those with other bytes.
    pub changed: Vec<ChangedTensor>,
    /// How many are equal, whatever file they are in.
    pub unchanged: u64,
    /// What the versions have in common, in bytes.
    pub bytes: TensorBytes,
}

/// A tensor that got another shape or type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ReshapedTensor {
    /// As it was.
    pub before: Tensor,
    /// As it is.
    pub after: Tensor,
}

/// A tensor that got other values.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ChangedTensor {
    /// As the second version has it.
    pub tensor: Tensor,
    /// How far it moved; `None` for elements of six bits, whose order in bytes is not laid down.
    pub difference: Option<Difference>,
}

/// Sizes, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TensorBytes {
    /// All tensors of the first version.
    pub before: u64,
    /// All tensors of the second version.
    pub after: u64,
    /// Tensors that are equal.
    pub unchanged: u64,
    /// Tensors that were read to compare them, of both versions.
    pub read: u64,
    /// The different chunks that the safetensors files of the second version are stored in, each once.
    pub chunks: u64,
    /// Those of them that the first version is stored in too: what the second did not add.
    pub shared_chunks: u64,
}

pub(crate) async fn diff(repo: &Repo, before: &Artifact, after: &Artifact) -> Result<TensorDiff> {
    let (old, old_stock) = stored(repo, safetensors(before), usize::MAX).await?;
    let (new, new_stock) = stored(repo, safetensors(after), usize::MAX).await?;
    let size = |side: &[Stored]| side.iter().map(|stored| stored.tensor.bytes).sum();
    let mut diff = TensorDiff {
        added: Vec::new(),
        removed: Vec::new(),
        reshaped: Vec::new(),
        changed: Vec::new(),
        unchanged: 0,
        bytes: TensorBytes {
            before: size(&old),
            after: size(&new),
            unchanged: 0,
            read: 0,
            chunks: new_stock.bytes(),
            shared_chunks: new_stock.shared_bytes(&old_stock),
        },
    };
    let (mut old, new) = keyed(old, new);
    let mut open = Vec::new();
    for (key, after) in new {
        match old.remove(&key) {
            None => diff.added.push(after.tensor),
            Some(before) => diff.sort_out(before, after, &mut open),
        }
    }
    diff.removed = old.into_values().map(|stored| stored.tensor).collect();
    diff.read(open).await?;
    Ok(diff)
}

impl TensorDiff {
    /// Tells what can be told without reading; the rest is left open.
    fn sort_out(&mut self, before: Stored, after: Stored, open: &mut Vec<(Stored, Stored)>) {
        if !before.is_shaped_as(&after) {
            self.reshaped.push(ReshapedTensor {
                before: before.tensor,
                after: after.tensor,
            });
        } else if before.chunks.are_equal(&after.chunks) == Some(true) {
            self.same(after.tensor.bytes);
        } else {
            open.push((before, after));
        }
    }

    fn same(&mut self, bytes: u64) {
        self.unchanged += 1;
        self.bytes.unchanged += bytes;
    }

    /// Reads both sides of those that are left.
    async fn read(&mut self, open: Vec<(Stored, Stored)>) -> Result<()> {
        for (tensor, tally) in compare(open).await? {
            self.bytes.read += 2 * tensor.bytes;
            if tally.is_unchanged() {
                self.same(tensor.bytes);
            } else {
                let difference = tally.difference();
                self.changed.push(ChangedTensor { tensor, difference });
            }
        }
        let place = |changed: &ChangedTensor| {
            let Tensor { name, file, .. } = &changed.tensor;
            (name.clone(), Arc::clone(file))
        };
        self.changed.sort_by_cached_key(place);
        Ok(())
    }
}
