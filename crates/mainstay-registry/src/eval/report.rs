//! Reporting an evaluation.

use std::collections::BTreeMap;

use mainstay_core::{Actor, Error, ErrorKind, Name, NodeKind, NodeRef, Result};
use mainstay_repo::{Expectation, Repo, Series, Step, Transaction, Value, View};
use serde::Serialize;

use super::record::{Entry, EvalReport, FORMAT, SUBJECTS};
use crate::metric::Metric;
use crate::record::CodeUse;
use crate::reproducibility::stored;
use crate::spec::{check_code, check_kinds};
use crate::text;

/// An evaluation to report. Its limits are those of a [`ModelSpec`](crate::ModelSpec), with at most
/// [`MAX_ENTRIES`](crate::MAX_ENTRIES) parts of at most so many metrics each.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct EvalSpec {
    /// The evaluation: a name for what is done, as `holdout`; its reports are numbered.
    pub evaluation: Name,
    /// What was evaluated: a version of a model, a prompt or a unit.
    pub subject: NodeRef,
    /// The dataset version it was evaluated on.
    pub data: Option<NodeRef>,
    /// The run that did it.
    pub run: Option<NodeRef>,
    /// The code that did it.
    pub code: Option<CodeUse>,
    /// What was measured on all of the data.
    pub metrics: BTreeMap<String, Metric>,
    /// What was measured on parts of it, by the name of the part.
    pub slices: BTreeMap<String, BTreeMap<String, Metric>>,
    /// Free labels.
    pub tags: BTreeMap<String, String>,
    /// Free text.
    pub description: String,
    /// Who reports it.
    pub actor: Actor,
    /// Why.
    pub reason: String,
}

impl EvalSpec {
    /// Creates a report in which nothing was measured yet.
    #[must_use]
    pub fn new(
        evaluation: Name,
        subject: NodeRef,
        actor: Actor,
        reason: impl Into<String>,
    ) -> Self {
        Self {
            evaluation,
            subject,
            data: None,
            run: None,
            code: None,
            metrics: BTreeMap::new(),
            slices: BTreeMap::new(),
            tags: BTreeMap::new(),
            description: String::new(),
            actor,
            reason: reason.into(),
        }
    }

    /// Sets the dataset it was evaluated on.
    #[must_use]
    pub fn with_data(mut self, data: NodeRef) -> Self {
        self.data = Some(data);
        self
    }

    /// Sets the run that did it.
    #[must_use]
    pub fn with_run(mut self, run: NodeRef) -> Self {
        self.run = Some(run);
        self
    }

    /// Sets the commit of the code that did it.
    #[must_use]
    pub fn with_code(mut self, repository: Name, commit: Name) -> Self {
        self.code = Some(CodeUse::new(repository, commit));
        self
    }

    /// Sets what was measured on all of the data.
    #[must_use]
    pub fn with_metric(mut self, name: impl Into<String>, value: impl Into<Metric>) -> Self {
        self.metrics.insert(name.into(), value.into());
        self
    }

    /// Sets what was measured on a part of it.
    #[must_use]
    pub fn with_slice_metric(
        mut self,
        slice: impl Into<String>,
        name: impl Into<String>,
        value: impl Into<Metric>,
    ) -> Self {
        let slice = self.slices.entry(slice.into()).or_default();
        slice.insert(name.into(), value.into());
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

    fn check(&self) -> Result<()> {
        if !SUBJECTS.contains(&self.subject.kind()) {
            let why = "models, prompts and units are evaluated";
            return Err(Error::invalid(why).context("reference", &self.subject));
        }
        if self.metrics.is_empty() && self.slices.values().all(BTreeMap::is_empty) {
            return Err(Error::invalid("nothing was measured"));
        }
        check_kinds(self.data.iter(), NodeKind::Data)?;
        check_kinds(self.run.iter(), NodeKind::Run)?;
        check_code(self.code.as_ref())?;
        text::check_keys("metrics", self.metrics.keys())?;
        text::check_keys("slices", self.slices.keys())?;
        for metrics in self.slices.values() {
            text::check_keys("metrics", metrics.keys())?;
        }
        text::check_tags(&self.tags)?;
        text::check_value("description", &self.description)
    }
}

/// A report that was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Reported {
    /// The report.
    pub eval: NodeRef,
    /// What was evaluated.
    pub subject: NodeRef,
    /// The log entry.
    pub seq: u64,
}

pub(super) async fn report(repo: &Repo, spec: &EvalSpec) -> Result<Reported> {
    spec.check()?;
    let (committed, eval) = repo.transact(|view| plan(view, spec)).await?;
    let committed = committed.ok_or_else(|| {
        Error::new(
            ErrorKind::Internal,
            "a report was planned and not committed",
        )
    })?;
    Ok(Reported {
        eval,
        subject: spec.subject.clone(),
        seq: committed.seq,
    })
}

fn plan(view: &View, spec: &EvalSpec) -> Result<Step<NodeRef>> {
    let subject = stored(view, &spec.subject)?;
    for reference in spec.data.iter().chain(&spec.run) {
        stored(view, reference)?;
    }
    let series = Series::new(NodeKind::Eval, spec.evaluation.clone());
    let number = series.next_number(view)?;
    let eval = series.numbered(number);
    let record = EvalReport {
        format: FORMAT,
        evaluation: spec.evaluation.clone(),
        number,
        subject: spec.subject.clone(),
        record: subject.record_digest()?,
        data: spec.data.clone(),
        run: spec.run.clone(),
        code: spec.code.clone(),
        metrics: spec.metrics.clone(),
        slices: spec.slices.clone(),
        tags: spec.tags.clone(),
        description: spec.description.clone(),
    };
    let entry = Entry {
        format: FORMAT,
        eval: eval.clone(),
    };
    let mut transaction = Transaction::new(spec.actor.clone(), spec.reason.clone());
    transaction.set(eval.ref_path(), record.to_value()?, Expectation::Absent);
    let path = Entry::path(&spec.subject, &eval)?;
    transaction.set(path, Value::new(Entry::KIND, &entry)?, Expectation::Absent);
    Ok(Step::Commit(transaction, eval))
}
