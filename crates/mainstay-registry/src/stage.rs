//! Stages as data: which there are, who may hold them, and how a version moves between them.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::{Actor, Error, Name, NodeKind, NodeRef, Result};
use mainstay_repo::{Repo, Series, Step, Transaction, Value, View};
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::gate::{Gate, GateResult};
use crate::metric::Metric;
use crate::record::{FORMAT, decode};
use crate::refs::{self, Family};

/// The stages of a model.
///
/// The default is `development` → `staging` → `production` → `archived`. Every version begins in
/// development; at most one version is in production; the version that another one displaces is
/// archived in the same transaction.
///
/// ```text
/// from           may go to
/// development    staging, archived
/// staging        development, production, archived
/// production     staging, archived
/// archived       development, staging
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StagePolicy {
    /// The format of this record.
    pub format: u32,
    /// The stages, from the least to the most advanced.
    pub stages: Vec<Stage>,
    /// Where a version begins; not exclusive.
    pub initial: Name,
    /// Where the holder of an exclusive stage goes when another version takes it; not exclusive.
    pub retired: Name,
    /// Where a version in each stage may go; a stage that is not listed leads nowhere.
    pub transitions: BTreeMap<Name, BTreeSet<Name>>,
    /// What a version must pass to enter a stage.
    pub gates: BTreeMap<Name, Vec<Gate>>,
}

/// One stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Stage {
    /// Its name.
    pub name: Name,
    /// Whether at most one version of a model is in it.
    pub exclusive: bool,
}

impl Stage {
    /// Creates a stage that any number of versions may be in.
    #[must_use]
    pub fn shared(name: Name) -> Self {
        Self {
            name,
            exclusive: false,
        }
    }

    /// Creates a stage that at most one version of a model is in.
    #[must_use]
    pub fn exclusive(name: Name) -> Self {
        Self {
            name,
            exclusive: true,
        }
    }
}

impl StagePolicy {
    pub(crate) const KIND: &'static str = "model.stage_policy";

    /// Creates the default policy.
    ///
    /// # Errors
    /// None in practice: the names it is made of are valid.
    pub fn standard() -> Result<Self> {
        let name = |text: &str| text.parse::<Name>();
        let to = |from: &str, to: &[&str]| {
            let to = to.iter().map(|to| to.parse()).collect::<Result<_>>();
            Ok::<_, Error>((name(from)?, to?))
        };
        Ok(Self {
            format: FORMAT,
            stages: vec![
                Stage::shared(name("development")?),
                Stage::shared(name("staging")?),
                Stage::exclusive(name("production")?),
                Stage::shared(name("archived")?),
            ],
            initial: name("development")?,
            retired: name("archived")?,
            transitions: [
                to("development", &["staging", "archived"])?,
                to("staging", &["development", "production", "archived"])?,
                to("production", &["staging", "archived"])?,
                to("archived", &["development", "staging"])?,
            ]
            .into(),
            gates: BTreeMap::new(),
        })
    }

    /// Creates a policy without transitions and gates.
    #[must_use]
    pub fn new(stages: Vec<Stage>, initial: Name, retired: Name) -> Self {
        Self {
            format: FORMAT,
            stages,
            initial,
            retired,
            transitions: BTreeMap::new(),
            gates: BTreeMap::new(),
        }
    }

    /// Lets versions go from one stage to another.
    #[must_use]
    pub fn with_transition(mut self, from: Name, to: Name) -> Self {
        self.transitions.entry(from).or_default().insert(to);
        self
    }

    /// Adds what a version must pass to enter a stage.
    #[must_use]
    pub fn with_gate(mut self, to: Name, gate: Gate) -> Self {
        self.gates.entry(to).or_default().push(gate);
        self
    }

    /// Returns the policy of a model: the one set for it, or the default.
    ///
    /// # Errors
    /// [`ErrorKind::Incompatible`](mainstay_core::ErrorKind::Incompatible) when a newer format wrote it.
    pub fn of(view: &View, model: &Name) -> Result<Self> {
        match refs::value(view, &refs::policy(model)?) {
            Some(value) => decode(value, Self::KIND),
            None => Self::standard(),
        }
    }

    /// Returns a stage.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) listing the stages when there is none
    /// of that name.
    pub fn stage(&self, name: &Name) -> Result<&Stage> {
        self.find(name).ok_or_else(|| {
            let known: Vec<_> = self
                .stages
                .iter()
                .map(|stage| stage.name.as_str())
                .collect();
            Error::invalid(format!("unknown stage; one of {}", known.join(", ")))
                .context("stage", name)
        })
    }

