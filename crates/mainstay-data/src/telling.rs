//! Telling how far long work has come.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use mainstay_core::Progress;

/// Adds up what the steps of one operation have done, and tells.
#[derive(Debug, Clone, Default)]
pub(crate) struct Telling(Option<Arc<Told>>);

#[derive(Debug)]
struct Told {
    progress: Arc<dyn Progress>,
    /// By unit, how many are done, and how many there will be.
    counts: Mutex<BTreeMap<&'static str, (u64, Option<u64>)>>,
}

impl Telling {
    pub(crate) fn new(progress: Option<&Arc<dyn Progress>>) -> Self {
        Self(progress.map(|progress| {
            Arc::new(Told {
                progress: Arc::clone(progress),
                counts: Mutex::default(),
            })
        }))
    }

    /// Says that so many more will be done.
    pub(crate) fn expect(&self, unit: &'static str, more: u64) {
        if let Some(told) = &self.0 {
            let mut counts = told.counts.lock().unwrap_or_else(PoisonError::into_inner);
            let (_, total) = counts.entry(unit).or_default();
            *total = Some(total.unwrap_or(0) + more);
        }
    }

    /// Says that so many more are done.
    pub(crate) fn add(&self, unit: &'static str, more: u64) {
        if let Some(told) = &self.0 {
            // Told with the lock held: never twice at a time, and never less than before.
            let mut counts = told.counts.lock().unwrap_or_else(PoisonError::into_inner);
            let (done, total) = counts.entry(unit).or_default();
            *done += more;
            told.progress.advance(unit, *done, *total);
        }
    }

    /// What is to be given to one step that counts from 0; only its bytes are added.
    pub(crate) fn bytes_of_a_step(&self) -> Option<Arc<dyn Progress>> {
        self.0.as_ref()?;
        Some(Arc::new(Step {
            telling: self.clone(),
            done: AtomicU64::new(0),
        }))
    }
}

#[derive(Debug)]
struct Step {
    telling: Telling,
    done: AtomicU64,
}

impl Progress for Step {
    fn advance(&self, unit: &'static str, done: u64, _total: Option<u64>) {
        if unit == "bytes" {
            let before = self.done.swap(done, Ordering::Relaxed);
            self.telling.add("bytes", done.saturating_sub(before));
        }
    }
}
