//! The layout of safetensors: the header, then each tensor.

use safetensors::tensor::Metadata;

use super::{Cut, Layout};

/// Longer headers, of about 100,000 tensors, are not looked into.
const MAX_HEADER: usize = 16 * 1024 * 1024;
/// The length of the header, little endian.
const LENGTH: usize = 8;
/// Tensors are cut together until they have this size, so that small ones do not cost a chunk each.
const MIN_RUN: u64 = 8 * 1024;

/// Returns how long length and header are if the blob that begins so may be safetensors.
pub(in crate::blobs) fn header_end(beginning: &[u8]) -> Option<usize> {
    let (length, header) = beginning.split_first_chunk::<LENGTH>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    (header.first() == Some(&b'{') && (2..=MAX_HEADER).contains(&length)).then(|| LENGTH + length)
}

/// Reads the layout out of length and header; `None` when they are not as they should be.
///
/// Each tensor, or run of small ones, is cut from its own beginning, so that no change of another
/// moves its cuts.
pub(in crate::blobs) fn layout(header: &[u8]) -> Option<Layout> {
    let metadata: Metadata = serde_json::from_slice(header.get(LENGTH..)?).ok()?;
    let mut layout = Layout::new();
    layout.push(header.len() as u64, Cut::Content);
    let mut end = 0;
    let mut run = 0;
    for name in metadata.offset_keys() {
        let (start, tensor_end) = metadata.info(&name)?.data_offsets;
        if start != end || tensor_end < start {
            return None;
        }
        let bytes = (tensor_end - start) as u64;
        // A tensor that stands for itself is not joined to small ones before it.
        if bytes >= MIN_RUN || run >= MIN_RUN {
            layout.push(run, Cut::Blocks);
            run = 0;
        }
        run += bytes;
        end = tensor_end;
    }
    layout.push(run, Cut::Blocks);
    Some(layout)
}
