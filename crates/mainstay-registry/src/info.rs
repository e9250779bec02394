//! Reading models: one version with everything known about it, and the list of all.

use std::collections::BTreeMap;
use std::sync::Arc;

use mainstay_core::{
    Digest, Locator, Name, NodeKind, NodeRef, RefPath, Result, Selector, Timestamp, canon,
};
use mainstay_repo::{RefState, Series, View};
use semver::Version;
use serde::Serialize;

use crate::annotate::Annotation;
use crate::eval;
use crate::metric::Metric;
use crate::names::{model_id, model_name};
use crate::policy::StagePolicy;
use crate::record::ModelVersion;
use crate::refs;
use crate::resolve::resolve;
use crate::standing::{holder, standing};

/// A version and everything known about it at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ModelInfo {
    /// The version; of the [id](crate::model_id) of its model.
    pub node: NodeRef,
    /// What the model is called.
    pub model: Name,
    /// The digest of its record: what `sha256:…` pins.
    pub digest: Digest,
    /// Its record.
    pub record: ModelVersion,
    /// The stage it is in.
    pub stage: Name,
    /// The aliases that point to it, in order.
    pub aliases: Vec<Name>,
    /// Its metrics: over those of the record lie those of evaluation reports and of promotions, the
    /// newer over the older.
    pub metrics: BTreeMap<String, Metric>,
    /// Its tags, later ones laid over those of the record.
    pub tags: BTreeMap<String, String>,
    /// Its description, the later one if there is one.
    pub description: String,
    /// Who answers for it, the later one if there is one; as of the two that follow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// From when on it should not be used any more. Nothing enforces it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// When it was registered.
    pub registered: Timestamp,
    /// The log entry that registered it; who and why stand there.
    pub seq: u64,
}

/// A model in the list of all.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ModelSummary {
    /// What the model is called.
    pub model: Name,
    /// How many versions it has.
    pub versions: u64,
    /// The version registered last.
    pub latest: NodeRef,
    /// When that was.
    pub registered: Timestamp,
    /// The holders of its exclusive stages.
    pub stages: BTreeMap<Name, NodeRef>,
    /// Its aliases.
    pub aliases: BTreeMap<Name, NodeRef>,
}

/// Reads one version.
///
/// What is known of the versions read lately is [kept](View::keep) with the views.
///
/// # Errors
/// As [`resolve`]; [`ErrorKind::Incompatible`](mainstay_core::ErrorKind::Incompatible) when a newer
/// Mainstay wrote the record.
///
/// # Complexity
/// O(1) for a version spelled out that was read before and is as it was, otherwise that of [`resolve`] and
/// linear in the record, the model's aliases and the reports on the version.
pub fn show(view: &View, locator: &Locator) -> Result<Arc<ModelInfo>> {
    if let (None | Some(NodeKind::Model), Selector::Named(version)) =
        (locator.kind, &locator.selector)
        && let Some(known) = recall(view, &locator.name, version)
    {
        return Ok(known);
    }
    let node = resolve(view, locator)?;
    if let Some(known) = recall(view, node.name(), node.version()) {
        return Ok(known);
    }
    let (info, bytes) = info(view, &node, refs::version(view, &node)?)?;
    let info = Arc::new(info);
    view.keep(&key(node.name(), node.version()), bytes, &info);
    Ok(info)
}

/// Returns what is known of a version, if nothing that it is made of has changed.
fn recall(view: &View, id: &Name, version: &Name) -> Option<Arc<ModelInfo>> {
    let concerns = |path: &RefPath| {
        let mut segments = path.segments();
        let is_of_model = segments.next() == Some(NodeKind::Model.as_str())
            && segments.next() == Some(id.as_str());
        is_of_model
            && match (segments.next(), segments.next()) {
                (Some("alias" | "policy" | "name"), _) => true,
                (_, key) => key == Some(version.as_str()),
            }
    };
    view.recall(&key(id, version), concerns)
}

fn key(id: &Name, version: &Name) -> String {
    format!("{id}@{version}")
}

