//! What the chunks of stored files say about their tensors, without reading them.

use std::collections::VecDeque;
use std::ops::Range;

use futures::TryStreamExt as _;
use mainstay_core::{BulkDigest, Error, ErrorKind, Result};
use mainstay_repo::Blob;

use super::Tensor;

/// The beginning of a chunk's BLAKE3: enough to count with.
type Mark = [u8; 16];

/// Which chunks a tensor lies in, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunks {
    /// Of their addresses, and of where the tensor begins in the first: equal ones are equal bytes.
    identity: [u8; 32],
    /// Of their lengths; `None` when others lie in them, too.
    cuts: Option<[u8; 32]>,
}

impl Chunks {
    /// Reports whether two tensors are equal; `None` when it takes reading them.
    ///
    /// Other chunks mean other bytes only where both tensors fill theirs and were cut at the same places.
    pub(super) fn are_equal(&self, other: &Self) -> Option<bool> {
        let equal = self.identity == other.identity;
        let decided = equal || (self.cuts.is_some() && self.cuts == other.cuts);
        decided.then_some(equal)
    }
}

/// The chunks of a version.
#[derive(Debug)]
pub(super) struct Stock {
    chunks: Vec<(Mark, u64)>,
    limit: usize,
}

impl Stock {
    /// Creates a stock that takes so many chunks.
    pub(super) fn within(limit: usize) -> Self {
        Self {
            chunks: Vec::new(),
            limit,
        }
    }

    fn add(&mut self, mark: Mark, bytes: u64) -> Result<()> {
        if self.chunks.len() == self.limit {
            let why = format!(
                "the files are too large to compare: more than {} chunks",
                self.limit
            );
            return Err(Error::new(ErrorKind::Unsupported, why));
        }
        self.chunks.push((mark, bytes));
        Ok(())
    }

    /// Makes the chunks ready to be looked up.
    pub(super) fn seal(&mut self) {
        self.chunks.sort_unstable();
        self.chunks.dedup();
    }

    /// Adds up the bytes of the chunks, each once, that are in `other` as well. Both are sealed.
    pub(super) fn shared_bytes(&self, other: &Self) -> u64 {
        let shared = |chunk: &&(Mark, u64)| other.chunks.binary_search(chunk).is_ok();
        self.chunks
            .iter()
            .filter(shared)
            .map(|(_, bytes)| bytes)
            .sum()
    }

    /// Adds up the bytes of the chunks, each once. It is sealed.
    pub(super) fn bytes(&self) -> u64 {
        self.chunks.iter().map(|(_, bytes)| bytes).sum()
    }
}

/// Finds the chunks of the tensors of a file, which are in order of their places, and stocks them.
pub(super) async fn identify(
    blob: &Blob,
    tensors: &[Tensor],
    stock: &mut Stock,
) -> Result<Vec<Chunks>> {
    let mut found = Vec::with_capacity(tensors.len());
    let mut waiting: VecDeque<&Tensor> = tensors.iter().collect();
    let mut begun: Option<Begun> = None;
    let mut chunks = blob.chunks();
    while let Some((place, address)) = chunks.try_next().await? {
        if let Some(mark) = address.as_bytes().first_chunk() {
            stock.add(*mark, place.end - place.start)?;
        }
        while let Some(tensor) = waiting.front().filter(|tensor| tensor.offset < place.end) {
            let mut begin = begun
                .take()
                .unwrap_or_else(|| Begun::new(tensor, place.start));
            begin.add(&place, &address);
            let end = tensor.range().end;
            if end > place.end {
                begun = Some(begin);
                break;
            }
            found.push(begin.finish(end == place.end));
            waiting.pop_front();
        }
    }
    // What is left has no bytes and lies at the end of the file.
    let empty = |tensor: &&Tensor| Begun::new(tensor, tensor.offset).finish(true);
    found.extend(waiting.iter().map(empty));
    Ok(found)
}

/// A tensor some of whose chunks are known.
struct Begun {
    identity: blake3::Hasher,
    cuts: blake3::Hasher,
    begins_at_a_cut: bool,
}

impl Begun {
    /// Begins with where the tensor lies in its first chunk, and how long it is.
    fn new(tensor: &Tensor, chunk: u64) -> Self {
        let mut identity = blake3::Hasher::new();
        identity.update(&(tensor.offset - chunk).to_le_bytes());
        identity.update(&tensor.bytes.to_le_bytes());
        Self {
            identity,
            cuts: blake3::Hasher::new(),
            begins_at_a_cut: tensor.offset == chunk,
        }
    }

    fn add(&mut self, place: &Range<u64>, address: &BulkDigest) {
        self.identity.update(address.as_bytes());
        self.cuts.update(&(place.end - place.start).to_le_bytes());
    }

    fn finish(self, ends_at_a_cut: bool) -> Chunks {
        let whole = self.begins_at_a_cut && ends_at_a_cut;
        Chunks {
            identity: *self.identity.finalize().as_bytes(),
            cuts: whole.then(|| *self.cuts.finalize().as_bytes()),
        }
    }
}
