//! Adding to a run while it goes on.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::{Actor, Error, ErrorKind, Name, NodeRef, Result};
use mainstay_repo::{Expectation, Repo, Step, Transaction, View};
use serde::Serialize;
use serde_json::Value;

use super::append::{Batch, Fold, Folded, attempts, crowded, fold, place};
use super::point::{Block, Point};
use super::record::Run;
use super::spec::check_inputs;
use super::{cycle, files, refs};
use crate::artifact::{ArtifactFile, FileSpec};
use crate::refs::unchanged as unchanged_ref;
use crate::spec::check_parameters;
use crate::text;

/// What to add to a run that goes on.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RunLog {
    /// The run.
    pub run: NodeRef,
    /// Points, by series, in the order they were measured in; at most
    /// [`MAX_BATCH_POINTS`](super::MAX_BATCH_POINTS).
    pub points: BTreeMap<String, Vec<Point>>,
    /// Hyperparameters to set.
    pub parameters: BTreeMap<String, Value>,
    /// Something it uses, by role.
    pub inputs: BTreeSet<(Name, NodeRef)>,
    /// Files it leaves; one of the same path is replaced.
    pub files: Vec<FileSpec>,
    /// Tags to set; `None` removes a tag.
    pub tags: BTreeMap<String, Option<String>>,
    /// The new description; `None` keeps the one it has.
    pub description: Option<String>,
    /// Who logs it.
    pub actor: Actor,
    /// Why.
    pub reason: String,
}

impl RunLog {
    /// Creates a batch with nothing in it.
    #[must_use]
    pub fn new(run: NodeRef, actor: Actor, reason: impl Into<String>) -> Self {
        Self {
            run,
            points: BTreeMap::new(),
            parameters: BTreeMap::new(),
            inputs: BTreeSet::new(),
            files: Vec::new(),
            tags: BTreeMap::new(),
            description: None,
            actor,
            reason: reason.into(),
        }
    }

    /// Adds a point to a series.
    #[must_use]
    pub fn with_point(self, series: impl Into<String>, point: Point) -> Self {
        self.with_points(series, [point])
    }

    /// Adds points to a series.
    #[must_use]
    pub fn with_points(
        mut self,
        series: impl Into<String>,
        points: impl IntoIterator<Item = Point>,
    ) -> Self {
        self.points.entry(series.into()).or_default().extend(points);
        self
    }

    /// Sets a hyperparameter.
    #[must_use]
    pub fn with_parameter(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.parameters.insert(name.into(), value.into());
        self
    }

    /// Adds something the run uses.
    #[must_use]
    pub fn with_input(mut self, role: Name, input: NodeRef) -> Self {
        self.inputs.insert((role, input));
        self
    }

    /// Adds files that the run leaves: reports, plots. Those of models belong to their versions.
    #[must_use]
    pub fn with_files(mut self, files: impl IntoIterator<Item = FileSpec>) -> Self {
        self.files.extend(files);
        self
    }

    /// Sets a tag.
    #[must_use]
    pub fn with_tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), Some(value.into()));
        self
    }

    /// Removes a tag.
    #[must_use]
    pub fn without_tag(mut self, key: impl Into<String>) -> Self {
        self.tags.insert(key.into(), None);
        self
    }

    /// Sets the description.
    #[must_use]
    pub fn with_description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    fn check(&self) -> Result<()> {
        check_parameters(&self.parameters)?;
        check_inputs(&self.inputs)?;
        text::check_keys("tags", self.tags.keys())?;
        let mut texts = self.tags.values().flatten().chain(&self.description);
        texts.try_for_each(|value| text::check_value("text", value))
    }

    /// Lays what is not a point over a run.
    fn apply(&self, view: &View, run: &mut Run) -> Result<()> {
        for (name, value) in &self.parameters {
            match run.parameters.get(name) {
                None => {
                    run.parameters.insert(name.clone(), value.clone());
                }
                Some(held) if held == value => {}
                Some(held) => return Err(already_set(name, held)),
            }
        }
        check_parameters(&run.parameters)?;
        for (key, value) in &self.tags {
            match value {
                Some(value) => run.tags.insert(key.clone(), value.clone()),
                None => run.tags.remove(key),
            };
        }
        text::check_tags(&run.tags)?;
        if let Some(description) = &self.description {
            run.description.clone_from(description);
        }
        cycle::check_free(view, &self.run, self.inputs.iter().map(|(_, node)| node))?;
        run.use_inputs(view, &self.inputs)
    }
}

fn already_set(name: &str, held: &Value) -> Error {
    let why = "the parameter has another value; what a run was given does not change";
    Error::new(ErrorKind::AlreadyExists, why)
        .context("parameter", name.escape_debug())
        .context("holds", held)
}

/// What was added to a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Logged {
    /// The run.
    pub run: NodeRef,
    /// How many points were added.
    pub points: u64,
    /// The log entry; `None` when nothing had to change.
    pub seq: Option<u64>,
}

pub(super) async fn log(repo: &Repo, spec: &RunLog) -> Result<Logged> {
    spec.check()?;
    let block = Block::of(&spec.points)?;
    let points = block.count();
    let batch = Batch::new(block)?;
    let files = store(repo, spec).await?;
    let mut folded = None;
    for _ in attempts() {
        let plan = |view: &View| plan(view, spec, &batch, &files, folded.as_ref());
        let (committed, placed) = repo.transact(plan).await?;
        if placed {
            return Ok(Logged {
                run: spec.run.clone(),
                points,
                seq: committed.map(|committed| committed.seq),
            });
        }
        folded = Some(fold(repo, &spec.run, &batch).await?);
    }
    Err(crowded(&spec.run))
}

/// Stores the files, if there are any.
async fn store(repo: &Repo, spec: &RunLog) -> Result<Vec<ArtifactFile>> {
    if spec.files.is_empty() {
        return Ok(Vec::new());
    }
    // Before the bytes are stored, so that a mistyped name costs nothing.
    let check = |view: &View| refs::run(view, &spec.run)?.0.check_running();
    repo.read(check).await?;
    files::store(repo, &spec.files).await
}

/// Says whether the batch has its place.
fn plan(
    view: &View,
    spec: &RunLog,
    batch: &Batch,
    files: &[ArtifactFile],
    folded: Option<&Folded>,
) -> Result<Step<bool>> {
    let (before, state) = refs::run(view, &spec.run)?;
    before.check_running()?;
    let mut after = before.clone();
    spec.apply(view, &mut after)?;
    // What is written is compared as it will be read.
    let value = after.to_value()?;
    let unchanged = Run::from_value(&value)? == before;
    let files = files::added(view, &spec.run, files)?;
    if unchanged && batch.is_empty() && files.is_none() {
        return Ok(Step::Done(true));
    }
    let mut transaction = Transaction::new(spec.actor.clone(), spec.reason.clone());
    let expectation = Expectation::Generation(state.generation);
    if unchanged {
        transaction.check(spec.run.ref_path(), expectation);
    } else {
        transaction.set(spec.run.ref_path(), value, expectation);
    }
    if let Some(files) = files {
        let path = files::path(&spec.run)?;
        let expectation = unchanged_ref(view, &path)?;
        transaction.set(path, files, expectation);
    }
    if !place(
        view,
        &spec.run,
        batch,
        Fold::WhenFull,
        folded,
        &mut transaction,
    )? {
        return Ok(Step::Done(false));
    }
    Ok(Step::Commit(transaction, true))
}
