//! A part of a file, held in memory and read as if it were the file.

use std::io;
use std::ops::Range;

use bytes::buf::Reader;
use bytes::{Buf as _, Bytes};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

#[derive(Debug, Clone)]
pub(crate) struct Window {
    /// Of the file.
    size: u64,
    start: u64,
    bytes: Bytes,
}

impl Window {
    /// Holds `bytes`, which begin at `start` in a file of `size` bytes.
    pub(crate) fn new(size: u64, start: u64, bytes: Bytes) -> Self {
        Self { size, start, bytes }
    }

    /// Returns a range of the file; `None` when not all of it is held.
    pub(crate) fn get(&self, range: &Range<u64>) -> Option<Bytes> {
        let at = |place: u64| usize::try_from(place.checked_sub(self.start)?).ok();
        let (start, end) = (at(range.start)?, at(range.end)?);
        (start <= end && end <= self.bytes.len()).then(|| self.bytes.slice(start..end))
    }

    /// Returns all that is held, where that begins at `start`.
    pub(super) fn beginning_at(&self, start: u64) -> Option<Bytes> {
        (self.start == start).then(|| self.bytes.clone())
    }

    fn from(&self, start: u64) -> Option<Bytes> {
        let from = usize::try_from(start.checked_sub(self.start)?).ok()?;
        (from < self.bytes.len()).then(|| self.bytes.slice(from..))
    }
}

impl Length for Window {
    fn len(&self) -> u64 {
        self.size
    }
}

impl ChunkReader for Window {
    type T = Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        let held = self.from(start).ok_or_else(missing)?;
        Ok(held.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let end = start.checked_add(length as u64);
        let held = end.and_then(|end| self.get(&(start..end)));
        held.ok_or_else(missing)
    }
}

fn missing() -> ParquetError {
    ParquetError::from(io::Error::from(io::ErrorKind::UnexpectedEof))
}
