//! What a change of one kind means, from the crates that know the kinds.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use mainstay_core::{Error, NodeKind, NodeRef, Result};
use mainstay_repo::Value;
use serde::Serialize;

use super::diff::{Difference, JsonDiff, diff};
use super::section::Section;

/// How much a change matters, for the order in which changes are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(
    clippy::exhaustive_enums,
    reason = "an order to sort by; describers of other crates choose from all of it"
)]
pub enum Severity {
    /// Nothing changed.
    None,
    /// Behavior should be the same.
    Low,
    /// Behavior may differ.
    Medium,
    /// Likely the cause of a difference: drift, a broken contract, a missing part.
    High,
}

impl Severity {
    /// Returns the printed form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// What a change means.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Description {
    /// In one line.
    pub summary: String,
    /// In full, for programs.
    pub detail: serde_json::Value,
    /// How much it matters.
    pub severity: Severity,
    /// In full, for people.
    pub sections: Vec<Section>,
}

impl Description {
    /// Creates a description without detail.
    #[must_use]
    pub fn new(summary: impl Into<String>, severity: Severity) -> Self {
        Self {
            summary: summary.into(),
            detail: serde_json::Value::Null,
            severity,
            sections: Vec::new(),
        }
    }

    /// Sets the detail.
    #[must_use]
    pub fn with_detail(mut self, detail: serde_json::Value) -> Self {
        self.detail = detail;
        self
    }

    /// Adds a section of details, unless it has no lines.
    #[must_use]
    pub fn with_section(mut self, section: Section) -> Self {
        if !section.lines.is_empty() {
            self.sections.push(section);
        }
        self
    }

    pub(super) fn unchanged() -> Self {
        Self::new("unchanged", Severity::None)
    }
}

/// Says what a change from one version to another of its kind means.
///
/// # How to implement
/// Both versions are of the kind the describer was given for, they differ, and either may be missing
/// from the repository. Return `None` to have their records compared member by member. Reading blobs
/// is fine; writing is not.
#[async_trait]
pub trait Describe: fmt::Debug + Send + Sync {
    /// Describes the change from `a` to `b`.
    async fn describe(&self, a: &NodeRef, b: &NodeRef) -> Result<Option<Description>>;
}

/// A describer for each kind that has one.
#[derive(Debug, Clone, Default)]
pub struct Describers(BTreeMap<NodeKind, Arc<dyn Describe>>);

impl Describers {
    /// Creates a set without describers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the describer of a kind.
    #[must_use]
    pub fn with(mut self, kind: NodeKind, describer: Arc<dyn Describe>) -> Self {
        self.0.insert(kind, describer);
        self
    }

    pub(super) async fn describe(&self, a: &NodeRef, b: &NodeRef) -> Result<Option<Description>> {
        match self.0.get(&b.kind()) {
            Some(describer) if a.kind() == b.kind() => describer.describe(a, b).await,
            _ => Ok(None),
        }
    }
}

/// Describes a change by the records of both sides, where there are any.
pub(super) fn records(
    a: &NodeRef,
    before: Option<&Value>,
    b: &NodeRef,
    after: Option<&Value>,
) -> Result<Description> {
    let severity = match b.kind() {
        NodeKind::Code | NodeKind::Env => Severity::Low,
        _ => Severity::Medium,
    };
    let (Some(before), Some(after)) = (before, after) else {
        let summary = if a.name() == b.name() {
            format!("{} → {}", a.version(), b.version())
        } else {
            format!("{a} → {b}")
        };
        return Ok(Description::new(summary, severity));
    };
    let found = diff(&before.record, &after.record);
    let severity = if found.is_empty() {
        Severity::Low
    } else {
        severity
    };
    let detail = serde_json::to_value(&found)
        .map_err(|error| Error::invalid("the difference is not JSON").with_source(error))?;
    let differences = found.differences.iter().map(ToString::to_string);
    let omitted = (found.omitted > 0).then(|| format!("… and {} more", found.omitted));
    let section = Section::list("differences", differences.chain(omitted));
    Ok(Description::new(summary(&found), severity)
        .with_detail(detail)
        .with_section(section))
}

fn summary(diff: &JsonDiff) -> String {
    const SHOWN: usize = 3;
    let total = diff.differences.len() as u64 + diff.omitted;
    let shown: Vec<String> = diff
        .differences
        .iter()
        .take(SHOWN)
        .map(Difference::to_string)
        .collect();
    match total {
        0 => "the records are the same".to_owned(),
        1..=3 => shown.join("; "),
        _ => format!("{}; and {} more", shown.join("; "), total - SHOWN as u64),
    }
}
