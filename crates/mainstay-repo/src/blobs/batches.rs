//! Which chunks of a blob are fetched together, and by how many requests.

use super::pack::PackId;
use super::record::Entry;
use super::requests::{REQUEST_BYTES, Requests};

/// The most bytes of the blob that a batch is: what one request reads.
const BATCH_BYTES: u64 = REQUEST_BYTES;

/// Divides records, in the order in which they are read, into batches.
#[derive(Debug, Default)]
pub(crate) struct Batching {
    bytes: u64,
}

impl Batching {
    /// Reports whether a record belongs to the batch of those before it; else it begins the next one.
    pub(crate) fn admits(&mut self, next: &Entry) -> bool {
        let len = u64::from(next.header.len);
        let is_within = self.bytes == 0 || self.bytes + len <= BATCH_BYTES;
        self.bytes = if is_within { self.bytes + len } else { len };
        is_within
    }
}

/// Finds the requests that reading a blob whole takes, without reading it.
#[derive(Debug, Default)]
pub(crate) struct Rehearsal {
    batching: Batching,
    batch: Vec<(PackId, Entry)>,
}

impl Rehearsal {
    /// Takes the record that is read next; returns the requests for the batch that ends before it.
    pub(crate) fn read(&mut self, pack: PackId, entry: Entry) -> Option<Requests> {
        let before = if self.batching.admits(&entry) {
            None
        } else {
            self.end()
        };
        self.batch.push((pack, entry));
        before
    }

    /// Returns the requests for the last batch; `None` where nothing was read.
    pub(crate) fn end(&mut self) -> Option<Requests> {
        let batch = std::mem::take(&mut self.batch);
        (!batch.is_empty()).then(|| Requests::to(&batch))
    }
}
