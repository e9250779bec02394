//! What the chunks of stored files say about their tensors, without reading them.

use std::collections::VecDeque;

use futures::TryStreamExt as _;
use mainstay_core::Result;
use mainstay_repo::Blob;

use super::Tensor;

/// The beginning of a chunk's BLAKE3: enough to count with.
type Mark = [u8; 16];

/// Which chunks a tensor lies in, and where: equal ones are equal bytes.
///
/// Different ones may be equal bytes too: the tensor was cut at other places.
pub(super) type Identity = [u8; 32];

/// The chunks of a version.
#[derive(Debug, Default)]
pub(super) struct Stock(Vec<(Mark, u64)>);

impl Stock {
    /// Makes the chunks ready to be looked up.
    pub(super) fn seal(&mut self) {
        self.0.sort_unstable();
        self.0.dedup();
    }

    /// Adds up the bytes of the chunks, each once, that are in `other` as well. Both are sealed.
    pub(super) fn shared_bytes(&self, other: &Self) -> u64 {
        let shared = |chunk: &&(Mark, u64)| other.0.binary_search(chunk).is_ok();
        self.0.iter().filter(shared).map(|(_, bytes)| bytes).sum()
    }

    /// Adds up the bytes of the chunks, each once. It is sealed.
    pub(super) fn bytes(&self) -> u64 {
        self.0.iter().map(|(_, bytes)| bytes).sum()
    }
}

/// Identifies the tensors of a file, which are in order of their places, and stocks its chunks.
pub(super) async fn identify(
    blob: &Blob,
    tensors: &[Tensor],
    stock: &mut Stock,
) -> Result<Vec<Identity>> {
    let mut identities = Vec::with_capacity(tensors.len());
    let mut waiting: VecDeque<&Tensor> = tensors.iter().collect();
    let mut begun: Option<blake3::Hasher> = None;
    let mut chunks = blob.chunks();
    while let Some((place, address)) = chunks.try_next().await? {
        if let Some(mark) = address.as_bytes().first_chunk() {
            stock.0.push((*mark, place.end - place.start));
        }
        while let Some(tensor) = waiting.front().filter(|tensor| tensor.offset < place.end) {
            let hasher = begun.get_or_insert_with(|| begin(tensor, place.start));
            hasher.update(address.as_bytes());
            if tensor.range().end > place.end {
                break;
            }
            identities.push(*hasher.finalize().as_bytes());
            begun = None;
            waiting.pop_front();
        }
    }
    // What is left has no bytes and lies at the end of the file.
    identities.extend(
        waiting
            .iter()
            .map(|tensor| *begin(tensor, tensor.offset).finalize().as_bytes()),
    );
    Ok(identities)
}

/// Begins with where the tensor lies in its first chunk, and how long it is.
fn begin(tensor: &Tensor, chunk: u64) -> blake3::Hasher {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(tensor.offset - chunk).to_le_bytes());
    hasher.update(&tensor.bytes.to_le_bytes());
    hasher
}
