//! The thread that writes.

use std::thread::JoinHandle;

use mainstay_core::{Error, ErrorKind, Result};
use mainstay_store::PutOutcome;
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::change::Change;
use super::error::failure;

/// The most changes, and about the most bytes, that share a transaction.
const BATCH_CHANGES: usize = 256;
const BATCH_BYTES: usize = 16 << 20;

/// Makes changes one batch at a time: all that wait when a transaction begins share it, and with it
/// the wait for the disk. Dropping it waits until the file is closed.
#[derive(Debug)]
pub(super) struct Writer {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Job {
    change: Change,
    answer: oneshot::Sender<Result<PutOutcome>>,
}

impl Writer {
    pub(super) fn start(connection: Connection, namespace: String) -> Result<Self> {
        let (sender, jobs) = mpsc::channel(BATCH_CHANGES);
        let thread = std::thread::Builder::new()
            .name("mainstay-sqlite".to_owned())
            .spawn(move || run(connection, &namespace, jobs))?;
        Ok(Self {
            jobs: Some(sender),
            thread: Some(thread),
        })
    }

    /// Makes a change; durable when it returns.
    pub(super) async fn change(&self, change: Change) -> Result<PutOutcome> {
        let gone = || Error::new(ErrorKind::Internal, "the writing thread has ended");
        let (answer, answered) = oneshot::channel();
        let job = Job { change, answer };
        let jobs = self.jobs.as_ref().ok_or_else(gone)?;
        jobs.send(job).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone().ambiguous())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // It panicked or not, it has ended.
            let _ended = thread.join();
        }
    }
}

fn run(mut connection: Connection, namespace: &str, mut jobs: mpsc::Receiver<Job>) {
    while let Some(first) = jobs.blocking_recv() {
        let batch = gather(first, &mut jobs);
        write(&mut connection, namespace, batch);
    }
}

fn gather(first: Job, jobs: &mut mpsc::Receiver<Job>) -> Vec<Job> {
    let mut bytes = first.change.weight();
    let mut batch = vec![first];
    while batch.len() < BATCH_CHANGES && bytes < BATCH_BYTES {
        let Ok(job) = jobs.try_recv() else { break };
        bytes += job.change.weight();
        batch.push(job);
    }
    batch
}

/// Where a transaction failed.
#[derive(Debug)]
enum Failed {
    /// Before it had any effect, at no fault of a change.
    Begin(rusqlite::Error),
    /// At a change; nothing took effect.
    Change(rusqlite::Error),
    /// At the end; it may have taken effect.
    Commit(rusqlite::Error),
}

impl Failed {
    fn error(&self) -> Error {
        match self {
            Self::Begin(error) | Self::Change(error) => failure(error),
            Self::Commit(error) => failure(error).ambiguous(),
        }
    }
}

fn write(connection: &mut Connection, namespace: &str, batch: Vec<Job>) {
    match commit(connection, namespace, &batch) {
        Ok(outcomes) => {
            for (job, outcome) in batch.into_iter().zip(outcomes) {
                answer(job, Ok(outcome));
            }
        }
        // The change at fault fails alone.
        Err(Failed::Change(_)) if batch.len() > 1 => {
            for job in batch {
                write(connection, namespace, vec![job]);
            }
        }
        Err(failed) => {
            for job in batch {
                answer(job, Err(failed.error()));
            }
        }
    }
}

fn commit(
    connection: &mut Connection,
    namespace: &str,
    batch: &[Job],
) -> Result<Vec<PutOutcome>, Failed> {
    // Takes the lock at once: a transaction that began by reading cannot wait for it.
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(Failed::Begin)?;
    let outcomes = batch
        .iter()
        .map(|job| job.change.apply(&transaction, namespace))
        .collect::<rusqlite::Result<Vec<_>>>()
        .map_err(Failed::Change)?;
    transaction.commit().map_err(Failed::Commit)?;
    Ok(outcomes)
}

fn answer(job: Job, result: Result<PutOutcome>) {
    // Nobody listens when the caller was dropped.
    let _listened = job.answer.send(result);
}

#[cfg(test)]
mod tests;
