//! Reading a blob like a file.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use mainstay_core::{Error, ErrorKind, Result};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncSeek, ReadBuf, SeekFrom};

use super::Blob;

/// What is fetched after a seek.
const FIRST_WINDOW: u64 = 128 * 1024;
/// From here on all of the rest is streamed.
const LAST_WINDOW: u64 = 8 * 1024 * 1024;

/// Reads a [`Blob`] at any place, as [`AsyncRead`], [`AsyncBufRead`] and [`AsyncSeek`].
///
/// Every chunk is verified before any of its bytes are returned; that all of them together hash to the
/// digest is what [`Blob::stream`] and [`Blob::export`] check. What is fetched ahead grows from 128 KiB
/// after a seek to all of the rest, in memory bounded whatever the size of the blob.
///
/// Errors are those of [`Blob::range`] inside an [`io::Error`], of kind
/// [`InvalidData`](io::ErrorKind::InvalidData) for damage. After one, reading goes on at the same place.
pub struct BlobReader {
    blob: Blob,
    at: u64,
    /// What was fetched and begins at `at`.
    piece: Bytes,
    /// What comes after the piece.
    pieces: Option<BoxStream<'static, Result<Bytes>>>,
    window: u64,
}

impl BlobReader {
    pub(super) fn new(blob: Blob) -> Self {
        Self {
            blob,
            at: 0,
            piece: Bytes::new(),
            pieces: None,
            window: FIRST_WINDOW,
        }
    }

    /// Returns where the next byte is read.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.at
    }

    /// Waits for a piece; none is left at the end.
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.piece.is_empty() && self.at < self.blob.size() {
            let pieces = if let Some(pieces) = &mut self.pieces {
                pieces
            } else {
                let end = self.at.saturating_add(self.window).min(self.blob.size());
                let pieces = self.blob.pieces(self.at..end);
                self.window = match self.window {
                    ..LAST_WINDOW => self.window * 4,
                    _ => u64::MAX,
                };
                self.pieces.insert(pieces)
            };
            match ready!(pieces.poll_next_unpin(context)) {
                Some(Ok(piece)) => self.piece = piece,
                Some(Err(error)) => {
                    self.pieces = None;
                    return Poll::Ready(Err(io_error(error)));
                }
                None => self.pieces = None,
            }
        }
        Poll::Ready(Ok(()))
    }

    fn skip(&mut self, bytes: usize) {
        let bytes = bytes.min(self.piece.len());
        self.piece.advance(bytes);
        self.at += bytes as u64;
    }
}

fn io_error(error: Error) -> io::Error {
    let kind = match error.kind() {
        ErrorKind::Corrupt => io::ErrorKind::InvalidData,
        ErrorKind::PermissionDenied => io::ErrorKind::PermissionDenied,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}

impl AsyncRead for BlobReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_piece(context))?;
        let len = buffer.remaining().min(self.piece.len());
        buffer.put_slice(&self.piece[..len]);
        self.skip(len);
        Poll::Ready(Ok(()))
    }
}

impl AsyncBufRead for BlobReader {
    fn poll_fill_buf(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        ready!(this.poll_piece(context))?;
        Poll::Ready(Ok(&this.piece))
    }

    fn consume(mut self: Pin<&mut Self>, bytes: usize) {
        self.skip(bytes);
    }
}

impl AsyncSeek for BlobReader {
    /// Places beyond the end are allowed and read nothing; those before the beginning are not.
    fn start_seek(mut self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
        let target = match position {
            SeekFrom::Start(target) => Some(target),
            SeekFrom::End(offset) => self.blob.size().checked_add_signed(offset),
            SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
        };
        let target = target.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "seek to before the beginning")
        })?;
        match target.checked_sub(self.at).map(usize::try_from) {
            Some(Ok(ahead)) if ahead <= self.piece.len() => self.skip(ahead),
            _ => {
                self.at = target;
                self.piece = Bytes::new();
                self.pieces = None;
                self.window = FIRST_WINDOW;
            }
        }
        Ok(())
    }

    fn poll_complete(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Poll::Ready(Ok(self.at))
    }
}

impl fmt::Debug for BlobReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobReader")
            .field("blob", &self.blob.digest())
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}
