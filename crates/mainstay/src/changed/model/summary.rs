//! The change of a model in one line.

use mainstay_lineage::change::{Difference, JsonDiff};
use mainstay_registry::Reason;

use super::Detail;

/// How many of a kind a summary names.
const NAMED: usize = 5;
/// The rule of a parent that weighs otherwise.
const WEIGHT: &str = "parent_weight.changed";

impl Detail {
    pub(super) fn summary(&self) -> String {
        let mut parts: Vec<String> = self.metrics.iter().map(ToString::to_string).collect();
        parts.extend(settings("", "parameters", &self.parameters));
        parts.extend(settings("seed ", "seeds", &self.seeds));
        parts.extend(self.weights());
        parts.extend(self.code.as_ref().map(ToString::to_string));
        parts.extend(self.tensors.summary());
        parts.extend(self.others());
        if parts.is_empty() {
            parts.push("nothing that asks for a new version".to_owned());
        }
        parts.extend(
            self.called
                .as_ref()
                .map(|name| format!("called {name} now")),
        );
        parts.join("; ")
    }

    /// What weighs otherwise in a merge.
    fn weights(&self) -> Vec<String> {
        let changed = self.reasons.iter().filter(|reason| reason.rule == WEIGHT);
        let told = changed.map(|reason| {
            let parent = reason.path.strip_prefix("weights.");
            let parent = parent.unwrap_or(&reason.path);
            format!("weight of {parent} {} → {}", reason.before, reason.after)
        });
        let mut told: Vec<String> = told.collect();
        let rest = told.len().saturating_sub(NAMED);
        if rest > 0 {
            told.truncate(NAMED);
            told.push(format!("{rest} more weights"));
        }
        told
    }

    /// What else asks for a new version, by its place.
    fn others(&self) -> Option<String> {
        let paths: Vec<&str> = self
            .reasons
            .iter()
            .filter(|reason| !self.tells(reason))
            .map(|reason| reason.path.as_str())
            .collect();
        let more = if paths.len() > NAMED { ", …" } else { "" };
        let named = paths[..paths.len().min(NAMED)].join(", ");
        (!paths.is_empty()).then(|| format!("changed: {named}{more}"))
    }

    /// Reports whether the line says more of it than its place.
    fn tells(&self, reason: &Reason) -> bool {
        match reason.rule.as_str() {
            "parameter.changed" => !self.parameters.is_empty(),
            "seed.changed" => !self.seeds.is_empty(),
            "code.changed" => self.code.is_some(),
            WEIGHT => true,
            _ => false,
        }
    }
}

fn settings(what: &str, plural: &str, diff: &JsonDiff) -> Vec<String> {
    let named = diff.differences.iter().take(NAMED);
    let mut told: Vec<String> = named
        .map(|one: &Difference| format!("{what}{one}"))
        .collect();
    let rest = diff.differences.len() as u64 + diff.omitted - told.len() as u64;
    if rest > 0 {
        told.push(format!("{rest} more {plural}"));
    }
    told
}
