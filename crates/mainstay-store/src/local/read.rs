//! Reading objects.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::sync::atomic::{AtomicBool, Ordering};

use mainstay_core::Result;
use rustix::io::Errno;

use super::directory::Directory;
use super::kernel;
use super::place::Place;
use super::tree::{Tree, failure};
use crate::{ByteRange, Key, Object};

/// What is copied on the caller's thread at most: a few microseconds, less than a hand-over.
const QUICK_BYTES: u64 = 64 << 10;

/// Whether reading from the cache is worth a try.
#[derive(Debug)]
pub(super) struct QuickReads(AtomicBool);

impl QuickReads {
    pub(super) fn new(possible: bool) -> Self {
        Self(AtomicBool::new(possible))
    }
}

/// The answer is not in the cache, or is an error: find out where it may block.
#[derive(Debug)]
pub(super) struct NotCached;

impl Tree {
    pub(super) fn get(&self, key: &Key, range: &ByteRange) -> Result<Option<Object>> {
        let place = Place::of(key);
        let read = || -> io::Result<Option<Object>> {
            let Some(mut file) = self.beneath.file(&place)? else {
                return Ok(None);
            };
            let size = file.metadata()?.len();
            let range = range.within(size);
            let len = range.end - range.start;
            let mut bytes = Vec::new();
            let reserved = usize::try_from(len).map(|len| bytes.try_reserve_exact(len));
            if !matches!(reserved, Ok(Ok(()))) {
                return Err(io::ErrorKind::OutOfMemory.into());
            }
            file.seek(SeekFrom::Start(range.start))?;
            file.take(len).read_to_end(&mut bytes)?;
            if bytes.len() as u64 != len {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let bytes = bytes.into();
            Ok(Some(Object { bytes, size }))
        };
        read().map_err(|error| failure(error, key))
    }

    /// Reads what is small and in the kernel's caches, without blocking.
    pub(super) fn get_cached(
        &self,
        key: &Key,
        range: &ByteRange,
    ) -> Result<Option<Object>, NotCached> {
        if !self.quick_reads.0.load(Ordering::Relaxed) {
            return Err(NotCached);
        }
        let place = Place::of(key);
        let root = self.beneath.root.as_file();
        let file = match kernel::open_cached(root, place.path(), Directory::FILE_FLAGS) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(_) => return Err(NotCached),
        };
        let metadata = file.metadata().map_err(|_| NotCached)?;
        if !metadata.is_file() {
            return Err(NotCached);
        }
        let size = metadata.len();
        let range = range.within(size);
        let bytes = self.read_cached(&file, range.start, range.end - range.start)?;
        let bytes = bytes.into();
        Ok(Some(Object { bytes, size }))
    }

    fn read_cached(&self, file: &File, offset: u64, len: u64) -> Result<Vec<u8>, NotCached> {
        if len > QUICK_BYTES {
            return Err(NotCached);
        }
        let mut bytes = vec![0; usize::try_from(len).map_err(|_| NotCached)?];
        if bytes.is_empty() {
            return Ok(bytes);
        }
        match kernel::read_cached(file, &mut bytes, offset) {
            Ok(read) if read == bytes.len() => Ok(bytes),
            Err(Errno::OPNOTSUPP) => {
                self.quick_reads.0.store(false, Ordering::Relaxed);
                Err(NotCached)
            }
            _ => Err(NotCached),
        }
    }
}
