//! Adding up what the steps of one operation have done.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::Progress;

/// Adds up what the steps of one operation have done, and tells a [`Progress`] if there is one.
///
/// Clones add to the same sums, from any thread. Whoever is told is called with the sum of one unit, never
/// twice at a time and never with less than before.
///
/// ```
/// use std::sync::{Arc, Mutex};
///
/// use mainstay_core::{Progress, Telling};
///
/// #[derive(Debug, Default)]
/// struct Last(Mutex<Option<(&'static str, u64, Option<u64>)>>);
///
/// impl Progress for Last {
///     fn advance(&self, unit: &'static str, done: u64, total: Option<u64>) {
///         *self.0.lock().unwrap() = Some((unit, done, total));
///     }
/// }
///
/// let last = Arc::new(Last::default());
/// let telling = Telling::new(Some(Arc::clone(&last) as Arc<dyn Progress>));
/// telling.expect("files", 3);
/// telling.add("files", 1);
/// telling.clone().add("files", 1);
/// assert_eq!(*last.0.lock().unwrap(), Some(("files", 2, Some(3))));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Telling(Option<Arc<Told>>);

#[derive(Debug)]
struct Told {
    progress: Arc<dyn Progress>,
    /// By unit, how many are done, and how many there will be.
    counts: Mutex<BTreeMap<&'static str, (u64, Option<u64>)>>,
}

impl Telling {
    /// Begins to add up for `progress`; without one nothing is.
    #[must_use]
    pub fn new(progress: Option<Arc<dyn Progress>>) -> Self {
        let told = |progress| Told {
            progress,
            counts: Mutex::default(),
        };
        Self(progress.map(told).map(Arc::new))
    }

    /// Says that so many more will be done; this alone is not told.
    pub fn expect(&self, unit: &'static str, more: u64) {
        if let Some(told) = &self.0 {
            let mut counts = told.counts.lock().unwrap_or_else(PoisonError::into_inner);
            let (_, total) = counts.entry(unit).or_default();
            *total = Some(total.unwrap_or(0).saturating_add(more));
        }
    }

    /// Says that so many more are done, and tells the sum: without a total once more are done than were
    /// expected, since how many there will be is not known then.
    pub fn add(&self, unit: &'static str, more: u64) {
        if let Some(told) = &self.0 {
            // Told with the lock held: never twice at a time, and never less than before.
            let mut counts = told.counts.lock().unwrap_or_else(PoisonError::into_inner);
            let (done, total) = counts.entry(unit).or_default();
            *done = done.saturating_add(more);
            let total = total.filter(|total| *done <= *total);
            told.progress.advance(unit, *done, total);
        }
    }

    /// What is to be given to one step that counts from 0: what it does of `unit` is added, and nothing
    /// else it tells. `None` when nobody is told.
    #[must_use]
    pub fn step(&self, unit: &'static str) -> Option<Arc<dyn Progress>> {
        self.0.as_ref()?;
        Some(Arc::new(OfStep {
            telling: self.clone(),
            unit,
            done: AtomicU64::new(0),
        }))
    }
}

#[derive(Debug)]
struct OfStep {
    telling: Telling,
    unit: &'static str,
    done: AtomicU64,
}

impl Progress for OfStep {
    fn advance(&self, unit: &'static str, done: u64, _total: Option<u64>) {
        if unit == self.unit {
            let before = self.done.swap(done, Ordering::Relaxed);
            self.telling.add(unit, done.saturating_sub(before));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default)]
    struct Heard(Mutex<Vec<(&'static str, u64, Option<u64>)>>);

    impl Progress for Heard {
        fn advance(&self, unit: &'static str, done: u64, total: Option<u64>) {
            self.0.lock().unwrap().push((unit, done, total));
        }
    }

    fn telling() -> (Arc<Heard>, Telling) {
        let heard = Arc::new(Heard::default());
        let progress = Arc::clone(&heard) as Arc<dyn Progress>;
        (heard, Telling::new(Some(progress)))
    }

    #[test]
    fn there_is_no_total_once_more_is_done_than_was_expected() {
        let (heard, telling) = telling();
        telling.add("rows", 1);
        telling.expect("rows", 2);
        telling.add("rows", 1);
        telling.add("rows", 1);
        telling.expect("rows", 2);
        telling.add("rows", 1);
        let totals = [(1, None), (2, Some(2)), (3, None), (4, Some(4))];
        let totals = totals.map(|(done, total)| ("rows", done, total));
        assert_eq!(*heard.0.lock().unwrap(), totals);
    }

    #[test]
    fn steps_that_count_from_zero_add_up_by_unit() {
        let (heard, telling) = telling();
        let steps = [
            telling.step("bytes").unwrap(),
            telling.step("bytes").unwrap(),
        ];
        for done in [10, 25] {
            for step in &steps {
                step.advance("bytes", done, Some(25));
                step.advance("files", 1, None);
            }
        }
        telling.add("files", 1);
        let sums = [10, 20, 35, 50].map(|sum| ("bytes", sum, None));
        assert_eq!(heard.0.lock().unwrap()[..4], sums);
        assert_eq!(heard.0.lock().unwrap()[4..], [("files", 1, None)]);
    }

    #[test]
    fn of_many_threads_nobody_is_told_less_than_before() {
        let (heard, telling) = telling();
        telling.expect("records", 400);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let telling = telling.clone();
                scope.spawn(move || (0..100).for_each(|_| telling.add("records", 1)));
            }
        });
        let expected: Vec<_> = (1..=400).map(|sum| ("records", sum, Some(400))).collect();
        assert_eq!(*heard.0.lock().unwrap(), expected);
    }

    #[test]
    fn without_anybody_to_tell_there_is_no_step() {
        assert!(Telling::default().step("bytes").is_none());
    }
}
