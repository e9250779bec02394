//! Copying blobs into another repository: only the chunks that it lacks are read.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use futures::stream;
use futures::{StreamExt as _, TryStreamExt as _};
use mainstay_core::{Digest, Error, ErrorKind, Hasher, Progress, Result};

use super::blob::fetch;
use super::blob::{Part, load_list};
use super::ingest::NewManifest;
use super::manifest::{Body, ChunkRef, Manifest, encode_list};
use super::record::RecordId;
use super::{Blob, BlobStore, Ingest, blocking};

/// A session is finished when it is about this large, so that what it stored is found after a crash.
pub(crate) const SESSION_BYTES: u64 = 256 * 1024 * 1024;

/// So many manifests are stored at once.
const MANIFESTS: usize = 256;

/// What has been copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Copied {
    /// Blobs whose manifest was stored.
    pub(crate) blobs: u64,
    /// Chunks read from the source.
    pub(crate) chunks: u64,
    /// Chunks of those blobs that the target had.
    pub(crate) held_chunks: u64,
    /// Bytes of the blobs that were read from the source, after decompression.
    pub(crate) read_bytes: u64,
    /// Bytes written to the storage of the target.
    pub(crate) written_bytes: u64,
    /// The requests that this took.
    pub(crate) write_requests: u64,
}

/// How far the blobs of a source are checked before the target holds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum BlobCheck {
    /// Each chunk that is copied, against its BLAKE3. That the chunks of a blob together are the blob is
    /// found out by whoever reads it.
    #[default]
    Chunks,
    /// All of each blob that is copied, against its SHA-256: also what the target holds already is read
    /// from the source. For a source that you do not trust.
    Whole,
}

/// Copies blobs of one repository.
pub(crate) struct Copier<'a> {
    source: &'a BlobStore,
    begin: &'a (dyn Fn() -> Ingest + Sync),
    progress: Option<Arc<dyn Progress>>,
    session_bytes: u64,
    check: BlobCheck,
    ingest: Ingest,
    /// How many sessions have been finished.
    finished: u64,
    /// How many bytes the current session was given.
    given_bytes: u64,
    manifests: Vec<NewManifest>,
    copied: &'a mut Copied,
}

impl<'a> Copier<'a> {
    /// Copies out of `source` into sessions that `begin` begins, each of about `session_bytes`.
    pub(crate) fn new(
        source: &'a BlobStore,
        begin: &'a (dyn Fn() -> Ingest + Sync),
        (check, session_bytes): (BlobCheck, u64),
        progress: Option<Arc<dyn Progress>>,
        copied: &'a mut Copied,
    ) -> Self {
        Self {
            source,
            begin,
            progress,
            session_bytes,
            check,
            ingest: begin(),
            finished: 0,
            given_bytes: 0,
            manifests: Vec::new(),
            copied,
        }
    }

    /// Copies blobs; returns those that the source does not hold.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] when a blob is damaged in the source, [`ErrorKind::Conflict`] when a
    /// collection in the target condemned meanwhile what was relied on; copy again then.
    pub(crate) async fn copy(mut self, blobs: &BTreeSet<Digest>) -> Result<BTreeSet<Digest>> {
        let (mut missing, by_pack) = self.source.by_pack(blobs).await?;
        for (pack, locations) in by_pack {
            for (digest, blob) in self.source.blobs_in(pack, &locations).await? {
                let is_there = match blob {
                    Some(blob) => self.blob(blob).await?,
                    None => false,
                };
                if !is_there {
                    missing.insert(digest);
                }
            }
        }
        self.finish().await?;
        Ok(missing)
    }

    /// Copies a blob; returns whether all of it was there.
    async fn blob(&mut self, mut blob: Blob) -> Result<bool> {
        let digest = blob.digest();
        let session = self.finished;
        while let Err(error) = self.parts(blob.manifest()).await {
            if error.kind() != ErrorKind::Corrupt {
                return Err(error);
            }
            match blob.another().await? {
                Some(other) => blob = other,
                // It may have been collected since its manifest was read.
                None if self.source.find(&digest).await?.is_none() => return Ok(false),
                None => return Err(error.context("blob", digest)),
            }
        }
        let manifest = blob.manifest();
        let bytes = manifest.encode();
        self.given_bytes += bytes.len() as u64;
        self.manifests.push(NewManifest {
            blob: digest,
            bytes: bytes.into(),
            vouched: session == self.finished,
        });
        if let Body::Inline(inline) = &manifest.body {
            self.read(inline.len());
        }
        self.copied.blobs += 1;
        if self.manifests.len() >= MANIFESTS {
            self.store_manifests().await?;
        }
        self.finish_if_large().await?;
        Ok(true)
    }