/// Lists every model, in order of name.
///
/// # Complexity
/// O(n) in the refs of all models.
///
/// # Errors
/// Those of [`View::get`].
pub fn list(view: &View) -> Result<Vec<ModelSummary>> {
    let ids = Series::names(view, NodeKind::Model)?.into_iter();
    let summaries = ids.filter_map(|id| summary(view, id).transpose());
    let mut summaries: Vec<_> = summaries.collect::<Result<_>>()?;
    summaries.sort_by(|a, b| a.model.cmp(&b.model));
    Ok(summaries)
}

/// Lists the versions of one model, the one registered first first; empty when there is no such model.
///
/// # Errors
/// As [`show`].
pub fn versions(view: &View, model: &Name) -> Result<Vec<ModelInfo>> {
    Series::new(NodeKind::Model, model_id(view, model)?)
        .versions(view)?
        .into_iter()
        .map(|(node, state)| Ok(info(view, &node, state)?.0))
        .collect()
}

/// Returns the version that holds an exclusive stage, `production` for one.
///
/// # Errors
/// [`ErrorKind::Corrupt`](mainstay_core::ErrorKind::Corrupt) when the stage's ref is not a pointer.
///
/// # Complexity
/// O(log n): two look-ups.
pub fn stage_holder(view: &View, model: &Name, stage: &Name) -> Result<Option<NodeRef>> {
    holder(view, &model_id(view, model)?, stage)
}

fn summary(view: &View, id: Name) -> Result<Option<ModelSummary>> {
    let series = Series::new(NodeKind::Model, id);
    let Some((latest, state)) = series.latest(view)? else {
        return Ok(None);
    };
    let by_name = |family| -> Result<_> {
        let pointers = series.pointers(view, family)?.into_iter();
        Ok(pointers.map(|(name, target, _)| (name, target)).collect())
    };
    Ok(Some(ModelSummary {
        model: model_name(view, series.name())?,
        versions: series.count(view)? as u64,
        latest,
        registered: state.time,
        stages: by_name("stage")?,
        aliases: by_name("alias")?,
    }))
}

/// Reads a version; says how many bytes of JSON its record is.
fn info(view: &View, node: &NodeRef, state: &RefState) -> Result<(ModelInfo, usize)> {
    let value = refs::held(&node.ref_path(), state)?;
    let record = ModelVersion::from_value(value)?;
    let json = canon::to_vec(&value.record)?;
    let policy = StagePolicy::kept(view, node.name())?;
    let standing = standing(view, &policy, node, state.seq)?;
    let annotation = Annotation::of(view, node)?;
    let aliases = Series::new(NodeKind::Model, node.name().clone())
        .pointers(view, "alias")?
        .into_iter()
        .filter(|(_, target, _)| target == node)
        .map(|(name, _, _)| name)
        .collect();
    let mut metrics: BTreeMap<String, Metric> = record
        .metrics
        .iter()
        .map(|(name, measured)| (name.clone(), measured.value))
        .collect();
    let (later, earlier): (Vec<_>, Vec<_>) = eval::metrics(view, node)?
        .into_iter()
        .partition(|(_, (_, seq))| *seq > standing.since);
    let values = |reported: Vec<(String, (Metric, u64))>| {
        let reported = reported.into_iter();
        reported.map(|(name, (value, _))| (name, value))
    };
    metrics.extend(values(earlier));
    metrics.extend(standing.metrics);
    metrics.extend(values(later));
    let info = ModelInfo {
        node: node.clone(),
        model: model_name(view, node.name())?,
        digest: Digest::of(&json),
        stage: standing.stage,
        aliases,
        metrics,
        tags: annotation.apply(&record.tags),
        owner: annotation.owner.over(record.owner.as_ref()).cloned(),
        purpose: annotation.purpose.over(record.purpose.as_ref()).cloned(),
        expires: annotation.expires.over(record.expires.as_ref()).copied(),
        description: annotation
            .description
            .unwrap_or_else(|| record.description.clone()),
        registered: state.time,
        seq: state.seq,
        record,
    };
    Ok((info, json.len()))
}

impl ModelInfo {
    /// Returns the version number.
    #[must_use]
    pub fn version(&self) -> &Version {
        &self.record.version
    }
}
