//! Where a blob's bytes come from, read on a thread that may block.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use mainstay_core::{Error, ErrorKind, Result};
use tokio::sync::mpsc::Receiver;
use tokio::sync::oneshot;

/// How much is read, hashed and cut at a time.
const PIECE: usize = 256 * 1024;

/// Pieces of a blob, in order.
pub(super) trait Source: Send {
    /// Returns the next piece, which is not empty; `None` at the end, and then always.
    fn next(&mut self) -> Result<Option<Bytes>>;
}

impl Source for Bytes {
    fn next(&mut self) -> Result<Option<Bytes>> {
        let piece = self.split_to(self.len().min(PIECE));
        Ok((!piece.is_empty()).then_some(piece))
    }
}

/// A file.
#[derive(Debug)]
pub(super) struct FileSource {
    file: File,
    path: PathBuf,
    ended: bool,
    /// Whole pieces, to read into again when nobody else has them any more; the oldest first.
    lent: VecDeque<Bytes>,
}

impl FileSource {
    pub(super) fn open(path: PathBuf) -> Result<Self> {
        let file = File::open(&path).map_err(|error| read_error(error, &path))?;
        Ok(Self {
            file,
            path,
            ended: false,
            lent: VecDeque::new(),
        })
    }

    /// Reads a piece into memory that is not used any more, if there is any.
    fn next_again(&mut self) -> Option<Result<Bytes>> {
        let mut piece = match self.lent.pop_front()?.try_into_mut() {
            Ok(piece) => piece,
            Err(used) => {
                self.lent.push_front(used);
                return None;
            }
        };
        let mut len = 0;
        while !self.ended && len < piece.len() {
            match self.file.read(&mut piece[len..]) {
                Ok(0) => self.ended = true,
                Ok(count) => len += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Some(Err(read_error(error, &self.path))),
            }
        }
        piece.truncate(len);
        Some(Ok(piece.freeze()))
    }

    fn next_anew(&mut self) -> Result<Bytes> {
        let mut piece = Vec::with_capacity(if self.ended { 0 } else { PIECE });
        // Filling the piece lets the end of a small file be seen with its only piece.
        while !self.ended && piece.len() < PIECE {
            let rest = (PIECE - piece.len()) as u64;
            match Read::by_ref(&mut self.file)
                .take(rest)
                .read_to_end(&mut piece)
            {
                Ok(0) => self.ended = true,
                Ok(_) => {}
                Err(error) => return Err(read_error(error, &self.path)),
            }
        }
        Ok(piece.into())
    }
}

fn read_error(error: io::Error, path: &Path) -> Error {
    Error::from(error)
        .operation("read file")
        .context("path", path.display())
}

impl Source for FileSource {
    fn next(&mut self) -> Result<Option<Bytes>> {
        let piece = match self.next_again() {
            Some(piece) => piece?,
            None => self.next_anew()?,
        };
        if piece.len() == PIECE {
            self.lent.push_back(piece.clone());
        }
        Ok((!piece.is_empty()).then_some(piece))
    }
}

/// Pieces that were read already, and the rest of their source.
#[derive(Debug)]
pub(super) struct Chained<S> {
    read: std::array::IntoIter<Bytes, 2>,
    rest: S,
}

impl<S> Chained<S> {
    pub(super) fn new(read: [Bytes; 2], rest: S) -> Self {
        let read = read.into_iter();
        Self { read, rest }
    }
}

impl<S: Source> Source for Chained<S> {
    fn next(&mut self) -> Result<Option<Bytes>> {
        match self.read.next() {
            Some(piece) => Ok(Some(piece)),
            None => self.rest.next(),
        }
    }
}

/// Whoever waits for a blob. Closed when the future that waits is dropped.
#[derive(Debug)]
pub(super) struct Caller(pub(super) oneshot::Sender<()>);

impl Caller {
    /// # Errors
    /// [`ErrorKind::Cancelled`] when nobody waits any more.
    pub(super) fn check(&self) -> Result<()> {
        if self.0.is_closed() {
            return Err(Error::new(
                ErrorKind::Cancelled,
                "storing the blob was given up",
            ));
        }
        Ok(())
    }
}

/// A source that ends with an error when nobody waits for the blob any more.
#[derive(Debug)]
pub(super) struct Cancellable<'c, S> {
    pub(super) source: S,
    pub(super) caller: &'c Caller,
}

impl<S: Source> Source for Cancellable<'_, S> {
    fn next(&mut self) -> Result<Option<Bytes>> {
        self.caller.check()?;
        self.source.next()
    }
}

/// A stream that another task feeds: `None` is its end.
#[derive(Debug)]
pub(super) struct StreamSource {
    pieces: Receiver<Option<Result<Bytes>>>,
    ended: bool,
}

impl StreamSource {
    pub(super) fn new(pieces: Receiver<Option<Result<Bytes>>>) -> Self {
        Self {
            pieces,
            ended: false,
        }
    }
}

impl Source for StreamSource {
    fn next(&mut self) -> Result<Option<Bytes>> {
        while !self.ended {
            match self.pieces.blocking_recv() {
                Some(Some(piece)) => {
                    let piece = piece?;
                    if !piece.is_empty() {
                        return Ok(Some(piece));
                    }
                }
                Some(None) => self.ended = true,
                None => return Err(Error::new(ErrorKind::Cancelled, "the stream was dropped")),
            }
        }
        Ok(None)
    }
}
