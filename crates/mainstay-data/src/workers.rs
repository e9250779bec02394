//! Threads that advance states of their own, batch by batch.

use std::num::NonZeroUsize;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use arrow::array::RecordBatch;
use mainstay_core::{Error, ErrorKind, Result};

/// How many batches wait for a thread.
const WAITING_BATCHES: usize = 2;

/// States that every batch is shown to: each on a thread of its own, one alone on the caller's.
#[derive(Debug)]
pub(crate) struct Workers<S, B = RecordBatch>(Inner<S, B>);

type Work<S, B> = Box<dyn Fn(&mut S, &B) -> Result<()> + Send + Sync>;

enum Inner<S, B> {
    Caller { state: S, work: Work<S, B> },
    Threads(Vec<Worker<S, B>>),
}

struct Worker<S, B> {
    batches: SyncSender<B>,
    thread: JoinHandle<Result<S>>,
}

impl<S: Send + 'static, B: Clone + Send + 'static> Workers<S, B> {
    /// Begins `work` on the states; there is at least one.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] without states; the failure of the system to start a thread.
    pub(crate) fn start(
        mut states: Vec<S>,
        work: impl Fn(&mut S, &B) -> Result<()> + Clone + Send + Sync + 'static,
    ) -> Result<Self> {
        if states.len() > 1 {
            let workers = states
                .into_iter()
                .map(|state| Worker::start(state, work.clone()));
            return Ok(Self(Inner::Threads(workers.collect::<Result<_>>()?)));
        }
        let state = states.pop().ok_or_else(|| internal("no work"))?;
        let work = Box::new(work);
        Ok(Self(Inner::Caller { state, work }))
    }

    /// Shows a batch to every state; waits while a thread is far behind.
    ///
    /// # Errors
    /// Those of the work where it is done here; [`ErrorKind::Internal`] when a thread has stopped.
    pub(crate) fn feed(&mut self, batch: &B) -> Result<()> {
        match &mut self.0 {
            Inner::Caller { state, work } => work(state, batch),
            Inner::Threads(workers) => workers.iter().try_for_each(|worker| {
                let sent = worker.batches.send(batch.clone());
                sent.map_err(|_| internal("a worker stopped"))
            }),
        }
    }

    /// Returns the states after all batches.
    ///
    /// # Errors
    /// Those of the work; [`ErrorKind::Internal`] when a thread panicked.
    pub(crate) fn finish(self) -> Result<Vec<S>> {
        match self.0 {
            Inner::Caller { state, .. } => Ok(vec![state]),
            // Every channel is closed before a thread is waited for.
            Inner::Threads(workers) => {
                let threads: Vec<_> = workers.into_iter().map(|worker| worker.thread).collect();
                let joined = threads.into_iter().map(JoinHandle::join);
                joined
                    .map(|outcome| outcome.unwrap_or_else(|_| Err(internal("a worker panicked"))))
                    .collect()
            }
        }
    }
}

impl<S: Send + 'static, B: Send + 'static> Worker<S, B> {
    fn start(
        mut state: S,
        work: impl Fn(&mut S, &B) -> Result<()> + Send + 'static,
    ) -> Result<Self> {
        let (batches, receiver) = sync_channel::<B>(WAITING_BATCHES);
        let thread = std::thread::Builder::new()
            .name("mainstay-data".to_owned())
            .spawn(move || {
                for batch in receiver {
                    work(&mut state, &batch)?;
                }
                Ok(state)
            })?;
        Ok(Self { batches, thread })
    }
}

impl<S, B> std::fmt::Debug for Inner<S, B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Caller { .. } => "Caller",
            Self::Threads(_) => "Threads",
        })
    }
}

fn internal(message: &'static str) -> Error {
    Error::new(ErrorKind::Internal, message)
}

/// Divides things of these weights into at most `count` shares of about the same weight; returns the
/// share of each. Shares are numbered from 0 without gaps.
///
/// The heaviest first, each to the share that is lightest then (Graham, *Bounds on Multiprocessing
/// Timing Anomalies*, 1969): at most 4/3 of the best division.
pub(crate) fn shares(weights: &[usize], count: NonZeroUsize) -> Vec<usize> {
    let mut heaviest: Vec<usize> = (0..weights.len()).collect();
    heaviest.sort_by_key(|&index| std::cmp::Reverse(weights[index]));
    let mut totals = vec![0_usize; count.get().min(weights.len().max(1))];
    let mut owners = vec![0; weights.len()];
    for index in heaviest {
        let lightest = (0..totals.len()).min_by_key(|&share| totals[share]);
        owners[index] = lightest.unwrap_or(0);
        // Something without weight still takes a share of its own when one is free.
        totals[owners[index]] += weights[index].max(1);
    }
    owners
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn shares_are_balanced_and_have_no_gaps(
            weights in proptest::collection::vec(0_usize..100, 0..20),
            count in 1_usize..6,
        ) {
            let owners = shares(&weights, NonZeroUsize::new(count).unwrap());
            let used = owners.iter().max().map_or(0, |last| last + 1);
            prop_assert_eq!(used, count.min(weights.len()));
            let total = |share| -> usize {
                let owned = owners.iter().zip(&weights).filter(|(owner, _)| **owner == share);
                owned.map(|(_, &weight)| weight.max(1)).sum()
            };
            let totals: Vec<usize> = (0..used).map(total).collect();
            let heaviest = weights.iter().max().copied().unwrap_or(0).max(1);
            if let (Some(most), Some(least)) = (totals.iter().max(), totals.iter().min()) {
                prop_assert!(most - least <= heaviest, "{:?}", totals);
            }
        }
    }
}
