//! Checks that the pieces of a blob together are the blob, while its reader goes on.

use std::sync::Arc;

use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use mainstay_core::{Digest, Error, Hasher, Progress, Result};

use super::fetch::Batch;
use crate::blobs::blocking::{self, Started};

/// Passes on the batches of a whole blob; the last is followed by an error unless all of them hash to
/// its digest.
///
/// Each batch is hashed on a thread of its own while it is used and the next is fetched.
pub(super) fn checked(
    batches: BoxStream<'static, Result<Batch>>,
    digest: Digest,
) -> BoxStream<'static, Result<Batch>> {
    let state = (batches, Hashing::Idle(Hasher::new()));
    stream::try_unfold(state, move |(mut batches, hashing)| async move {
        let next = batches.try_next().await?;
        let mut hasher = hashing.wait().await?;
        let Some(batch) = next else {
            return if hasher.finish() == digest {
                Ok(None)
            } else {
                Err(wrong_whole(&digest))
            };
        };
        let hashed = batch.clone();
        let hashing = blocking::start(move || {
            for piece in &hashed {
                hasher.update(piece);
            }
            hasher
        })?;
        Ok(Some((batch, (batches, Hashing::Running(hashing)))))
    })
    .boxed()
}

/// Tells `progress` of every batch of a blob of `size` bytes.
pub(super) fn told(
    batches: BoxStream<'static, Result<Batch>>,
    progress: Arc<dyn Progress>,
    size: u64,
) -> BoxStream<'static, Result<Batch>> {
    let mut done = 0;
    let tell = move |batch: &Batch| {
        done += batch.iter().map(|piece| piece.len() as u64).sum::<u64>();
        progress.advance("bytes", done, Some(size));
    };
    batches.inspect_ok(tell).boxed()
}

enum Hashing {
    Idle(Hasher),
    Running(Started<Hasher>),
}

impl Hashing {
    async fn wait(self) -> Result<Hasher> {
        match self {
            Self::Idle(hasher) => Ok(hasher),
            Self::Running(started) => started.wait().await,
        }
    }
}

fn wrong_whole(digest: &Digest) -> Error {
    Error::corrupt(format!("blob {digest}"), "bytes do not match the digest")
}
