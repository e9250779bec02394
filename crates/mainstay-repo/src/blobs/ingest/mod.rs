//! Storing blobs.

mod batch;
mod cutting;
mod records;
mod session;
mod source;
mod writes;

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::{Either, select};
use futures::stream::BoxStream;
use mainstay_core::{Digest, Error, ErrorKind, Progress, Result};
use tokio::sync::{mpsc, oneshot};
use tracing::field::Empty;
use tracing::{Span, instrument};

pub(in crate::blobs) use self::records::NewManifest;
use self::session::Session;
use self::source::{Caller, Cancellable, FileSource, Source, StreamSource};
use super::condemned::CondemnedSource;
use super::layout::Layout;
use super::{Shared, blocking};

/// How many pieces of a stream wait to be stored.
const WAITING_PIECES: usize = 4;

/// A session that stores blobs.
///
/// What it stores is found by [`Repo::blob`](crate::Repo::blob) and may be named by a commit after
/// [`finish`](Self::finish). A session that is dropped before leaves at most packs and index objects
/// that nothing refers to. A method that fails because of its input leaves the session usable; one that
/// fails because of the storage, or whose future is dropped, ends it: later calls return
/// [`ErrorKind::Cancelled`].
///
/// Bytes are cut by content, and those that are already stored are not stored again. Safetensors are
/// cut at their tensors, whatever the name of the file; where else the structure is known, a
/// [`Layout`] tells it. Each chunk is compressed in the way that its sample promises, floating-point
/// weights with their bytes grouped, and kept so only when that saves an eighth.
///
/// Memory: at most about 200 MiB whatever is stored, and the index of the repository, which takes some 66
/// bytes for each chunk that it holds and is read when the first bytes are stored. Must be used within a tokio runtime.
#[derive(Debug)]
pub struct Ingest {
    shared: Arc<Shared>,
    condemned: Option<CondemnedSource>,
    state: State,
    progress: Option<Arc<dyn Progress>>,
}

#[derive(Debug)]
enum State {
    /// Nothing stored yet: the index has not been looked at.
    Fresh,
    Open(Box<Session>),
    Ended,
}

impl Ingest {
    pub(super) fn new(shared: Arc<Shared>, condemned: Option<CondemnedSource>) -> Self {
        Self {
            shared,
            condemned,
            state: State::Fresh,
            progress: None,
        }
    }

    /// Tells `progress` how many `bytes` this session has cut, and how many `files` of
    /// [`files`](Self::files) are done. Takes effect before anything is stored.
    #[must_use]
    pub fn with_progress(mut self, progress: Arc<dyn Progress>) -> Self {
        self.progress = Some(progress);
        self
    }

    /// Stores bytes.
    ///
    /// # Errors
    /// Those of the storage.
    #[instrument(skip_all, fields(bytes = bytes.len()), err(level = "debug"))]
    pub async fn bytes(&mut self, bytes: Bytes) -> Result<StoredBlob> {
        self.put(move || Ok(bytes), None).await
    }

    /// Stores bytes, cut as `layout` says.
    ///
    /// # Errors
    /// Those of the storage.
    #[instrument(skip_all, fields(bytes = bytes.len()), err(level = "debug"))]
    pub async fn bytes_with(&mut self, bytes: Bytes, layout: Layout) -> Result<StoredBlob> {
        self.put(move || Ok(bytes), Some(layout)).await
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
        self.put(move || FileSource::open(path), None).await
    }

    /// Stores a file's bytes, streaming, cut as `layout` says.
    ///
    /// # Errors
    /// As [`file`](Self::file).
    #[instrument(skip_all, fields(path = %path.display()), err(level = "debug"))]
    pub async fn file_with(&mut self, path: &Path, layout: Layout) -> Result<StoredBlob> {
        let path = path.to_owned();
        self.put(move || FileSource::open(path), Some(layout)).await
    }

