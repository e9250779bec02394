//! What a user states about a run that begins.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::{Actor, Error, Name, NodeKind, NodeRef, Result, Timestamp};
use serde_json::Value;

use crate::record::CodeUse;
use crate::spec::{check_code, check_kinds, check_parameters};
use crate::text;

/// A run that begins. Its limits are those of a [`ModelSpec`](crate::ModelSpec), and at most
/// [`MAX_ENTRIES`](crate::MAX_ENTRIES) inputs.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RunSpec {
    /// The experiment it belongs to.
    pub experiment: Name,
    /// What it is called there; without one it gets the next number, from 1.
    pub id: Option<Name>,
    /// When it began.
    pub started: Timestamp,
    /// Its hyperparameters: JSON scalars.
    pub parameters: BTreeMap<String, Value>,
    /// The seeds of its random numbers.
    pub seeds: BTreeMap<String, u64>,
    /// The code that runs.
    pub code: Option<CodeUse>,
    /// The environment it runs in.
    pub environment: Option<NodeRef>,
    /// What it uses, by role: datasets, models, prompts.
    pub inputs: BTreeSet<(Name, NodeRef)>,
    /// Free labels.
    pub tags: BTreeMap<String, String>,
    /// Free text.
    pub description: String,
    /// Who begins it.
    pub actor: Actor,
    /// Why.
    pub reason: String,
}

impl RunSpec {
    /// Creates a spec of a run that states nothing yet.
    #[must_use]
    pub fn new(
        experiment: Name,
        started: Timestamp,
        actor: Actor,
        reason: impl Into<String>,
    ) -> Self {
        Self {
            experiment,
            id: None,
            started,
            parameters: BTreeMap::new(),
            seeds: BTreeMap::new(),
            code: None,
            environment: None,
            inputs: BTreeSet::new(),
            tags: BTreeMap::new(),
            description: String::new(),
            actor,
            reason: reason.into(),
        }
    }

    /// Sets what the run is called in its experiment: not `latest`, and not only digits, which are
    /// given out in turn.
    #[must_use]
    pub fn with_id(mut self, id: Name) -> Self {
        self.id = Some(id);
        self
    }

    /// Sets a hyperparameter.
    #[must_use]
    pub fn with_parameter(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.parameters.insert(name.into(), value.into());
        self
    }

    /// Sets a seed.
    #[must_use]
    pub fn with_seed(mut self, name: impl Into<String>, seed: u64) -> Self {
        self.seeds.insert(name.into(), seed);
        self
    }

    /// Sets the commit of the code that runs.
    #[must_use]
    pub fn with_code(mut self, repository: Name, commit: Name) -> Self {
        self.code = Some(CodeUse::new(repository, commit));
        self
    }

    /// Marks that the code had changes beyond its commit.
    #[must_use]
    pub fn with_dirty_code(mut self) -> Self {
        self.code = self.code.map(CodeUse::dirty);
        self
    }

    /// Sets the environment it runs in.
    #[must_use]
    pub fn with_environment(mut self, environment: NodeRef) -> Self {
        self.environment = Some(environment);
        self
    }

    /// Adds something it uses.
    #[must_use]
    pub fn with_input(mut self, role: Name, input: NodeRef) -> Self {
        self.inputs.insert((role, input));
        self
    }

    /// Sets a tag.
    #[must_use]
    pub fn with_tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }

    /// Sets the description.
    #[must_use]
    pub fn with_description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Checks what can be checked without a repository.
    pub(super) fn check(&self) -> Result<()> {
        if let Some(id) = &self.id
            && (id.as_str() == "latest" || id.as_str().bytes().all(|b| b.is_ascii_digit()))
        {
            let why = "latest and numbers are not given to runs by their users";
            return Err(Error::invalid(why).context("id", id));
        }
        check_code(self.code.as_ref())?;
        check_kinds(self.environment.iter(), NodeKind::Env)?;
        check_inputs(&self.inputs)?;
        check_parameters(&self.parameters)?;
        text::check_keys("seeds", self.seeds.keys())?;
        text::check_tags(&self.tags)?;
        text::check_value("description", &self.description)
    }
}

/// Refuses what a run cannot use.
pub(super) fn check_inputs(inputs: &BTreeSet<(Name, NodeRef)>) -> Result<()> {
    text::check_count("inputs", inputs.len())?;
    let known = [NodeKind::Data, NodeKind::Model, NodeKind::Prompt];
    match inputs
        .iter()
        .find(|(_, node)| !known.contains(&node.kind()))
    {
        None => Ok(()),
        Some((_, node)) => {
            let why = "a run uses datasets, models and prompts";
            Err(Error::invalid(why).context("reference", node))
        }
    }
}
