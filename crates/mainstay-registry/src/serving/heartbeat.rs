//! Saying what an instance serves.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use mainstay_core::{Actor, Error, Name, NodeKind, NodeRef, Result};
use mainstay_repo::{Expectation, Repo, Series, Step, Transaction, View};
use serde::Serialize;

use super::read::{Of, deployments};
use super::record::{Deployment, FORMAT};
use crate::refs;

/// The most versions that one instance serves.
pub const MAX_SERVED: usize = 1_000;

/// What one instance of a service serves.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeartbeatSpec {
    /// The service.
    pub service: Name,
    /// Which instance of it: a name that no other one uses.
    pub instance: Name,
    /// Every version it serves; none when it stops.
    pub models: BTreeSet<NodeRef>,
    /// Who says so.
    pub actor: Actor,
}

impl HeartbeatSpec {
    /// Creates the heartbeat of an instance that serves nothing.
    #[must_use]
    pub fn new(service: Name, instance: Name, actor: Actor) -> Self {
        Self {
            service,
            instance,
            models: BTreeSet::new(),
            actor,
        }
    }

    /// Adds a version that the instance serves.
    #[must_use]
    pub fn with_model(mut self, model: NodeRef) -> Self {
        self.models.insert(model);
        self
    }

    fn check(&self) -> Result<()> {
        if self.models.len() > MAX_SERVED {
            let why = format!("an instance serves at most {MAX_SERVED} versions");
            return Err(Error::invalid(why).context("served", self.models.len()));
        }
        match self.models.iter().find(|m| m.kind() != NodeKind::Model) {
            Some(other) => Err(Error::invalid("not a model").context("reference", other)),
            None => Ok(()),
        }
    }
}

/// What a heartbeat changed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Heartbeat {
    /// The nodes of what the instance serves, in order of the versions.
    pub serving: Vec<NodeRef>,
    /// Versions that it did not serve before.
    pub began: Vec<NodeRef>,
    /// Versions that it serves no more.
    pub ended: Vec<NodeRef>,
    /// The log entry; `None` when it serves what it served before.
    pub seq: Option<u64>,
}

/// What a heartbeat means on one view.
#[derive(Debug, Default)]
struct Plan {
    heartbeat: Heartbeat,
    /// The nodes of what is served no more.
    gone: Vec<NodeRef>,
}

pub(crate) async fn heartbeat(repo: &Repo, spec: &HeartbeatSpec) -> Result<Heartbeat> {
    spec.check()?;
    let (committed, plan) = repo.transact(|view| plan(view, spec)).await?;
    let mut heartbeat = plan.heartbeat;
    heartbeat.seq = committed.map(|committed| committed.seq);
    try_join_all(heartbeat.serving.iter().map(|node| repo.beat(node))).await?;
    try_join_all(plan.gone.iter().map(|node| repo.forget_beat(node))).await?;
    Ok(heartbeat)
}

fn plan(view: &View, spec: &HeartbeatSpec) -> Result<Step<Plan>> {
    let series = Series::new(NodeKind::Deployment, spec.service.clone());
    let mut transaction = Transaction::new(spec.actor.clone(), "heartbeat");
    let mut plan = Plan::default();
    let mut serving = BTreeMap::new();
    for served in deployments(view, &Of::Service(spec.service.clone()))? {
        let Deployment {
            instance, model, ..
        } = served.deployment;
        if instance != spec.instance {
            continue;
        }
        if spec.models.contains(&model) {
            serving.insert(model, served.node);
        } else {
            let path = served.node.ref_path();
            let expectation = refs::unchanged(view, &path)?;
            transaction.delete(path, expectation);
            plan.heartbeat.ended.push(model);
            plan.gone.push(served.node);
        }
    }
    let mut number = None;
    for model in &spec.models {
        if serving.contains_key(model) {
            continue;
        }
        // One that was deleted may be served all the same, and that is what one wants to know.
        if view.state(&model.ref_path())?.is_none() {
            return Err(Error::not_found("model", model));
        }
        let next = match number {
            Some(last) => last + 1,
            None => series.next_number(view)?,
        };
        number = Some(next);
        let node = series.numbered(next);
        let deployment = Deployment {
            format: FORMAT,
            service: spec.service.clone(),
            number: next,
            instance: spec.instance.clone(),
            model: model.clone(),
        };
        transaction.set(node.ref_path(), deployment.to_value()?, Expectation::Absent);
        plan.heartbeat.began.push(model.clone());
        serving.insert(model.clone(), node);
    }
    let is_same = plan.heartbeat.began.is_empty() && plan.heartbeat.ended.is_empty();
    plan.heartbeat.serving = serving.into_values().collect();
    Ok(if is_same {
        Step::Done(plan)
    } else {
        Step::Commit(transaction, plan)
    })
}
