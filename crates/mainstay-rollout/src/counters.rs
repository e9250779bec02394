//! Counting outcomes between observations.

use std::sync::atomic::{AtomicU64, Ordering};

use mainstay_core::{Result, Timestamp};
use mainstay_experiment::Outcomes;

use crate::{Router, TrafficArm, Window, WindowOrigin};

/// Counts the outcomes of the requests that one [`Router`] routed, without locks.
///
/// Make new counters with each router, so that every window belongs to one step. [`drain`](Self::drain)
/// the old ones after the last request they routed has ended.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), mainstay_core::Error> {
/// # use std::sync::Arc;
/// # use mainstay_core::{Actor, Timestamp};
/// # use mainstay_repo::{Repo, RepoOptions};
/// use mainstay_rollout::{Counters, Outcome, Rollouts};
/// # use mainstay_rollout::{UnitSpec, Units};
/// # let repo = Repo::create(Arc::new(mainstay_store::MemoryStorage::new()), RepoOptions::default()).await?;
/// # let spec = UnitSpec::new("support".parse()?).with_component("code".parse()?, "code:service@1".parse()?);
/// # Units::new(repo.clone()).create(spec, Actor::new("ada")?, "").await?;
/// # Rollouts::new(repo.clone()).put(&"prod".parse()?, &"support".parse()?, Actor::new("ada")?, "").await?;
///
/// let prod = "prod".parse()?;
/// let router = repo.read(|view| Rollouts::router(view, &prod)).await?;
/// let counters = Counters::new(&router);
/// let route = router.route("user-17");
/// counters.record(route.arm, Outcome::Success);
/// let window = counters.drain(Timestamp::UNIX_EPOCH)?.with_id("web-1".parse()?, 1)?;
/// assert_eq!(window.control.requests(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Counters {
    origin: WindowOrigin,
    control: Arm,
    canary: Arm,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "an outcome is binary")]
pub enum Outcome {
    /// As it should.
    Success,
    /// Not as it should.
    Failure,
}

// Its own cache lines, so that the two arms do not slow each other down.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Arm {
    successes: AtomicU64,
    failures: AtomicU64,
}

impl Counters {
    /// Creates counters at zero for what `router` routes.
    #[must_use]
    pub fn new(router: &Router) -> Self {
        Self {
            origin: router.origin().clone(),
            control: Arm::default(),
            canary: Arm::default(),
        }
    }

    /// Counts one request.
    pub fn record(&self, arm: TrafficArm, outcome: Outcome) {
        let arm = match arm {
            TrafficArm::Control => &self.control,
            TrafficArm::Canary => &self.canary,
        };
        let counter = match outcome {
            Outcome::Success => &arm.successes,
            Outcome::Failure => &arm.failures,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes what was counted since the last time, as a window that ended at `at`.
    ///
    /// Every request is in exactly one window. Keep the window until it was observed: send it again
    /// under its id when that failed.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when more than 2⁵³ − 1 requests were
    /// counted.
    pub fn drain(&self, at: Timestamp) -> Result<Window> {
        let WindowOrigin { rollout, step } = self.origin.clone();
        let window = Window::new(self.control.take()?, self.canary.take()?, at);
        Ok(window.with_origin(rollout, step))
    }
}

impl Arm {
    fn take(&self) -> Result<Outcomes> {
        let failures = self.failures.swap(0, Ordering::Relaxed);
        let successes = self.successes.swap(0, Ordering::Relaxed);
        Outcomes::new(successes.saturating_add(failures), failures)
    }
}