    /// Copies what a manifest names.
    async fn parts(&mut self, manifest: &Manifest) -> Result<()> {
        let blob = manifest.digest;
        let mut hasher = match self.check {
            BlobCheck::Chunks => None,
            BlobCheck::Whole => Some(Hasher::new()),
        };
        match &manifest.body {
            // They were compared with the digest when the manifest was read.
            Body::Inline(_) => return Ok(()),
            Body::Chunks(chunks) => hasher = self.chunks(blob, chunks.clone(), hasher).await?,
            Body::Lists(lists) => {
                for list in lists {
                    let chunks = load_list(&self.source.shared, list).await?;
                    let record = encode_list(&chunks);
                    hasher = self.chunks(blob, chunks, hasher).await?;
                    self.ingest.add(vec![(list.id(), record.into())]).await?;
                }
            }
        }
        match hasher.map(Hasher::finish) {
            Some(found) if found != blob => Err(Error::corrupt(
                format!("blob {blob}"),
                "bytes in the source do not match the digest",
            )),
            _ => Ok(()),
        }
    }

    /// Copies the chunks that the target lacks; hashes all of them if there is a hasher.
    async fn chunks(
        &mut self,
        blob: Digest,
        chunks: Vec<ChunkRef>,
        mut hasher: Option<Hasher>,
    ) -> Result<Option<Hasher>> {
        let lacking = self.ingest.lacking(chunks.clone()).await?;
        self.copied.held_chunks += (chunks.len() - lacking.len()) as u64;
        let mut new: HashSet<RecordId> = lacking.iter().map(ChunkRef::id).collect();
        let wanted = if hasher.is_some() { chunks } else { lacking };
        self.copied.chunks += wanted.len() as u64;
        let parts: Vec<_> = wanted.iter().map(|chunk| Ok(Part::whole(*chunk))).collect();
        let mut batches = fetch::fetch(&self.source.shared, blob, stream::iter(parts).boxed());
        let mut ids = wanted.iter().map(ChunkRef::id);
        while let Some(batch) = batches.try_next().await? {
            if let Some(hashing) = hasher.take() {
                hasher = Some(hashed(hashing, batch.clone()).await?);
            }
            let mut records = Vec::with_capacity(batch.len());
            for (bytes, id) in batch.into_iter().zip(ids.by_ref()) {
                self.read(bytes.len());
                if new.remove(&id) {
                    self.given_bytes += bytes.len() as u64;
                    records.push((id, bytes));
                }
            }
            self.ingest.add(records).await?;
            self.finish_if_large().await?;
        }
        Ok(hasher)
    }

    fn read(&mut self, bytes: usize) {
        self.copied.read_bytes += bytes as u64;
        if let Some(progress) = &self.progress {
            progress.advance("bytes", self.copied.read_bytes, None);
        }
    }

    async fn store_manifests(&mut self) -> Result<()> {
        if self.manifests.is_empty() {
            return Ok(());
        }
        let manifests = std::mem::take(&mut self.manifests);
        self.ingest.add_manifests(manifests).await
    }

    async fn finish_if_large(&mut self) -> Result<()> {
        if self.given_bytes < self.session_bytes {
            return Ok(());
        }
        self.finish().await
    }

    /// Makes what was copied durable and findable, and begins anew.
    async fn finish(&mut self) -> Result<()> {
        self.store_manifests().await?;
        let session = std::mem::replace(&mut self.ingest, (self.begin)());
        let stored = session.finish().await?;
        self.copied.written_bytes += stored.stored_bytes;
        self.copied.write_requests += stored.requests;
        self.finished += 1;
        self.given_bytes = 0;
        Ok(())
    }
}

/// Hashes bytes on a thread that may block.
async fn hashed(mut hasher: Hasher, batch: Vec<Bytes>) -> Result<Hasher> {
    blocking::run(move || {
        for bytes in &batch {
            hasher.update(bytes);
        }
        hasher
    })
    .await
}

#[cfg(test)]
impl BlobStore {
    /// Stores the manifest of `blob` as if it were that of `name`.
    pub(crate) async fn forge(&self, blob: &Digest, name: Digest) -> Result<()> {
        let found = self.find(blob).await?;
        let found = found.ok_or_else(|| Error::not_found("blob", blob))?;
        let forged = Manifest {
            digest: name,
            ..found.manifest().clone()
        };
        let mut ingest = self.ingest();
        ingest
            .add_manifests(vec![NewManifest {
                blob: name,
                bytes: forged.encode().into(),
                vouched: false,
            }])
            .await?;
        ingest.finish().await.map(drop)
    }
}
