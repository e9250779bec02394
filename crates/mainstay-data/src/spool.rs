//! Bytes on their way: in memory while they are few, else in a temporary file.

use std::fs::File;
use std::io::{self, Write};

use bytes::Bytes;
use tempfile::{NamedTempFile, TempPath};

use crate::source::Source;

/// More than this goes into a file.
const MEMORY_BYTES: usize = 8 * 1024 * 1024;

/// Takes bytes.
#[derive(Debug)]
pub(crate) enum Spool {
    Memory(Vec<u8>),
    File(NamedTempFile),
}

/// What a [`Spool`] took; the file is deleted with it.
#[derive(Debug)]
pub(crate) enum Spooled {
    Memory(Bytes),
    File { path: TempPath, bytes: u64 },
}

impl Spool {
    pub(crate) fn new() -> Self {
        Self::Memory(Vec::new())
    }

    pub(crate) fn finish(mut self) -> io::Result<Spooled> {
        self.flush()?;
        Ok(match self {
            Self::Memory(bytes) => Spooled::Memory(bytes.into()),
            Self::File(file) => Spooled::File {
                bytes: file.as_file().metadata()?.len(),
                path: file.into_temp_path(),
            },
        })
    }
}

impl Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Self::Memory(held) = self
            && held.len() + bytes.len() > MEMORY_BYTES
        {
            let mut file = NamedTempFile::new()?;
            file.write_all(held)?;
            *self = Self::File(file);
        }
        match self {
            Self::Memory(held) => held.write(bytes),
            Self::File(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Memory(_) => Ok(()),
            Self::File(file) => file.flush(),
        }
    }
}

impl Spooled {
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File { bytes, .. } => *bytes,
        }
    }

    /// Opens the bytes. Blocks.
    pub(crate) fn open(&self) -> io::Result<Source> {
        match self {
            Self::Memory(bytes) => Ok(Source::memory(bytes.clone())),
            Self::File { path, .. } => Source::file(File::open(path)?),
        }
    }
}
