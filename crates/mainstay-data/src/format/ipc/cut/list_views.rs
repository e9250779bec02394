//! Lists that lie anywhere among their items.

use std::ops::Range;

use arrow::datatypes::FieldRef;

use super::numbers::{numbers, times};
use super::{Cut, Node, Stop};
use crate::format::ipc::message::not_ipc;

impl Cut<'_> {
    /// Cuts lists, and all items from the first to the last of any list.
    pub(super) fn list_view<const WIDTH: usize>(
        &mut self,
        item: &FieldRef,
        node: Node,
        place: usize,
        rows: &Range<u64>,
    ) -> Result<(), Stop> {
        let valid = self.validity(node, place, rows)?;
        let width = WIDTH as u64;
        let range = times(rows.start, width)?..times(rows.end, width)?;
        let (offsets, sizes) = (self.buffer(), self.buffer());
        let offsets = numbers::<WIDTH>(&self.read(offsets, range.clone())?);
        let sizes = numbers::<WIDTH>(&self.read(sizes, range)?);
        let mut lists = Vec::with_capacity(offsets.len());
        for (row, (offset, size)) in offsets.into_iter().zip(sizes).enumerate() {
            let is_there = size != 0 && valid.as_ref().is_none_or(|valid| valid.value(row));
            let end = offset
                .checked_add(size)
                .filter(|_| offset >= 0 && size >= 0);
            let end = end.ok_or_else(|| not_ipc("a list lies outside its items"))?;
            lists.push(is_there.then_some(offset.unsigned_abs()..end.unsigned_abs()));
        }
        let all = lists.iter().flatten();
        let first = all.clone().map(|list| list.start).min().unwrap_or(0);
        let last = all.map(|list| list.end).max().unwrap_or(0);
        let write = |of: fn(&Range<u64>, u64) -> u64| -> Vec<u8> {
            let numbers = lists
                .iter()
                .map(|list| list.as_ref().map_or(0, |list| of(list, first)));
            numbers
                .flat_map(|number| number.to_le_bytes().into_iter().take(WIDTH))
                .collect()
        };
        let (offsets, sizes) = (
            write(|list, first| list.start - first),
            write(|list, _| list.end - list.start),
        );
        self.write(&offsets);
        self.write(&sizes);
        self.column(item.data_type(), &(first..last))
    }
}
