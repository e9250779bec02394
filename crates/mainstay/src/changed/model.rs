//! Models: what asks for a new version, what was set, with which code, and what was measured.

mod code;
mod sections;
mod summary;
mod tensors;

use async_trait::async_trait;
use mainstay_core::{Name, NodeRef, Result};
use mainstay_lineage::change::{Describe, Description, JsonDiff, Severity, diff};
use mainstay_registry::signature::CompatOptions;
use mainstay_registry::{
    Level, MetricChange, ModelInfo, ModelVersion, Reason, Registry, differences, metric_changes,
    show,
};
use mainstay_repo::View;
use serde::Serialize;
use serde_json::{Map, Value, json};

use self::code::CodeRange;
use self::tensors::Tensors;

#[derive(Debug)]
pub(super) struct DescribeModel(pub(super) Registry, pub(super) View);

#[derive(Serialize)]
struct Detail {
    /// What the model is called by now, if not by the name in the node.
    #[serde(skip_serializing_if = "Option::is_none")]
    called: Option<Name>,
    reasons: Vec<Reason>,
    metrics: Vec<MetricChange>,
    parameters: JsonDiff,
    seeds: JsonDiff,
    code: Option<CodeRange>,
    tensors: Tensors,
}

#[async_trait]
impl Describe for DescribeModel {
    async fn describe(&self, a: &NodeRef, b: &NodeRef) -> Result<Option<Description>> {
        let Self(models, view) = self;
        let (a, b) = (a.clone().into(), b.clone().into());
        let both = |view: &View| Ok((show(view, &a)?, show(view, &b)?));
        let (before, after) = view.read(both).await?;
        let tensors = Tensors::of(models.tensor_summary(view, &a, &b).await)?;
        let detail = Detail::of(&before, &after, tensors);
        let description = Description::new(detail.summary(), detail.severity());
        let description = description.with_detail(super::json(&detail)?);
        let sections = detail.sections().into_iter();
        Ok(Some(sections.fold(description, Description::with_section)))
    }
}

impl Detail {
    fn of(before: &ModelInfo, after: &ModelInfo, tensors: Tensors) -> Self {
        let (old, new) = (&before.record, &after.record);
        let parameters = |version: &ModelVersion| json!(version.parameters);
        Self {
            called: (after.model != *after.node.name()).then(|| after.model.clone()),
            reasons: differences(old, new, CompatOptions::default()),
            metrics: metric_changes(&before.metrics, &after.metrics),
            parameters: diff(&parameters(old), &parameters(new)),
            seeds: diff(&seeds(old), &seeds(new)),
            code: CodeRange::of(old.code.as_ref(), new.code.as_ref()),
            tensors,
        }
    }

    fn severity(&self) -> Severity {
        let asked = match self.reasons.first().map(|reason| reason.level) {
            Some(Level::Major) => Severity::High,
            Some(Level::Minor) if self.is_repacked() => Severity::Low,
            Some(Level::Minor) => Severity::Medium,
            Some(_) => Severity::Low,
            None => Severity::None,
        };
        match &self.tensors {
            Tensors::Compared(found) if !found.is_same_architecture() => Severity::High,
            _ if self.metrics.iter().any(MetricChange::is_lost) => Severity::High,
            _ => asked,
        }
    }

    /// Nothing changed what it computes but other files, and these hold the same tensors.
    fn is_repacked(&self) -> bool {
        let mut weighty = self
            .reasons
            .iter()
            .filter(|reason| reason.level > Level::Patch);
        matches!(&self.tensors, Tensors::Compared(found) if found.is_same_tensors() && !found.other_files)
            && weighty.all(|reason| reason.rule == "artifact.weights")
    }
}

/// As text: a seed uses all 64 bits, more than a number in JSON has.
fn seeds(version: &ModelVersion) -> Value {
    let seeds = version.seeds.iter();
    let text = seeds.map(|(name, seed)| (name.clone(), Value::String(seed.to_string())));
    text.collect::<Map<_, _>>().into()
}
