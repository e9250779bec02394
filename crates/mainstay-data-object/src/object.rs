//! A file of a snapshot as an object.

use std::ops::Range;

use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use mainstay_core::{Digest, Result};
use mainstay_data::{Datasets, FileEntry, MergedFile};
use tokio::sync::OnceCell;

/// How much of a file with patches is handed out at once.
const PIECE_BYTES: usize = 1024 * 1024;

/// A file of a snapshot.
#[derive(Debug)]
pub(crate) struct Object {
    file: FileEntry,
    /// The file as one, once somebody has asked for it.
    merged: OnceCell<MergedFile>,
}

/// What identifies the bytes of an object.
pub(crate) struct Identity {
    pub(crate) bytes: u64,
    pub(crate) digest: Digest,
}

impl Object {
    pub(crate) fn new(file: FileEntry) -> Self {
        Self {
            file,
            merged: OnceCell::new(),
        }
    }

    pub(crate) async fn identity(&self, datasets: &Datasets) -> Result<Identity> {
        Ok(match self.merged(datasets).await? {
            None => Identity {
                bytes: self.file.bytes,
                digest: self.file.digest,
            },
            Some(merged) => Identity {
                bytes: merged.bytes(),
                digest: merged.digest(),
            },
        })
    }

    /// Streams the bytes of a range, which lies within the object.
    pub(crate) async fn read(
        &self,
        datasets: &Datasets,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes>>> {
        let Some(merged) = self.merged(datasets).await? else {
            return Ok(datasets.file(&self.file).await?.stream_range(range).boxed());
        };
        let merged = merged.clone();
        let starts = stream::iter(range.clone().step_by(PIECE_BYTES));
        let pieces = starts.then(move |start| {
            let piece = start..range.end.min(start + PIECE_BYTES as u64);
            let merged = merged.clone();
            async move { merged.range(piece).await }
        });
        Ok(pieces.into_stream().boxed())
    }

    /// Returns the file as one; `None` where that is how it is stored.
    async fn merged(&self, datasets: &Datasets) -> Result<Option<&MergedFile>> {
        if self.file.patches().is_empty() {
            return Ok(None);
        }
        let merge = || datasets.merged_file(&self.file);
        self.merged.get_or_try_init(merge).await.map(Some)
    }
}
