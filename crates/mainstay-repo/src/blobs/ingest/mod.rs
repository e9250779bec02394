//! Storing blobs.

mod cutting;
mod session;
mod source;
mod writes;

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::{Either, select};
use futures::stream::BoxStream;
use mainstay_core::{Digest, Error, ErrorKind, Result};
use tokio::sync::{mpsc, oneshot};
use tracing::instrument;

use self::session::Session;
use self::source::{Cancellable, FileSource, Source, StreamSource};
use super::{Shared, blocking};

/// How many pieces of a stream wait to be stored.
const WAITING_PIECES: usize = 4;

/// A session that stores blobs.
///
/// What it stores is found by [`Repo::blob`](crate::Repo::blob) and may be named by a commit after
/// [`finish`](Self::finish). A session that is dropped before leaves at most packs that nothing
/// refers to. A method that fails because of its input leaves the session usable; one that fails
/// because of the storage, or whose future is dropped, ends it: later calls return
/// [`ErrorKind::Cancelled`].
///
/// Memory: at most about 160 MiB, and about 200 bytes for each new chunk of about 64 KiB.
/// Must be used within a tokio runtime.
#[derive(Debug)]
pub struct Ingest {
    shared: Arc<Shared>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nothing stored yet: the index has not been looked at.
    Fresh,
    Open(Box<Session>),
    Ended,
}

impl Ingest {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            state: State::Fresh,
        }
    }

    /// Stores bytes.
    ///
    /// # Errors
    /// Those of the storage.
    #[instrument(skip_all, fields(bytes = bytes.len()), err(level = "debug"))]
    pub async fn bytes(&mut self, bytes: Bytes) -> Result<StoredBlob> {
        self.put(move || Ok(bytes)).await
    }

    /// Stores a file's bytes, streaming.
    ///
    /// A file that changes meanwhile is stored as it was read.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] and the like naming the path when it cannot be read, and those of the
    /// storage.
    #[instrument(skip_all, fields(path = %path.display()), err(level = "debug"))]
    pub async fn file(&mut self, path: &Path) -> Result<StoredBlob> {
        let path = path.to_owned();
        self.put(move || FileSource::open(path)).await
    }

    /// Stores a stream.
    ///
    /// # Errors
    /// The first error of the stream, and those of the storage.
    #[instrument(skip_all, err(level = "debug"))]
    pub async fn stream(&mut self, mut stream: BoxStream<'_, Result<Bytes>>) -> Result<StoredBlob> {
        let (sender, receiver) = mpsc::channel(WAITING_PIECES);
        let storing = pin!(self.put(move || Ok(StreamSource::new(receiver))));
        let feeding = pin!(async move {
            while let Some(piece) = stream.next().await {
                let failed = piece.is_err();
                if sender.send(Some(piece)).await.is_err() || failed {
                    return;
                }
            }
            // An end that is said tells a whole stream from one whose feeder was dropped.
            let _closed = sender.send(None).await;
        });
        match select(storing, feeding).await {
            Either::Left((stored, _feeding)) => stored,
            Either::Right(((), storing)) => storing.await,
        }
    }

    /// Makes everything durable and findable.
    ///
    /// # Errors
    /// Those of the storage. Nothing that was stored may be relied on then; store it again.
    #[instrument(skip_all, err(level = "debug"))]
    pub async fn finish(mut self) -> Result<IngestReport> {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Fresh => Ok(IngestReport::default()),
            State::Open(session) => blocking::run(move || session.finish()).await?,
            State::Ended => Err(ended()),
        }
    }

    /// Runs one blob through the session on a thread that may block.
    async fn put<S, F>(&mut self, open: F) -> Result<StoredBlob>
    where
        S: Source,
        F: FnOnce() -> Result<S> + Send + 'static,
    {
        if matches!(self.state, State::Fresh) {
            self.shared.index.refresh_for_writing().await?;
            let session = Session::new(Arc::clone(&self.shared), blocking::runtime()?)?;
            self.state = State::Open(Box::new(session));
        }
        let _turn = self.shared.puts.acquire().await;
        let State::Open(mut session) = std::mem::replace(&mut self.state, State::Ended) else {
            return Err(ended());
        };
        // Closed when this future is dropped, which stops the thread.
        let (caller, _alive) = oneshot::channel();
        let (session, stored) = blocking::run(move || {
            let stored = open()
                .and_then(|source| cutting::put(&mut session, Cancellable { source, caller }));
            (session, stored)
        })
        .await?;
        if !session.has_failed() {
            self.state = State::Open(session);
        }
        stored
    }
}

fn ended() -> Error {
    Error::new(
        ErrorKind::Cancelled,
        "this session ended with an earlier failure",
    )
    .operation("ingest")
}

/// A blob that has been put into a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredBlob {
    /// The plain SHA-256 of its bytes.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// How many of its bytes were not in the repository before.
    pub new_bytes: u64,
}

/// What a session stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct IngestReport {
    /// Blobs put in.
    pub blobs: u64,
    /// Their bytes.
    pub logical_bytes: u64,
    /// How many of those were new.
    pub new_bytes: u64,
    /// How many bytes were written to the storage.
    pub stored_bytes: u64,
}
