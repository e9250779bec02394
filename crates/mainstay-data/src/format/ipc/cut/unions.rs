//! Values of one of several types.

use std::ops::Range;

use arrow::datatypes::{UnionFields, UnionMode};
use arrow::ipc::MetadataVersion;

use super::numbers::{numbers, times};
use super::{Cut, Stop};
use crate::format::ipc::message::not_ipc;

impl Cut<'_> {
    pub(super) fn union(
        &mut self,
        members: &UnionFields,
        mode: UnionMode,
        rows: &Range<u64>,
    ) -> Result<(), Stop> {
        if self.batch.version < MetadataVersion::V5 {
            self.buffer();
            self.write(&[]);
        }
        let ids = self.buffer();
        let ids = self.read(ids, rows.clone())?;
        self.write(&ids);
        let children = match mode {
            UnionMode::Sparse => members.iter().map(|_| rows.clone()).collect(),
            UnionMode::Dense => self.dense(members, &ids, rows)?,
        };
        for ((_, member), rows) in members.iter().zip(children) {
            self.column(member.data_type(), &rows)?;
        }
        Ok(())
    }

    /// Cuts the offsets of a union; returns which slots of each member they span.
    fn dense(
        &mut self,
        members: &UnionFields,
        ids: &[u8],
        rows: &Range<u64>,
    ) -> Result<Vec<Range<u64>>, Stop> {
        let buffer = self.buffer();
        let bytes = self.read(buffer, times(rows.start, 4)?..times(rows.end, 4)?)?;
        let offsets = numbers::<4>(&bytes);
        let numbers: Vec<i8> = members.iter().map(|(id, _)| id).collect();
        let mut spans: Vec<Option<Range<u64>>> = vec![None; numbers.len()];
        let mut places = Vec::with_capacity(offsets.len());
        for (id, offset) in ids.iter().zip(offsets) {
            let member = numbers
                .iter()
                .position(|number| number.to_le_bytes() == [*id]);
            let member = member.ok_or_else(|| not_ipc("a union without that member"))?;
            let offset = u64::try_from(offset).map_err(|_| not_ipc("a negative offset"))?;
            let span = spans[member].get_or_insert(offset..offset);
            *span = span.start.min(offset)..span.end.max(offset + 1);
            places.push((member, offset));
        }
        let spans: Vec<Range<u64>> = spans.into_iter().map(|span| span.unwrap_or(0..0)).collect();
        let written = places.into_iter().flat_map(|(member, offset)| {
            let [a, b, c, d, ..] = (offset - spans[member].start).to_le_bytes();
            [a, b, c, d]
        });
        let written: Vec<u8> = written.collect();
        self.write(&written);
        Ok(spans)
    }
}
