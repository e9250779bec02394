//! Stage policies: which stages there are, who may hold them, and how a version moves between them.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::{Digest, Error, ErrorKind, Name, Result, canon};
use mainstay_repo::View;
use serde::{Deserialize, Serialize};

use crate::format::{Formatted, decode};
use crate::gate::{Gate, alternatives};
use crate::names::model_id;
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
///
/// What a version must pass to enter a stage, approvals and roles included, are [gates](Gate). A policy
/// may also protect aliases, and itself. Mainstay does not authenticate: who acts, and in which roles, is what the
/// caller says, so that a policy binds programs that tell the truth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StagePolicy {
    /// The format of this record; the least that has a word for everything in it.
    #[serde(default = "first_format")]
    pub format: u32,
    /// The stages, from the least to the most advanced.
    pub stages: Vec<Stage>,
    /// Where a version begins; not exclusive.
    pub initial: Name,
    /// Where the holder of an exclusive stage goes when another version takes it; not exclusive.
    pub retired: Name,
    /// Where a version in each stage may go; a stage that is not listed leads nowhere.
    #[serde(default)]
    pub transitions: BTreeMap<Name, BTreeSet<Name>>,
    /// What a version must pass to enter a stage.
    #[serde(default)]
    pub gates: BTreeMap<Name, Vec<Gate>>,
    /// Aliases that not everybody moves, or not to every version.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub aliases: BTreeMap<Name, AliasRule>,
    /// Roles of which one must be had to set another policy in the place of this one; empty for everybody.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub setters: BTreeSet<Name>,
}

/// Who may move an alias, and to which versions.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AliasRule {
    /// Roles of which one must be had to move or remove it; empty for everybody.
    #[serde(default)]
    pub movers: BTreeSet<Name>,
    /// Stages of which the version must be in one when the alias is pointed to it; empty for any. What
    /// the version does later does not move the alias.
    #[serde(default)]
    pub stages: BTreeSet<Name>,
}

impl AliasRule {
    /// Creates a rule: one of these roles, one of these stages.
    #[must_use]
    pub fn new(
        movers: impl IntoIterator<Item = Name>,
        stages: impl IntoIterator<Item = Name>,
    ) -> Self {
        Self {
            movers: movers.into_iter().collect(),
            stages: stages.into_iter().collect(),
        }
    }
}

/// One stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Stage {
    /// Its name.
    pub name: Name,
    /// Whether at most one version of a model is in it.
    #[serde(default)]
    pub exclusive: bool,
}

const fn first_format() -> u32 {
    1
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
            format: 1,
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
            aliases: BTreeMap::new(),
            setters: BTreeSet::new(),
        }
    }
}

#[expect(clippy::expect_used, reason = "the names above are lower-case words")]
fn literal(name: &str) -> Name {
    name.parse().expect("a lower-case word is a name")
}

impl Formatted for StagePolicy {
    const KIND: &'static str = "model.stage_policy";
    const NEWEST: u32 = 3;

    fn format(&self) -> u32 {
        self.format
    }

    fn least_format(&self) -> u32 {
        if !self.setters.is_empty() {
            return 3;
        }
        let of_gates = self.gates.values().flatten().map(Gate::format).max();
        of_gates
            .unwrap_or(1)
            .max(if self.aliases.is_empty() { 1 } else { 2 })
    }
}

impl StagePolicy {
    /// Creates a policy without transitions and gates.
    #[must_use]
    pub fn new(stages: Vec<Stage>, initial: Name, retired: Name) -> Self {
        Self {
            format: 1,
            stages,
            initial,
            retired,
            transitions: BTreeMap::new(),
            gates: BTreeMap::new(),
            aliases: BTreeMap::new(),
            setters: BTreeSet::new(),
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

    /// Protects an alias.
    #[must_use]
    pub fn with_alias(mut self, alias: Name, rule: AliasRule) -> Self {
        self.aliases.insert(alias, rule);
        self
    }

    /// Lets only those who have one of the roles set another policy.
    #[must_use]
    pub fn with_setter(mut self, role: Name) -> Self {
        self.setters.insert(role);
        self
    }

    /// Reads a policy from JSON, as a file holds it; `format` and what is empty may be left out.
    ///
    /// ```
    /// use mainstay_registry::StagePolicy;
    ///
    /// let policy = StagePolicy::from_json(br#"{
    ///     "stages": [{"name": "lab"}, {"name": "live", "exclusive": true}, {"name": "gone"}],
    ///     "initial": "lab",
    ///     "retired": "gone",
    ///     "transitions": {"lab": ["live"], "gone": ["lab"]},
    ///     "gates": {"live": [{"at_least": {"metric": "auc", "limit": 0.9}},
    ///                        {"approvals": {"count": 1, "roles": ["risk"]}}]},
    ///     "aliases": {"champion": {"movers": ["release"], "stages": ["live"]}}
    /// }"#)?;
    /// assert_eq!(policy.stages.len(), 3);
    /// # Ok::<(), mainstay_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] saying what is wrong and where.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        let policy: Self = serde_json::from_slice(bytes)
            .map_err(|error| Error::invalid("not a stage policy").with_source(error))?;
        policy.check()?;
        Ok(policy.normal())
    }

    /// Gives the record the least format that has a word for all of it.
    pub(crate) fn normal(mut self) -> Self {
        self.format = self.least_format();
        self
    }

    /// Returns the digest of the policy's record: what an approval is bound to.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when it has no canonical JSON.
    pub fn digest(&self) -> Result<Digest> {
        canon::digest(&self.clone().normal())
    }

    /// Returns the policy of a model: the one set for it, or the default.
    ///
    /// # Errors
    /// [`ErrorKind::Incompatible`] when a newer format wrote it.
    pub fn of(view: &View, model: &Name) -> Result<Self> {
        Self::kept(view, &model_id(view, model)?)
    }

    /// Returns the policy of the model with an id.
    pub(crate) fn kept(view: &View, id: &Name) -> Result<Self> {
        match refs::value(view, &refs::policy(id)?)? {
            Some(value) => decode(value),
            None => Ok(Self::default()),
        }
    }

    /// Returns a stage.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] listing the stages when there is none
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

    /// Refuses who may not set another policy in the place of this one.
    pub(crate) fn check_setter(&self, roles: &BTreeSet<Name>) -> Result<()> {
        if self.setters.is_empty() || !self.setters.is_disjoint(roles) {
            return Ok(());
        }
        let why = "the stage policy says who may set another";
        Err(Error::new(ErrorKind::PermissionDenied, why)
            .context("asked for", alternatives(&self.setters)))
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
        let of_aliases = self.aliases.values().flat_map(|rule| &rule.stages);
        for name in ways.chain(self.gates.keys()).chain(of_aliases) {
            self.stage(name)?;
        }
        for alias in self.aliases.keys() {
            refs::check_pointer_name("alias", alias)?;
        }
        self.gates.values().flatten().try_for_each(Gate::check)
    }
}
