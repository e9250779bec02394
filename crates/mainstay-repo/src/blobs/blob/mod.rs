//! Reading blobs.

mod copies;
mod export;
pub(in crate::blobs) mod fetch;
mod parts;
mod reader;
mod whole;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use mainstay_core::{BulkDigest, Digest, Progress, Result};
use tracing::instrument;

use self::fetch::Batch;
pub(super) use self::parts::{Part, load_list};
pub use self::reader::BlobReader;
use super::Shared;
use super::manifest::{Body, ListRef, Manifest};
use super::pack::PackId;
use super::record::RecordId;

/// A stored blob. Cheap to clone.
///
/// Every read is verified: bytes that are not those that were stored are
/// [`ErrorKind::Corrupt`](mainstay_core::ErrorKind::Corrupt), naming the object, and are never
/// returned. Chunks are checked one by one against their BLAKE3; what reads all of a blob checks its
/// SHA-256 as well, which finds a manifest that names the wrong chunks.
///
/// Several chunks are fetched, decompressed and checked at a time, in memory of at most about 64 MiB
/// whatever the size of the blob. Must be used within a tokio runtime.
#[derive(Debug, Clone)]
pub struct Blob {
    shared: Arc<Shared>,
    manifest: Arc<Manifest>,
    /// Where the manifest lies.
    pack: PackId,
    /// Where others lie that are of no use.
    passed: Vec<PackId>,
    progress: Option<Arc<dyn Progress>>,
}

impl Blob {
    /// Creates the blob of a manifest that lies in `pack`.
    pub(super) fn new(shared: Arc<Shared>, manifest: Manifest, pack: PackId) -> Self {
        Self {
            shared,
            manifest: Arc::new(manifest),
            pack,
            passed: Vec::new(),
            progress: None,
        }
    }

    /// Returns the pack that its manifest lies in.
    pub(super) fn pack(&self) -> PackId {
        self.pack
    }

    pub(super) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Tells `progress` how many `bytes` have been read by whatever reads all of the blob.
    #[must_use]
    pub fn with_progress(mut self, progress: Arc<dyn Progress>) -> Self {
        self.progress = Some(progress);
        self
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
    #[instrument(skip_all, fields(blob = %self.digest(), bytes = self.size()), err(level = "debug"))]
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
        flatten(self.whole())
    }

    /// Streams a range, cut to the blob; only the chunks it touches are fetched, in bounded memory.
    ///
    /// Each piece has been verified by itself. Errors as [`bytes`](Self::bytes).
    pub fn stream_range(&self, range: Range<u64>) -> BoxStream<'static, Result<Bytes>> {
        let end = range.end.min(self.size());
        self.pieces(range.start.min(end)..end)
    }

    /// Streams where its chunks lie, one after the other from the first byte, each with the BLAKE3 of
    /// its bytes, without reading any of them.
    ///
    /// A blob of up to 16 KiB is one chunk. Errors as [`bytes`](Self::bytes).
    pub fn chunks(&self) -> BoxStream<'static, Result<(Range<u64>, BulkDigest)>> {
        if let Body::Inline(bytes) = &self.manifest.body {
            let address = BulkDigest::from_bytes(*blake3::hash(bytes).as_bytes());
            let all = (!bytes.is_empty()).then_some(Ok((0..self.size(), address)));
            return stream::iter(all).boxed();
        }
        let mut end = 0;
        copies::parts(self.clone(), 0..self.size())
            .map_ok(move |part| {
                let start = end;
                end += u64::from(part.chunk.len);
                (start..end, BulkDigest::from_bytes(part.chunk.address))
            })
            .boxed()
    }

    /// Reads it like a file, at any place.
    #[must_use]
    pub fn reader(&self) -> BlobReader {
        BlobReader::new(self.clone())
    }

    /// Writes it to a file, replacing `path` atomically; the file is durable when this returns.
    ///
    /// Long runs of zeros become holes, where the file system has them.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes), and those of writing, naming the path; `path` is untouched then.
    #[instrument(skip_all, fields(blob = %self.digest(), bytes = self.size(), path = %path.display()), err(level = "debug"))]
    pub async fn export(&self, path: &Path) -> Result<()> {
        export::export(self.whole(), path).await
    }

    /// Checks that the index knows every chunk with the size the manifest says, of this manifest or of
    /// another one of the blob.
    pub(crate) async fn check_parts(&self) -> Result<()> {
        let mut blob = self.clone();
        while let Err(error) = blob.locate_parts().await {
            blob = blob.instead(error).await?;
        }
        Ok(())
    }

    async fn locate_parts(&self) -> Result<()> {
        let mut parts = self.parts();
        while let Some(part) = parts.try_next().await? {
            fetch::locate(Arc::clone(&self.shared), self.digest(), part).await?;
        }
        Ok(())
    }

    /// The lists its manifest names.
    pub(super) fn lists(&self) -> Vec<RecordId> {
        match &self.manifest.body {
            Body::Lists(lists) => lists.iter().map(ListRef::id).collect(),
            Body::Inline(_) | Body::Chunks(_) => Vec::new(),
        }
    }

    /// What it is made of by this manifest, which comes first.
    pub(super) async fn records(&self) -> Result<Vec<RecordId>> {
        let mut records = vec![RecordId::manifest(&self.digest())];
        records.extend(self.lists());
        let mut parts = self.parts();
        while let Some(part) = parts.try_next().await? {
            records.push(part.id());
        }
        Ok(records)
    }

    /// The chunks it is made of by this manifest, in order.
    pub(super) fn parts(&self) -> BoxStream<'static, Result<Part>> {
        parts::within(&self.shared, &self.manifest, 0..self.size())
    }

    /// All of it, checked against its digest.
    fn whole(&self) -> BoxStream<'static, Result<Batch>> {
        let mut batches = self.batches(0..self.size());
        // Inline bytes were compared with the digest when the manifest was read.
        if !matches!(self.manifest.body, Body::Inline(_)) {
            batches = whole::checked(batches, self.digest());
        }
        match &self.progress {
            Some(progress) => whole::told(batches, Arc::clone(progress), self.size()),
            None => batches,
        }
    }

    /// Streams a range that lies within the blob; the pieces are verified one by one only.
    fn pieces(&self, range: Range<u64>) -> BoxStream<'static, Result<Bytes>> {
        flatten(self.batches(range))
    }

    /// As [`pieces`](Self::pieces), as many at a time as were fetched together.
    fn batches(&self, range: Range<u64>) -> BoxStream<'static, Result<Batch>> {
        let batches = copies::batches(self.clone(), range);
        let Some(told) = self.shared.told.clone() else {
            return batches;
        };
        let bytes = |batch: &Batch| batch.iter().map(|piece| piece.len() as u64).sum();
        batches
            .inspect_ok(move |batch| told.restored(bytes(batch)))
            .boxed()
    }
}

fn flatten(batches: BoxStream<'static, Result<Batch>>) -> BoxStream<'static, Result<Bytes>> {
    batches
        .map_ok(|pieces| stream::iter(pieces.into_iter().map(Ok)))
        .try_flatten()
        .boxed()
}

/// Gathers pieces; memory grows with what has been verified, not with what a manifest claims.
async fn collect(mut pieces: BoxStream<'_, Result<Bytes>>) -> Result<Bytes> {
    let mut whole = BytesMut::new();
    while let Some(piece) = pieces.try_next().await? {
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
}
