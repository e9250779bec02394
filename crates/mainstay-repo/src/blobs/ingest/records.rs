//! Records that are cut already, on their way from another repository into a session.

use std::collections::HashSet;

use bytes::Bytes;
use mainstay_core::{Digest, Result};

use super::Ingest;
use crate::blobs::manifest::ChunkRef;
use crate::blobs::record::RecordId;

/// A manifest to store.
#[derive(Debug)]
pub(in crate::blobs) struct NewManifest {
    pub(in crate::blobs) blob: Digest,
    pub(in crate::blobs) bytes: Bytes,
    /// Whether this session has put every part of the blob, or found it held.
    pub(in crate::blobs) vouched: bool,
}

impl Ingest {
    /// Returns the chunks that neither the repository nor this session holds, each once.
    pub(in crate::blobs) async fn lacking(
        &mut self,
        chunks: Vec<ChunkRef>,
    ) -> Result<Vec<ChunkRef>> {
        self.work(move |session, _| {
            let mut seen = HashSet::new();
            let lacks =
                |chunk: &ChunkRef| seen.insert(chunk.address) && !session.holds(&chunk.id());
            Ok(chunks.into_iter().filter(lacks).collect())
        })
        .await
    }

    /// Stores records that are not held.
    pub(in crate::blobs) async fn add(&mut self, records: Vec<(RecordId, Bytes)>) -> Result<()> {
        self.work(move |session, caller| {
            for (id, bytes) in &records {
                caller.check()?;
                session.add(*id, bytes)?;
            }
            Ok(())
        })
        .await
    }

    /// Stores manifests that are not held, after what they name.
    pub(in crate::blobs) async fn add_manifests(&mut self, new: Vec<NewManifest>) -> Result<()> {
        self.work(move |session, _| {
            for manifest in &new {
                let id = RecordId::manifest(&manifest.blob);
                // One that was held may name other chunks.
                if session.add(id, &manifest.bytes)? && manifest.vouched {
                    session.vouch(manifest.blob);
                }
            }
            Ok(())
        })
        .await
    }
}
