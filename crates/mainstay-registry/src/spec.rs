//! What a user states about a model version to register.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::{Actor, Error, Name, NodeKind, NodeRef, Result, Timestamp};
use semver::{BuildMetadata, Version};
use serde_json::Value;

use crate::artifact::FileSpec;
use crate::level::Level;
use crate::metric::Metric;
use crate::record::{CodeUse, Measured, Parent, Relation, RunUse};
use crate::signature::{CompatOptions, Signature};
use crate::text;

/// How the version number of a new model version is found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Bump {
    /// As far above the version before it as the differences ask for; the first is `1.0.0`.
    #[default]
    Auto,
    /// Exactly this level; refused when the differences ask for more.
    Declared(Level),
    /// This version; refused when the differences to the next lower one ask for more.
    ///
    /// Any version may come first. Build metadata (`+…`) is refused, because SemVer ignores it.
    Exact(Version),
}

/// A model version to register: its files, what it was made from, and what it is worth.
///
/// | what | limit |
/// |---|---|
/// | tags, metrics, parameters, seeds, data, parents | [`MAX_ENTRIES`](crate::MAX_ENTRIES) each |
/// | a key | one line of 1 to [`MAX_KEY_BYTES`](crate::MAX_KEY_BYTES) |
/// | a value of a tag or parameter, description, owner, purpose | [`MAX_TEXT_BYTES`](crate::MAX_TEXT_BYTES) each |
/// | a whole number among the parameters | less than 2⁵³ from 0; write a larger one as text |
/// | a metric | any double: NaN and the infinities stay what they are |
/// | a weight of a parent | a finite double |
/// | a step | less than 2⁵³ from 0 |
/// | a signature | 4 MiB of JSON, types 32 deep |
/// | a media type | `type/subtype`, 255 bytes of ASCII |
/// | the reason | 4,096 bytes |
/// | everything together | 16 MiB of JSON, files listed and not counted |
///
/// What breaks one is [`Invalid`](mainstay_core::ErrorKind::Invalid), and nothing is registered; bytes that
/// were stored by then go when garbage is collected.
///
/// ```
/// use mainstay_core::Actor;
/// use mainstay_registry::{FileSpec, ModelSpec};
///
/// let spec = ModelSpec::new("fraud".parse()?, Actor::new("ada")?, "first model")
///     .with_file(FileSpec::from_bytes("model.bin".parse()?, "weights"))
///     .with_data("train".parse()?, "data:payments@3".parse()?)
///     .with_code("fraud-training".parse()?, "9f31c2a".parse()?)
///     .with_parameter("depth", 6)
///     .with_seed("numpy", 42)
///     .with_metric("auc", 0.93);
/// assert_eq!(spec.data.len(), 1);
/// # Ok::<(), mainstay_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ModelSpec {
    /// The model, by its name.
    pub model: Name,
    /// Whether the model is new; see [`of_new_model`](Self::of_new_model).
    pub new_model: bool,
    /// How its version number is found.
    pub bump: Bump,
    /// How its signature is compared with the one before.
    pub compat: CompatOptions,
    /// Its files; at least one, unless an upload has them.
    pub files: Vec<FileSpec>,
    /// The upload whose files it has, beside its own; registering the version ends the upload.
    pub upload: Option<Name>,
    /// The data it was made from, by role: `train`, `validation`.
    pub data: BTreeSet<(Name, NodeRef)>,
    /// The code that made it.
    pub code: Option<CodeUse>,
    /// Its hyperparameters: JSON scalars.
    pub parameters: BTreeMap<String, Value>,
    /// The seeds of its random numbers.
    pub seeds: BTreeMap<String, u64>,
    /// The environment it was made in.
    pub environment: Option<NodeRef>,
    /// What was measured.
    pub metrics: BTreeMap<String, Measured>,
    /// The models it was made from.
    pub parents: BTreeSet<Parent>,
    /// How much each parent weighed, where it was merged of them.
    pub weights: BTreeMap<NodeRef, Metric>,
    /// The run that made it.
    pub run: Option<RunUse>,
    /// What it takes and gives.
    pub signature: Option<Signature>,
    /// Who answers for it: any text. One that is a [`Name`] is a node of the lineage as well,
    /// `agent:<owner>@1`, that leads to everything somebody answers for.
    pub owner: Option<String>,
    /// What it is for.
    pub purpose: Option<String>,
    /// From when on it should not be used any more.
    pub expires: Option<Timestamp>,
    /// Free labels.
    pub tags: BTreeMap<String, String>,
    /// Free text.
    pub description: String,
    /// Who registers it.
    pub actor: Actor,
    /// Why.
    pub reason: String,
}

