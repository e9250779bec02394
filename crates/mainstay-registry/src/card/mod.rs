//! Model cards: what a version is, was made from, scores and may do, on one page.
//!
//! A card is made of records, whenever it is asked for; nothing is stored. Its sections are those of the
//! [model cards of Hugging Face](https://huggingface.co/docs/hub/model-cards), which follow
//! [Mitchell et al., 2019](https://arxiv.org/abs/1810.03993). What no record knows comes from tags of the
//! version, named like the variables of Hugging Face's template:
//!
//! | tag | section |
//! |---|---|
//! | `model_type`, `language`, `license` | Model Details |
//! | `direct_use`, `downstream_use`, `out_of_scope_use` | Uses, after the version's purpose |
//! | `bias_risks_limitations`, `bias_recommendations` | Bias, Risks, and Limitations |
//! | `preprocessing` | Training Details |
//! | `results_summary` | Evaluation |
//! | `language`, `license`, `license_name`, `license_link`, `library_name`, `pipeline_tag` | the metadata in front, in YAML |
//!
//! ```
//! use std::sync::Arc;
//!
//! use mainstay_core::Actor;
//! use mainstay_registry::{FileSpec, ModelSpec, Registry};
//! use mainstay_repo::{Repo, RepoOptions};
//! use mainstay_store::MemoryStorage;
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let repo = Repo::create(Arc::new(MemoryStorage::new()), RepoOptions::default()).await?;
//! let registry = Registry::new(repo.clone());
//! let spec = ModelSpec::new("fraud".parse()?, Actor::new("ada")?, "weekly training")
//!     .with_file(FileSpec::from_bytes("model.bin".parse()?, "weights"))
//!     .with_purpose("Triage of alerts")
//!     .with_tag("out_of_scope_use", "Blocking payments without a person")
//!     .with_metric("auc", 0.93);
//! registry.register(spec).await?;
//!
//! let view = repo.view().await?;
//! let card = registry.card(&view, &"fraud".parse()?).await?;
//! assert!(card.to_markdown().contains("### Out-of-Scope Use\n\nBlocking payments without a person"));
//! # Ok::<(), mainstay_core::Error>(()) }).unwrap();
//! ```

mod markdown;
mod page;
mod sections;
mod text;

use std::collections::BTreeMap;

use futures::TryStreamExt as _;
use mainstay_core::{Actor, Error, Locator, NodeRef, Result};
use mainstay_repo::{Repo, View};
use serde::Serialize;

use crate::approval::{self, Approval};
use crate::eval::{self, EvalInfo};
use crate::format::decode;
use crate::gate::GateResult;
use crate::info::{ModelInfo, show};
use crate::metric::Metric;
use crate::policy::StagePolicy;
use crate::refs::{self, Family};
#[cfg(feature = "sign")]
use crate::signing::{self, StoredSignature};
use crate::standing::{Status, standing};

/// What is known about one version at one moment, for a card.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ModelCard {
    /// The version itself.
    #[serde(flatten)]
    pub info: ModelInfo,
    /// Who registered it.
    pub registered_by: Actor,
    /// Why.
    pub registered_because: String,
    /// Its [metrics](ModelInfo::metrics), with what each was measured on and what says so.
    pub results: Vec<Score>,
    /// The evaluation reports on it, the oldest first.
    pub evaluations: Vec<EvalInfo>,
    /// What the gates found when it entered its stage; empty when it never moved.
    pub gates: Vec<GateResult>,
    /// Why it entered its stage in spite of gates that said no; `None` when none did.
    pub overruled: Option<String>,
    /// What approves it and was not used up yet.
    pub approvals: Vec<Approval>,
    /// Who signed it.
    #[cfg(feature = "sign")]
    pub signatures: Vec<StoredSignature>,
}

/// The newest value of one metric.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Score {
    /// The metric.
    pub metric: String,
    /// Its value.
    pub value: Metric,
    /// The dataset version it was measured on, if that is known.
    pub data: Option<NodeRef>,
    /// What says so.
    pub source: Source,
}

/// What says that a version scores so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Source {
    /// Its registration.
    Registration,
    /// Its promotion to a stage.
    Promotion,
    /// A report of an evaluation.
    Evaluation(NodeRef),
}

/// Reads what a card says, and who registered the version.
pub(crate) async fn card(repo: &Repo, view: &View, model: &Locator) -> Result<ModelCard> {
    let info = view.read(|view| show(view, model)).await?;
    let (actor, reason) = registration(repo, &info).await?;
    view.read(|view| {
        let info = ModelInfo::clone(&info);
        let (actor, reason) = (actor.clone(), reason.clone());
        ModelCard::of(view, info, actor, reason)
    })
    .await
}

/// Reads who registered a version, and why.
async fn registration(repo: &Repo, info: &ModelInfo) -> Result<(Actor, String)> {
    let mut history = repo.history(&info.node.ref_path());
    while let Some(change) = history.try_next().await? {
        if change.seq == info.seq {
            return Ok((change.actor, change.reason));
        }
    }
    Err(Error::not_found("model", &info.node))
}

impl ModelCard {
    fn of(view: &View, info: ModelInfo, actor: Actor, reason: String) -> Result<Self> {
        let node = info.node.clone();
        let locator = Locator::from(node.clone());
        let status = refs::of(node.name(), Family::Status, node.version())?;
        let status: Option<Status> = refs::value(view, &status)?.map(decode).transpose()?;
        let (gates, overruled) = status
            .map(|status| (status.gates, status.overruled))
            .unwrap_or_default();
        let evaluations = eval::reports(view, &node)?;
        Ok(Self {
            registered_by: actor,
            registered_because: reason,
            results: results(view, &info, &evaluations)?,
            evaluations,
            gates,
            overruled,
            approvals: approval::approvals(view, &locator)?,
            #[cfg(feature = "sign")]
            signatures: signing::signatures(view, &locator)?,
            info,
        })
    }
}

/// Lays the metrics of reports and promotions over those of the registration, as [`ModelInfo::metrics`].
fn results(view: &View, info: &ModelInfo, reports: &[EvalInfo]) -> Result<Vec<Score>> {
    let policy = StagePolicy::kept(view, info.node.name())?;
    let standing = standing(view, &policy, &info.node, info.seq)?;
    let registered = info.record.metrics.iter().map(|(metric, measured)| {
        let source = Source::Registration;
        Score::new(metric, measured.value, measured.data.as_ref(), source)
    });
    let (later, earlier): (Vec<_>, Vec<_>) = reports
        .iter()
        .partition(|report| report.seq > standing.since);
    let promoted = standing.metrics.iter();
    let promoted =
        promoted.map(|(metric, value)| Score::new(metric, *value, None, Source::Promotion));
    let scores = registered
        .chain(earlier.into_iter().flat_map(reported))
        .chain(promoted)
        .chain(later.into_iter().flat_map(reported));
    let newest: BTreeMap<String, Score> =
        scores.map(|score| (score.metric.clone(), score)).collect();
    Ok(newest.into_values().collect())
}

fn reported(report: &EvalInfo) -> impl Iterator<Item = Score> {
    let metrics = report.record.metrics.iter();
    metrics.map(|(metric, value)| {
        let source = Source::Evaluation(report.node.clone());
        Score::new(metric, *value, report.record.data.as_ref(), source)
    })
}

impl Score {
    fn new(metric: &str, value: Metric, data: Option<&NodeRef>, source: Source) -> Self {
        Self {
            metric: metric.to_owned(),
            value,
            data: data.cloned(),
            source,
        }
    }
}

#[cfg(test)]
mod tests;
