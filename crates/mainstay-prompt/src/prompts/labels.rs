//! Labels: pointers to versions that move with an expectation and keep their history.

use futures::StreamExt;
use futures::stream::BoxStream;
use mainstay_core::{Actor, Error, ErrorKind, Locator, Name, NodeRef, Result, Selector, Timestamp};
use mainstay_repo::{Expectation, RefChange, RefState, Step, Transaction, Value};

use super::{LABEL, Prompts, label_path, lookup, series};

/// What a label must be before it is changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum LabelExpectation {
    /// Anything: the change wins in any case.
    #[default]
    Any,
    /// It points nowhere.
    Absent,
    /// It points to this version.
    At(NodeRef),
}

/// One change of a label.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LabelChange {
    /// The log entry.
    pub seq: u64,
    /// When.
    pub time: Timestamp,
    /// Who.
    pub actor: Actor,
    /// Why.
    pub reason: String,
    /// The version it points to since; `None` when it was removed.
    pub to: Option<NodeRef>,
}

impl Prompts {
    /// Points `label` to the version that `to` selects, in one commit with the check of `expected`.
    ///
    /// Returns the version. A label that points there already is not changed.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such version; [`ErrorKind::Conflict`] naming what the
    /// label is when it is not as `expected`; [`ErrorKind::Invalid`] for a label that is `latest` or a
    /// number.
    #[tracing::instrument(skip_all, fields(prompt = %name, %label), err)]
    pub async fn set_label(
        &self,
        name: &Name,
        label: &Name,
        to: &Selector,
        expected: &LabelExpectation,
        actor: Actor,
        reason: &str,
    ) -> Result<NodeRef> {
        let path = label_path(name, label)?;
        let target = Locator {
            kind: None,
            name: name.clone(),
            selector: to.clone(),
        };
        let (_, node) = self
            .repo
            .transact(|view| {
                let current = view.get(&path)?;
                expected.check(label, current)?;
                let (node, _) = lookup(view, &target)?;
                if current.and_then(pointee).as_ref() == Some(&node) {
                    return Ok(Step::Done(node));
                }
                let mut transaction = Transaction::new(actor.clone(), reason);
                transaction.set(path.clone(), Value::pointer(&node), generation(current));
                Ok(Step::Commit(transaction, node))
            })
            .await?;
        Ok(node)
    }

    /// Removes `label`; its history stays. Returns the version it pointed to.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such label; [`ErrorKind::Conflict`] when it is not as
    /// `expected`.
    #[tracing::instrument(skip_all, fields(prompt = %name, %label), err)]
    pub async fn remove_label(
        &self,
        name: &Name,
        label: &Name,
        expected: &LabelExpectation,
        actor: Actor,
        reason: &str,
    ) -> Result<NodeRef> {
        let path = label_path(name, label)?;
        let (_, node) = self
            .repo
            .transact(|view| {
                let current = view.get(&path)?;
                expected.check(label, current)?;
                let node = current
                    .and_then(pointee)
                    .ok_or_else(|| Error::not_found("label", format!("{name}@{label}")))?;
                let mut transaction = Transaction::new(actor.clone(), reason);
                transaction.delete(path.clone(), generation(current));
                Ok(Step::Commit(transaction, node))
            })
            .await?;
        Ok(node)
    }

    /// Lists the labels of `name` in `view` with the version of each, in label order.
    ///
    /// # Errors
    /// Those of [`View::get`](mainstay_repo::View::get).
    pub fn labels(view: &mainstay_repo::View, name: &Name) -> Result<Vec<(Name, NodeRef)>> {
        let labels = series(name).pointers(view, LABEL)?.into_iter();
        Ok(labels.map(|(label, node, _)| (label, node)).collect())
    }

    /// Walks the changes of a label, newest first; empty when it never existed.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a label that is `latest` or a number; the stream yields errors of the
    /// repository.
    pub fn label_history(
        &self,
        name: &Name,
        label: &Name,
    ) -> Result<BoxStream<'static, Result<LabelChange>>> {
        let path = label_path(name, label)?;
        Ok(self
            .repo
            .history(&path)
            .map(|change| change.map(LabelChange::from))
            .boxed())
    }
}

impl LabelExpectation {
    fn check(&self, label: &Name, current: Option<&RefState>) -> Result<()> {
        let current = current.and_then(pointee);
        let holds = match self {
            Self::Any => true,
            Self::Absent => current.is_none(),
            Self::At(node) => current.as_ref() == Some(node),
        };
        if holds {
            return Ok(());
        }
        let current = current.map_or_else(|| "nothing".into(), |node| node.to_string());
        Err(
            Error::new(ErrorKind::Conflict, "the label points elsewhere")
                .context("label", label)
                .context("points to", current),
        )
    }
}

impl From<RefChange> for LabelChange {
    fn from(change: RefChange) -> Self {
        Self {
            seq: change.seq,
            time: change.time,
            actor: change.actor,
            reason: change.reason,
            to: change.value.as_ref().and_then(Value::pointee),
        }
    }
}

fn pointee(state: &RefState) -> Option<NodeRef> {
    state.value.as_ref()?.pointee()
}

fn generation(current: Option<&RefState>) -> Expectation {
    current.map_or(Expectation::Absent, |state| {
        Expectation::Generation(state.generation)
    })
}
