//! Telling how far long work has come.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use mainstay_core::Progress;

/// Adds up what the steps of one operation have done, and tells who wants to know.
#[derive(Debug, Clone, Default)]
pub(crate) struct Telling(Option<Arc<Told>>);

#[derive(Debug)]
struct Told {
    progress: Arc<dyn Progress>,
    /// By unit, how many are done, and how many there will be.
    counts: Mutex<BTreeMap<&'static str, (u64, Option<u64>)>>,
}

impl Telling {
    pub(crate) fn new(progress: Option<Arc<dyn Progress>>) -> Self {
        let told = |progress| Told {
            progress,
            counts: Mutex::default(),
        };
        Self(progress.map(told).map(Arc::new))
    }

    /// Says that so many more will be done.
    pub(crate) fn expect(&self, unit: &'static str, more: usize) {
        if let Some(told) = &self.0 {
            let mut counts = told.counts.lock().unwrap_or_else(PoisonError::into_inner);
            let (_, total) = counts.entry(unit).or_default();
            *total = Some(total.unwrap_or(0) + more as u64);
        }
    }

    /// Says that so many more are done.
    pub(crate) fn add(&self, unit: &'static str, more: usize) {
        if let Some(told) = &self.0 {
            // Told with the lock held: never twice at a time, and never less than before.
            let mut counts = told.counts.lock().unwrap_or_else(PoisonError::into_inner);
            let (done, total) = counts.entry(unit).or_default();
            *done += more as u64;
            told.progress.advance(unit, *done, *total);
        }
    }
}
