//! What changed between two prompts, and what that means for callers.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;

use crate::compiled::Compiled;
use crate::{Body, PromptContent};

mod lines;

pub use lines::{Change, DiffLine, Hunk};

/// What a change means for the callers of a prompt, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChangeClass {
    /// Only the inference configuration, descriptions, or how the variables are declared.
    Config,
    /// The words: text, messages, roles or the default of a variable.
    Wording,
    /// Callers may pass more: a variable with a default came, or a variable got one.
    Additive,
    /// Callers must change: a required variable came, a variable went or lost its default, or a
    /// text became a chat or the reverse.
    Breaking,
}

/// What changed from one prompt to another.
///
/// ```
/// use mainstay_prompt::{ChangeClass, Compiled, PromptContent, PromptDiff};
///
/// let a = Compiled::new(PromptContent::text("Hello {{name}}"))?;
/// let b = Compiled::new(PromptContent::text("Hello {{title}} {{name}}"))?;
/// let diff = PromptDiff::between(&a, &b);
/// assert_eq!(diff.class, Some(ChangeClass::Breaking));
/// assert_eq!(diff.variables.added, ["title"]);
/// # Ok::<(), mainstay_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PromptDiff {
    /// The gravest of all changes; `None` when the prompts are equal.
    pub class: Option<ChangeClass>,
    /// Variables that came, went, or changed between required and optional.
    pub variables: VariableChanges,
    /// Everything that differs beside the body, by path as `inference.params.temperature`.
    pub config: Vec<ConfigChange>,
    /// The lines that differ, with three lines of context; chat messages are headed by `[role]`.
    ///
    /// A body of more than 4,096 lines is shown as replaced whole.
    pub body: Vec<Hunk>,
}

/// Variables that came, went, or changed between required and optional; each list is sorted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct VariableChanges {
    /// New variables.
    pub added: Vec<String>,
    /// Variables that are gone.
    pub removed: Vec<String>,
    /// Variables that lost their default.
    pub now_required: Vec<String>,
    /// Variables that got a default.
    pub now_optional: Vec<String>,
}

/// One difference beside the body.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ConfigChange {
    /// Where, members joined by `.`.
    pub path: String,
    /// The value in the first prompt; `None` when it is not set there.
    pub a: Option<Json>,
    /// The value in the second prompt; `None` when it is not set there.
    pub b: Option<Json>,
}

impl PromptDiff {
    /// Compares `a` with `b`.
    #[must_use]
    pub fn between(a: &Compiled, b: &Compiled) -> Self {
        let (old, new) = (a.content(), b.content());
        let body = if old.body == new.body {
            Vec::new()
        } else {
            lines::hunks(&flat(&old.body), &flat(&new.body))
        };
        let variables = VariableChanges::between(a, b);
        let config = config_changes(old, new);
        let class = [
            (old != new).then_some(ChangeClass::Config),
            (old.body != new.body || defaults(old) != defaults(new))
                .then_some(ChangeClass::Wording),
            variables.class(b),
            (shape(&old.body) != shape(&new.body)).then_some(ChangeClass::Breaking),
        ];
        Self {
            class: class.into_iter().flatten().max(),
            variables,
            config,
            body,
        }
    }

    /// Reports whether the prompts are equal.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.class.is_none()
    }
}

impl VariableChanges {
    fn between(a: &Compiled, b: &Compiled) -> Self {
        let old: BTreeMap<&str, bool> = a.variables().collect();
        let new: BTreeMap<&str, bool> = b.variables().collect();
        let missing_in = |there: &BTreeMap<&str, bool>, here: &BTreeMap<&str, bool>| {
            here.keys()
                .filter(|name| !there.contains_key(**name))
                .map(|name| (*name).to_owned())
                .collect()
        };
        let turned = |to: bool| {
            new.iter()
                .filter(|(name, required)| **required == to && old.get(**name) == Some(&!to))
                .map(|(name, _)| (*name).to_owned())
                .collect()
        };
        Self {
            added: missing_in(&old, &new),
            removed: missing_in(&new, &old),
            now_required: turned(true),
            now_optional: turned(false),
        }
    }

    fn class(&self, b: &Compiled) -> Option<ChangeClass> {
        let required_added = b
            .variables()
            .any(|(name, required)| required && self.added.iter().any(|added| added == name));
        if required_added || !self.removed.is_empty() || !self.now_required.is_empty() {
            Some(ChangeClass::Breaking)
        } else if !self.added.is_empty() || !self.now_optional.is_empty() {
            Some(ChangeClass::Additive)
        } else {
            None
        }
    }
}

fn shape(body: &Body) -> std::mem::Discriminant<Body> {
    std::mem::discriminant(body)
}

fn defaults(content: &PromptContent) -> Vec<(&str, &str)> {
    content
        .variables
        .iter()
        .filter_map(|(name, variable)| Some((name.as_str(), variable.default.as_deref()?)))
        .collect()
}

/// Writes a body as one text; the role of a message stands on a line of its own.
fn flat(body: &Body) -> String {
    match body {
        Body::Text(text) => text.clone(),
        Body::Chat(messages) => messages.iter().fold(String::new(), |mut flat, message| {
            // Always ended, so that a final line break of a message is a line of its own.
            for part in ["[", message.role.as_str(), "]\n", &message.content, "\n"] {
                flat.push_str(part);
            }
            flat
        }),
    }
}

fn config_changes(a: &PromptContent, b: &PromptContent) -> Vec<ConfigChange> {
    let (old, new) = (config_leaves(a), config_leaves(b));
    let paths: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    paths
        .into_iter()
        .filter(|path| old.get(*path) != new.get(*path))
        .map(|path| ConfigChange {
            path: path.clone(),
            a: old.get(path).cloned(),
            b: new.get(path).cloned(),
        })
        .collect()
}

fn config_leaves(content: &PromptContent) -> BTreeMap<String, Json> {
    let mut leaves = BTreeMap::new();
    let mut put = |path: String, value: Option<Json>| {
        if let Some(value) = value {
            leaves.insert(path, value);
        }
    };
    let inference = &content.inference;
    put(
        "inference.provider".into(),
        inference.provider.clone().map(Json::from),
    );
    put(
        "inference.model".into(),
        inference.model.clone().map(Json::from),
    );
    put("inference.seed".into(), inference.seed.map(Json::from));
    if !inference.stop.is_empty() {
        put("inference.stop".into(), Some(inference.stop.clone().into()));
    }
    for (name, value) in &inference.params {
        // A scalar of a compiled prompt is finite, so it has JSON.
        put(
            format!("inference.params.{name}"),
            serde_json::to_value(value).ok(),
        );
    }
    for (name, variable) in &content.variables {
        let path = format!("variables.{name}");
        put(
            format!("{path}.description"),
            variable.description.clone().map(Json::from),
        );
        put(
            format!("{path}.default"),
            variable.default.clone().map(Json::from),
        );
    }
    leaves
}
