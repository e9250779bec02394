//! The handles a process counts with.

use std::sync::Arc;

use mainstay_core::{Actor, Error, Result, WriteId};
use tokio::sync::Mutex;
use tracing::instrument;

use super::TallyName;
use super::fixed::Scale;
use super::registers::{RegisterId, RegisterKind};
use super::replica::Replica;
use super::sketch::{Accuracy, Mapping};
use super::stripes::{Amount, Stripes};
use crate::Repo;

impl Repo {
    /// Begins to count for a subject, as a replica of its own. Does no I/O.
    ///
    /// `actor` is named in the log in case this replica must finish a compaction.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use mainstay_core::Actor;
    /// # use mainstay_repo::{Accuracy, Repo, RepoOptions, Scale, TallyName};
    /// # use mainstay_store::MemoryStorage;
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # let repo = Repo::create(Arc::new(MemoryStorage::new()), RepoOptions::default()).await?;
    /// let subject: TallyName = "experiment/checkout".parse()?;
    /// let (exposures, rewards, latency) =
    ///     ("canary/exposures".parse()?, "canary/reward".parse()?, "latency_ms".parse()?);
    ///
    /// // In each process, for as long as it lives:
    /// let tally = repo.tally(&subject, Actor::new("router-7")?)?;
    /// let exposure = tally.counter(&exposures)?;
    /// let reward = tally.accumulator(&rewards, Scale::BITS_32)?;
    /// let took = tally.histogram(&latency, Accuracy::ONE_PERCENT)?;
    ///
    /// // With each request, from any thread:
    /// exposure.add(1);
    /// took.observe(12.5)?;
    /// // What must never be read apart is recorded at once.
    /// tally.record([exposure.of(1), reward.of(0.25)?])?;
    ///
    /// // Every few seconds:
    /// tally.flush().await?;
    ///
    /// let totals = repo.read_tally(&subject).await?;
    /// assert_eq!(totals.count(&exposures), 2);
    /// assert_eq!(totals.sum(&rewards, Scale::BITS_32).to_f64(), 0.25);
    /// let p99 = totals.sketch(&latency, Accuracy::ONE_PERCENT).and_then(|sketch| sketch.quantile(0.99));
    /// assert_eq!(p99, Some(12.5));
    /// # Ok::<(), mainstay_core::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`Unavailable`](mainstay_core::ErrorKind::Unavailable) when there is no randomness for an id.
    pub fn tally(&self, subject: &TallyName, actor: Actor) -> Result<Tally> {
        let id = self.inner.options.ids.write_id()?;
        let replica = Replica::new(self.clone(), subject.clone(), actor, id);
        Ok(Tally {
            inner: Arc::new(Inner {
                subject: subject.clone(),
                id,
                stripes: Stripes::default(),
                replica: Mutex::new(replica),
            }),
        })
    }
}

/// What this process counts for one subject; made by [`Repo::tally`]. Clones share it.
///
/// Counting takes a lock that threads seldom share and does no I/O. What was counted is read by
/// others once [`flush`](Self::flush) has returned; what was not flushed is lost with the process.
#[derive(Debug, Clone)]
pub struct Tally {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    subject: TallyName,
    id: WriteId,
    stripes: Stripes,
    replica: Mutex<Replica>,
}

impl Tally {
    /// Returns the subject.
    #[must_use]
    pub fn subject(&self) -> &TallyName {
        &self.inner.subject
    }

    /// Returns the id of this replica: it is in the keys of what it writes.
    #[must_use]
    pub fn replica(&self) -> WriteId {
        self.inner.id
    }

