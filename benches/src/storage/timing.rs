//! Measuring time.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mainstay::{Error, ErrorKind, Result};

use super::metric::{Measured, Metric};

/// Measures from its making on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the clock"
    )]
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// How long each of many operations took, to three digits, from 1 ns to an hour.
#[derive(Debug)]
pub(super) struct Latencies(Histogram<u64>);

impl Latencies {
    pub(super) fn new() -> Result<Self> {
        const HOUR: u64 = 3_600_000_000_000;
        Histogram::new_with_bounds(1, HOUR, 3)
            .map(Self)
            .map_err(|cause| {
                Error::new(ErrorKind::Internal, "cannot make a histogram").with_source(cause)
            })
    }

    /// Runs `operation` and notes how long it took, if it succeeds.
    pub(super) async fn time<T>(
        &mut self,
        operation: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let watch = Stopwatch::start();
        let done = operation.await?;
        let nanoseconds = u64::try_from(watch.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.0.saturating_record(nanoseconds);
        Ok(done)
    }

    /// Returns the time within which this share of the operations was done.
    pub(super) fn quantile(&self, metric: Metric, share: f64) -> Measured {
        metric.took(Duration::from_nanos(self.0.value_at_quantile(share)))
    }
}
