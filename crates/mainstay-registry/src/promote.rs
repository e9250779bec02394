//! Promotions: a version enters a stage, in one transaction, if its gates let it.

use std::collections::BTreeMap;

use mainstay_core::{Actor, Error, Locator, Name, NodeRef, Result};
use mainstay_repo::{Repo, Step, Transaction, View};
use serde::Serialize;

use crate::expect::Expect;
use crate::gate::{Gate, GateResult};
use crate::info::{ModelInfo, show};
use crate::metric::Metric;
use crate::policy::{Stage, StagePolicy};
use crate::refs;
use crate::standing::{Move, holder, standing};
use crate::text;

/// A promotion to make.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PromoteSpec {
    /// The version.
    pub model: Locator,
    /// The stage it is to enter.
    pub to: Name,
    /// Which version the caller believes holds the stage; for exclusive stages only.
    pub incumbent: Expect,
    /// Gates beside those of the stage policy.
    pub gates: Vec<Gate>,
    /// What was measured for this promotion; the gates see it, and it is recorded with the stage.
    pub metrics: BTreeMap<String, Metric>,
    /// Who promotes.
    pub actor: Actor,
    /// Why.
    pub reason: String,
}

impl PromoteSpec {
    /// Creates a promotion that expects nothing and has no gates of its own.
    #[must_use]
    pub fn new(model: Locator, to: Name, actor: Actor, reason: impl Into<String>) -> Self {
        Self {
            model,
            to,
            incumbent: Expect::Any,
            gates: Vec::new(),
            metrics: BTreeMap::new(),
            actor,
            reason: reason.into(),
        }
    }

    /// Sets which version the caller believes holds the stage.
    #[must_use]
    pub fn with_incumbent(mut self, incumbent: Expect) -> Self {
        self.incumbent = incumbent;
        self
    }

    /// Adds a gate.
    #[must_use]
    pub fn with_gate(mut self, gate: Gate) -> Self {
        self.gates.push(gate);
        self
    }

    /// Adds what was measured.
    #[must_use]
    pub fn with_metric(mut self, name: impl Into<String>, value: f64) -> Self {
        self.metrics.insert(name.into(), Metric::new(value));
        self
    }
}

/// What became of a promotion.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    clippy::exhaustive_enums,
    reason = "a promotion happens or is refused; a third outcome is a new contract"
)]
pub enum Promotion {
    /// The version is in the stage.
    Promoted(PromoteReport),
    /// A gate said no; nothing changed.
    Refused(Refusal),
}

/// A promotion that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PromoteReport {
    /// The version.
    pub model: NodeRef,
    /// The stage it came from; equal to `to` when it was there already.
    pub from: Name,
    /// The stage it is in.
    pub to: Name,
    /// The version it displaced from an exclusive stage, now retired.
    pub displaced: Option<NodeRef>,
    /// What the gates found; empty when the version was there already.
    pub gates: Vec<GateResult>,
    /// The log entry; `None` when the version was there already and nothing changed.
    pub seq: Option<u64>,
}

/// A promotion that a gate refused.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Refusal {
    /// The version.
    pub model: NodeRef,
    /// The stage it stays in.
    pub from: Name,
    /// The stage it was to enter.
    pub to: Name,
    /// What every gate found.
    pub gates: Vec<GateResult>,
}

pub(crate) async fn promote(repo: &Repo, spec: PromoteSpec) -> Result<Promotion> {
    text::check_keys("metrics", spec.metrics.keys())?;
    spec.gates.iter().try_for_each(Gate::check)?;
    let (committed, mut promotion) = repo.transact(|view| plan(view, &spec)).await?;
    if let Promotion::Promoted(report) = &mut promotion {
        report.seq = committed.map(|committed| committed.seq);
    }
    Ok(promotion)
}

fn plan(view: &View, spec: &PromoteSpec) -> Result<Step<Promotion>> {
    let candidate = show(view, &spec.model)?;
    let policy = StagePolicy::of(view, candidate.node.name())?;
    let stage = policy.stage(&spec.to)?;
    let mut report = PromoteReport {
        model: candidate.node.clone(),
        from: candidate.stage.clone(),
        to: spec.to.clone(),
        displaced: None,
        gates: Vec::new(),
        seq: None,
    };
    // Before the expectation: a repeated call finds the version itself in the stage.
    if candidate.stage == spec.to {
        return Ok(Step::Done(Promotion::Promoted(report)));
    }
    policy
        .check_transition(&candidate.stage, &spec.to)
        .map_err(|error| error.context("model", &candidate.node))?;
    let incumbent = incumbent(view, stage, &candidate)?;
    check_incumbent(spec, stage, incumbent.as_ref())?;

    let gates = evaluate(&policy, spec, &candidate, incumbent.as_ref());
    if gates.iter().any(|result| !result.passed) {
        return Ok(Step::Done(Promotion::Refused(Refusal {
            model: report.model,
            from: report.from,
            to: report.to,
            gates,
        })));
    }
    let from = standing(view, &policy, &candidate.node, candidate.seq)?;
    let mut transaction = Transaction::new(spec.actor.clone(), spec.reason.clone());
    report.displaced = Move {
        version: &candidate.node,
        from: &from,
        to: stage,
        metrics: spec.metrics.clone(),
        gates: gates.clone(),
    }
    .write(view, &policy, &mut transaction)?;
    report.gates = gates;
    Ok(Step::Commit(transaction, Promotion::Promoted(report)))
}

fn incumbent(view: &View, stage: &Stage, candidate: &ModelInfo) -> Result<Option<ModelInfo>> {
    if !stage.exclusive {
        return Ok(None);
    }
    match holder(view, candidate.node.name(), &stage.name)? {
        Some(holder) => {
            refs::version(view, &holder)?;
            show(view, &holder.into()).map(Some)
        }
        None => Ok(None),
    }
}

fn check_incumbent(spec: &PromoteSpec, stage: &Stage, incumbent: Option<&ModelInfo>) -> Result<()> {
    if !stage.exclusive && spec.incumbent != Expect::Any {
        return Err(
            Error::invalid("a stage that is not exclusive has no one holder")
                .context("stage", &stage.name),
        );
    }
    let holder = incumbent.map(|incumbent| &incumbent.node);
    spec.incumbent.check("stage", &stage.name, holder)
}

fn evaluate(
    policy: &StagePolicy,
    spec: &PromoteSpec,
    candidate: &ModelInfo,
    incumbent: Option<&ModelInfo>,
) -> Vec<GateResult> {
    let mut evidence = candidate.evidence();
    evidence.metrics.extend(spec.metrics.clone());
    let held = incumbent.map(ModelInfo::evidence);
    let of_policy = policy.gates.get(&spec.to).into_iter().flatten();
    of_policy
        .chain(&spec.gates)
        .map(|gate| gate.evaluate(&evidence, held.as_ref()))
        .collect()
}