impl ModelSpec {
    /// Creates a spec of a model without files yet.
    #[must_use]
    pub fn new(model: Name, actor: Actor, reason: impl Into<String>) -> Self {
        Self {
            model,
            new_model: false,
            bump: Bump::Auto,
            compat: CompatOptions::default(),
            files: Vec::new(),
            upload: None,
            data: BTreeSet::new(),
            code: None,
            parameters: BTreeMap::new(),
            seeds: BTreeMap::new(),
            environment: None,
            metrics: BTreeMap::new(),
            parents: BTreeSet::new(),
            weights: BTreeMap::new(),
            run: None,
            signature: None,
            owner: None,
            purpose: None,
            expires: None,
            tags: BTreeMap::new(),
            description: String::new(),
            actor,
            reason: reason.into(),
        }
    }

    /// Says that this is the first version of a model: it is refused when the model exists or existed.
    ///
    /// A new model may take a name that another one had and has no more; without this, such a name goes on
    /// to lead to the model that had it. Numbers that versions have under the name are passed over.
    #[must_use]
    pub fn of_new_model(mut self) -> Self {
        self.new_model = true;
        self
    }

    /// Sets how the version number is found.
    #[must_use]
    pub fn with_bump(mut self, bump: Bump) -> Self {
        self.bump = bump;
        self
    }

    /// Sets how the signature is compared with the one before.
    #[must_use]
    pub fn with_compat(mut self, compat: CompatOptions) -> Self {
        self.compat = compat;
        self
    }

    /// Adds a file.
    #[must_use]
    pub fn with_file(mut self, file: FileSpec) -> Self {
        self.files.push(file);
        self
    }

    /// Adds files, as [`files_at`](crate::files_at) lists them.
    #[must_use]
    pub fn with_files(mut self, files: impl IntoIterator<Item = FileSpec>) -> Self {
        self.files.extend(files);
        self
    }

    /// Takes the files of an upload, and ends it.
    #[must_use]
    pub fn with_upload(mut self, id: Name) -> Self {
        self.upload = Some(id);
        self
    }

    /// Adds data the model was made from.
    #[must_use]
    pub fn with_data(mut self, role: Name, data: NodeRef) -> Self {
        self.data.insert((role, data));
        self
    }

    /// Sets the commit of the code that made the model.
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

    /// Sets a hyperparameter: a JSON scalar. NaN and the infinities have no JSON, `null` takes their place;
    /// write them as text.
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

    /// Sets the environment the model was made in.
    #[must_use]
    pub fn with_environment(mut self, environment: NodeRef) -> Self {
        self.environment = Some(environment);
        self
    }

    /// Sets a metric.
    #[must_use]
    pub fn with_metric(mut self, name: impl Into<String>, value: f64) -> Self {
        self.metrics.insert(name.into(), Measured::new(value));
        self
    }

    /// Sets a metric measured on a dataset.
    #[must_use]
    pub fn with_metric_on(mut self, name: impl Into<String>, value: f64, data: NodeRef) -> Self {
        self.metrics
            .insert(name.into(), Measured::new(value).on(data));
        self
    }

    /// Adds a model this one was made from.
    #[must_use]
    pub fn with_parent(mut self, parent: NodeRef, relation: Relation) -> Self {
        self.parents.insert(Parent::new(parent, relation));
        self
    }

    /// Adds a model that was merged into this one, and how much it weighed: a finite number.
    #[must_use]
    pub fn with_merged(self, parent: NodeRef, weight: f64) -> Self {
        let mut spec = self.with_parent(parent.clone(), Relation::Merge);
        spec.weights.insert(parent, Metric::new(weight));
        spec
    }

    /// Sets the run that made the model.
    #[must_use]
    pub fn with_run(mut self, run: NodeRef) -> Self {
        self.run = Some(RunUse::new(run));
        self
    }

    /// Sets the run that made the model, and the step that the run had reached.
    #[must_use]
    pub fn with_checkpoint(mut self, run: NodeRef, step: i64) -> Self {
        self.run = Some(RunUse::new(run).at_step(step));
        self
    }

    /// Sets who answers for the model.
    #[must_use]
    pub fn with_owner(mut self, owner: impl Into<String>) -> Self {
        self.owner = Some(owner.into());
        self
    }