    /// Returns the counter of this name.
    ///
    /// # Errors
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) when it would be the 4,097th register.
    pub fn counter(&self, name: &TallyName) -> Result<Counter> {
        Ok(Counter(self.handle(name, RegisterKind::Count)?))
    }

    /// Returns the exact sum of this name and scale.
    ///
    /// # Errors
    /// As [`counter`](Self::counter).
    pub fn accumulator(&self, name: &TallyName, scale: Scale) -> Result<Accumulator> {
        let handle = self.handle(name, RegisterKind::Sum(scale))?;
        Ok(Accumulator { handle, scale })
    }

    /// Returns the distribution of this name and accuracy, kept as a DDSketch.
    ///
    /// # Errors
    /// As [`counter`](Self::counter).
    pub fn histogram(&self, name: &TallyName, accuracy: Accuracy) -> Result<Histogram> {
        let handle = self.handle(name, RegisterKind::Sketch(accuracy))?;
        let mapping = Mapping::new(accuracy);
        Ok(Histogram { handle, mapping })
    }

    /// Counts several things at once: a flush takes all of them or none.
    ///
    /// # Errors
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) when one is of another tally; none is counted.
    pub fn record<const N: usize>(&self, observations: [Observation<'_>; N]) -> Result<()> {
        if observations
            .iter()
            .any(|observation| !Arc::ptr_eq(&observation.handle.tally, &self.inner))
        {
            return Err(Error::invalid("an observation of another tally")
                .context("subject", &self.inner.subject));
        }
        let amounts = observations.map(|observation| (observation.handle.slot, observation.amount));
        self.inner.stripes.add(amounts);
        Ok(())
    }

    /// Makes what was counted before the call part of what others read, once and not twice, and
    /// returns when it is.
    ///
    /// Costs one write, two looks for new log entries and one deletion, whatever was counted since
    /// the last flush; nothing when nothing was. Each flush writes all that this replica has counted
    /// since the last compaction. Flush every few seconds, and before the process ends. Several calls
    /// run one after the other.
    ///
    /// # Errors
    /// Those of the storage, and of [`Repo::read_tally`] when a compaction was under way: nothing that
    /// was counted is lost by them, nor by dropping the future: flush again. Others may or may not
    /// read it meanwhile. [`Invalid`](mainstay_core::ErrorKind::Invalid) naming the register: a sum
    /// beyond 2¹⁰⁴ units, a bin of a sketch beyond 2⁵³ − 1, or more than 16 MiB in all.
    #[instrument(skip(self), fields(subject = %self.inner.subject), err(level = "debug"))]
    pub async fn flush(&self) -> Result<()> {
        let mut replica = self.inner.replica.lock().await;
        let counted = self.inner.stripes.collect();
        replica.flush(&counted).await
    }

    fn handle(&self, name: &TallyName, kind: RegisterKind) -> Result<Handle> {
        let slot = self
            .inner
            .stripes
            .slot(RegisterId::new(name.clone(), kind))?;
        let tally = Arc::clone(&self.inner);
        Ok(Handle { tally, slot })
    }
}

#[derive(Debug, Clone)]
struct Handle {
    tally: Arc<Inner>,
    slot: usize,
}

impl Handle {
    fn add(&self, amount: Amount) {
        self.tally.stripes.add([(self.slot, amount)]);
    }

    fn of(&self, amount: Amount) -> Observation<'_> {
        Observation {
            handle: self,
            amount,
        }
    }
}

/// Something to count; see [`Tally::record`].
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct Observation<'a> {
    handle: &'a Handle,
    amount: Amount,
}

/// Counts events.
#[derive(Debug, Clone)]
pub struct Counter(Handle);

impl Counter {
    /// Counts so many events. A total stops at the greatest `u64`.
    pub fn add(&self, events: u64) {
        self.0.add(Amount::Count(events));
    }

    /// Returns so many events to be counted with others by [`Tally::record`].
    pub fn of(&self, events: u64) -> Observation<'_> {
        self.0.of(Amount::Count(events))
    }
}

/// Adds numbers exactly, in fixed point.
#[derive(Debug, Clone)]
pub struct Accumulator {
    handle: Handle,
    scale: Scale,
}

impl Accumulator {
    /// Adds a number, rounded to the scale, ties to even.
    ///
    /// # Errors
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) when it is not finite, or beyond ±2⁵³.
    pub fn add(&self, value: f64) -> Result<()> {
        self.handle.add(Amount::Sum(self.scale.units(value)?));
        Ok(())
    }

    /// Returns a number to be added together with others by [`Tally::record`].
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn of(&self, value: f64) -> Result<Observation<'_>> {
        Ok(self.handle.of(Amount::Sum(self.scale.units(value)?)))
    }
}

/// Observes a distribution.
#[derive(Debug, Clone)]
pub struct Histogram {
    handle: Handle,
    mapping: Mapping,
}

impl Histogram {
    /// Observes a value. Magnitudes below 2⁻⁴⁰ count as zero.
    ///
    /// # Errors
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) when it is not finite, or beyond ±2⁶⁰.
    pub fn observe(&self, value: f64) -> Result<()> {
        let bin = self.mapping.bin(value)?;
        self.handle.add(Amount::Value(bin, value));
        Ok(())
    }

    /// Returns a value to be observed together with others by [`Tally::record`].
    ///
    /// # Errors
    /// As [`observe`](Self::observe).
    pub fn of(&self, value: f64) -> Result<Observation<'_>> {
        let bin = self.mapping.bin(value)?;
        Ok(self.handle.of(Amount::Value(bin, value)))
    }
}