    pub(crate) fn find(&self, name: &Name) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.name == *name)
    }

    /// Refuses a way that the policy does not allow.
    pub(crate) fn check_transition(&self, from: &Name, to: &Name) -> Result<()> {
        let allowed = self.transitions.get(from);
        if allowed.is_some_and(|allowed| allowed.contains(to)) {
            return Ok(());
        }
        let allowed: Vec<_> = allowed.into_iter().flatten().map(Name::as_str).collect();
        Err(Error::invalid("the stage policy does not allow this way")
            .context("from", from)
            .context("to", to)
            .context("allowed", allowed.join(", ")))
    }

    /// Checks that the policy makes sense by itself.
    fn check(&self) -> Result<()> {
        let names: BTreeSet<&Name> = self.stages.iter().map(|stage| &stage.name).collect();
        if names.len() < self.stages.len() || names.is_empty() || names.len() > 32 {
            return Err(Error::invalid(
                "a policy has 1 to 32 stages, each of its own name",
            ));
        }
        for stage in &self.stages {
            refs::check_pointer_name("stage", &stage.name)?;
        }
        for (what, name) in [("initial", &self.initial), ("retired", &self.retired)] {
            if self.stage(name)?.exclusive {
                return Err(
                    Error::invalid(format!("the {what} stage is exclusive")).context("stage", name)
                );
            }
        }
        let ways = self
            .transitions
            .iter()
            .flat_map(|(from, to)| to.iter().chain([from]));
        for name in ways.chain(self.gates.keys()) {
            self.stage(name)?;
        }
        self.gates.values().flatten().try_for_each(Gate::check)
    }
}

/// The stored stage of one version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Status {
    pub(crate) format: u32,
    /// The stage it is in.
    pub(crate) stage: Name,
    /// The stage it came from.
    pub(crate) from: Name,
    /// What was measured for its promotions; newer values replace older ones of the same name.
    pub(crate) metrics: BTreeMap<String, Metric>,
    /// The gates it passed to enter the stage.
    pub(crate) gates: Vec<GateResult>,
}

impl Status {
    pub(crate) const KIND: &'static str = "model.status";
}

/// Where a version stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Standing {
    pub(crate) stage: Name,
    /// The log entry that brought it there.
    pub(crate) since: u64,
    pub(crate) metrics: BTreeMap<String, Metric>,
}

/// Reads where a version stands; `registered` is the log entry that registered it.
pub(crate) fn standing(
    view: &View,
    policy: &StagePolicy,
    version: &NodeRef,
    registered: u64,
) -> Result<Standing> {
    let path = refs::of(version.name(), Family::Status, version.version())?;
    let Some(state) = view.get(&path) else {
        return Ok(Standing {
            stage: policy.initial.clone(),
            since: registered,
            metrics: BTreeMap::new(),
        });
    };
    let status: Status = decode(refs::held(&path, state)?, Status::KIND)?;
    Ok(Standing {
        stage: status.stage,
        since: state.seq,
        metrics: status.metrics,
    })
}

/// Returns the version that holds an exclusive stage. Complexity: O(log n).
pub(crate) fn holder(view: &View, model: &Name, stage: &Name) -> Result<Option<NodeRef>> {
    refs::target(view, &refs::of(model, Family::Stage, stage)?)
}

/// What a caller believes about a name that holds at most one version, checked in the transaction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Expect {
    /// Nothing: whatever it holds is replaced.
    #[default]
    Any,
    /// It holds no version.
    Nothing,
    /// It holds this version.
    Version(Version),
}

impl Expect {
    /// Refuses when the name holds something else.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`](mainstay_core::ErrorKind::Conflict) naming what it holds.
    pub(crate) fn check(
        &self,
        what: &'static str,
        name: &Name,
        held: Option<&NodeRef>,
    ) -> Result<()> {
        let met = match self {
            Self::Any => true,
            Self::Nothing => held.is_none(),
            Self::Version(version) => {
                held.is_some_and(|held| held.version().as_str() == version.to_string())
            }
        };
        if met {
            return Ok(());
        }
        let held = held.map_or_else(|| "nothing".to_owned(), ToString::to_string);
        Err(Error::new(
            mainstay_core::ErrorKind::Conflict,
            "it does not hold what was expected",
        )
        .context(what, name)
        .context("holds", held))
    }
}

/// One version going into one stage.
pub(crate) struct Move<'m> {
    pub(crate) version: &'m NodeRef,
    pub(crate) from: &'m Standing,
    pub(crate) to: &'m Stage,
    pub(crate) metrics: BTreeMap<String, Metric>,
    pub(crate) gates: Vec<GateResult>,
}