    /// Sets what the model is for.
    #[must_use]
    pub fn with_purpose(mut self, purpose: impl Into<String>) -> Self {
        self.purpose = Some(purpose.into());
        self
    }

    /// Sets from when on the model should not be used any more.
    #[must_use]
    pub fn with_expiry(mut self, expires: Timestamp) -> Self {
        self.expires = Some(expires);
        self
    }

    /// Sets what the model takes and gives.
    #[must_use]
    pub fn with_signature(mut self, signature: Signature) -> Self {
        self.signature = Some(signature);
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
    pub(crate) fn check(&self) -> Result<()> {
        if self.files.is_empty() && self.upload.is_none() {
            return Err(Error::invalid("a model needs at least one file"));
        }
        if let Bump::Exact(version) = &self.bump
            && version.build != BuildMetadata::EMPTY
        {
            return Err(Error::invalid("a version must not have build metadata")
                .context("version", version));
        }
        text::check_count("data", self.data.len())?;
        text::check_count("parents", self.parents.len())?;
        check_kinds(self.data.iter().map(|(_, data)| data), NodeKind::Data)?;
        check_kinds(self.environment.iter(), NodeKind::Env)?;
        check_kinds(
            self.parents.iter().map(|parent| &parent.model),
            NodeKind::Model,
        )?;
        let measured_on = self
            .metrics
            .values()
            .filter_map(|metric| metric.data.as_ref());
        check_kinds(measured_on, NodeKind::Data)?;
        self.check_making()?;
        for text in self.owner.iter().chain(&self.purpose) {
            text::check_value("owner or purpose", text)?;
        }
        check_code(self.code.as_ref())?;
        check_parameters(&self.parameters)?;
        text::check_keys("seeds", self.seeds.keys())?;
        text::check_keys("metrics", self.metrics.keys())?;
        text::check_tags(&self.tags)?;
        text::check_value("description", &self.description)?;
        let parameters = self.parameters.values().filter_map(|value| match value {
            Value::String(text) => Some(text),
            _ => None,
        });
        text::check_total(self.tags.values().chain(parameters))?;
        self.signature.as_ref().map_or(Ok(()), Signature::check)
    }

    /// Checks the run and the weights of parents.
    fn check_making(&self) -> Result<()> {
        check_kinds(self.run.iter().map(|made| &made.run), NodeKind::Run)?;
        if let Some(step) = self.run.as_ref().and_then(|made| made.step)
            && step.unsigned_abs() >= 1 << 53
        {
            return Err(Error::invalid("a step is less than 2^53").context("step", step));
        }
        for (parent, weight) in &self.weights {
            let merged = Parent::new(parent.clone(), Relation::Merge);
            let why = if !weight.value().is_finite() {
                "a weight is a finite number"
            } else if !self.parents.contains(&merged) {
                "a weight is that of a parent that was merged"
            } else {
                continue;
            };
            return Err(Error::invalid(why).context("parent", parent));
        }
        Ok(())
    }
}

pub(crate) fn check_code(code: Option<&CodeUse>) -> Result<()> {
    if code.is_some_and(|code| code.commit.as_str() == "latest") {
        return Err(Error::invalid("a commit must be one commit, not latest"));
    }
    Ok(())
}

pub(crate) fn check_parameters(parameters: &BTreeMap<String, Value>) -> Result<()> {
    text::check_keys("parameters", parameters.keys())?;
    let mut parameters = parameters.iter();
    parameters.try_for_each(|(name, value)| check_scalar(name, value))
}

pub(crate) fn check_kinds<'n>(
    nodes: impl Iterator<Item = &'n NodeRef>,
    kind: NodeKind,
) -> Result<()> {
    for node in nodes {
        if node.kind() != kind {
            return Err(Error::invalid(format!("expected a reference to {kind}"))
                .context("reference", node));
        }
    }
    Ok(())
}

fn check_scalar(name: &str, value: &Value) -> Result<()> {
    match value {
        Value::Array(_) | Value::Object(_) => Err(Error::invalid(
            "a parameter is text, a number, true, false or null",
        )),
        Value::String(text) => text::check_value("parameter", text),
        Value::Number(number) if !text::is_exact(number) => Err(Error::invalid(
            "a whole number beyond 2^53 - 1 has no exact JSON; write it as text",
        )),
        _ => Ok(()),
    }
    .map_err(|error| error.context("parameter", name.escape_debug()))
}
