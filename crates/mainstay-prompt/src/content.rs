//! What a prompt is: the part that is hashed.

use std::collections::BTreeMap;
use std::fmt;

use mainstay_core::{Digest, Error, Result, canon};
use serde::{Deserialize, Serialize};

use crate::record::Record;
use crate::{Scalar, template, unique_map};

/// The largest prompt in bytes: of a file, and of its canonical JSON.
pub const MAX_CONTENT_BYTES: usize = 1 << 20;

/// A prompt: its body, its variables, and the inference configuration it was written for.
///
/// Holds neither name nor author nor time, so the same content has the same
/// [digest](Self::digest) everywhere. The JSON form is what `docs/formats/prompt.md` specifies;
/// members at their default are left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PromptContent {
    /// The template language of the body.
    #[serde(default)]
    pub dialect: Dialect,
    /// The text or the messages.
    pub body: Body,
    /// The declared variables; empty when they are derived from the body.
    ///
    /// When not empty, they are exactly the variables the body uses.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "unique_map::deserialize"
    )]
    pub variables: BTreeMap<String, Variable>,
    /// What to call the model with.
    #[serde(default, skip_serializing_if = "Inference::is_empty")]
    pub inference: Inference,
}

/// The template language of a body; always said, never guessed from the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Dialect {
    /// `{{variable}}` is replaced by a value, everything else is text.
    #[default]
    Vars,
}

/// The body of a prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Body {
    /// One text.
    Text(String),
    /// Messages in order, at least one.
    Chat(Vec<Message>),
}

/// One chat message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::exhaustive_structs,
    reason = "an on-storage record; a new field is a new format version"
)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: String,
}

/// Who speaks in a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Role {
    /// Instructions of the operator.
    System,
    /// Instructions of the developer, where a provider tells them apart.
    Developer,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// The result of a tool.
    Tool,
}

/// What is declared about a variable.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Variable {
    /// What belongs in it, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The value when none is given; without it the variable is required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}

/// What to call the model with; part of the digest.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Inference {
    /// Who serves the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Which model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Parameters by name, as `temperature`; JSON scalars.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "unique_map::deserialize"
    )]
    pub params: BTreeMap<String, Scalar>,
    /// Texts that end generation, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    /// The seed of sampling, within ±(2⁵³ − 1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
}

impl PromptContent {
    /// Creates a prompt of one text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(Body::Text(text.into()))
    }

    /// Creates a prompt of messages.
    #[must_use]
    pub fn chat(messages: impl IntoIterator<Item = (Role, String)>) -> Self {
        let messages = messages
            .into_iter()
            .map(|(role, content)| Message { role, content });
        Self::new(Body::Chat(messages.collect()))
    }

    fn new(body: Body) -> Self {
        Self {
            dialect: Dialect::Vars,
            body,
            variables: BTreeMap::new(),
            inference: Inference::default(),
        }
    }

    /// Declares a variable.
    #[must_use]
    pub fn with_variable(mut self, name: impl Into<String>, variable: Variable) -> Self {
        self.variables.insert(name.into(), variable);
        self
    }

    /// Sets the inference configuration.
    #[must_use]
    pub fn with_inference(mut self, inference: Inference) -> Self {
        self.inference = inference;
        self
    }

    /// Sets one parameter of the inference configuration.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when a number is not finite.
    pub fn with_param(mut self, name: &str, value: impl Into<Scalar>) -> Result<Self> {
        let value = value.into();
        value.validate(name)?;
        self.inference.params.insert(name.into(), value);
        Ok(self)
    }

    /// Computes the digest: SHA-256 of the canonical JSON of the record that publishing writes.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when a number has no canonical JSON.
    pub fn digest(&self) -> Result<Digest> {
        canon::digest(&Record::new(self))
    }

    /// Checks everything but the template syntax, which [`Compiled::new`](crate::Compiled::new) does.
    pub(crate) fn validate(&self) -> Result<()> {
        match &self.body {
            Body::Text(text) if text.is_empty() => {
                return Err(Error::invalid("the prompt is empty"));
            }
            Body::Chat(messages) if messages.is_empty() => {
                return Err(Error::invalid("the prompt has no messages"));
            }
            _ => {}
        }
        for name in self.variables.keys() {
            if !template::is_variable(name) {
                return Err(Error::invalid(
                    "bad variable name: expected [A-Za-z_][A-Za-z0-9_.-]*, at most 128 bytes",
                )
                .context("variable", name.escape_debug()));
            }
        }
        for (name, value) in &self.inference.params {
            value.validate(name)?;
        }
        let bytes = canon::to_vec(self)?.len();
        if bytes > MAX_CONTENT_BYTES {
            return Err(too_large(bytes));
        }
        Ok(())
    }
}

pub(crate) fn too_large(bytes: usize) -> Error {
    Error::invalid("the prompt is larger than 1 MiB").context("bytes", bytes)
}

impl Variable {
    /// Sets what belongs in the variable.
    #[must_use]
    pub fn with_description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Sets the value when none is given.
    #[must_use]
    pub fn with_default(mut self, default: impl Into<String>) -> Self {
        self.default = Some(default.into());
        self
    }
}

impl Inference {
    /// Reports whether nothing is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Sets who serves the model, and which.
    #[must_use]
    pub fn with_model(mut self, provider: impl Into<String>, model: impl Into<String>) -> Self {
        self.provider = Some(provider.into());
        self.model = Some(model.into());
        self
    }

    /// Sets the texts that end generation.
    #[must_use]
    pub fn with_stop(mut self, stop: impl IntoIterator<Item = String>) -> Self {
        self.stop = stop.into_iter().collect();
        self
    }

    /// Sets the seed of sampling.
    #[must_use]
    pub fn with_seed(mut self, seed: i64) -> Self {
        self.seed = Some(seed);
        self
    }
}

impl Role {
    /// Returns the printed form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Developer => "developer",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
