//! Tensors: what the safetensors files of a version hold, and how two versions differ in it.
//!
//! Files are read in place, by ranges: the header says which tensors there are; the chunks they are
//! stored in say which are equal, without reading them; what is left is read side by side.
//!
//! ```
//! use std::sync::Arc;
//!
//! use mainstay_core::Actor;
//! use mainstay_registry::{FileSpec, ModelSpec, Registry};
//! use mainstay_repo::{Repo, RepoOptions};
//! use mainstay_store::MemoryStorage;
//!
//! /// A file with one tensor of two 32-bit floats.
//! fn weights(values: [f32; 2]) -> Vec<u8> {
//!     let header = br#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
//!     let length = (header.len() as u64).to_le_bytes();
//!     let values = values.map(f32::to_le_bytes);
//!     [&length[..], header, &values.concat()].concat()
//! }
//!
//! # tokio::runtime::Builder::new_multi_thread().build().unwrap().block_on(async {
//! let repo = Repo::create(Arc::new(MemoryStorage::new()), RepoOptions::default()).await?;
//! let registry = Registry::new(repo.clone());
//! for values in [[0.0, 4.0], [3.0, 4.0]] {
//!     let spec = ModelSpec::new("tiny".parse()?, Actor::new("ada")?, "training")
//!         .with_file(FileSpec::from_bytes("model.safetensors".parse()?, weights(values)));
//!     registry.register(spec).await?;
//! }
//! let view = repo.view().await?;
//! let (before, after) = ("tiny@1.0.0".parse()?, "tiny@1.1.0".parse()?);
//! let diff = registry.tensor_diff(&view, &before, &after).await?;
//! let moved = diff.changed[0].difference.unwrap();
//! assert_eq!((moved.fraction, moved.norm.value(), moved.relative()), (0.5, 3.0, Some(0.75)));
//! # Ok::<(), mainstay_core::Error>(()) }).unwrap();
//! ```

mod chunks;
mod compare;
mod diff;
mod difference;
mod digest;
mod element;
mod header;
mod inventory;
mod minifloat;
mod pieces;
mod stored;
mod stretch;
mod summary;
mod sums;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

use mainstay_core::FilePath;
use serde::Serialize;

pub(crate) use self::diff::diff;
pub use self::diff::{ChangedTensor, ReshapedTensor, TensorBytes, TensorDiff};
pub use self::difference::Difference;
pub use self::element::ElementType;
pub use self::header::{MAX_HEADER_BYTES, MAX_RANK};
pub use self::inventory::MAX_TENSORS;
pub(crate) use self::inventory::{digests, tensors};
pub(crate) use self::summary::summary;
pub use self::summary::{MAX_NAMED, MAX_SUMMARY_CHUNKS, NamedTensors, TensorSummary};

/// A tensor of a stored file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Tensor {
    /// Its name.
    pub name: String,
    /// The type of its elements.
    pub dtype: ElementType,
    /// Its lengths; none for a single element.
    pub shape: Vec<u64>,
    /// Its size.
    pub bytes: u64,
    /// The file it is in.
    pub file: Arc<FilePath>,
    /// Where it begins in the file, in bytes.
    pub offset: u64,
}

impl Tensor {
    /// Returns which bytes of the file it is.
    #[must_use]
    pub fn range(&self) -> Range<u64> {
        self.offset..self.offset + self.bytes
    }
}
