//! Numbers in messages and buffers, none of which is trusted.

use std::ops::Range;

use arrow::datatypes::DataType;
use mainstay_core::Result;

use crate::format::ipc::message::not_ipc;

pub(super) fn count(rows: &Range<u64>) -> u64 {
    rows.end - rows.start
}

pub(super) fn times(slots: u64, width: u64) -> Result<u64> {
    let bytes = slots.checked_mul(width).filter(|bytes| *bytes < 1 << 62);
    bytes.ok_or_else(|| not_ipc("a column claims more bytes than there can be"))
}

pub(super) fn small(number: u64) -> Result<usize> {
    usize::try_from(number).map_err(|_| not_ipc("a column claims more than memory holds"))
}

pub(super) fn unsigned(width: i32) -> Result<u64> {
    u64::try_from(width).map_err(|_| not_ipc("a negative width"))
}

pub(super) fn width_of(data_type: &DataType) -> Result<u64> {
    let width = data_type.primitive_width().map(|width| width as u64);
    width.ok_or_else(|| {
        not_ipc(&format!(
            "{data_type} is not laid out as values of one width"
        ))
    })
}

/// Reads a number of at most 8 bytes.
pub(super) fn number(bytes: &[u8]) -> u64 {
    let mut all = [0; 8];
    all[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(all)
}

pub(super) fn numbers<const WIDTH: usize>(bytes: &[u8]) -> Vec<i64> {
    let bits = 64 - 8 * WIDTH;
    let numbers = bytes.as_chunks::<WIDTH>().0.iter();
    // Shifted there and back, so that its sign is that of the whole.
    numbers
        .map(|bytes| (number(bytes) << bits).cast_signed() >> bits)
        .collect()
}
