//! Prompts: variables, configuration, text.

use async_trait::async_trait;
use mainstay_core::{NodeRef, Result};
use mainstay_lineage::change::{Describe, Description, Severity};
use mainstay_prompt::{Change, ChangeClass, PromptDiff};
use mainstay_repo::View;

use crate::Workspace;

#[derive(Debug)]
pub(super) struct DescribePrompt(pub(super) Workspace, pub(super) View);

#[async_trait]
impl Describe for DescribePrompt {
    async fn describe(&self, a: &NodeRef, b: &NodeRef) -> Result<Option<Description>> {
        let prompts = self.0.prompts();
        let (a, b) = (a.clone().into(), b.clone().into());
        let both = |view: &View| Ok((prompts.find(view, &a)?, prompts.find(view, &b)?));
        let (before, after) = self.1.read(both).await?;
        let diff = PromptDiff::between(&before.prompt, &after.prompt);
        let severity = match diff.class {
            Some(ChangeClass::Breaking) => Severity::High,
            Some(_) => Severity::Medium,
            None => Severity::None,
        };
        Ok(Some(
            Description::new(summary(&diff), severity).with_detail(super::json(&diff)?),
        ))
    }
}

fn summary(diff: &PromptDiff) -> String {
    let mut parts: Vec<String> = Vec::new();
    parts.extend(
        diff.variables
            .added
            .iter()
            .map(|name| format!("variable {name} added")),
    );
    parts.extend(
        diff.variables
            .removed
            .iter()
            .map(|name| format!("variable {name} removed")),
    );
    parts.extend(diff.config.iter().map(|change| {
        let value = |value: &Option<serde_json::Value>| {
            value
                .as_ref()
                .map_or_else(|| "unset".to_owned(), ToString::to_string)
        };
        format!(
            "{}: {} → {}",
            change.path,
            value(&change.a),
            value(&change.b)
        )
    }));
    let lines = || diff.body.iter().flat_map(|hunk| &hunk.lines);
    let added = lines().filter(|line| line.change == Change::Added).count();
    let removed = lines()
        .filter(|line| line.change == Change::Removed)
        .count();
    if added + removed > 0 {
        parts.push(format!("text: {added} lines added, {removed} removed"));
    }
    if parts.is_empty() {
        "same content".to_owned()
    } else {
        parts.join("; ")
    }
}
