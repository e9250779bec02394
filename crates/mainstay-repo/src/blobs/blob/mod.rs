//! Reading blobs.

mod export;
pub(super) mod fetch;
mod parts;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use mainstay_core::{Digest, Error, Hasher, Result};
use tracing::instrument;

use super::Shared;
use super::manifest::{Body, Manifest};

/// A stored blob. Cheap to clone.
///
/// Every read is verified: bytes that are not those that were stored are
/// [`ErrorKind::Corrupt`](mainstay_core::ErrorKind::Corrupt), naming the object, and are never
/// returned.
#[derive(Debug, Clone)]
pub struct Blob {
    shared: Arc<Shared>,
    manifest: Arc<Manifest>,
}

impl Blob {
    pub(super) fn new(shared: Arc<Shared>, manifest: Manifest) -> Self {
        Self {
            shared,
            manifest: Arc::new(manifest),
        }
    }

    #[cfg(test)]
    pub(super) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Returns its SHA-256.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.manifest.digest
    }

    /// Returns its size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.manifest.size
    }

    /// Reads all of it into memory.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`](mainstay_core::ErrorKind::Corrupt) when the stored bytes are damaged, and
    /// those of the storage.
    #[instrument(skip_all, fields(blob = %self.digest()), err(level = "debug"))]
    pub async fn bytes(&self) -> Result<Bytes> {
        collect(self.stream()).await
    }

    /// Reads a range, cut to the blob; only the chunks it touches are fetched.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes).
    #[instrument(skip_all, fields(blob = %self.digest(), start = range.start, end = range.end), err(level = "debug"))]
    pub async fn range(&self, range: Range<u64>) -> Result<Bytes> {
        let end = range.end.min(self.size());
        collect(self.pieces(range.start.min(end)..end)).await
    }

    /// Streams it in memory bounded whatever its size.
    ///
    /// Each piece has been verified by itself. When the pieces together are not the blob, which takes
    /// a damaged manifest, the stream ends with
    /// [`ErrorKind::Corrupt`](mainstay_core::ErrorKind::Corrupt).
    pub fn stream(&self) -> BoxStream<'static, Result<Bytes>> {
        let (digest, pieces) = (self.digest(), self.pieces(0..self.size()));
        // Inline bytes were compared with the digest when the manifest was read.
        if matches!(self.manifest.body, Body::Inline(_)) {
            return pieces;
        }
        let hashed = stream::try_unfold(
            (pieces, Hasher::new()),
            move |(mut pieces, mut hasher)| async move {
                match pieces.try_next().await? {
                    Some(piece) => {
                        hasher.update(&piece);
                        Ok(Some((piece, (pieces, hasher))))
                    }
                    None if hasher.finish() == digest => Ok(None),
                    None => Err(wrong_whole(&digest)),
                }
            },
        );
        hashed.boxed()
    }

    /// Writes it to a file, replacing `path` atomically; the file is durable when this returns.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes), and those of writing, naming the path; `path` is untouched then.
    #[instrument(skip_all, fields(blob = %self.digest(), path = %path.display()), err(level = "debug"))]
    pub async fn export(&self, path: &Path) -> Result<()> {
        export::export(self.stream(), path).await
    }

    /// Checks that the index knows every chunk with the size the manifest says.
    pub(crate) async fn check_parts(&self) -> Result<()> {
        let mut parts = parts::within(&self.shared, &self.manifest, 0..self.size());
        while let Some(part) = parts.try_next().await? {
            fetch::locate(Arc::clone(&self.shared), self.digest(), part).await?;
        }
        Ok(())
    }

    /// Streams a range that lies within the blob; the pieces are verified one by one only.
    fn pieces(&self, range: Range<u64>) -> BoxStream<'static, Result<Bytes>> {
        if let Body::Inline(bytes) = &self.manifest.body {
            // The range lies within the inline bytes, whose length is a usize.
            let [start, end] = [range.start, range.end].map(|at| usize::try_from(at).unwrap_or(0));
            return stream::iter([Ok(bytes.slice(start..end))]).boxed();
        }
        let parts = parts::within(&self.shared, &self.manifest, range);
        fetch::fetch(&self.shared, self.digest(), parts)
    }
}

fn wrong_whole(digest: &Digest) -> Error {
    Error::corrupt(format!("blob {digest}"), "bytes do not match the digest")
}

/// Gathers pieces; memory grows with what has been verified, not with what a manifest claims.
async fn collect(mut pieces: BoxStream<'_, Result<Bytes>>) -> Result<Bytes> {
    let mut whole = BytesMut::new();
    while let Some(piece) = pieces.try_next().await? {
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
}
