//! What was asked of the server.

use std::collections::VecDeque;

use crate::{Fault, Verb};

/// A request, as far as it was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Logged {
    /// Counts all requests from 0 on.
    pub number: u64,
    /// What it asked for.
    pub verb: Verb,
    /// The key, or the prefix of a listing; empty for the deletion of several.
    pub key: String,
    /// Whether it was a write with a condition.
    pub conditional: bool,
    /// What went wrong with it.
    pub fault: Option<Fault>,
    /// The status that was answered, or would have been; none if there was no answer.
    pub status: Option<u16>,
}

/// The last requests.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    entries: VecDeque<Logged>,
    next: u64,
}

impl Journal {
    /// Takes a number for a request.
    pub(crate) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    pub(crate) fn push(&mut self, entry: Logged, max: usize) {
        if self.entries.len() >= max.max(1) {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }

    pub(crate) fn set_status(&mut self, number: u64, status: u16) {
        // The entry is among the newest.
        let newest = self.entries.iter_mut().rev();
        if let Some(entry) = newest.take(4096).find(|entry| entry.number == number) {
            entry.status = Some(status);
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.next
    }

    pub(crate) fn take(&mut self) -> Vec<Logged> {
        self.entries.drain(..).collect()
    }
}
