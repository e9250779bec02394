//! Writing packs while the next ones are filled.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::TryFutureExt as _;
use futures::future::try_join_all;
use mainstay_core::{Error, ErrorKind, Result};
use mainstay_store::{Key, MeterStorage, Storage};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::{JoinError, JoinSet};

use crate::blobs::{blocking, object};

/// How many packs are written at a time.
const WRITES: usize = 3;

/// Writes that run on the runtime, started and awaited by a thread that may block.
#[derive(Debug)]
pub(super) struct Writes {
    storage: Arc<MeterStorage<Arc<dyn Storage>>>,
    runtime: Handle,
    running: JoinSet<Result<u64>>,
    written_bytes: u64,
    /// Buffers to fill; a write gives its own back. Their number bounds memory.
    buffers: Receiver<BytesMut>,
    used_buffers: Sender<BytesMut>,
}

impl Writes {
    pub(super) fn new(storage: Arc<dyn Storage>, runtime: Handle) -> Self {
        let (used_buffers, buffers) = channel(WRITES);
        for _ in 0..WRITES {
            // The channel has room for all of them.
            let _sent = used_buffers.try_send(BytesMut::new());
        }
        Self {
            storage: Arc::new(MeterStorage::new(storage)),
            runtime,
            running: JoinSet::new(),
            written_bytes: 0,
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

    /// Starts to write what was filled into [`buffer`](Self::buffer)s, all at once.
    pub(super) fn start(&mut self, packs: Vec<(Key, Bytes)>) {
        let puts = packs.into_iter().map(|(key, bytes)| {
            let storage = Arc::clone(&self.storage);
            let lent = Lent {
                bytes,
                back: self.used_buffers.clone(),
            };
            async move { object::put(&*storage, &key, lent.bytes.clone()).await }
        });
        let write = try_join_all(puts).map_ok(|written| written.iter().sum());
        self.running.spawn_on(write, &self.runtime);
    }

    /// Waits for every write and returns how many bytes have been written since it did so last.
    pub(super) fn finish(&mut self) -> Result<u64> {
        let runtime = self.runtime.clone();
        while let Some(ended) = runtime.block_on(self.running.join_next()) {
            self.count(ended)?;
        }
        Ok(std::mem::take(&mut self.written_bytes))
    }

    fn count(&mut self, ended: Result<Result<u64>, JoinError>) -> Result<()> {
        let ended = ended.map_err(|error| {
            Error::new(ErrorKind::Internal, "writing a pack was interrupted").with_source(error)
        });
        self.written_bytes += ended.flatten()?;
        Ok(())
    }
}

/// A filled buffer, which goes back however its write ends.
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
