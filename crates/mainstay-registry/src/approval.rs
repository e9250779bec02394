//! Approvals: who agrees that a version enters a stage.

use std::collections::BTreeSet;

use futures::TryStreamExt as _;
use mainstay_core::{Actor, Digest, Error, ErrorKind, Locator, Name, NodeRef, Result, Timestamp};
use mainstay_repo::{Repo, Step, Transaction, Value, View};
use serde::{Deserialize, Serialize};

use crate::format::{Formatted, decode};
use crate::gate::Gate;
use crate::policy::StagePolicy;
use crate::refs::{self, Family};
use crate::resolve::resolve;

/// The most approvals of one version that are kept at once.
const MAX_APPROVALS: usize = 1_000;

/// An approval to give.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApproveSpec {
    /// The version.
    pub model: Locator,
    /// The stage it may enter.
    pub stage: Name,
    /// Who approves.
    pub actor: Actor,
    /// In which roles, as the caller says: Mainstay does not authenticate.
    pub roles: BTreeSet<Name>,
    /// Why.
    pub reason: String,
}

impl ApproveSpec {
    /// Creates an approval by somebody without roles.
    #[must_use]
    pub fn new(model: Locator, stage: Name, actor: Actor, reason: impl Into<String>) -> Self {
        Self {
            model,
            stage,
            actor,
            roles: BTreeSet::new(),
            reason: reason.into(),
        }
    }

    /// Adds a role that the approver has.
    #[must_use]
    pub fn with_role(mut self, role: Name) -> Self {
        self.roles.insert(role);
        self
    }
}

/// An approval: of one version, for one stage, under one policy, until it is used or withdrawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Approval {
    /// The stage that the version may enter.
    pub stage: Name,
    /// Who approves.
    pub actor: Actor,
    /// In which roles, as the caller said.
    pub roles: BTreeSet<Name>,
    /// Whether they registered the version themselves.
    pub author: bool,
    /// The [digest](StagePolicy::digest) of the policy it was given under; under another it does not
    /// count.
    pub policy: Digest,
    /// When, by the approver's clock.
    pub time: Timestamp,
    /// Why.
    pub reason: String,
}

/// What became of an approval or its withdrawal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ApprovalReport {
    /// The version.
    pub model: NodeRef,
    /// What approves it now, for every stage.
    pub approvals: Vec<Approval>,
    /// The log entry; `None` when nothing had to change.
    pub seq: Option<u64>,
}

/// The approvals of one version, in order of stage and actor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Approvals {
    format: u32,
    approvals: Vec<Approval>,
}

impl Formatted for Approvals {
    const KIND: &'static str = "model.approvals";
    const NEWEST: u32 = 1;

    fn format(&self) -> u32 {
        self.format
    }

    fn least_format(&self) -> u32 {
        1
    }
}

/// Lists what approves a version: given, not withdrawn and not used up, whether it still counts or not.
///
/// # Errors
/// [`ErrorKind::NotFound`] when there is no such version.
pub fn approvals(view: &View, model: &Locator) -> Result<Vec<Approval>> {
    of_version(view, &resolve(view, model)?)
}

fn of_version(view: &View, version: &NodeRef) -> Result<Vec<Approval>> {
    let path = refs::of(version.name(), Family::Approval, version.version())?;
    match refs::value(view, &path)? {
        Some(value) => Ok(decode::<Approvals>(value)?.approvals),
        None => Ok(Vec::new()),
    }
}

/// Returns what approves a version for a stage under a policy.
pub(crate) fn for_stage(
    view: &View,
    version: &NodeRef,
    stage: &Name,
    policy: &StagePolicy,
) -> Result<Vec<Approval>> {
    let mut approvals = of_version(view, version)?;
    if !approvals.is_empty() {
        let digest = policy.digest()?;
        approvals.retain(|approval| approval.stage == *stage && approval.policy == digest);
    }
    Ok(approvals)
}

/// Takes away what approved a version for a stage: it has been used.
pub(crate) fn use_up(
    view: &View,
    version: &NodeRef,
    stage: &Name,
    transaction: &mut Transaction,
) -> Result<()> {
    let before = of_version(view, version)?;
    let mut after = before.clone();
    after.retain(|approval| approval.stage != *stage);
    if after.len() == before.len() {
        return Ok(());
    }
    write(view, version, after, transaction)
}

