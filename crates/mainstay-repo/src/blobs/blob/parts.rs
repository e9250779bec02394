//! Which chunks a range of a blob lies in.

use std::ops::Range;
use std::sync::Arc;

use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use mainstay_core::{Error, Result};

use crate::blobs::Shared;
use crate::blobs::manifest::{Body, ChunkRef, ListRef, Manifest, decode_list};
use crate::blobs::record::RecordId;

/// A chunk and which of its bytes are wanted.
#[derive(Debug, Clone)]
pub(in crate::blobs) struct Part {
    pub(super) chunk: ChunkRef,
    pub(super) wanted: Range<usize>,
}

impl Part {
    /// All of a chunk.
    pub(in crate::blobs) fn whole(chunk: ChunkRef) -> Self {
        let wanted = 0..chunk.len as usize;
        Self { chunk, wanted }
    }

    pub(in crate::blobs) fn id(&self) -> RecordId {
        self.chunk.id()
    }
}

/// Streams the parts that make up a range of a blob.
pub(super) fn within(
    shared: &Arc<Shared>,
    manifest: &Arc<Manifest>,
    range: Range<u64>,
) -> BoxStream<'static, Result<Part>> {
    match &manifest.body {
        Body::Inline(_) => stream::empty().boxed(),
        Body::Chunks(chunks) => {
            let parts: Vec<Part> = select(0, chunks, &range).collect();
            stream::iter(parts.into_iter().map(Ok)).boxed()
        }
        Body::Lists(lists) => {
            let shared = Arc::clone(shared);
            let mut end = 0;
            let lists: Vec<(u64, ListRef)> = lists
                .iter()
                .map(|list| {
                    let start = end;
                    end += list.size;
                    (start, *list)
                })
                .filter(|(start, list)| *start < range.end && start + list.size > range.start)
                .collect();
            stream::iter(lists)
                .then(move |(start, list)| {
                    let (shared, range) = (Arc::clone(&shared), range.clone());
                    async move {
                        let chunks = load_list(&shared, &list).await?;
                        let parts: Vec<Part> = select(start, &chunks, &range).collect();
                        Ok::<_, Error>(stream::iter(parts.into_iter().map(Ok)))
                    }
                })
                .try_flatten()
                .boxed()
        }
    }
}

/// Reads a list that a manifest names.
pub(crate) async fn load_list(shared: &Shared, list: &ListRef) -> Result<Vec<ChunkRef>> {
    let id = list.id();
    let bytes = shared
        .record(&id)
        .await?
        .ok_or_else(|| Error::corrupt(id, "missing"))?;
    decode_list(&bytes, list.chunks as usize, list.size).map_err(|damage| damage.of(id))
}

/// The parts of consecutive chunks, the first at `start`, that lie in `range`.
fn select(start: u64, chunks: &[ChunkRef], range: &Range<u64>) -> impl Iterator<Item = Part> {
    let mut end = start;
    chunks.iter().filter_map(move |chunk| {
        let start = end;
        end += u64::from(chunk.len);
        // Both lie within the chunk, so they fit its 32-bit length.
        let within = |at: u64| usize::try_from(at.clamp(start, end) - start).unwrap_or(0);
        let wanted = within(range.start)..within(range.end);
        (!wanted.is_empty()).then_some(Part {
            chunk: *chunk,
            wanted,
        })
    })
}
