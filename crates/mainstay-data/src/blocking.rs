//! Work that blocks or computes for long, off the threads that run tasks.

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use mainstay_core::{Error, ErrorKind, Result};
use tokio::sync::{mpsc, oneshot};

/// Runs `work` on a thread that may block.
pub(crate) async fn run<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) if error.is_panic() => {
            Err(Error::new(ErrorKind::Internal, "a worker panicked").with_source(error))
        }
        Err(error) => {
            Err(Error::new(ErrorKind::Cancelled, "the runtime shut down").with_source(error))
        }
    }
}

/// Runs `work` on a thread of its own.
///
/// For work that waits for futures which themselves use the runtime's blocking threads: on one of
/// those, enough such work at once would leave none for what it waits for.
pub(crate) async fn run_on_own_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let (sender, receiver) = oneshot::channel();
    std::thread::Builder::new()
        .name("mainstay-data".to_owned())
        .spawn(move || {
            // Fails when nobody waits any more.
            let _unread = sender.send(work());
        })?;
    receiver.await.unwrap_or_else(|error| {
        Err(Error::new(ErrorKind::Internal, "a worker panicked").with_source(error))
    })
}

/// Streams what `work` sends, from a thread of its own that works ahead by `waiting` items.
///
/// The stream ends with the error of the work, if there is one. Once it is dropped, sending fails.
pub(crate) fn produce<T: Send + 'static>(
    waiting: usize,
    work: impl FnOnce(mpsc::Sender<Result<T>>) -> Result<()> + Send + 'static,
) -> BoxStream<'static, Result<T>> {
    let (sender, receiver) = mpsc::channel(waiting);
    let failures = sender.clone();
    let working = run_on_own_thread(move || work(sender));
    let reporting = async move {
        if let Err(error) = working.await {
            // The reader is gone when this fails, and no one wants to know.
            let _unread = failures.send(Err(error)).await;
        }
    };
    // Polling the items drives both: the work ends when its items are taken.
    let reporting = stream::once(reporting).filter_map(|()| async { None });
    let items = stream::unfold(receiver, |mut receiver| async move {
        Some((receiver.recv().await?, receiver))
    });
    stream::select(reporting, items).boxed()
}
