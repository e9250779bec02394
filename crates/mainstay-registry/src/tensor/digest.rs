//! The content of a tensor, wherever it lies.

use futures::TryStreamExt as _;
use mainstay_core::{BulkDigest, Result};
use mainstay_repo::Blob;

use super::Tensor;
use super::compare::computed;

/// Reads a tensor and digests it.
///
/// BLAKE3 of the text `tensor/v1` and a zero, the type as text and a zero, the number of dimensions and
/// each of them in 64 bits little endian, then the bytes.
pub(super) async fn digest(blob: &Blob, tensor: &Tensor) -> Result<BulkDigest> {
    let mut hasher = blake3::Hasher::new();
    for text in ["tensor/v1", tensor.dtype.as_str()] {
        hasher.update(text.as_bytes());
        hasher.update(&[0]);
    }
    hasher.update(&(tensor.shape.len() as u64).to_le_bytes());
    for length in &tensor.shape {
        hasher.update(&length.to_le_bytes());
    }
    let mut pieces = blob.stream_range(tensor.range());
    while let Some(piece) = pieces.try_next().await? {
        hasher = computed(move || {
            hasher.update(&piece);
            hasher
        })
        .await?;
    }
    Ok(BulkDigest::from_bytes(*hasher.finalize().as_bytes()))
}
