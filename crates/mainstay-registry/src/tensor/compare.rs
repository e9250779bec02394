//! Reads two tensors side by side.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use futures::TryStreamExt as _;
use futures::stream::BoxStream;
use mainstay_core::{Error, ErrorKind, Result};
use mainstay_repo::Blob;

use super::difference::Tally;
use super::element::ElementType;

/// Compares two ranges of one length that hold elements of one type.
pub(super) async fn compare(
    dtype: ElementType,
    before: (&Blob, Range<u64>),
    after: (&Blob, Range<u64>),
) -> Result<Tally> {
    let unit = dtype.unit();
    let mut tally = Tally::new(dtype);
    let mut before = Side::new(before.0.stream_range(before.1));
    let mut after = Side::new(after.0.stream_range(after.1));
    loop {
        futures::try_join!(before.fill(unit), after.fill(unit))?;
        let bytes = before.held.len().min(after.held.len());
        let bytes = bytes - bytes % unit;
        if bytes == 0 {
            return Ok(tally);
        }
        let (a, b) = (before.held.split_to(bytes), after.held.split_to(bytes));
        tally = computed(move || {
            tally.add(&a, &b);
            tally
        })
        .await?;
    }
}

/// Computes on a thread that may take long.
pub(super) async fn computed<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    let worker = tokio::task::spawn_blocking(work).await;
    worker.map_err(|error| {
        let (kind, why) = if error.is_panic() {
            (ErrorKind::Internal, "a worker panicked")
        } else {
            (ErrorKind::Cancelled, "the runtime shut down")
        };
        Error::new(kind, why).with_source(error)
    })
}

/// What was read of one side and not used yet.
struct Side {
    held: Bytes,
    pieces: BoxStream<'static, Result<Bytes>>,
}

impl Side {
    fn new(pieces: BoxStream<'static, Result<Bytes>>) -> Self {
        Self {
            held: Bytes::new(),
            pieces,
        }
    }

    /// Reads on until `bytes` are held, or the end.
    async fn fill(&mut self, bytes: usize) -> Result<()> {
        while self.held.len() < bytes {
            let Some(piece) = self.pieces.try_next().await? else {
                return Ok(());
            };
            self.held = if self.held.is_empty() {
                piece
            } else {
                // An element that lies in two chunks.
                let mut joined = BytesMut::with_capacity(self.held.len() + piece.len());
                joined.extend_from_slice(&self.held);
                joined.extend_from_slice(&piece);
                joined.freeze()
            };
        }
        Ok(())
    }
}
