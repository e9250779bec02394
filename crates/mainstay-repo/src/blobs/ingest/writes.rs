//! Finishing and writing packs while the next ones are filled.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::future::try_join_all;
use mainstay_core::{Error, ErrorKind, Result};
use mainstay_store::{MeterStorage, Storage};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::{JoinError, JoinSet};
use tracing::Instrument as _;

use crate::blobs::condemned::Condemned;
use crate::blobs::index::PackRef;
use crate::blobs::pack::{PackBuilder, Sealed};
use crate::blobs::record::Entry;
use crate::blobs::{blocking, object};

/// How many packs are written at a time.
const WRITES: usize = 3;

/// A pack and what the index says of it.
pub(super) type Indexed = (PackRef, Vec<Entry>);

/// What has been written.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) packs: Vec<Indexed>,
    /// Less than the packs have where the storage had them.
    pub(super) bytes: u64,
}

/// Writes that run on the runtime, started and awaited by a thread that may block.
#[derive(Debug)]
pub(super) struct Writes {
    storage: Arc<MeterStorage<Arc<dyn Storage>>>,
    /// What no pack may be named.
    condemned: Arc<Condemned>,
    runtime: Handle,
    running: JoinSet<Result<Written>>,
    written: Written,
    /// Buffers to fill; a write gives its own back. Their number bounds memory.
    buffers: Receiver<BytesMut>,
    used_buffers: Sender<BytesMut>,
}

impl Writes {
    pub(super) fn new(
        storage: Arc<dyn Storage>,
        condemned: Arc<Condemned>,
        runtime: Handle,
    ) -> Self {
        let (used_buffers, buffers) = channel(WRITES);
        for _ in 0..WRITES {
            // The channel has room for all of them.
            let _sent = used_buffers.try_send(BytesMut::new());
        }
        Self {
            storage: Arc::new(MeterStorage::new(storage)),
            condemned,
            runtime,
            running: JoinSet::new(),
            written: Written::default(),
            buffers,
            used_buffers,
        }
    }

    /// The storage, to write something else.
    pub(super) fn storage(&self) -> Arc<dyn Storage> {
        Arc::clone(&self.storage) as _
    }

    /// Returns how many requests have been made, looks at what was there already included.
    pub(super) fn requests(&self) -> u64 {
        self.storage.reading().requests()
    }

    /// Waits for something else on the storage, which the runtime polls as it does the writes.
    pub(super) fn wait<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        self.runtime.block_on(blocking::ahead(work))
    }

    /// Waits for a buffer, that is until fewer than [`WRITES`] writes run.
    ///
    /// # Errors
    /// Of writes that have ended meanwhile.
    pub(super) fn buffer(&mut self) -> Result<BytesMut> {
        let buffer = self.buffers.blocking_recv();
        while let Some(ended) = self.running.try_join_next() {
            self.count(ended)?;
        }
        buffer.ok_or_else(|| Error::new(ErrorKind::Internal, "no buffer came back"))
    }

    /// Starts to finish and write packs that were filled into [`buffer`](Self::buffer)s, all at once.
    pub(super) fn start(&mut self, packs: Vec<PackBuilder>) {
        let (storage, condemned) = (self.storage(), Arc::clone(&self.condemned));
        let lent: Vec<_> = packs
            .iter()
            .map(|_| Lent {
                bytes: Bytes::new(),
                back: self.used_buffers.clone(),
            })
            .collect();
        let write = async move {
            // Naming a pack takes as long as copying it does: whoever fills the next does not wait.
            let sealed = blocking::run(move || seal(packs, &condemned)).await??;
            let puts = sealed.into_iter().zip(lent);
            let puts = puts.map(|(sealed, lent)| put(&*storage, sealed, lent));
            let (packs, bytes): (_, Vec<_>) = try_join_all(puts).await?.into_iter().unzip();
            let bytes = bytes.iter().sum();
            Ok(Written { packs, bytes })
        };
        self.running
            .spawn_on(write.in_current_span(), &self.runtime);
    }

    /// Waits for every write and returns what has been written since it did so last.
    pub(super) fn finish(&mut self) -> Result<Written> {
        let runtime = self.runtime.clone();
        while let Some(ended) = runtime.block_on(self.running.join_next()) {
            self.count(ended)?;
        }
        Ok(std::mem::take(&mut self.written))
    }

    fn count(&mut self, ended: Result<Result<Written>, JoinError>) -> Result<()> {
        let ended = ended.map_err(|error| {
            Error::new(ErrorKind::Internal, "writing a pack was interrupted").with_source(error)
        });
        let written = ended.flatten()?;
        self.written.packs.extend(written.packs);
        self.written.bytes += written.bytes;
        Ok(())
    }
}

fn seal(packs: Vec<PackBuilder>, condemned: &Condemned) -> Result<Vec<Sealed>> {
    let seal = |mut pack: PackBuilder| pack.seal_beside(condemned, BytesMut::new());
    packs.into_iter().map(seal).collect()
}

async fn put(storage: &dyn Storage, sealed: Sealed, mut lent: Lent) -> Result<(Indexed, u64)> {
    let pack = PackRef {
        id: sealed.id,
        size: sealed.bytes.len() as u64,
    };
    lent.bytes = sealed.bytes;
    let written = object::put(storage, &pack.id.key()?, lent.bytes.clone()).await?;
    Ok(((pack, sealed.entries), written))
}

/// A filled buffer, or room for one, which goes back however its write ends.
#[derive(Debug)]
struct Lent {
    bytes: Bytes,
    back: Sender<BytesMut>,
}

impl Drop for Lent {
    fn drop(&mut self) {
        // A storage that keeps the bytes keeps the buffer too.
        let buffer = std::mem::take(&mut self.bytes).try_into_mut();
        let _sent = self.back.try_send(buffer.unwrap_or_default());
    }
}
