//! Stage policies: which stages there are, who may hold them, and how a version moves between them.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::{Error, Name, Result};
use mainstay_repo::View;
use serde::{Deserialize, Serialize};

use crate::gate::Gate;
use crate::record::{FORMAT, decode};
use crate::refs;

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

impl Default for StagePolicy {
    fn default() -> Self {
        let [development, staging, production, archived] =
            ["development", "staging", "production", "archived"].map(literal);
        let to = |stages: &[&Name]| stages.iter().map(|&stage| stage.clone()).collect();
        Self {
            format: FORMAT,
            stages: vec![
                Stage::shared(development.clone()),
                Stage::shared(staging.clone()),
                Stage::exclusive(production.clone()),
                Stage::shared(archived.clone()),
            ],
            transitions: BTreeMap::from([
                (development.clone(), to(&[&staging, &archived])),
                (staging.clone(), to(&[&development, &production, &archived])),
                (production, to(&[&staging, &archived])),
                (archived.clone(), to(&[&development, &staging])),
            ]),
            initial: development,
            retired: archived,
            gates: BTreeMap::new(),
        }
    }
}

#[expect(clippy::expect_used, reason = "the names above are lower-case words")]
fn literal(name: &str) -> Name {
    name.parse().expect("a lower-case word is a name")
}

impl StagePolicy {
    pub(crate) const KIND: &'static str = "model.stage_policy";

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
        match refs::value(view, &refs::policy(model)?)? {
            Some(value) => decode(value, Self::KIND),
            None => Ok(Self::default()),
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
    pub(crate) fn check(&self) -> Result<()> {
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
