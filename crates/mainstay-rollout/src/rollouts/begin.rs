//! Beginning a rollout: in steps, or all at once.

use mainstay_core::{Edge, EdgeKind, Error, ErrorKind, Locator, NodeRef, Result};

use crate::channel::{Channel, Rollout, SPEC_KIND, STATE_KIND};
use crate::draft::{Draft, Pointers};
use crate::record;
use crate::{
    Event, Input, RolloutPlan, RolloutSpec, RolloutState, Status, SwitchAction, SwitchPlan, Unit,
    Units,
};

pub(super) fn plan_start(
    channel: &Channel<'_>,
    unit: &Locator,
    plan: &RolloutPlan,
) -> Result<SwitchPlan> {
    plan.check()?;
    let Some((baseline, _)) = channel.current()? else {
        return plan_put(channel, unit);
    };
    let beginning = Beginning::new(channel, unit)?;
    if let Some(running) = &beginning.running
        && running.spec.candidate == beginning.unit.node
    {
        return Err(already(
            "the channel is rolling this unit out",
            &beginning.unit.node,
        ));
    }
    let mut spec = beginning.spec();
    spec.steps = plan.canary_steps().to_vec();
    spec.min_requests_per_step = plan.min_requests_per_step;
    spec.guardrails.clone_from(&plan.guardrails);
    if let Some(salt) = &plan.salt {
        spec.salt.clone_from(salt);
    }
    let state = RolloutState::started();
    beginning.finish(
        SwitchAction::Start,
        &spec,
        &state,
        baseline,
        Draft::default(),
    )
}

pub(super) fn plan_put(channel: &Channel<'_>, unit: &Locator) -> Result<SwitchPlan> {
    let beginning = Beginning::new(channel, unit)?;
    let spec = beginning.spec();
    let why = "put at once".to_owned();
    let mut state = spec.evolve(RolloutState::started(), &Event::Completed { why })?;
    let mut draft = Draft::default();
    state.restore = draft.serve(channel, &beginning.unit, &Pointers::new())?;
    let serves = beginning.unit.node.clone();
    beginning.finish(SwitchAction::Put, &spec, &state, serves, draft)
}

/// What is known before a rollout begins.
struct Beginning<'c, 'v> {
    channel: &'c Channel<'v>,
    unit: Unit,
    baseline: Option<NodeRef>,
    running: Option<Rollout>,
    node: NodeRef,
}

impl<'c, 'v> Beginning<'c, 'v> {
    fn new(channel: &'c Channel<'v>, unit: &Locator) -> Result<Self> {
        let unit = Units::find(channel.view, unit)?;
        let baseline = channel.current()?.map(|(node, _)| node);
        if baseline.as_ref() == Some(&unit.node) {
            return Err(already("the channel serves this unit", &unit.node));
        }
        let running = channel
            .latest()?
            .filter(|rollout| rollout.state.phase.is_live());
        let rollouts = channel.rollouts();
        let node = rollouts.numbered(rollouts.next_number(channel.view)?);
        Ok(Self {
            channel,
            unit,
            baseline,
            running,
            node,
        })
    }

    /// Returns the spec of a switch without steps.
    fn spec(&self) -> RolloutSpec {
        RolloutSpec {
            baseline: self.baseline.clone(),
            candidate: self.unit.node.clone(),
            steps: Vec::new(),
            min_requests_per_step: 0,
            guardrails: Vec::new(),
            salt: self.node.to_string(),
            supersedes: self.running.as_ref().map(|running| running.node.clone()),
        }
    }

    fn finish(
        self,
        action: SwitchAction,
        spec: &RolloutSpec,
        state: &RolloutState,
        serves: NodeRef,
        mut draft: Draft,
    ) -> Result<SwitchPlan> {
        let Channel { view, name } = self.channel;
        draft.write(
            view,
            self.node.ref_path(),
            record::encode(SPEC_KIND, spec)?.with_edges(edges(spec)?),
        )?;
        let state_path = self.channel.state_path(&self.node)?;
        draft.write(view, state_path, record::encode(STATE_KIND, state)?)?;
        draft.check(view, self.unit.node.ref_path())?;
        if action == SwitchAction::Start {
            draft.check(view, self.channel.current_path()?)?;
        }
        if let Some(running) = self.running {
            let by = self.node.clone();
            let stopped = running.apply(&Input::Supersede { by })?;
            draft.write(
                view,
                running.state_path,
                record::encode(STATE_KIND, &stopped)?,
            )?;
        }
        Ok(SwitchPlan {
            channel: name.clone(),
            action,
            from: self.baseline,
            to: self.unit.node,
            supersedes: spec.supersedes.clone(),
            moves: draft.moves.clone(),
            after: Status::new(name, serves, &self.node, spec, state),
            rollout: self.node,
            draft,
        })
    }
}

fn already(why: &str, unit: &NodeRef) -> Error {
    Error::new(ErrorKind::AlreadyExists, why).context("unit", unit)
}

/// Returns the lineage of a rollout.
fn edges(spec: &RolloutSpec) -> Result<Vec<Edge>> {
    let mut edges =
        vec![Edge::new(EdgeKind::Deploys, spec.candidate.clone()).with_role("candidate".parse()?)];
    if let Some(baseline) = &spec.baseline {
        edges.push(Edge::new(EdgeKind::Used, baseline.clone()).with_role("baseline".parse()?));
    }
    if let Some(stopped) = &spec.supersedes {
        edges.push(Edge::new(EdgeKind::Supersedes, stopped.clone()));
    }
    Ok(edges)
}
