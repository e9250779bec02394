//! Changes that wait for the disk together.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mainstay_core::Result;
use tokio::sync::oneshot;

use super::commit::Change;
use super::tree::Tree;
use crate::PutOutcome;

/// Larger changes do not take part: they would only make the others wait.
pub(super) const LARGE_BYTES: usize = 1 << 20;

/// A group holds no more, so that the first to come does not wait long.
const GROUP_BYTES: usize = 16 << 20;

/// Changes waiting for the group before them to be on the disk.
///
/// Who finds nobody leading leads: commits one group after the other until none is waiting. While a
/// group is on its way the next one gathers, so groups grow with the load and nobody waits for
/// company.
#[derive(Debug, Default)]
pub(super) struct Batch(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    waiting: Vec<Waiting>,
    has_leader: bool,
}

#[derive(Debug)]
struct Waiting {
    change: Change,
    answer: oneshot::Sender<Result<PutOutcome>>,
}

impl Batch {
    /// Takes a change in; its answer comes through the channel.
    pub(super) fn join(
        tree: &Arc<Tree>,
        change: Change,
    ) -> (Option<Leader>, oneshot::Receiver<Result<PutOutcome>>) {
        let (answer, answered) = oneshot::channel();
        let mut state = tree.batch.state();
        state.waiting.push(Waiting { change, answer });
        let leads = !mem::replace(&mut state.has_leader, true);
        let leader = leads.then(|| Leader {
            tree: Arc::clone(tree),
            is_done: false,
        });
        (leader, answered)
    }

    /// Takes out the next group, at most so many changes; nothing ends the lead.
    fn next_group(&self, most: usize) -> Vec<Waiting> {
        let mut state = self.state();
        let mut bytes = 0;
        let fitting = state.waiting.iter().take(most).take_while(|waiting| {
            let fits = bytes < GROUP_BYTES;
            bytes += waiting.change.bytes();
            fits
        });
        let count = fitting.count();
        state.has_leader = count > 0;
        state.waiting.drain(..count).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The duty to commit group after group until nobody is waiting.
///
/// Dropped before that, by a panic or by a runtime that shuts down, it lets the next one lead, and
/// those who wait know.
#[derive(Debug)]
#[must_use]
pub(super) struct Leader {
    tree: Arc<Tree>,
    is_done: bool,
}

impl Leader {
    /// Does the duty; blocks.
    pub(super) fn lead(mut self) {
        let tree = &self.tree;
        loop {
            let group = tree.batch.next_group(tree.most_files);
            if group.is_empty() {
                break;
            }
            let (changes, answers): (Vec<_>, Vec<_>) = group
                .into_iter()
                .map(|waiting| (waiting.change, waiting.answer))
                .unzip();
            for (answer, result) in answers.into_iter().zip(tree.commit(&changes)) {
                // Who no longer waits has dropped the future; the change is made all the same.
                answer.send(result).ok();
            }
        }
        self.is_done = true;
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        if !self.is_done {
            let mut state = self.tree.batch.state();
            state.waiting.clear();
            state.has_leader = false;
        }
    }
}
