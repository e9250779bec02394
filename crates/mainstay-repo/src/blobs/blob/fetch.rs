//! Fetches chunks: neighbors in one pack by one request, a few requests ahead.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use mainstay_core::{BulkDigest, Digest, Error, Result};
use mainstay_store::ByteRange;

use super::parts::Part;
use crate::blobs::pack::PackId;
use crate::blobs::record::Entry;
use crate::blobs::{Shared, blocking};

/// The most bytes, stored or restored, of one request.
const MAX_REQUEST: u64 = 4 * 1024 * 1024;
/// How many requests run at a time.
const REQUESTS: usize = 4;

/// Streams the wanted bytes of parts, each verified.
pub(super) fn fetch(
    shared: &Arc<Shared>,
    blob: Digest,
    parts: BoxStream<'static, Result<Part>>,
) -> BoxStream<'static, Result<Bytes>> {
    let shared = Arc::clone(shared);
    let fetching = Arc::clone(&shared);
    let located = parts.and_then(move |part| locate(Arc::clone(&shared), blob, part));
    requests(located.boxed())
        .map_ok(move |request| request.run(Arc::clone(&fetching)))
        .try_buffered(REQUESTS)
        .map_ok(|pieces| stream::iter(pieces.into_iter().map(Ok)))
        .try_flatten()
        .boxed()
}

/// A part and where it lies.
#[derive(Debug)]
pub(super) struct Located {
    pack: PackId,
    entry: Entry,
    wanted: Range<usize>,
}

pub(super) async fn locate(shared: Arc<Shared>, blob: Digest, part: Part) -> Result<Located> {
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

/// One range of one pack.
#[derive(Debug)]
struct Request {
    pack: PackId,
    range: Range<u64>,
    /// Restored bytes.
    size: u64,
    parts: Vec<(Entry, Range<usize>)>,
}

/// Joins parts whose records lie side by side.
fn requests(located: BoxStream<'static, Result<Located>>) -> BoxStream<'static, Result<Request>> {
    stream::try_unfold((located.fuse(), None), |(mut located, held)| async move {
        let first = match held {
            Some(held) => Some(held),
            None => located.try_next().await?,
        };
        let Some(first) = first else { return Ok(None) };
        let mut request = Request::new(first);
        loop {
            match located.try_next().await? {
                Some(next) if request.admits(&next) => request.push(next),
                other => return Ok(Some((request, (located, other)))),
            }
        }
    })
    .boxed()
}

impl Request {
    fn new(first: Located) -> Self {
        let start = u64::from(first.entry.offset);
        let mut request = Self {
            pack: first.pack,
            range: start..start,
            size: 0,
            parts: Vec::new(),
        };
        request.push(first);
        request
    }

    fn admits(&self, next: &Located) -> bool {
        let start = u64::from(next.entry.offset);
        let end = self.range.end.max(next.entry.end());
        next.pack == self.pack
            && (self.range.start..=self.range.end).contains(&start)
            && end - self.range.start <= MAX_REQUEST
            && self.size + u64::from(next.entry.header.len) <= MAX_REQUEST
    }

    fn push(&mut self, next: Located) {
        self.range.end = self.range.end.max(next.entry.end());
        self.size += u64::from(next.entry.header.len);
        self.parts.push((next.entry, next.wanted));
    }

    async fn run(self, shared: Arc<Shared>) -> Result<Vec<Bytes>> {
        let key = self.pack.key()?;
        let object = shared
            .storage
            .get(&key, ByteRange::Offsets(self.range.clone()))
            .await?
            .ok_or_else(|| Error::corrupt(&key, "missing pack"))?;
        blocking::run(move || self.open(&object.bytes)).await?
    }

    fn open(&self, fetched: &Bytes) -> Result<Vec<Bytes>> {
        self.parts
            .iter()
            .map(|(entry, wanted)| {
                let bytes = open_within(self.pack, entry, fetched, self.range.start)?;
                Ok(bytes.slice(wanted.clone()))
            })
            .collect()
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
