//! Reads tensors side by side.

use bytes::Bytes;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use mainstay_core::{Error, ErrorKind, Result};

use super::Tensor;
use super::difference::Tally;
use super::header::shown;
use super::pieces::Pieces;
use super::stored::Stored;
use super::stretch::{Part, Side, Stretch, stretches};

/// How many stretches are read and compared at a time, so that requests and both ends of the work
/// overlap. Each takes at most about 20 MiB: both sides as restored, and as stored with gaps between.
const AT_A_TIME: usize = 8;
/// The bytes of each side that are added up at a time: no more than the nearest cache holds.
const STRIDE: usize = 16 * 1024;

/// Compares pairs of one type and shape each, several at a time, in memory bounded whatever their size.
///
/// They come back in order of their places on the second side. Whatever is read first, the same bytes
/// are added up in the same order.
pub(super) async fn compare(mut pairs: Vec<(Stored, Stored)>) -> Result<Vec<(Tensor, Tally)>> {
    fn place((_, after): &(Stored, Stored)) -> (&str, u64) {
        (after.tensor.file.as_str(), after.tensor.offset)
    }
    pairs.sort_by(|one, other| place(one).cmp(&place(other)));
    let tally = |(_, after): &(Stored, Stored)| Tally::new(after.tensor.dtype);
    let mut tallies: Vec<Tally> = pairs.iter().map(tally).collect();
    let mut compared = stream::iter(stretches(&pairs))
        .map(|stretch| {
            let within = stretch.pairs();
            async move { stretch.compare().await.map_err(|error| (error, within)) }
        })
        .buffered(AT_A_TIME);
    loop {
        match compared.try_next().await {
            Ok(None) => break,
            Ok(Some(parts)) => {
                for (pair, tally) in parts {
                    tallies[pair].append(&tally);
                }
            }
            Err((error, within)) => {
                let [first, last] = within.map(|pair| shown(&pairs[pair].1.tensor.name));
                return Err(if first == last {
                    error.context("tensor", first)
                } else {
                    error.context("tensors", format!("{first} to {last}"))
                });
            }
        }
    }
    drop(compared);
    let tensors = pairs.into_iter().map(|(_, after)| after.tensor);
    Ok(tensors.zip(tallies).collect())
}

impl Stretch {
    /// Reads both sides and compares each part.
    async fn compare(self) -> Result<Vec<(usize, Tally)>> {
        let Self {
            before,
            after,
            parts,
        } = self;
        let (mut before, mut after) = futures::try_join!(before.read(), after.read())?;
        computed(move || {
            let compare = |part: &Part| (part.pair, part.compare(&mut before, &mut after));
            parts.iter().map(compare).collect()
        })
        .await
    }
}

impl Side {
    async fn read(self) -> Result<Pieces> {
        let pieces: Vec<Bytes> = self.blob.stream_range(self.range).try_collect().await?;
        Ok(Pieces::new(pieces))
    }
}

impl Part {
    /// Compares the next bytes of both sides.
    fn compare(&self, before: &mut Pieces, after: &mut Pieces) -> Tally {
        let mut tally = Tally::new(self.dtype);
        let stride = STRIDE - STRIDE % self.dtype.unit();
        let mut left = self.bytes;
        while left > 0 {
            let bytes = left.min(stride);
            tally.add(&before.take(bytes), &after.take(bytes));
            left -= bytes;
        }
        tally
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
