//! What blobs take to read, as manifests and index tell it: no chunk is read.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use mainstay_core::{Digest, Error, Result, Telling};
use mainstay_store::StorageExt as _;

use super::batches::Rehearsal;
use super::blob::load_list;
use super::condemned::Condemned;
use super::manifest::{Body, ChunkRef, ListRef, Manifest, decode_list};
use super::pack::PackId;
use super::record::Entry;
use super::requests::Requests;
use super::{BlobStore, Shared, open_within};

/// A blob, and what reading its chunks takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Weight {
    pub(crate) digest: Digest,
    pub(crate) bytes: u64,
    /// How many requests bring its chunks; none for a blob that lies in its manifest.
    pub(crate) requests: u64,
    /// In how many batches, each of which takes one request at least.
    pub(crate) batches: u64,
}

impl BlobStore {
    /// Weighs every blob whose manifest is not in a condemned pack; the requests of those only that are
    /// `read`.
    ///
    /// Reads their manifests pack by pack, and the lists of those that are read.
    pub(crate) async fn weigh(
        &self,
        condemned: &Arc<Condemned>,
        is_read: impl Fn(&Digest) -> bool + Sync,
        (telling, mut each): (&Telling, impl FnMut(Weight) + Send),
    ) -> Result<()> {
        let shared = &*self.shared;
        shared.index.condemn(condemned).await?;
        shared.index.refresh().await?;
        let manifests: BTreeMap<PackId, Vec<Entry>> = shared.index.manifests();
        telling.expect("packs", manifests.len() as u64);
        for (pack, entries) in manifests {
            let key = pack.key()?;
            let fetched = shared.storage.get_all(&key).await?;
            let fetched = fetched.ok_or_else(|| Error::corrupt(&key, "missing pack"))?;
            for entry in entries {
                let digest = Digest::from_bytes(entry.header.id.hash);
                let bytes = open_within(pack, &entry, &fetched, 0)?;
                let manifest = Manifest::decode(&bytes, &digest);
                let manifest = manifest.map_err(|damage| damage.of(entry.header.id))?;
                let mut weighing = Weighing::of(&manifest);
                if is_read(&digest) {
                    weighing
                        .read(shared, &manifest.body, (pack, &fetched))
                        .await?;
                }
                each(weighing.weight);
            }
            telling.add("bytes", fetched.len() as u64);
            telling.add("packs", 1);
        }
        Ok(())
    }
}

/// A blob being weighed.
struct Weighing {
    weight: Weight,
    rehearsal: Rehearsal,
}

impl Weighing {
    fn of(manifest: &Manifest) -> Self {
        Self {
            weight: Weight {
                digest: manifest.digest,
                bytes: manifest.size,
                requests: 0,
                batches: 0,
            },
            rehearsal: Rehearsal::default(),
        }
    }

    /// Goes through the chunks; lists are often in the pack of their manifest, which is at hand.
    async fn read(
        &mut self,
        shared: &Shared,
        body: &Body,
        at_hand: (PackId, &Bytes),
    ) -> Result<()> {
        match body {
            Body::Inline(_) => {}
            Body::Chunks(chunks) => self.chunks(shared, chunks),
            Body::Lists(lists) => {
                for list in lists {
                    let chunks = match list_in(shared, list, at_hand)? {
                        Some(chunks) => chunks,
                        None => load_list(shared, list).await?,
                    };
                    self.chunks(shared, &chunks);
                }
            }
        }
        let last = self.rehearsal.end();
        self.count(last.as_ref());
        Ok(())
    }

    fn chunks(&mut self, shared: &Shared, chunks: &[ChunkRef]) {
        // What is missing is for verification to tell.
        let found = chunks
            .iter()
            .filter_map(|chunk| shared.index.get(&chunk.id()));
        for location in found {
            let before = self.rehearsal.read(location.pack, location.entry);
            self.count(before.as_ref());
        }
    }

    fn count(&mut self, batch: Option<&Requests>) {
        if let Some(requests) = batch {
            self.weight.batches += 1;
            self.weight.requests += requests.len() as u64;
        }
    }
}

/// Opens a list that lies in a pack which has been read; `None` if it lies in another.
fn list_in(
    shared: &Shared,
    list: &ListRef,
    (pack, fetched): (PackId, &Bytes),
) -> Result<Option<Vec<ChunkRef>>> {
    let id = list.id();
    let Some(location) = shared.index.get(&id).filter(|found| found.pack == pack) else {
        return Ok(None);
    };
    let bytes = open_within(pack, &location.entry, fetched, 0)?;
    let chunks = decode_list(&bytes, list.chunks as usize, list.size);
    chunks.map(Some).map_err(|damage| damage.of(id))
}
