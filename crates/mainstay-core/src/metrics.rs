//! Telling how much is done, and how long it takes, to whoever watches.

use std::fmt;

/// One key and value that say which part of a measurement this is, as `("error.type", "conflict")`.
///
/// Both come from small fixed sets. What a user names (a key, a ref, a path) is never one: there are too
/// many, and they may tell more than a dashboard should show.
pub type Attribute = (&'static str, &'static str);

/// What is measured. Names and units follow the semantic conventions of OpenTelemetry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Instrument {
    /// Its name, segments joined by dots, as `mainstay.storage.io`.
    pub name: &'static str,
    /// Its unit in UCUM, as `s`, `By`, or `{transaction}`.
    pub unit: &'static str,
    /// What it means.
    pub description: &'static str,
}

impl Instrument {
    /// Describes an instrument; each is one constant.
    #[must_use]
    pub const fn new(name: &'static str, unit: &'static str, description: &'static str) -> Self {
        Self {
            name,
            unit,
            description,
        }
    }
}

/// Is told what was done.
///
/// An instrument is always used in one way: as a counter, by [`add`](Self::add), or as a histogram, by
/// [`record`](Self::record).
///
/// # How to implement
/// Operations call it from any thread, several at a time, and wait for it, so it returns at once. With
/// the `opentelemetry` crate: keep an instrument of the meter for each `name`, made with `unit` and
/// `description`, and hand the attributes on as `KeyValue`s. `docs/guides/observability.md` shows it, and
/// lists what is measured.
///
/// ```
/// use std::collections::BTreeMap;
/// use std::sync::Mutex;
///
/// use mainstay_core::{Attribute, Instrument, Metrics};
///
/// /// Keeps sums, as a service might to show them on a page.
/// #[derive(Debug, Default)]
/// struct Sums(Mutex<BTreeMap<&'static str, u64>>);
///
/// impl Metrics for Sums {
///     fn add(&self, counter: &'static Instrument, amount: u64, _: &[Attribute]) {
///         *self.0.lock().unwrap().entry(counter.name).or_default() += amount;
///     }
///
///     fn record(&self, histogram: &'static Instrument, _value: f64, _: &[Attribute]) {
///         *self.0.lock().unwrap().entry(histogram.name).or_default() += 1;
///     }
/// }
///
/// static READ: Instrument = Instrument::new("example.io", "By", "Bytes read");
/// let sums = Sums::default();
/// sums.add(&READ, 512, &[("example.source", "disk")]);
/// assert_eq!(sums.0.lock().unwrap()["example.io"], 512);
/// ```
pub trait Metrics: fmt::Debug + Send + Sync {
    /// Adds to a counter.
    fn add(&self, counter: &'static Instrument, amount: u64, attributes: &[Attribute]);

    /// Records one value of a histogram, in its unit.
    fn record(&self, histogram: &'static Instrument, value: f64, attributes: &[Attribute]);
}

/// Nobody watches.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct NoMetrics;

impl Metrics for NoMetrics {
    fn add(&self, _counter: &'static Instrument, _amount: u64, _attributes: &[Attribute]) {}

    fn record(&self, _histogram: &'static Instrument, _value: f64, _attributes: &[Attribute]) {}
}
