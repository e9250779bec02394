//! Aliases: names of one's own choice that point to a version.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt as _;
use mainstay_core::{Actor, Error, ErrorKind, Locator, Name, NodeKind, NodeRef, Result, Timestamp};
use mainstay_repo::{Repo, Series, Step, Transaction, Value, View};
use serde::Serialize;

use crate::expect::Expect;
use crate::gate::alternatives;
use crate::names::model_id;
use crate::policy::StagePolicy;
use crate::refs::{self, Family};
use crate::resolve::resolve;
use crate::standing::standing;

/// An alias to set.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct AliasSpec {
    /// The version it is to point to.
    pub model: Locator,
    /// The alias: not `latest`, not like a version, not the name of a stage.
    pub alias: Name,
    /// Which version the caller believes it points to.
    pub expect: Expect,
    /// Who sets it.
    pub actor: Actor,
    /// In which roles, as the caller says; a protected alias asks for one.
    pub roles: BTreeSet<Name>,
    /// Why.
    pub reason: String,
}

impl AliasSpec {
    /// Creates a spec that expects nothing.
    #[must_use]
    pub fn new(model: Locator, alias: Name, actor: Actor, reason: impl Into<String>) -> Self {
        Self {
            model,
            alias,
            expect: Expect::Any,
            actor,
            roles: BTreeSet::new(),
            reason: reason.into(),
        }
    }

    /// Adds a role of whoever sets it.
    #[must_use]
    pub fn with_role(mut self, role: Name) -> Self {
        self.roles.insert(role);
        self
    }

    /// Sets which version the caller believes the alias points to.
    #[must_use]
    pub fn with_expect(mut self, expect: Expect) -> Self {
        self.expect = expect;
        self
    }
}

/// How an alias changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AliasReport {
    /// The alias.
    pub alias: Name,
    /// Where it pointed.
    pub from: Option<NodeRef>,
    /// Where it points.
    pub to: Option<NodeRef>,
    /// The log entry; `None` when nothing had to change.
    pub seq: Option<u64>,
}

/// One change of an alias.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AliasChange {
    /// The log entry.
    pub seq: u64,
    /// Its time.
    pub time: Timestamp,
    /// Who changed it.
    pub actor: Actor,
    /// Why.
    pub reason: String,
    /// Where it points since then; `None` when it was removed.
    pub to: Option<NodeRef>,
}

/// Lists the aliases of a model and where they point; none when there is no such model.
///
/// # Errors
/// Those of [`View::get`].
///
/// # Complexity
/// O(n) in the aliases of the model.
pub fn aliases(view: &View, model: &Name) -> Result<BTreeMap<Name, NodeRef>> {
    let series = Series::new(NodeKind::Model, model_id(view, model)?);
    let pointers = series.pointers(view, Family::Alias.as_str())?.into_iter();
    Ok(pointers.map(|(alias, target, _)| (alias, target)).collect())
}

pub(crate) async fn set(repo: &Repo, spec: AliasSpec) -> Result<AliasReport> {
    refs::check_pointer_name("alias", &spec.alias)?;
    let build = |view: &View| {
        let id = model_id(view, &spec.model.name)?;
        let path = refs::of(&id, Family::Alias, &spec.alias)?;
        let policy = StagePolicy::kept(view, &id)?;
        if policy.find(&spec.alias).is_some() {
            return Err(Error::invalid("the name is that of a stage").context("alias", &spec.alias));
        }
        let target = resolve(view, &spec.model)?;
        let held = refs::target(view, &path)?;
        if held.as_ref() == Some(&target) {
            return Ok(Step::Done((held, target)));
        }
        spec.expect.check("alias", &spec.alias, held.as_ref())?;
        check_mover(&policy, &spec.alias, &spec.roles)?;
        check_target(view, &policy, &spec.alias, &target)?;
        let mut transaction = Transaction::new(spec.actor.clone(), spec.reason.clone());
        // The target too: it must still be there when the alias is set.
        let (target_path, value) = (target.ref_path(), Value::pointer(&target));
        let expectation = refs::unchanged(view, &target_path)?;
        transaction.check(target_path, expectation);
        let expectation = refs::unchanged(view, &path)?;
        transaction.set(path, value, expectation);
        Ok(Step::Commit(transaction, (held, target)))
    };
    let (committed, (from, to)) = repo.transact(build).await?;
    Ok(AliasReport {
        alias: spec.alias,
        from,
        to: Some(to),
        seq: committed.map(|committed| committed.seq),
    })
}

/// Refuses who may not move a protected alias.
fn check_mover(policy: &StagePolicy, alias: &Name, roles: &BTreeSet<Name>) -> Result<()> {
    match policy.aliases.get(alias) {
        Some(rule) if !rule.movers.is_empty() && rule.movers.is_disjoint(roles) => Err(Error::new(
            ErrorKind::PermissionDenied,
            "the stage policy protects the alias",
        )
        .context("alias", alias)
        .context("asked for", alternatives(&rule.movers))),
        _ => Ok(()),
    }
}

/// Refuses a version that is not where a protected alias may point.
fn check_target(view: &View, policy: &StagePolicy, alias: &Name, target: &NodeRef) -> Result<()> {
    let Some(rule) = policy
        .aliases
        .get(alias)
        .filter(|rule| !rule.stages.is_empty())
    else {
        return Ok(());
    };
    let registered = refs::version(view, target)?.seq;
    let stage = standing(view, policy, target, registered)?.stage;
    if rule.stages.contains(&stage) {
        return Ok(());
    }
    let why = "the stage policy lets the alias point to versions in other stages only";
    Err(Error::new(ErrorKind::Conflict, why)
        .context("alias", alias)
        .context("model", target)
        .context("stage", stage)
        .context("asked for", alternatives(&rule.stages)))
}

pub(crate) async fn remove(
    repo: &Repo,
    model: &Name,
    alias: &Name,
    actor: Actor,
    roles: &BTreeSet<Name>,
    reason: String,
) -> Result<AliasReport> {
    let build = |view: &View| {
        let id = model_id(view, model)?;
        let path = refs::of(&id, Family::Alias, alias)?;
        let Some(held) = refs::target(view, &path)? else {
            return Ok(Step::Done(None));
        };
        check_mover(&StagePolicy::kept(view, &id)?, alias, roles)?;
        let mut transaction = Transaction::new(actor.clone(), reason.clone());
        let expectation = refs::unchanged(view, &path)?;
        transaction.delete(path, expectation);
        Ok(Step::Commit(transaction, Some(held)))
    };
    let (committed, from) = repo.transact(build).await?;
    Ok(AliasReport {
        alias: alias.clone(),
        from,
        to: None,
        seq: committed.map(|committed| committed.seq),
    })
}

pub(crate) async fn history(repo: &Repo, model: &Name, alias: &Name) -> Result<Vec<AliasChange>> {
    let id = repo.read(|view| model_id(view, model)).await?;
    repo.history(&refs::of(&id, Family::Alias, alias)?)
        .map_ok(|change| AliasChange {
            seq: change.seq,
            time: change.time,
            actor: change.actor,
            reason: change.reason,
            to: change.value.and_then(|value| value.pointee()),
        })
        .try_collect()
        .await
}
