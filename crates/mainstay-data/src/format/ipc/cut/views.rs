//! Texts and binary of which a view says where they are.

use std::collections::BTreeMap;
use std::ops::Range;

use super::numbers::{small, times};
use super::{Cut, Node, Stop};
use crate::format::ipc::message::not_ipc;

/// A view of so many bytes or fewer holds them itself.
const INLINE_BYTES: u32 = 12;
/// The bytes of a view.
const VIEW_BYTES: usize = 16;
/// Bytes between two values that are read with them.
const GAP_BYTES: u64 = 4 * 1024;

impl Cut<'_> {
    /// Cuts values that lie anywhere in some buffers, which are one then.
    pub(super) fn views(
        &mut self,
        node: Node,
        place: usize,
        rows: &Range<u64>,
    ) -> Result<(), Stop> {
        let valid = self.validity(node, place, rows)?;
        let views = self.buffer();
        let count = self.batch.variadic.get(self.view).copied();
        let count = count.ok_or_else(|| not_ipc("a column of views does not tell its buffers"))?;
        self.view += 1;
        let first = self.buffer;
        self.buffer = first.saturating_add(count);

        let range = times(rows.start, VIEW_BYTES as u64)?..times(rows.end, VIEW_BYTES as u64)?;
        let mut views = self.read(views, range)?.to_vec();
        let mut long: BTreeMap<usize, Vec<(u64, u32, usize)>> = BTreeMap::new();
        for (row, view) in views.as_chunks_mut::<VIEW_BYTES>().0.iter_mut().enumerate() {
            if valid.as_ref().is_some_and(|valid| !valid.value(row)) {
                *view = [0; VIEW_BYTES];
            }
            let [length, _, buffer, offset] = quarters(view);
            if length > INLINE_BYTES {
                let buffer = buffer as usize;
                if buffer >= count {
                    return Err(not_ipc("a view of a buffer that is not there").into());
                }
                let values = long.entry(first + buffer).or_default();
                values.push((u64::from(offset), length, row));
            }
        }
        let wanted: u64 = long
            .values()
            .flatten()
            .map(|(_, length, _)| u64::from(*length))
            .sum();
        let all = views.len() as u64 + self.pieces.body.len() as u64 + wanted;
        if self.most.is_some_and(|most| all > most as u64) {
            return Err(Stop::TooLarge);
        }
        let mut data: Vec<Vec<u8>> = Vec::new();
        for (buffer, mut values) in long {
            values.sort_unstable();
            self.long_values(buffer, &values, &mut views, &mut data)?;
        }
        self.write(&views);
        self.pieces
            .variadic
            .push(i64::try_from(data.len()).unwrap_or(i64::MAX));
        for data in data {
            self.write(&data);
        }
        Ok(())
    }

    /// Copies the values of a buffer, which rise, and tells the views where they are.
    fn long_values(
        &mut self,
        buffer: usize,
        values: &[(u64, u32, usize)],
        views: &mut [u8],
        data: &mut Vec<Vec<u8>>,
    ) -> Result<(), Stop> {
        let end = |(offset, length, _): &(u64, u32, usize)| offset + u64::from(*length);
        let near = |a: &(u64, u32, usize), b: &(u64, u32, usize)| b.0 <= end(a) + GAP_BYTES;
        for run in values.chunk_by(near) {
            let Some(first) = run.first() else { continue };
            let last = run.iter().map(end).max().unwrap_or(first.0);
            let read = self.read(buffer, first.0..last)?;
            for (offset, length, row) in run {
                let start = small(offset - first.0)?;
                let value = &read[start..start + *length as usize];
                let (number, into) = room(data, value.len());
                let view = &mut views[row * VIEW_BYTES..][..VIEW_BYTES];
                let place = u32::try_from(into.len()).unwrap_or(u32::MAX);
                view[8..12].copy_from_slice(&number.to_le_bytes());
                view[12..].copy_from_slice(&place.to_le_bytes());
                into.extend_from_slice(value);
            }
        }
        Ok(())
    }
}

/// Returns a buffer in which so many bytes begin at an offset of 31 bits, and its number.
fn room(data: &mut Vec<Vec<u8>>, bytes: usize) -> (u32, &mut Vec<u8>) {
    let fits = |data: &Vec<u8>| i32::try_from(data.len() + bytes).is_ok();
    if !data.last().is_some_and(fits) {
        data.push(Vec::new());
    }
    let last = data.len() - 1;
    (u32::try_from(last).unwrap_or(u32::MAX), &mut data[last])
}

fn quarters(view: &[u8; VIEW_BYTES]) -> [u32; 4] {
    let mut quarters = [0; 4];
    for (quarter, bytes) in quarters.iter_mut().zip(view.as_chunks::<4>().0) {
        *quarter = u32::from_le_bytes(*bytes);
    }
    quarters
}
