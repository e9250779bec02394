//! What connects processes to the storage: every operation is a call that waits to be answered.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};
use mainstay_core::{Error, ErrorKind, Result};
use mainstay_store::{
    ByteRange, Capabilities, Key, MemoryStorage, Object, ObjectMeta, Prefix, PutMode, PutOutcome,
    Storage, Timer,
};
use tokio::sync::{Notify, oneshot};

/// How many keys one call of a listing returns.
const PAGE: usize = 7;

/// What a process asks for.
#[derive(Debug, Clone)]
pub(crate) enum Ask {
    Get(Key, ByteRange),
    Put(Key, Bytes, PutMode),
    Delete(Key),
    /// One page of a listing.
    List(Prefix, Option<Key>),
    /// Time to pass.
    Sleep,
}

/// What it gets.
#[derive(Debug)]
pub(crate) enum Answer {
    Object(Option<Object>),
    Put(PutOutcome),
    Page(Vec<ObjectMeta>),
    Done,
}

#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) ask: Ask,
    pub(crate) answer: oneshot::Sender<Result<Answer>>,
}

/// The calls of one process after another: when one dies, the next takes its place.
#[derive(Debug, Default)]
pub(crate) struct Line {
    pub(crate) calls: VecDeque<Call>,
    pub(crate) life: u64,
    pub(crate) ended: bool,
}

#[derive(Debug)]
pub(crate) struct Network {
    lines: Mutex<Vec<Line>>,
    changed: Notify,
}

impl Network {
    pub(crate) fn new(lines: usize) -> Self {
        Self {
            lines: Mutex::new((0..lines).map(|_| Line::default()).collect()),
            changed: Notify::new(),
        }
    }

    pub(crate) fn lines(&self) -> MutexGuard<'_, Vec<Line>> {
        self.lines.lock().unwrap()
    }

    /// Waits until every process has called or ended; then nothing happens before a call is answered.
    pub(crate) async fn quiet(&self) {
        let quiet = |line: &Line| line.ended || !line.calls.is_empty();
        while !self.lines().iter().all(quiet) {
            self.changed.notified().await;
        }
    }

    /// Ends a process where it stands; its place is free for the next.
    pub(crate) fn kill(&self, line: usize) {
        let mut lines = self.lines();
        lines[line].life += 1;
        lines[line].calls.clear();
    }
}

/// The storage as one process has it, and its timer.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    network: Arc<Network>,
    line: usize,
    life: u64,
}

impl Connection {
    pub(crate) fn new(network: &Arc<Network>, line: usize) -> Self {
        let life = network.lines()[line].life;
        Self {
            network: Arc::clone(network),
            line,
            life,
        }
    }

    async fn call(&self, ask: Ask) -> Result<Answer> {
        let (answer, answered) = oneshot::channel();
        {
            let mut lines = self.network.lines();
            let line = &mut lines[self.line];
            if line.life != self.life {
                return Err(dead());
            }
            line.calls.push_back(Call { ask, answer });
        }
        self.network.changed.notify_one();
        answered.await.unwrap_or_else(|_| Err(dead()))
    }

    /// Says that the process has come to its end.
    pub(crate) fn end(&self) {
        let mut lines = self.network.lines();
        if lines[self.line].life == self.life {
            lines[self.line].ended = true;
        }
        drop(lines);
        self.network.changed.notify_one();
    }
}

fn dead() -> Error {
    Error::new(ErrorKind::Unavailable, "the process is dead").ambiguous()
}

fn unexpected(answer: &Answer) -> Error {
    Error::new(ErrorKind::Internal, format!("not an answer: {answer:?}"))
}

#[async_trait]
impl Storage for Connection {
    async fn get(&self, key: &Key, range: ByteRange) -> Result<Option<Object>> {
        match self.call(Ask::Get(key.clone(), range)).await? {
            Answer::Object(object) => Ok(object),
            other => Err(unexpected(&other)),
        }
    }

    async fn put(&self, key: &Key, bytes: Bytes, mode: PutMode) -> Result<PutOutcome> {
        match self.call(Ask::Put(key.clone(), bytes, mode)).await? {
            Answer::Put(outcome) => Ok(outcome),
            other => Err(unexpected(&other)),
        }
    }

    fn list(&self, prefix: &Prefix, after: Option<&Key>) -> BoxStream<'_, Result<ObjectMeta>> {
        let start = Some((prefix.clone(), after.cloned()));
        let pages = stream::unfold(start, async |from| {
            let (prefix, after) = from?;
            let page = match self.call(Ask::List(prefix.clone(), after)).await {
                Ok(Answer::Page(page)) => page,
                Ok(other) => return Some((vec![Err(unexpected(&other))], None)),
                Err(error) => return Some((vec![Err(error)], None)),
            };
            let last = page.last().map(|meta| meta.key.clone());
            let next = last.filter(|_| page.len() == PAGE);
            let next = next.map(|last| (prefix, Some(last)));
            Some((page.into_iter().map(Ok).collect(), next))
        });
        pages.map(stream::iter).flatten().boxed()
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.call(Ask::Delete(key.clone())).await.map(drop)
    }

    fn capabilities(&self) -> Capabilities {
        MemoryStorage::new().capabilities()
    }
}

#[async_trait]
impl Timer for Connection {
    async fn sleep(&self, _: Duration) {
        // A dead process sleeps no more.
        drop(self.call(Ask::Sleep).await);
    }
}

/// Does what was asked.
pub(crate) async fn perform(storage: &MemoryStorage, ask: Ask) -> Result<Answer> {
    Ok(match ask {
        Ask::Get(key, range) => Answer::Object(storage.get(&key, range).await?),
        Ask::Put(key, bytes, mode) => Answer::Put(storage.put(&key, bytes, mode).await?),
        Ask::Delete(key) => {
            storage.delete(&key).await?;
            Answer::Done
        }
        Ask::List(prefix, after) => {
            let listed = storage.list(&prefix, after.as_ref()).take(PAGE);
            let page: Vec<Result<ObjectMeta>> = listed.collect().await;
            Answer::Page(page.into_iter().collect::<Result<_>>()?)
        }
        Ask::Sleep => Answer::Done,
    })
}