fn write(
    view: &View,
    version: &NodeRef,
    mut approvals: Vec<Approval>,
    transaction: &mut Transaction,
) -> Result<()> {
    let path = refs::of(version.name(), Family::Approval, version.version())?;
    let expectation = refs::unchanged(view, &path)?;
    if approvals.is_empty() {
        transaction.delete(path, expectation);
        return Ok(());
    }
    if approvals.len() > MAX_APPROVALS {
        return Err(Error::invalid(format!(
            "a version has at most {MAX_APPROVALS} approvals at once"
        )));
    }
    approvals.sort_by(|a, b| (&a.stage, &a.actor).cmp(&(&b.stage, &b.actor)));
    let record = Approvals {
        format: 1,
        approvals,
    };
    let value = Value::new(Approvals::KIND, &record)?;
    transaction.set(path, value, expectation);
    Ok(())
}

pub(crate) async fn approve(repo: &Repo, spec: ApproveSpec) -> Result<ApprovalReport> {
    let version = repo.read(|view| resolve(view, &spec.model)).await?;
    // A version is written once, so its author does not change any more.
    let author = author(repo, &version).await? == spec.actor;
    let time = repo.now();
    let build = |view: &View| {
        refs::version(view, &version)?;
        let policy = StagePolicy::kept(view, version.name())?;
        policy.stage(&spec.stage)?;
        let approval = Approval {
            stage: spec.stage.clone(),
            actor: spec.actor.clone(),
            roles: spec.roles.clone(),
            author,
            policy: policy.digest()?,
            time,
            reason: spec.reason.clone(),
        };
        check_counts(&policy, &approval)?;
        let mut approvals = of_version(view, &version)?;
        approvals.retain(|other| other.stage != approval.stage || other.actor != approval.actor);
        approvals.push(approval);
        let mut transaction = Transaction::new(spec.actor.clone(), spec.reason.clone());
        write(view, &version, approvals, &mut transaction)?;
        Ok(Step::Commit(transaction, ()))
    };
    let (committed, ()) = repo.transact(build).await?;
    report(repo, version, committed.map(|committed| committed.seq)).await
}

/// Refuses what no gate would count.
fn check_counts(policy: &StagePolicy, approval: &Approval) -> Result<()> {
    let gates = policy.gates.get(&approval.stage).into_iter().flatten();
    let asking: Vec<&Gate> = gates
        .filter(|gate| matches!(gate, Gate::Approvals { .. }))
        .collect();
    if asking.is_empty() {
        return Err(Error::invalid("the stage policy asks for no approvals")
            .context("stage", &approval.stage));
    }
    if asking.iter().any(|gate| gate.counts(approval)) {
        return Ok(());
    }
    let why = if approval.author {
        "the approval of whoever registered the version does not count"
    } else {
        "the approver has none of the roles that the stage policy asks for"
    };
    let wanted: Vec<String> = asking.iter().map(ToString::to_string).collect();
    Err(Error::new(ErrorKind::PermissionDenied, why)
        .context("stage", &approval.stage)
        .context("asked for", wanted.join(", ")))
}

pub(crate) async fn withdraw(
    repo: &Repo,
    model: &Locator,
    stage: &Name,
    actor: Actor,
    reason: String,
) -> Result<ApprovalReport> {
    let build = |view: &View| {
        let version = resolve(view, model)?;
        let before = of_version(view, &version)?;
        let mut after = before.clone();
        after.retain(|approval| approval.stage != *stage || approval.actor != actor);
        if after.len() == before.len() {
            return Ok(Step::Done(version));
        }
        let mut transaction = Transaction::new(actor.clone(), reason.clone());
        write(view, &version, after, &mut transaction)?;
        Ok(Step::Commit(transaction, version))
    };
    let (committed, version) = repo.transact(build).await?;
    report(repo, version, committed.map(|committed| committed.seq)).await
}

async fn report(repo: &Repo, model: NodeRef, seq: Option<u64>) -> Result<ApprovalReport> {
    let approvals = repo.read(|view| of_version(view, &model)).await?;
    Ok(ApprovalReport {
        model,
        approvals,
        seq,
    })
}

/// Returns who registered a version.
async fn author(repo: &Repo, version: &NodeRef) -> Result<Actor> {
    let path = version.ref_path();
    let mut history = repo.history(&path);
    let mut author = None;
    while let Some(change) = history.try_next().await? {
        author = Some(change.actor);
    }
    author.ok_or_else(|| Error::not_found("model", version))
}
