//! Carrying out what was decided.

use mainstay_core::{Error, Result};
use mainstay_experiment::Observation;

use crate::plan::ALL_TRAFFIC;

use super::{Event, Observed, Phase, RolloutSpec, RolloutState, StepRequests};

/// The most sources that may observe one rollout.
const MAX_SOURCES: usize = 4_096;

impl RolloutSpec {
    /// Returns the state after `event`, which [`decide`](Self::decide) returned for `state`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when a count passes 2⁵³ − 1 or more
    /// than 4,096 sources observe.
    pub fn evolve(&self, mut state: RolloutState, event: &Event) -> Result<RolloutState> {
        match event {
            Event::Started | Event::Held { .. } => {}
            Event::Observed(window) => self.take_in(&mut state, window)?,
            Event::Advanced { step, .. } => {
                state.step = *step;
                state.step_requests = StepRequests::default();
            }
            Event::Completed { .. } => state.phase = Phase::Completed,
            Event::Paused { .. } => state.phase = Phase::Paused,
            Event::Resumed { .. } => state.phase = Phase::Running,
            Event::RolledBack { .. } => state.phase = Phase::RolledBack,
            Event::Superseded { .. } => state.phase = Phase::Superseded,
        }
        state.last_event = event.clone();
        Ok(state)
    }

    fn take_in(&self, state: &mut RolloutState, window: &Observed) -> Result<()> {
        let share = f64::from(self.share(window.step)) / f64::from(ALL_TRAFFIC);
        let observation = Observation::new(window.control, window.canary, share)?;
        for spec in &self.guardrails {
            let evidence = state.evidence.entry(spec.name.clone()).or_default();
            spec.test.observe(evidence, &observation)?;
        }
        if window.step == state.step {
            let requests = &mut state.step_requests;
            requests.control = requests.control.saturating_add(window.control.requests());
            requests.canary = requests.canary.saturating_add(window.canary.requests());
        }
        if let Some(id) = &window.id {
            state.sources.insert(id.source.clone(), id.number);
            if state.sources.len() > MAX_SOURCES {
                return Err(Error::invalid(
                    "more than 4,096 sources observe one rollout",
                ));
            }
        }
        state.observed_until = state.observed_until.max(Some(window.at));
        state.window = Some(window.clone());
        Ok(())
    }
}
