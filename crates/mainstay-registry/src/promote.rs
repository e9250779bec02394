//! Promotions: a version enters a stage, in one transaction, if its gates let it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mainstay_core::{Actor, Error, Locator, Name, NodeRef, Result, Timestamp};
use mainstay_repo::{Repo, Step, Transaction, View};
use serde::Serialize;

use crate::approval;
use crate::check::{Case, Checks};
use crate::expect::Expect;
use crate::gate::{Gate, GateResult};
use crate::info::{ModelInfo, show};
use crate::metric::Metric;
use crate::overrule::{Overruling, check_why};
use crate::policy::{Stage, StagePolicy};
use crate::receipt::Slot;
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
    /// In which roles, as the caller says: Mainstay does not authenticate.
    pub roles: BTreeSet<Name>,
    /// Why.
    pub reason: String,
    /// Why gates that say no are overruled; `None` when they are not.
    pub overrule: Option<String>,
    /// Makes the call repeatable: the same key with the same request promotes once, whatever happened
    /// since, and gets the same answer.
    pub idempotency_key: Option<String>,
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
            roles: BTreeSet::new(),
            reason: reason.into(),
            overrule: None,
            idempotency_key: None,
        }
    }

    /// Adds a role of whoever promotes.
    #[must_use]
    pub fn with_role(mut self, role: Name) -> Self {
        self.roles.insert(role);
        self
    }

    /// Breaks the glass: promotes also when gates say no, for this reason, 1 to 1,024 bytes on one line.
    ///
    /// What was overruled, and why, is in the log's reason, in a record of its own and in the history
    /// of the stage. The ways between stages are not overruled. Without a gate that says no, it is a
    /// promotion like any other.
    #[must_use]
    pub fn overruling(mut self, why: impl Into<String>) -> Self {
        self.overrule = Some(why.into());
        self
    }

    /// Makes the call repeatable; the key is 1 to 256 bytes and stands for this call for ever.
    #[must_use]
    pub fn with_idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
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
    /// Why gates that said no were overruled; `None` when none said no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overruled: Option<String>,
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

pub(crate) async fn promote(repo: &Repo, checks: &Checks, spec: PromoteSpec) -> Result<Promotion> {
    text::check_keys("metrics", spec.metrics.keys())?;
    spec.gates.iter().try_for_each(Gate::check)?;
    spec.overrule.as_deref().map_or(Ok(()), check_why)?;
    let slot = Slot::of(&spec)?;
    let (committed, mut promotion) = repo
        .transact(|view| plan(view, &spec, checks, slot.as_ref(), repo.now()))
        .await?;
    if let (Promotion::Promoted(report), Some(committed)) = (&mut promotion, committed) {
        report.seq = Some(committed.seq);
    }
    Ok(promotion)
}

fn plan(
    view: &View,
    spec: &PromoteSpec,
    checks: &Checks,
    slot: Option<&Slot>,
    now: Timestamp,
) -> Result<Step<Promotion>> {
    if let Some(report) = slot.map_or(Ok(None), |slot| slot.answered(view))? {
        return Ok(Step::Done(Promotion::Promoted(report)));
    }
    let mut candidate = Arc::unwrap_or_clone(show(view, &spec.model)?);
    let policy = StagePolicy::kept(view, candidate.node.name())?;
    let stage = policy.stage(&spec.to)?;
    let mut report = PromoteReport {
        model: candidate.node.clone(),
        from: candidate.stage.clone(),
        to: spec.to.clone(),
        displaced: None,
        gates: Vec::new(),
        overruled: None,
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
    let incumbent = incumbent.as_deref();
    check_incumbent(spec, stage, incumbent)?;

    candidate.metrics.extend(spec.metrics.clone());
    let approvals = approval::for_stage(view, &candidate.node, &spec.to, &policy)?;
    let case = Case {
        candidate: &candidate,
        incumbent,
        to: &spec.to,
        actor: &spec.actor,
        roles: &spec.roles,
        view,
        now,
        approvals: &approvals,
    };
    report.gates = evaluate(&policy, spec, &case, checks)?;
    if report.gates.iter().any(|result| !result.passed) {
        if spec.overrule.is_none() {
            return Ok(Step::Done(Promotion::Refused(Refusal {
                model: report.model,
                from: report.from,
                to: report.to,
                gates: report.gates,
            })));
        }
        report.overruled.clone_from(&spec.overrule);
    }
    let from = standing(view, &policy, &candidate.node, candidate.seq)?;
    let mut transaction = Transaction::new(spec.actor.clone(), reason(spec, &report));
    report.displaced = Move {
        version: &candidate.node,
        from: &from,
        to: stage,
        metrics: spec.metrics.clone(),
        gates: report.gates.clone(),
        overruled: report.overruled.clone(),
    }
    .write(view, &policy, &mut transaction)?;
    approval::use_up(view, &candidate.node, &spec.to, &mut transaction)?;
    if let Some(overruling) = Overruling::of(&report) {
        overruling.write(view, &mut transaction)?;
    }
    if let Some(slot) = slot {
        slot.fill(&report, view, &mut transaction)?;
    }
    Ok(Step::Commit(transaction, Promotion::Promoted(report)))
}

/// What the log says; a broken glass first.
fn reason(spec: &PromoteSpec, report: &PromoteReport) -> String {
    match &report.overruled {
        Some(why) => format!("GATES OVERRULED ({why}): {}", spec.reason),
        None => spec.reason.clone(),
    }
}

fn incumbent(view: &View, stage: &Stage, candidate: &ModelInfo) -> Result<Option<Arc<ModelInfo>>> {
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
    case: &Case<'_>,
    checks: &Checks,
) -> Result<Vec<GateResult>> {
    let of_policy = policy.gates.get(&spec.to).into_iter().flatten();
    of_policy
        .chain(&spec.gates)
        .map(|gate| gate.evaluate(case, checks))
        .collect()
}
