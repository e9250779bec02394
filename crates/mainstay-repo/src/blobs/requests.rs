//! Reading records out of packs by few requests: what lies close together by one.

use std::ops::Range;

use bytes::Bytes;
use futures::stream;
use futures::{StreamExt as _, TryStreamExt as _};
use mainstay_core::{BulkDigest, Error, Result};
use mainstay_store::{ByteRange, Storage};

use super::pack::PackId;
use super::record::Entry;

/// A request reads no more.
pub(crate) const REQUEST_BYTES: u64 = 4 * 1024 * 1024;
/// What lies between two wanted records is read with them if it is no longer: on any storage that
/// costs less than another request.
pub(crate) const GAP_BYTES: u64 = 64 * 1024;
/// How many requests run at a time.
const AT_ONCE: usize = 8;

/// How to read some records.
#[derive(Debug)]
pub(crate) struct Requests {
    requests: Vec<Request>,
    /// Of each record, in order, which request brings it.
    brings: Vec<usize>,
}

/// One range of one pack.
#[derive(Debug)]
struct Request {
    pack: PackId,
    range: Range<u64>,
}

impl Requests {
    /// Joins records that lie close to each other, in whatever order they are wanted.
    pub(crate) fn to(records: &[(PackId, Entry)]) -> Self {
        let mut order: Vec<usize> = (0..records.len()).collect();
        order.sort_unstable_by_key(|at| (records[*at].0, records[*at].1.offset));
        let mut requests: Vec<Request> = Vec::new();
        let mut brings = vec![0; records.len()];
        for at in order {
            let (pack, entry) = &records[at];
            match requests.last_mut() {
                Some(last) if last.admits(*pack, entry) => {
                    last.range.end = last.range.end.max(entry.end());
                }
                _ => requests.push(Request {
                    pack: *pack,
                    range: entry.offset.into()..entry.end(),
                }),
            }
            brings[at] = requests.len() - 1;
        }
        Self { requests, brings }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.requests.len()
    }

    /// From which pack each reads, and how many bytes.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = (PackId, u64)> {
        let ranges = self.requests.iter();
        ranges.map(|request| (request.pack, request.range.end - request.range.start))
    }

    /// How many bytes they read.
    pub(crate) fn bytes(&self) -> u64 {
        self.ranges().map(|(_, bytes)| bytes).sum()
    }

    /// Reads.
    ///
    /// # Errors
    /// [`Corrupt`](mainstay_core::ErrorKind::Corrupt) when a pack is missing, and those of the storage.
    pub(crate) async fn run(&self, storage: &dyn Storage) -> Result<Vec<Bytes>> {
        let gets = self.requests.iter().map(|request| request.run(storage));
        stream::iter(gets.collect::<Vec<_>>())
            .buffered(AT_ONCE)
            .try_collect()
            .await
    }

    /// Opens a record out of what [`run`](Self::run) read, which of those that are wanted it is being `at`.
    ///
    /// # Errors
    /// [`Corrupt`](mainstay_core::ErrorKind::Corrupt) when the record is damaged.
    pub(crate) fn open(&self, read: &[Bytes], at: usize, entry: &Entry) -> Result<Bytes> {
        let (request, bytes) = self.bringing(read, at);
        open_within(request.pack, entry, bytes, request.range.start)
    }

    /// Returns a record as it is stored, header included, out of what [`run`](Self::run) read.
    ///
    /// # Errors
    /// As [`open`](Self::open), which checks it.
    pub(crate) fn stored(&self, read: &[Bytes], at: usize, entry: &Entry) -> Result<Bytes> {
        let (request, bytes) = self.bringing(read, at);
        stored_within(request.pack, entry, bytes, request.range.start)
    }

    fn bringing<'r>(&'r self, read: &'r [Bytes], at: usize) -> (&'r Request, &'r Bytes) {
        let request = self.brings[at];
        (&self.requests[request], &read[request])
    }
}

impl Request {
    /// Reports whether a record that begins no earlier than this may be read with it.
    fn admits(&self, pack: PackId, next: &Entry) -> bool {
        pack == self.pack
            && u64::from(next.offset) <= self.range.end + GAP_BYTES
            && next.end() - self.range.start <= REQUEST_BYTES
    }

    async fn run(&self, storage: &dyn Storage) -> Result<Bytes> {
        let key = self.pack.key()?;
        let object = storage
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
    let record = stored_within(pack, entry, fetched, start)?;
    entry.open(&record).map_err(|damage| {
        damage
            .of(format!("pack/{}", BulkDigest::from_bytes(pack.0).to_hex()))
            .context("record", entry.header.id)
    })
}

/// Finds a record, header included, in bytes of its pack that begin at offset `start`.
fn stored_within(pack: PackId, entry: &Entry, fetched: &Bytes, start: u64) -> Result<Bytes> {
    let at = |offset: u64| usize::try_from(offset - start).unwrap_or(usize::MAX);
    let (from, to) = (at(entry.offset.into()), at(entry.end()));
    if to > fetched.len() {
        let pack = BulkDigest::from_bytes(pack.0).to_hex();
        let why = "pack is shorter than its index says";
        return Err(Error::corrupt(format!("pack/{pack}"), why).context("record", entry.header.id));
    }
    Ok(fetched.slice(from..to))
}
