//! Stages and aliases: set where nobody here set another.

use std::collections::BTreeMap;

use mainstay_core::{Error, ErrorKind, Name, NodeRef, Result};
use mainstay_repo::{Repo, View};

use super::import::Plan;
use super::report::{ImportReport, Imported, Outcome};
use super::scan::Model;
use crate::alias::AliasSpec;
use crate::expect::Expect;
use crate::names::model_id;
use crate::policy::StagePolicy;
use crate::promote::{PromoteSpec, Promotion};
use crate::receipt::Slot;
use crate::refs::{self, Family};
use crate::registry::Registry;
use crate::standing::standing;

/// The versions of a model that are here, by MLflow's numbers; `None` for those that a dry run leaves to
/// be registered.
pub(super) type Nodes = BTreeMap<u64, Option<NodeRef>>;

/// A stage that a version is to enter.
struct Wanted {
    number: u64,
    node: Option<NodeRef>,
    /// What MLflow calls it.
    stated: String,
    stage: Name,
}

/// Where a version stands, as far as an import goes.
enum Standing {
    /// Where it is to be.
    There,
    /// Where versions begin.
    AtFirst { stage: Name },
    /// Half way: the import that moved it was interrupted.
    Between,
    /// Where somebody else put it.
    Moved { stage: Name },
}

/// Lets the versions of a model enter their stages.
pub(super) async fn stages(
    registry: &Registry,
    repo: &Repo,
    plan: &Plan,
    model: &Model,
    nodes: &Nodes,
    report: &mut ImportReport,
) -> Result<()> {
    for wanted in wanted(model, nodes, report)? {
        let what = format!("{}/{} {}", model.name, wanted.number, wanted.stated);
        let Some(node) = &wanted.node else {
            report.stages.push(Imported::new(what, None, Outcome::New));
            continue;
        };
        let way = repo.read(|view| stand(view, plan, node, &wanted)).await?;
        let hops = match way {
            Standing::There => {
                let imported = Imported::new(what, wanted.node, Outcome::Unchanged);
                report.stages.push(imported);
                continue;
            }
            Standing::Moved { stage } => {
                report.conflict(what, format!("{node} was put in {stage} here"));
                continue;
            }
            Standing::Between => vec![promotion(plan, node, &wanted.stage)],
            Standing::AtFirst { stage } => {
                let read = |view: &View| StagePolicy::kept(view, node.name());
                let policy = repo.read(read).await?;
                let mut hops = vec![promotion(plan, node, &wanted.stage)];
                if policy.check_transition(&stage, &wanted.stage).is_err() {
                    hops.insert(0, first_hop(plan, node, &wanted)?);
                }
                hops
            }
        };
        if plan.spec.dry_run {
            let imported = Imported::new(what, wanted.node, Outcome::New);
            report.stages.push(imported);
            continue;
        }
        if climb(registry, hops, &what, report).await? {
            let imported = Imported::new(what, wanted.node, Outcome::New);
            report.stages.push(imported);
        }
    }
    Ok(())
}

/// Lists who is to enter which stage. Of several in Production, which MLflow allows, the one with the
/// highest number is it, and the others are archived.
fn wanted(model: &Model, nodes: &Nodes, report: &mut ImportReport) -> Result<Vec<Wanted>> {
    let stated = |number: &u64| {
        let version = model.versions.get(number);
        version.and_then(|version| version.file.current_stage.as_deref())
    };
    let producing = nodes
        .keys()
        .rev()
        .find(|number| stated(number) == Some("Production"));
    let mut all: Vec<Wanted> = Vec::new();
    for (number, node) in nodes {
        // One version here may be several of MLflow's; the last of them counts.
        if node.is_some() {
            all.retain(|earlier| earlier.node != *node);
        }
        let text = stated(number).unwrap_or("None");
        let stage = match text {
            "None" => continue,
            "Staging" => "staging",
            "Production" if Some(number) == producing => "production",
            "Archived" => "archived",
            "Production" => {
                let what = format!("{}/{number} Production", model.name);
                let why = "another version is in Production too, and one can be; it is archived";
                report.leave_out(what, why);
                "archived"
            }
            other => {
                let what = format!("{}/{number} {}", model.name, other.escape_debug());
                report.leave_out(what, "unknown stage");
                continue;
            }
        };
        all.push(Wanted {
            number: *number,
            node: node.clone(),
            stated: text.to_owned(),
            stage: stage.parse()?,
        });
    }
    Ok(all)
}

