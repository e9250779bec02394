//! Fetches chunks: a batch at a time, the neighbors in it by one request, some batches ahead.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use mainstay_core::{BulkDigest, Digest, Error, ErrorKind, Result};
use mainstay_store::ByteRange;
use tracing::{Instrument as _, debug_span};

use super::parts::Part;
use crate::blobs::pack::PackId;
use crate::blobs::record::Entry;
use crate::blobs::{Shared, blocking};

/// The most restored bytes of a batch, and the most stored bytes of a request.
const BATCH_BYTES: u64 = 4 * 1024 * 1024;
/// How many batches are fetched and opened at a time.
const BATCHES: usize = 4;
/// How many requests of a batch run at a time: a batch of a blob in pieces takes several.
const REQUESTS: usize = 8;
/// What lies between two wanted records is read with them if it is no longer: on any storage that
/// costs less than another request.
const GAP_BYTES: u64 = 64 * 1024;

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
                bytes = plan.bytes()
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
    stream::try_unfold((located.fuse(), None), |(mut located, held)| async move {
        let mut parts: Vec<Located> = Vec::from_iter(held);
        let mut size: u64 = parts.iter().map(Located::size).sum();
        loop {
            match located.try_next().await? {
                Some(next) if parts.is_empty() || size + next.size() <= BATCH_BYTES => {
                    size += next.size();
                    parts.push(next);
                }
                None if parts.is_empty() => return Ok(None),
                held => return Ok(Some((Plan::new(parts), (located, held)))),
            }
        }
    })
    .boxed()
}

impl Located {
    pub(in crate::blobs) fn pack(&self) -> PackId {
        self.pack
    }

    fn size(&self) -> u64 {
        self.entry.header.len.into()
    }
}

/// How to fetch one batch.
#[derive(Debug)]
struct Plan {
    requests: Vec<Request>,
    /// In order, each with the request that brings it.
    parts: Vec<(Located, usize)>,
}

/// One range of one pack.
#[derive(Debug)]
struct Request {
    pack: PackId,
    range: Range<u64>,
}

impl Plan {
    /// Joins records that lie close to each other, wherever in the batch they are wanted.
    fn new(parts: Vec<Located>) -> Self {
        let mut parts: Vec<(Located, usize)> = parts.into_iter().map(|part| (part, 0)).collect();
        let mut order: Vec<usize> = (0..parts.len()).collect();
        order.sort_unstable_by_key(|at| (parts[*at].0.pack, parts[*at].0.entry.offset));
        let mut requests: Vec<Request> = Vec::new();
        for at in order {
            let (part, request) = &mut parts[at];
            match requests.last_mut() {
                Some(last) if last.admits(part) => {
                    last.range.end = last.range.end.max(part.entry.end());
                }
                _ => requests.push(Request {
                    pack: part.pack,
                    range: part.entry.offset.into()..part.entry.end(),
                }),
            }
            *request = requests.len() - 1;
        }
        Self { requests, parts }
    }

    /// How many bytes are requested.
    fn bytes(&self) -> u64 {
        let lengths = self.requests.iter();
        lengths
            .map(|request| request.range.end - request.range.start)
            .sum()
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
        let fetched = match self.fetch(shared).await {
            Ok(fetched) => fetched,
            Err(error) => return Err((error, self.into_parts())),
        };
        let opened = blocking::run(move || {
            self.open(&fetched)
                .map_err(|error| (error, self.into_parts()))
        });
        opened.await.map_err(|error| (error, Vec::new()))?
    }

    fn into_parts(self) -> Vec<Located> {
        self.parts.into_iter().map(|(part, _)| part).collect()
    }

    async fn fetch(&self, shared: &Shared) -> Result<Vec<Bytes>> {
        let gets = self.requests.iter().map(|request| request.run(shared));
        stream::iter(gets.collect::<Vec<_>>())
            .buffered(REQUESTS)
            .try_collect()
            .await
    }

    fn open(&self, fetched: &[Bytes]) -> Result<Batch> {
        let open = |(part, request): &(Located, usize)| {
            let start = self.requests[*request].range.start;
            let bytes = open_within(part.pack, &part.entry, &fetched[*request], start)?;
            Ok(bytes.slice(part.wanted.clone()))
        };
        self.parts.iter().map(open).collect()
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

impl Request {
    /// Reports whether a record that begins no earlier than this may be read with it.
    fn admits(&self, next: &Located) -> bool {
        next.pack == self.pack
            && u64::from(next.entry.offset) <= self.range.end + GAP_BYTES
            && next.entry.end() - self.range.start <= BATCH_BYTES
    }

    async fn run(&self, shared: &Shared) -> Result<Bytes> {
        let key = self.pack.key()?;
        let object = shared
            .storage
            .get(&key, ByteRange::Offsets(self.range.clone()))
            .await?;
        let object = object.ok_or_else(|| Error::corrupt(&key, "missing pack"))?;
        Ok(object.bytes)
    }
}

/// Opens a record out of bytes of its pack that begin at offset `start`.
pub(crate) fn open_within(
    pack: PackId,
    entry: &Entry,
    fetched: &Bytes,
    start: u64,
) -> Result<Bytes> {
    let corrupt = |what: &str| {
        let pack = BulkDigest::from_bytes(pack.0).to_hex();
        Error::corrupt(format!("pack/{pack}"), what).context("record", entry.header.id)
    };
    let at = |offset: u64| usize::try_from(offset - start).unwrap_or(usize::MAX);
    let (from, to) = (at(entry.offset.into()), at(entry.end()));
    if to > fetched.len() {
        return Err(corrupt("pack is shorter than its index says"));
    }
    entry.open(&fetched.slice(from..to)).map_err(|damage| {
        damage
            .of(format!("pack/{}", BulkDigest::from_bytes(pack.0).to_hex()))
            .context("record", entry.header.id)
    })
}
