//! Prompts: variables, configuration, text.

use async_trait::async_trait;
use mainstay_core::{NodeRef, Result};
use mainstay_lineage::change::{Describe, Description, Section, Severity};
use mainstay_prompt::{Change, ChangeClass, ConfigChange, Hunk, PromptDiff, VariableChanges};
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
        let config = diff.config.iter().map(configured);
        let description = Description::new(summary(&diff), severity)
            .with_detail(super::json(&diff)?)
            .with_section(Section::list("variables", variables(&diff.variables)))
            .with_section(Section::list("configuration", config))
            .with_section(Section::hunks("text", diff.body.iter().flat_map(lines)));
        Ok(Some(description))
    }
}

fn summary(diff: &PromptDiff) -> String {
    let mut parts = variables(&diff.variables);
    parts.extend(diff.config.iter().map(configured));
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

fn variables(changes: &VariableChanges) -> Vec<String> {
    let kinds = [
        ("added", &changes.added),
        ("removed", &changes.removed),
        ("is required now", &changes.now_required),
        ("is optional now", &changes.now_optional),
    ];
    let told = kinds.into_iter().flat_map(|(how, names)| {
        let names = names.iter();
        names.map(move |name| format!("variable {name} {how}"))
    });
    told.collect()
}

fn configured(change: &ConfigChange) -> String {
    let value = |value: &Option<serde_json::Value>| {
        let value = value.as_ref();
        value.map_or_else(|| "unset".to_owned(), ToString::to_string)
    };
    format!(
        "{}: {} → {}",
        change.path,
        value(&change.a),
        value(&change.b)
    )
}

/// One hunk as in a unified diff.
fn lines(hunk: &Hunk) -> impl Iterator<Item = String> {
    let head = format!("@@ -{} +{} @@", hunk.a_line, hunk.b_line);
    let lines = hunk.lines.iter().map(|line| {
        let sign = match line.change {
            Change::Same => ' ',
            Change::Removed => '-',
            Change::Added => '+',
        };
        format!("{sign}{}", line.text.trim_end_matches(['\r', '\n']))
    });
    std::iter::once(head).chain(lines)
}