fn stand(view: &View, plan: &Plan, node: &NodeRef, wanted: &Wanted) -> Result<Standing> {
    let policy = StagePolicy::kept(view, node.name())?;
    let registered = refs::version(view, node)?.seq;
    let standing = standing(view, &policy, node, registered)?;
    if standing.stage == wanted.stage {
        return Ok(Standing::There);
    }
    if standing.since == registered {
        return Ok(Standing::AtFirst {
            stage: standing.stage,
        });
    }
    let hop = first_hop(plan, node, wanted)?;
    let begun = match Slot::of(&hop)? {
        Some(slot) => slot.answered(view)?,
        None => None,
    };
    // Whoever moved it since moved it in a later entry.
    if begun.is_some_and(|begun| begun.seq == Some(standing.since)) {
        return Ok(Standing::Between);
    }
    Ok(Standing::Moved {
        stage: standing.stage,
    })
}

fn promotion(plan: &Plan, node: &NodeRef, to: &Name) -> PromoteSpec {
    let (actor, reason) = (plan.spec.actor.clone(), plan.spec.reason.clone());
    let spec = PromoteSpec::new(node.clone().into(), to.clone(), actor, reason);
    // Whoever was promoted here stays.
    if to.as_str() == "production" {
        spec.with_incumbent(Expect::Nothing)
    } else {
        spec
    }
}

/// Returns the step to staging on the way to another stage, which is remembered.
fn first_hop(plan: &Plan, node: &NodeRef, wanted: &Wanted) -> Result<PromoteSpec> {
    let key = format!("mlflow:{node}:{}", wanted.stated);
    let spec = promotion(plan, node, &"staging".parse()?);
    Ok(spec.with_idempotency_key(key))
}

/// Promotes by one or two steps; `false` when somebody or something here is against it.
async fn climb(
    registry: &Registry,
    hops: Vec<PromoteSpec>,
    what: &str,
    report: &mut ImportReport,
) -> Result<bool> {
    for hop in hops {
        match registry.promote(hop).await {
            Ok(Promotion::Promoted(_)) => {}
            Ok(Promotion::Refused(refusal)) => {
                let gates = refusal.gates.iter().filter(|gate| !gate.passed);
                let why: Vec<String> = gates.map(|gate| gate.why.clone()).collect();
                report.conflict(what, format!("refused by gates: {}", why.join("; ")));
                return Ok(false);
            }
            Err(error) if is_against(&error) => {
                report.conflict_of(what, &error);
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// Points the aliases of a model.
pub(super) async fn aliases(
    registry: &Registry,
    repo: &Repo,
    plan: &Plan,
    model: &Model,
    nodes: &Nodes,
    report: &mut ImportReport,
) -> Result<()> {
    for (alias, number) in &model.aliases {
        let what = format!("{}@{alias}", model.name);
        let target = number
            .trim()
            .parse()
            .ok()
            .and_then(|number: u64| nodes.get(&number));
        let Some(target) = target else {
            let number = number.trim().chars().take(32).collect::<String>();
            let why = format!(
                "it points to version {}, which is not here",
                number.escape_debug()
            );
            report.leave_out(what, why);
            continue;
        };
        match set(registry, repo, plan, model, alias, target.as_ref()).await {
            Ok(outcome) => report
                .aliases
                .push(Imported::new(what, target.clone(), outcome)),
            Err(error) if is_against(&error) => report.conflict_of(what, &error),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn set(
    registry: &Registry,
    repo: &Repo,
    plan: &Plan,
    model: &Model,
    alias: &str,
    target: Option<&NodeRef>,
) -> Result<Outcome> {
    let alias: Name = alias.parse()?;
    let name = plan.models.get(&model.name)?;
    let held = repo.read(|view| held(view, name, &alias)).await?;
    if held.is_some() && held.as_ref() == target {
        return Ok(Outcome::Unchanged);
    }
    if let Some(held) = held {
        let why = "the alias points to another version here";
        return Err(Error::new(ErrorKind::Conflict, why).context("holds", held));
    }
    if let (Some(target), false) = (target, plan.spec.dry_run) {
        let (actor, reason) = (plan.spec.actor.clone(), plan.spec.reason.clone());
        let spec = AliasSpec::new(target.clone().into(), alias, actor, reason);
        registry
            .set_alias(spec.with_expect(Expect::Nothing))
            .await?;
    }
    Ok(Outcome::New)
}

/// Reads where an alias points; refuses a name that no alias can have.
fn held(view: &View, model: &Name, alias: &Name) -> Result<Option<NodeRef>> {
    refs::check_pointer_name("alias", alias)?;
    let id = model_id(view, model)?;
    if StagePolicy::kept(view, &id)?.find(alias).is_some() {
        return Err(Error::invalid("the name is that of a stage").context("alias", alias));
    }
    refs::target(view, &refs::of(&id, Family::Alias, alias)?)
}

/// Tells what speaks against one pointer from what ends the import.
fn is_against(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Invalid
            | ErrorKind::Conflict
            | ErrorKind::PermissionDenied
            | ErrorKind::AlreadyExists
            | ErrorKind::NotFound
    )
}