    /// Stores many files, reading several at a time; the answers are in the order of the paths.
    ///
    /// A file that cannot be read is an error in its place and does not keep the others from being
    /// stored. Small files are read and hashed on all processors, at a fraction of what a call of
    /// [`file`](Self::file) for each costs.
    ///
    /// # Errors
    /// Those of the storage, which end the session: nothing may be relied on then.
    #[instrument(skip_all, err(level = "debug"))]
    pub async fn files(
        &mut self,
        paths: impl IntoIterator<Item = PathBuf> + Send,
    ) -> Result<Vec<Result<StoredBlob>>> {
        let paths: Vec<PathBuf> = paths.into_iter().collect();
        self.work(move |session, caller| batch::put(session, &paths, caller))
            .await
    }

    /// Stores a stream.
    ///
    /// # Errors
    /// The first error of the stream, and those of the storage.
    #[instrument(skip_all, err(level = "debug"))]
    pub async fn stream(&mut self, mut stream: BoxStream<'_, Result<Bytes>>) -> Result<StoredBlob> {
        let (sender, receiver) = mpsc::channel(WAITING_PIECES);
        let storing = pin!(self.put(move || Ok(StreamSource::new(receiver)), None));
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
    /// [`ErrorKind::Conflict`] when a collection condemned meanwhile what the session did not store
    /// because it was stored before, and those of the storage. Nothing that was stored may be relied on
    /// then; store it again.
    #[instrument(
        skip_all,
        fields(
            blobs = Empty,
            bytes = Empty,
            new_bytes = Empty,
            stored_bytes = Empty,
            requests = Empty
        ),
        err(level = "debug")
    )]
    pub async fn finish(mut self) -> Result<IngestReport> {
        let report = match std::mem::replace(&mut self.state, State::Ended) {
            State::Fresh => return Ok(IngestReport::default()),
            State::Open(session) => blocking::run(move || session.finish()).await??,
            State::Ended => return Err(ended()),
        };
        let span = Span::current();
        span.record("blobs", report.blobs);
        span.record("bytes", report.logical_bytes);
        span.record("new_bytes", report.new_bytes);
        span.record("stored_bytes", report.stored_bytes);
        span.record("requests", report.requests);
        if let Some(told) = &self.shared.told {
            told.ingested(&report);
        }
        Ok(report)
    }

    /// Runs one blob through the session.
    async fn put<S, F>(&mut self, open: F, layout: Option<Layout>) -> Result<StoredBlob>
    where
        S: Source,
        F: FnOnce() -> Result<S> + Send + 'static,
    {
        self.work(move |session, caller| {
            open().and_then(|source| cutting::put(session, Cancellable { source, caller }, layout))
        })
        .await
    }

    /// Does work with the session on a thread that may block.
    async fn work<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Session, &Caller) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if matches!(self.state, State::Fresh) {
            self.shared.index.refresh_for_writing().await?;
            let condemned = match &self.condemned {
                Some(source) => source.ask().await?,
                None => Arc::default(),
            };
            self.shared.index.condemn_for_writing(&condemned).await?;
            let (runtime, progress) = (blocking::runtime()?, self.progress.clone());
            let shared = Arc::clone(&self.shared);
            let session = Session::new(
                shared,
                (condemned, self.condemned.clone()),
                runtime,
                progress,
            )?;
            self.state = State::Open(Box::new(session));
        }
        let _turn = self.shared.puts.acquire().await;
        let State::Open(mut session) = std::mem::replace(&mut self.state, State::Ended) else {
            return Err(ended());
        };
        // Closed when this future is dropped, which stops the thread.
        let (caller, _alive) = oneshot::channel();
        let (session, done) = blocking::run(move || {
            let done = work(&mut session, &Caller(caller));
            (session, done)
        })
        .await?;
        if !session.has_failed() {
            self.state = State::Open(session);
        }
        done
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
    /// How many requests that took, looks at what others had written before included.
    pub requests: u64,
}
