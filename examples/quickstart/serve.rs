//! Serving visitors: each is routed to a unit, gets an answer, and turns out right or wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use mainstay::rollout::{Action, Counters, Outcome, Rollouts, Units};
use mainstay::{Actor, Clock as _, Error, ManualClock, NodeRef, Result, Workspace};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::classifier::Classifier;
use crate::penguins::Penguin;
use crate::tell::{self, tell};

/// Visitors between two looks of the guardrail.
const WINDOW: u64 = 50;

/// The station closes after so many windows.
const WINDOWS: u64 = 400;

/// Loads the model of a version from its stored bytes.
pub(crate) async fn load(workspace: &Workspace, model: &NodeRef) -> Result<Classifier> {
    let info = workspace.models().show(&model.clone().into()).await?;
    let file = &info.record.artifact.files[0];
    let blob = workspace.repo().blob(&file.digest).await?;
    let blob = blob.ok_or_else(|| Error::not_found("file", &file.path))?;
    Classifier::from_safetensors(&blob.bytes().await?)
}

/// Serves visitors until the rollout ends: the visitors are held-out penguins, drawn with `seed`.
pub(crate) async fn visitors(
    workspace: &Workspace,
    clock: &ManualClock,
    penguins: &[Penguin],
    seed: u64,
) -> Result<()> {
    let channel = "prod".parse()?;
    let station = Actor::new("station")?;
    let mut crowd = ChaCha8Rng::seed_from_u64(seed);
    let mut models: BTreeMap<NodeRef, Classifier> = BTreeMap::new();
    for window in 1..=WINDOWS {
        let view = workspace.repo().view().await?;
        let router = view.read(|view| Rollouts::router(view, &channel)).await?;
        let counters = Counters::new(&router);
        for unit in [Some(router.control()), router.canary()]
            .into_iter()
            .flatten()
        {
            if !models.contains_key(unit) {
                let unit_found = view.read(|view| Units::find(view, &unit.clone().into()));
                let model = unit_found.await?.components["model"].clone();
                models.insert(unit.clone(), load(workspace, &model).await?);
            }
        }
        for visitor in 0..WINDOW {
            let route = router.route(&format!("visitor-{}", window * WINDOW + visitor));
            let penguin = &penguins[crowd.random_range(0..penguins.len())];
            let answer = models[route.unit].predict(penguin).species;
            let right = answer == penguin.species();
            counters.record(
                route.arm,
                if right {
                    Outcome::Success
                } else {
                    Outcome::Failure
                },
            );
        }
        clock.advance(Duration::from_mins(10));
        let seen = counters
            .drain(clock.now())?
            .with_id("station-1".parse()?, window)?;
        let decision = workspace
            .rollouts()
            .observe(&channel, &seen, station.clone())
            .await?;

        let status = &decision.status;
        let guardrail = &status.guardrails[0].report;
        let ended = matches!(decision.action, Action::RolledBack | Action::Completed);
        tell!(
            "{:>6} visitors   wrong: canary {:>6}, control {:>6}   e-value {:>6.2}   {}",
            window * WINDOW,
            rate(guardrail.canary_rate),
            rate(guardrail.control_rate),
            guardrail.e_value,
            guardrail.verdict
        );
        if ended {
            let outcome = status.last_event.to_string();
            let outcome = if decision.action == Action::RolledBack {
                tell::bad(&outcome)
            } else {
                outcome
            };
            tell!("{outcome}");
            tell!(
                "channel prod serves {} alone; the rollback is one log entry",
                status.unit
            );
            return Ok(());
        }
    }
    Err(Error::invalid("the rollout did not end").context("visitors", WINDOW * WINDOWS))
}

fn rate(rate: Option<f64>) -> String {
    rate.map_or_else(|| "-".to_owned(), tell::percent)
}
