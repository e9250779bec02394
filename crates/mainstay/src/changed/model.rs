//! Models: what asks for a new version, and what was measured.

use async_trait::async_trait;
use mainstay_core::{NodeRef, Result};
use mainstay_lineage::change::{Describe, Description, Severity};
use mainstay_registry::signature::CompatOptions;
use mainstay_registry::{Level, ModelInfo, Reason, differences, show};
use mainstay_repo::View;
use serde::Serialize;

/// How many changed parts a summary names.
const NAMED: usize = 5;

#[derive(Debug)]
pub(super) struct DescribeModel(pub(super) View);

#[derive(Serialize)]
struct Detail {
    reasons: Vec<Reason>,
    metrics: Vec<MetricChange>,
}

#[derive(Serialize)]
struct MetricChange {
    name: String,
    a: Option<f64>,
    b: Option<f64>,
}

#[async_trait]
impl Describe for DescribeModel {
    async fn describe(&self, a: &NodeRef, b: &NodeRef) -> Result<Option<Description>> {
        let (a, b) = (a.clone().into(), b.clone().into());
        let both = |view: &View| Ok((show(view, &a)?, show(view, &b)?));
        let (before, after) = self.0.read(both).await?;
        let reasons = differences(&before.record, &after.record, CompatOptions::default());
        let detail = Detail {
            metrics: metrics(&before, &after),
            reasons,
        };
        let severity = match detail.reasons.first().map(|reason| reason.level) {
            Some(Level::Major) => Severity::High,
            Some(Level::Minor) => Severity::Medium,
            Some(_) => Severity::Low,
            None => Severity::None,
        };
        let summary = summary(&detail);
        Ok(Some(
            Description::new(summary, severity).with_detail(super::json(&detail)?),
        ))
    }
}

fn metrics(before: &ModelInfo, after: &ModelInfo) -> Vec<MetricChange> {
    let names: std::collections::BTreeSet<&String> =
        before.metrics.keys().chain(after.metrics.keys()).collect();
    let finite = |info: &ModelInfo, name: &str| {
        info.metrics
            .get(name)
            .map(|metric| metric.value())
            .filter(|value| value.is_finite())
    };
    names
        .into_iter()
        .map(|name| MetricChange {
            name: name.clone(),
            a: finite(before, name),
            b: finite(after, name),
        })
        .filter(|metric| metric.a != metric.b)
        .collect()
}

/// Three decimals for the eye; the detail has all of them.
fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

fn summary(detail: &Detail) -> String {
    let measured = detail.metrics.iter().filter_map(|metric| {
        let (a, b) = (rounded(metric.a?), rounded(metric.b?));
        Some(format!("{} {a} → {b}", metric.name))
    });
    let mut parts: Vec<String> = measured.collect();
    let paths: Vec<&str> = detail
        .reasons
        .iter()
        .map(|reason| reason.path.as_str())
        .collect();
    if !paths.is_empty() {
        let more = if paths.len() > NAMED { ", …" } else { "" };
        let named = paths[..paths.len().min(NAMED)].join(", ");
        parts.push(format!("changed: {named}{more}"));
    }
    if parts.is_empty() {
        "nothing that asks for a new version".to_owned()
    } else {
        parts.join("; ")
    }
}
