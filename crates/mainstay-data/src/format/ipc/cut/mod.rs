//! Cutting rows out of the columns of a batch. Only what they hold is read.
//!
//! The layout of each type is that of the Arrow columnar format, version 1.5, *Physical memory layout* and
//! *Serialization and interprocess communication*.

use std::io;
use std::ops::Range;

use arrow::buffer::{BooleanBuffer, Buffer};
use arrow::datatypes::{DataType, FieldRef, Schema};
use bytes::Bytes;
use mainstay_core::{Error, Result};

mod list_views;
mod numbers;
mod runs;
mod unions;
mod views;

use super::large::{Large, Node};
use super::message::not_ipc;
use numbers::{count, numbers, small, times, unsigned, width_of};

/// What buffers are aligned to.
const ALIGNMENT: usize = 64;

/// Why rows were not cut.
pub(super) enum Stop {
    /// They have more bytes than are allowed.
    TooLarge,
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// The columns of the rows that were cut.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    /// Lengths, and how many slots are null.
    pub(super) nodes: Vec<(u64, u64)>,
    /// Where each buffer lies in the body.
    pub(super) buffers: Vec<Range<usize>>,
    pub(super) variadic: Vec<i64>,
    pub(super) body: Vec<u8>,
}

/// A walk through the columns, in the order in which messages list what they consist of.
pub(super) struct Cut<'a> {
    batch: &'a mut Large,
    node: usize,
    buffer: usize,
    view: usize,
    pieces: Pieces,
    /// How many bytes are allowed.
    most: Option<usize>,
}

impl<'a> Cut<'a> {
    /// Cuts rows out of the columns that are `chosen`; of the others none.
    pub(super) fn of(
        batch: &'a mut Large,
        schema: &Schema,
        chosen: &[bool],
        rows: &Range<u64>,
        most: Option<usize>,
    ) -> Result<Pieces, Stop> {
        let mut cut = Self {
            batch,
            node: 0,
            buffer: 0,
            view: 0,
            pieces: Pieces::default(),
            most,
        };
        for (field, chosen) in schema.fields().iter().zip(chosen) {
            let rows = if *chosen { rows.clone() } else { 0..0 };
            cut.column(field.data_type(), &rows)?;
        }
        Ok(cut.pieces)
    }

    fn column(&mut self, data_type: &DataType, rows: &Range<u64>) -> Result<(), Stop> {
        let (node, place) = self.node(rows)?;
        match data_type {
            DataType::Null => self.pieces.nodes[place].1 = count(rows),
            DataType::Boolean => {
                self.validity(node, place, rows)?;
                let bits = self.bits(rows)?;
                self.write(bits.sliced().as_slice());
            }
            DataType::Utf8 | DataType::Binary => self.texts::<4>(node, place, rows)?,
            DataType::LargeUtf8 | DataType::LargeBinary => self.texts::<8>(node, place, rows)?,
            DataType::Utf8View | DataType::BinaryView => self.views(node, place, rows)?,
            DataType::FixedSizeBinary(width) => {
                self.validity(node, place, rows)?;
                self.fixed(unsigned(*width)?, rows)?;
            }
            DataType::List(item) | DataType::Map(item, _) => {
                self.list::<4>(item, node, place, rows)?;
            }
            DataType::LargeList(item) => self.list::<8>(item, node, place, rows)?,
            DataType::ListView(item) => self.list_view::<4>(item, node, place, rows)?,
            DataType::LargeListView(item) => self.list_view::<8>(item, node, place, rows)?,
            DataType::FixedSizeList(item, width) => {
                self.validity(node, place, rows)?;
                let width = unsigned(*width)?;
                let items = times(rows.start, width)?..times(rows.end, width)?;
                self.column(item.data_type(), &items)?;
            }
            DataType::Struct(fields) => {
                self.validity(node, place, rows)?;
                for field in fields {
                    self.column(field.data_type(), rows)?;
                }
            }
            DataType::Union(members, mode) => self.union(members, *mode, rows)?,
            DataType::RunEndEncoded(ends, values) => {
                let runs = self.run_ends(ends, rows)?;
                self.column(values.data_type(), &runs)?;
            }
            DataType::Dictionary(keys, _) => {
                self.validity(node, place, rows)?;
                self.fixed(width_of(keys)?, rows)?;
            }
            other => {
                self.validity(node, place, rows)?;
                self.fixed(width_of(other)?, rows)?;
            }
        }
        Ok(())
    }

