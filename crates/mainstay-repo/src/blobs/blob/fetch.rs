//! Fetches chunks: a batch at a time, the neighbors in it by one request, some batches ahead.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use mainstay_core::{Digest, Error, ErrorKind, Result};
use tracing::{Instrument as _, debug_span};

use super::parts::Part;
use crate::blobs::batches::Batching;
use crate::blobs::pack::PackId;
use crate::blobs::record::Entry;
use crate::blobs::requests::Requests;
use crate::blobs::{Shared, blocking};

/// How many batches are fetched and opened at a time.
const BATCHES: usize = 4;

/// Pieces that were fetched together, in order.
pub(in crate::blobs) type Batch = Vec<Bytes>;

/// Streams the wanted bytes of parts, each verified.
///
/// Memory: `BATCHES` times at most four batches: as stored with gaps between, as restored.
pub(in crate::blobs) fn fetch(
    shared: &Arc<Shared>,
    blob: Digest,
    parts: BoxStream<'static, Result<Part>>,
) -> BoxStream<'static, Result<Batch>> {
    let shared = Arc::clone(shared);
    let fetching = Arc::clone(&shared);
    let located = parts.and_then(move |part| locate(Arc::clone(&shared), blob, part));
    plans(located.boxed())
        .map_ok(move |plan| {
            let span = debug_span!(
                "fetch",
                requests = plan.requests.len(),
                bytes = plan.requests.bytes()
            );
            blocking::ahead(plan.run(Arc::clone(&fetching)).instrument(span))
        })
        .try_buffered(BATCHES)
        .boxed()
}

/// A part and where it lies.
#[derive(Debug)]
pub(in crate::blobs) struct Located {
    pack: PackId,
    entry: Entry,
    wanted: Range<usize>,
}

pub(in crate::blobs) async fn locate(
    shared: Arc<Shared>,
    blob: Digest,
    part: Part,
) -> Result<Located> {
    let id = part.chunk.id();
    let location = shared.index.find(&id).await?;
    match location {
        Some(location) if location.entry.header.len == part.chunk.len => Ok(Located {
            pack: location.pack,
            entry: location.entry,
            wanted: part.wanted,
        }),
        Some(_) => Err(Error::corrupt(
            format!("blob {blob}"),
            format!("its manifest and the index disagree about {id}"),
        )),
        None => Err(Error::corrupt(
            format!("blob {blob}"),
            format!("no index knows its {id}"),
        )),
    }
}

/// Divides parts into batches.
fn plans(located: BoxStream<'static, Result<Located>>) -> BoxStream<'static, Result<Plan>> {
    let begun = (located.fuse(), Batching::default(), None);
    stream::try_unfold(begun, |(mut located, mut batching, held)| async move {
        let mut parts: Vec<Located> = Vec::from_iter(held);
        loop {
            match located.try_next().await? {
                Some(next) if batching.admits(&next.entry) => parts.push(next),
                None if parts.is_empty() => return Ok(None),
                held => return Ok(Some((Plan::new(parts), (located, batching, held)))),
            }
        }
    })
    .boxed()
}

impl Located {
    pub(in crate::blobs) fn pack(&self) -> PackId {
        self.pack
    }
}

/// How to fetch one batch.
#[derive(Debug)]
struct Plan {
    requests: Requests,
    /// In order.
    parts: Vec<Located>,
}

impl Plan {
    fn new(parts: Vec<Located>) -> Self {
        let records: Vec<_> = parts.iter().map(|part| (part.pack, part.entry)).collect();
        Self {
            requests: Requests::to(&records),
            parts,
        }
    }

    async fn run(mut self, shared: Arc<Shared>) -> Result<Batch> {
        loop {
            let (error, parts) = match self.attempt(&shared).await {
                Ok(batch) => return Ok(batch),
                Err(failed) => failed,
            };
            if error.kind() != ErrorKind::Corrupt {
                return Err(error);
            }
            match moved(&shared, parts).await? {
                Some(parts) => self = Self::new(parts),
                None => return Err(error),
            }
        }
    }

    /// Fetches and opens the parts; gives them back with an error.
    async fn attempt(self, shared: &Arc<Shared>) -> Result<Batch, (Error, Vec<Located>)> {
        let fetched = match self.requests.run(&*shared.storage).await {
            Ok(fetched) => fetched,
            Err(error) => return Err((error, self.parts)),
        };
        let opened =
            blocking::run(move || self.open(&fetched).map_err(|error| (error, self.parts)));
        opened.await.map_err(|error| (error, Vec::new()))?
    }

    fn open(&self, read: &[Bytes]) -> Result<Batch> {
        let open = |(at, part): (usize, &Located)| {
            let bytes = self.requests.open(read, at, &part.entry)?;
            Ok(bytes.slice(part.wanted.clone()))
        };
        self.parts.iter().enumerate().map(open).collect()
    }
}

/// Looks where the parts lie now; `None` when none has moved.
async fn moved(shared: &Shared, parts: Vec<Located>) -> Result<Option<Vec<Located>>> {
    let packs: BTreeSet<PackId> = parts.iter().map(Located::pack).collect();
    shared.look_again(packs).await?;
    let mut any = false;
    let parts = parts.into_iter().map(|part| {
        let now = shared.index.get(&part.entry.header.id);
        match now.filter(|now| (now.pack, now.entry) != (part.pack, part.entry)) {
            Some(now) => {
                any = true;
                Located {
                    pack: now.pack,
                    entry: now.entry,
                    ..part
                }
            }
            None => part,
        }
    });
    let parts = parts.collect();
    Ok(any.then_some(parts))
}
