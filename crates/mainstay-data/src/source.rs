//! Bytes at offsets, from a file, from memory or from a stored blob.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf as _, Bytes};
use mainstay_core::Error;
use mainstay_repo::Blob;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use tokio::runtime::Handle;

/// How much a sequential reader fetches at first: a decoder may want a page's header and no more.
const FIRST_READ_BYTES: usize = 8 * 1024;
/// How much it fetches at once when it goes on, each time twice as much until then.
const READ_AHEAD_BYTES: usize = 1024 * 1024;

/// Bytes of a known length, read at any offset from a thread that may block. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Source {
    inner: Arc<Inner>,
    size: u64,
}

struct Inner {
    place: Place,
    /// The first failure of the place itself. The decoders between us and the caller flatten errors
    /// into text, and their caller must tell a failing disk from a bad file.
    failure: Mutex<Option<Error>>,
    /// How many bytes were read.
    read: AtomicU64,
}

enum Place {
    File(Mutex<File>),
    Memory(Bytes),
    Blob(Blob, Handle),
}

impl Source {
    /// Reads from an open file; its size is taken now.
    pub(crate) fn file(file: File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        Ok(Self::new(Place::File(Mutex::new(file)), size))
    }

    /// Reads from memory.
    pub(crate) fn memory(bytes: Bytes) -> Self {
        let size = bytes.len() as u64;
        Self::new(Place::Memory(bytes), size)
    }

    /// Reads from a blob, driving its futures on `runtime`.
    ///
    /// The reading threads must not be threads of the runtime that run tasks.
    pub(crate) fn blob(blob: Blob, runtime: Handle) -> Self {
        let size = blob.size();
        Self::new(Place::Blob(blob, runtime), size)
    }

    fn new(place: Place, size: u64) -> Self {
        let failure = Mutex::new(None);
        Self {
            inner: Arc::new(Inner {
                place,
                failure,
                read: AtomicU64::new(0),
            }),
            size,
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Reads exactly `length` bytes at `offset`.
    pub(crate) fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let end = offset.checked_add(length as u64);
        if end.is_none_or(|end| end > self.size) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.inner.read.fetch_add(length as u64, Ordering::Relaxed);
        self.inner
            .read_at(offset, length)
            .map_err(|error| self.inner.remember(error))
    }

    /// Reads exactly the bytes of `range`.
    pub(crate) fn read_range(&self, range: Range<u64>) -> io::Result<Bytes> {
        let length = range.end.checked_sub(range.start);
        let length = length.and_then(|length| usize::try_from(length).ok());
        self.read_at(range.start, length.ok_or(io::ErrorKind::UnexpectedEof)?)
    }

    /// Returns how many bytes were read so far, those read twice counted twice.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.inner.read.load(Ordering::Relaxed)
    }

    /// Reads from the beginning to the end, in large pieces.
    pub(crate) fn reader(&self) -> SourceReader {
        self.reader_from(0)
    }

    /// Reads from `offset` to the end, in large pieces.
    pub(crate) fn reader_from(&self, offset: u64) -> SourceReader {
        SourceReader {
            source: self.clone(),
            offset,
            buffered: Bytes::new(),
            ahead: FIRST_READ_BYTES,
        }
    }

    /// Reports whether reading the place has failed.
    pub(crate) fn has_failed(&self) -> bool {
        let failure = self.inner.failure.lock();
        failure.unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Takes the first failure of the place, if reading it has failed.
    pub(crate) fn take_failure(&self) -> Option<Error> {
        self.inner
            .failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

impl Inner {
    fn read_at(&self, offset: u64, length: usize) -> Result<Bytes, Error> {
        match &self.place {
            Place::Memory(bytes) => {
                // The caller checked the range against the length.
                let start = usize::try_from(offset).unwrap_or(bytes.len());
                Ok(bytes.slice(start..start + length))
            }
            Place::File(file) => {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.seek(SeekFrom::Start(offset))?;
                let mut bytes = vec![0; length];
                file.read_exact(&mut bytes)?;
                Ok(bytes.into())
            }
            Place::Blob(blob, runtime) => {
                runtime.block_on(blob.range(offset..offset + length as u64))
            }
        }
    }

    fn remember(&self, error: Error) -> io::Error {
        let text = error.to_string();
        self.failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(error);
        io::Error::other(text)
    }
}

/// Reads a [`Source`] in order.
pub(crate) struct SourceReader {
    source: Source,
    offset: u64,
    buffered: Bytes,
    ahead: usize,
}

impl SourceReader {
    /// How many bytes are read at first.
    pub(crate) const FIRST_BYTES: u64 = FIRST_READ_BYTES as u64;
}

impl Read for SourceReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.buffered.is_empty() {
            let rest = self.source.size.saturating_sub(self.offset);
            let length = usize::try_from(rest).map_or(self.ahead, |rest| rest.min(self.ahead));
            self.ahead = READ_AHEAD_BYTES.min(self.ahead * 2);
            self.buffered = self.source.read_at(self.offset, length)?;
            self.offset += length as u64;
        }
        let length = out.len().min(self.buffered.len());
        self.buffered.copy_to_slice(&mut out[..length]);
        Ok(length)
    }
}

impl Length for Source {
    fn len(&self) -> u64 {
        self.size
    }
}

impl ChunkReader for Source {
    type T = SourceReader;

    fn get_read(&self, start: u64) -> Result<SourceReader, ParquetError> {
        Ok(self.reader_from(start))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        Ok(self.read_at(start, length)?)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn file_and_memory_read_alike(bytes: Vec<u8>, offset in 0_u64..300, length in 0_usize..300) {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&bytes).unwrap();
            let file = Source::file(file).unwrap();
            let memory = Source::memory(bytes.clone().into());

            let expected = usize::try_from(offset).ok().and_then(|start| bytes.get(start..start + length));
            for source in [&file, &memory] {
                let read = source.read_at(offset, length).ok();
                prop_assert_eq!(read.as_deref(), expected);
            }

            let mut read = Vec::new();
            file.reader().read_to_end(&mut read).unwrap();
            prop_assert_eq!(read, bytes);
        }
    }
}
