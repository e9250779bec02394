//! Several manifests of one blob: where one names what is not there, another is taken.
//!
//! A session that was stalled may make a manifest known long after a collection deleted what it names
//! (`docs/formats/collection.md`). The blob may have been stored soundly meanwhile.

use std::ops::Range;
use std::sync::Arc;

use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use mainstay_core::{Digest, Error, ErrorKind, Result};

use super::fetch::{self, Batch};
use super::parts::{self, Part};
use super::{Blob, Body};
use crate::blobs::Shared;
use crate::blobs::manifest::Manifest;
use crate::blobs::pack::PackId;
use crate::blobs::record::RecordId;

impl Blob {
    /// Finds a blob by a manifest that can be read, in any pack but those `passed`.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] when there are manifests and all are damaged.
    pub(in crate::blobs) async fn find(
        shared: &Arc<Shared>,
        digest: &Digest,
        mut passed: Vec<PackId>,
    ) -> Result<Option<Self>> {
        let id = RecordId::manifest(digest);
        let mut failed = None;
        loop {
            let Some((pack, read)) = shared.read(&id, &passed).await? else {
                return failed.map_or(Ok(None), Err);
            };
            let manifest = read
                .and_then(|bytes| Manifest::decode(&bytes, digest).map_err(|damage| damage.of(id)));
            let error = match manifest {
                Err(error) if error.kind() == ErrorKind::Corrupt => error,
                Err(error) => return Err(error),
                Ok(manifest) => {
                    return Ok(Some(Self {
                        passed,
                        ..Self::new(Arc::clone(shared), manifest, pack)
                    }));
                }
            };
            shared.index.hollow(&id, pack).await?;
            passed.push(pack);
            failed.get_or_insert(error);
        }
    }

    /// Finds the blob by another manifest, as something that this one names is not there; `None` when
    /// there is no other.
    pub(crate) async fn another(&self) -> Result<Option<Self>> {
        let digest = self.digest();
        let id = RecordId::manifest(&digest);
        self.shared.index.hollow(&id, self.pack).await?;
        let mut passed = self.passed.clone();
        passed.push(self.pack);
        let other = match Self::find(&self.shared, &digest, passed).await {
            Err(error) if error.kind() == ErrorKind::Corrupt => None,
            found => found?,
        };
        Ok(other
            .filter(|other| other.size() == self.size())
            .map(|other| Self {
                progress: self.progress.clone(),
                ..other
            }))
    }

    /// As [`another`](Self::another) if `error` tells of damage.
    ///
    /// # Errors
    /// `error` when there is no other.
    pub(super) async fn instead(&self, error: Error) -> Result<Self> {
        if error.kind() != ErrorKind::Corrupt {
            return Err(error);
        }
        self.another().await?.ok_or(error)
    }
}

/// Streams the bytes of a range, by one manifest after the other if need be.
pub(super) fn batches(blob: Blob, range: Range<u64>) -> BoxStream<'static, Result<Batch>> {
    let begun = by_this(&blob, range.clone());
    let state = (blob, range, begun);
    stream::try_unfold(state, |(mut blob, mut range, mut batches)| async move {
        loop {
            let error = match batches.try_next().await {
                Ok(None) => return Ok(None),
                Ok(Some(batch)) => {
                    let bytes = batch.iter().map(|piece| piece.len() as u64);
                    range.start += bytes.sum::<u64>();
                    return Ok(Some((batch, (blob, range, batches))));
                }
                Err(error) => error,
            };
            blob = blob.instead(error).await?;
            batches = by_this(&blob, range.clone());
        }
    })
    .boxed()
}

/// Streams the bytes of a range by the manifest of `blob` alone.
fn by_this(blob: &Blob, range: Range<u64>) -> BoxStream<'static, Result<Batch>> {
    if let Body::Inline(bytes) = &blob.manifest.body {
        // The range lies within the inline bytes, whose length is a usize.
        let [start, end] = [range.start, range.end].map(|at| usize::try_from(at).unwrap_or(0));
        return stream::iter([Ok(vec![bytes.slice(start..end)])]).boxed();
    }
    let parts = parts::within(&blob.shared, &blob.manifest, range);
    fetch::fetch(&blob.shared, blob.digest(), parts)
}

/// Streams the parts of a range, by one manifest after the other if need be and as far as they are cut
/// alike. Only lists are read, so that a chunk which is not there does not show.
pub(super) fn parts(blob: Blob, range: Range<u64>) -> BoxStream<'static, Result<Part>> {
    let start = range.start;
    let begun = parts::within(&blob.shared, &blob.manifest, range.clone());
    let state = (blob, range, begun, None);
    stream::try_unfold(
        state,
        move |(mut blob, mut range, mut from, mut failed)| async move {
            loop {
                let error = match from.try_next().await {
                    Ok(None) => return Ok(None),
                    Ok(Some(part)) => {
                        let is_within = range.start > start && part.wanted.start > 0;
                        if let Some(error) = failed.filter(|_| is_within) {
                            return Err(error);
                        }
                        range.start += part.wanted.len() as u64;
                        return Ok(Some((part, (blob, range, from, None))));
                    }
                    Err(error) => error,
                };
                blob = blob.instead(error.clone()).await?;
                from = parts::within(&blob.shared, &blob.manifest, range.clone());
                failed = Some(error);
            }
        },
    )
    .boxed()
}