    /// Takes the next node, and begins one of so many rows; returns the place of that.
    fn node(&mut self, rows: &Range<u64>) -> Result<(Node, usize), Stop> {
        let node = self.batch.nodes.get(self.node).copied();
        let node = node.ok_or_else(|| not_ipc("a batch has fewer columns than its schema"))?;
        if rows.end > node.length {
            return Err(not_ipc("a column has fewer slots than its batch refers to").into());
        }
        self.node += 1;
        self.pieces.nodes.push((count(rows), 0));
        Ok((node, self.pieces.nodes.len() - 1))
    }

    /// Takes the next buffer.
    fn buffer(&mut self) -> usize {
        self.buffer += 1;
        self.buffer - 1
    }

    /// Reads some bytes of a buffer.
    fn read(&mut self, buffer: usize, range: Range<u64>) -> Result<Bytes, Stop> {
        let missing = || not_ipc("a batch has fewer buffers than its columns");
        let length = self.batch.buffers.length(buffer).ok_or_else(missing)?;
        if range.end > length && !range.is_empty() {
            return Err(not_ipc("a buffer is shorter than its column").into());
        }
        let bytes = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
        let all = self.pieces.body.len().saturating_add(bytes);
        if self.most.is_some_and(|most| all > most) {
            return Err(Stop::TooLarge);
        }
        Ok(self.batch.buffers.read(buffer, range)?)
    }

    /// Adds a buffer.
    fn write(&mut self, bytes: &[u8]) {
        let body = &mut self.pieces.body;
        let start = body.len();
        body.extend_from_slice(bytes);
        self.pieces.buffers.push(start..body.len());
        body.resize(body.len().next_multiple_of(ALIGNMENT), 0);
    }

    /// Reads the bits of the next buffer.
    fn bits(&mut self, rows: &Range<u64>) -> Result<BooleanBuffer, Stop> {
        let buffer = self.buffer();
        let bytes = self.read(buffer, rows.start / 8..rows.end.div_ceil(8))?;
        let (offset, length) = (small(rows.start % 8)?, small(count(rows))?);
        Ok(if length == 0 {
            BooleanBuffer::new_unset(0)
        } else {
            BooleanBuffer::new(Buffer::from(bytes), offset, length)
        })
    }

    /// Cuts which slots are null; `None` where none is.
    fn validity(
        &mut self,
        node: Node,
        place: usize,
        rows: &Range<u64>,
    ) -> Result<Option<BooleanBuffer>, Stop> {
        if !node.has_nulls {
            self.buffer();
            self.write(&[]);
            return Ok(None);
        }
        let bits = self.bits(rows)?;
        let nulls = bits.len() - bits.count_set_bits();
        self.pieces.nodes[place].1 = nulls as u64;
        self.write(bits.sliced().as_slice());
        Ok(Some(bits))
    }

    /// Cuts values of so many bytes each.
    fn fixed(&mut self, width: u64, rows: &Range<u64>) -> Result<(), Stop> {
        let buffer = self.buffer();
        let range = times(rows.start, width)?..times(rows.end, width)?;
        let bytes = self.read(buffer, range)?;
        self.write(&bytes);
        Ok(())
    }

    /// Cuts offsets of so many bytes each, which begin with 0 then; returns what they spanned.
    fn offsets<const WIDTH: usize>(&mut self, rows: &Range<u64>) -> Result<Range<u64>, Stop> {
        let buffer = self.buffer();
        if rows.is_empty() {
            self.write(&[0; WIDTH]);
            return Ok(0..0);
        }
        let width = WIDTH as u64;
        let range = times(rows.start, width)?..times(rows.end, width)? + width;
        let bytes = self.read(buffer, range)?;
        let offsets = numbers::<WIDTH>(&bytes);
        let mut written = Vec::with_capacity(bytes.len());
        let first = offsets.first().copied().unwrap_or_default();
        let mut last = first.max(0);
        for offset in offsets {
            if offset < last {
                return Err(not_ipc("offsets that fall").into());
            }
            last = offset;
            written.extend_from_slice(&(offset - first).to_le_bytes()[..WIDTH]);
        }
        self.write(&written);
        Ok(first.unsigned_abs()..last.unsigned_abs())
    }

    fn texts<const WIDTH: usize>(
        &mut self,
        node: Node,
        place: usize,
        rows: &Range<u64>,
    ) -> Result<(), Stop> {
        self.validity(node, place, rows)?;
        let range = self.offsets::<WIDTH>(rows)?;
        let buffer = self.buffer();
        let bytes = self.read(buffer, range)?;
        self.write(&bytes);
        Ok(())
    }

    fn list<const WIDTH: usize>(
        &mut self,
        item: &FieldRef,
        node: Node,
        place: usize,
        rows: &Range<u64>,
    ) -> Result<(), Stop> {
        self.validity(node, place, rows)?;
        let items = self.offsets::<WIDTH>(rows)?;
        self.column(item.data_type(), &items)
    }
}