impl Move<'_> {
    /// Adds the move to a transaction, and the retirement of whom it displaces; returns the latter.
    ///
    /// This is the only writer of stages, so the pointer of an exclusive stage and the status of its
    /// holder change together.
    pub(crate) fn write(
        self,
        view: &View,
        policy: &StagePolicy,
        transaction: &mut Transaction,
    ) -> Result<Option<NodeRef>> {
        let model = self.version.name();
        if policy
            .find(&self.from.stage)
            .is_some_and(|from| from.exclusive)
        {
            let path = refs::of(model, Family::Stage, &self.from.stage)?;
            let expectation = refs::unchanged(view, &path);
            transaction.delete(path, expectation);
        }
        let mut displaced = None;
        if self.to.exclusive {
            let path = refs::of(model, Family::Stage, &self.to.name)?;
            displaced = refs::target(view, &path)?.filter(|holder| holder != self.version);
            let expectation = refs::unchanged(view, &path);
            transaction.set(path, Value::pointer(self.version), expectation);
        }
        if let Some(holder) = &displaced {
            let registered = refs::version(view, holder)?.seq;
            let standing = standing(view, policy, holder, registered)?;
            let status = Status {
                format: FORMAT,
                stage: policy.retired.clone(),
                from: standing.stage,
                metrics: standing.metrics,
                gates: Vec::new(),
            };
            set_status(view, holder, &status, transaction)?;
        }
        let mut metrics = self.from.metrics.clone();
        metrics.extend(self.metrics);
        let status = Status {
            format: FORMAT,
            stage: self.to.name.clone(),
            from: self.from.stage.clone(),
            metrics,
            gates: self.gates,
        };
        set_status(view, self.version, &status, transaction)?;
        Ok(displaced)
    }
}

fn set_status(
    view: &View,
    version: &NodeRef,
    status: &Status,
    transaction: &mut Transaction,
) -> Result<()> {
    let path = refs::of(version.name(), Family::Status, version.version())?;
    let expectation = refs::unchanged(view, &path);
    transaction.set(path, Value::new(Status::KIND, status)?, expectation);
    Ok(())
}

/// Sets the policy of a model.
pub(crate) async fn set_policy(
    repo: &Repo,
    model: &Name,
    policy: StagePolicy,
    actor: Actor,
    reason: String,
) -> Result<Option<u64>> {
    policy.check()?;
    let path = refs::policy(model)?;
    let build = |view: &View| {
        if StagePolicy::of(view, model)? == policy {
            return Ok(Step::Done(()));
        }
        let mut transaction = Transaction::new(actor.clone(), reason.clone());
        let value = Value::new(StagePolicy::KIND, &policy)?;
        transaction.set(path.clone(), value, refs::unchanged(view, &path));
        adopt(view, model, &policy, &mut transaction)?;
        Ok(Step::Commit(transaction, ()))
    };
    let (committed, ()) = repo.transact(build).await?;
    Ok(committed.map(|committed| committed.seq))
}

/// Makes the pointers of exclusive stages fit a new policy.
fn adopt(
    view: &View,
    model: &Name,
    policy: &StagePolicy,
    transaction: &mut Transaction,
) -> Result<()> {
    let before = StagePolicy::of(view, model)?;
    let mut holders: BTreeMap<Name, Vec<NodeRef>> = BTreeMap::new();
    for (version, state) in Series::new(NodeKind::Model, model.clone()).versions(view) {
        let standing = standing(view, &before, &version, state.seq)?;
        // A version that never moved begins where the policy says.
        let stage = if standing.since == state.seq {
            policy.initial.clone()
        } else {
            standing.stage
        };
        holders.entry(stage).or_default().push(version);
    }
    for stage in &policy.stages {
        if refs::is_alias(view, model, &stage.name)? {
            return Err(
                Error::invalid("a stage has the name of an alias").context("stage", &stage.name)
            );
        }
    }
    for (name, versions) in &holders {
        let stage = policy
            .stage(name)
            .map_err(|error| error.context("held by", &versions[0]))?;
        if stage.exclusive && versions.len() > 1 {
            return Err(
                Error::invalid("several versions are in a stage that is to be exclusive")
                    .context("stage", name)
                    .context("versions", versions.len()),
            );
        }
    }
    let names: BTreeSet<&Name> = before
        .stages
        .iter()
        .chain(&policy.stages)
        .map(|stage| &stage.name)
        .collect();
    for name in names {
        let exclusive = policy.find(name).is_some_and(|stage| stage.exclusive);
        let wanted = holders
            .get(name)
            .filter(|_| exclusive)
            .and_then(|versions| versions.first());
        let path = refs::of(model, Family::Stage, name)?;
        let held = refs::target(view, &path)?;
        let expectation = refs::unchanged(view, &path);
        match (held, wanted) {
            (held, Some(wanted)) if held.as_ref() != Some(wanted) => {
                transaction.set(path, Value::pointer(wanted), expectation);
            }
            (Some(_), None) => {
                transaction.delete(path, expectation);
            }
            _ => {}
        }
    }
    Ok(())
}
