//! Rendering: strict about variables, one pass, bounded output.

use std::fmt;

use mainstay_core::{Digest, Error, Result, canon};
use serde::Serialize;

use crate::compiled::Variables;
use crate::template::Template;
use crate::{Message, Role};

/// How to render.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RenderOptions {
    /// What to do with values for variables the prompt does not have.
    pub extra_variables: ExtraVariables,
    /// The most bytes the output may have, over all messages.
    pub max_output_bytes: usize,
}

/// What to do with values for variables the prompt does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ExtraVariables {
    /// Refuse to render: such a value is a misspelled or removed variable.
    #[default]
    Refuse,
    /// Leave them out, for callers that pass one set of values to many prompts.
    Ignore,
}

impl Default for RenderOptions {
    /// Refuses extra variables; 8 MiB.
    fn default() -> Self {
        Self {
            extra_variables: ExtraVariables::Refuse,
            max_output_bytes: 8 << 20,
        }
    }
}

impl RenderOptions {
    /// Sets what to do with values for variables the prompt does not have.
    #[must_use]
    pub fn with_extra_variables(mut self, extra_variables: ExtraVariables) -> Self {
        self.extra_variables = extra_variables;
        self
    }

    /// Sets the most bytes the output may have.
    #[must_use]
    pub fn with_max_output_bytes(mut self, bytes: usize) -> Self {
        self.max_output_bytes = bytes;
        self
    }
}

/// Why a prompt was not rendered. Holds names of variables, never values.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RenderError {
    /// The values do not fit the variables; each list is sorted, at least one is not empty.
    #[non_exhaustive]
    Variables {
        /// Without a value and without a default.
        missing: Vec<String>,
        /// Given, but the prompt has no such variable.
        unknown: Vec<String>,
        /// Given more than once.
        repeated: Vec<String>,
    },
    /// The output would be too long.
    #[non_exhaustive]
    TooLong {
        /// The most bytes the output may have.
        max_output_bytes: usize,
    },
}

impl fmt::Display for RenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variables {
                missing,
                unknown,
                repeated,
            } => {
                let mut separator = "";
                for (what, names) in [
                    ("missing", missing),
                    ("unknown", unknown),
                    ("given twice", repeated),
                ] {
                    if !names.is_empty() {
                        let names = names.join(", ");
                        write!(f, "{separator}{what}: {}", names.escape_debug())?;
                        separator = "; ";
                    }
                }
                Ok(())
            }
            Self::TooLong { max_output_bytes } => {
                write!(f, "the output would exceed {max_output_bytes} bytes")
            }
        }
    }
}

impl std::error::Error for RenderError {}

impl From<RenderError> for Error {
    /// An [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) error.
    fn from(error: RenderError) -> Self {
        let message = match &error {
            RenderError::Variables { .. } => format!("variables do not fit the prompt: {error}"),
            RenderError::TooLong { .. } => error.to_string(),
        };
        Self::invalid(message).with_source(error)
    }
}

/// A rendered prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    prompt: Digest,
    output: Output,
}

/// What rendering gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Output {
    /// The text of a text prompt.
    Text(String),
    /// The messages of a chat prompt, as many and with the same roles as the prompt has.
    Messages(Vec<Message>),
}

impl Output {
    /// Returns the text of a text prompt.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Messages(_) => None,
        }
    }

    /// Returns the messages of a chat prompt.
    #[must_use]
    pub fn as_messages(&self) -> Option<&[Message]> {
        match self {
            Self::Text(_) => None,
            Self::Messages(messages) => Some(messages),
        }
    }
}

impl Rendered {
    /// Returns the text or the messages.
    #[must_use]
    pub fn output(&self) -> &Output {
        &self.output
    }

    /// Returns the text or the messages, owned.
    #[must_use]
    pub fn into_output(self) -> Output {
        self.output
    }

    /// Returns the digest of the prompt that was rendered.
    #[must_use]
    pub fn prompt(&self) -> Digest {
        self.prompt
    }

    /// Computes the receipt: SHA-256 of the canonical JSON `{"output": …, "prompt": "sha256:…"}`.
    ///
    /// It shows later that exactly this output came from exactly this prompt, without storing either.
    /// It does not hide the values from a guesser: whoever knows the prompt can render each likely
    /// value and compare. Computed on demand; complexity: O(output).
    ///
    /// # Errors
    /// None for any output of this crate; the canonical encoder's signature is kept.
    pub fn receipt(&self) -> Result<Digest> {
        #[derive(Serialize)]
        struct Receipt<'a> {
            output: &'a Output,
            prompt: Digest,
        }
        canon::digest(&Receipt {
            output: &self.output,
            prompt: self.prompt,
        })
    }
}

/// The parsed body.
#[derive(Debug, Clone)]
pub(crate) enum Parts {
    Text(Template),
    Chat(Vec<(Role, Template)>),
}

impl Parts {
    pub(crate) fn renumber(&mut self, order: &[usize]) {
        match self {
            Self::Text(template) => template.renumber(order),
            Self::Chat(messages) => {
                for (_, template) in messages {
                    template.renumber(order);
                }
            }
        }
    }

    fn rendered_bytes(&self, length_of: impl Fn(usize) -> usize) -> Option<usize> {
        match self {
            Self::Text(template) => template.rendered_bytes(length_of),
            Self::Chat(messages) => messages.iter().try_fold(0_usize, |total, (_, template)| {
                total.checked_add(template.rendered_bytes(&length_of)?)
            }),
        }
    }
}

pub(crate) fn render<K: AsRef<str>, V: AsRef<str>>(
    prompt: Digest,
    parts: &Parts,
    variables: &Variables,
    values: impl IntoIterator<Item = (K, V)>,
    options: &RenderOptions,
) -> Result<Rendered, RenderError> {
    let given = Given::collect(variables, values, options)?;
    let value_of = |variable: usize| given.value(variables, variable);
    let length_of = |variable: usize| value_of(variable).len();
    let bytes = parts
        .rendered_bytes(length_of)
        .filter(|bytes| *bytes <= options.max_output_bytes)
        .ok_or(RenderError::TooLong {
            max_output_bytes: options.max_output_bytes,
        })?;
    let output = match parts {
        Parts::Text(template) => {
            let mut text = String::with_capacity(bytes);
            template.render_into(&mut text, value_of);
            Output::Text(text)
        }
        Parts::Chat(messages) => Output::Messages(
            messages
                .iter()
                .map(|(role, template)| {
                    let bytes = template.rendered_bytes(length_of).unwrap_or_default();
                    let mut content = String::with_capacity(bytes);
                    template.render_into(&mut content, value_of);
                    Message {
                        role: *role,
                        content,
                    }
                })
                .collect(),
        ),
    };
    Ok(Rendered { prompt, output })
}

/// The given value of each variable, by its index; every variable without one has a default.
struct Given<V>(Vec<Option<V>>);

impl<V: AsRef<str>> Given<V> {
    fn collect<K: AsRef<str>>(
        variables: &Variables,
        values: impl IntoIterator<Item = (K, V)>,
        options: &RenderOptions,
    ) -> Result<Self, RenderError> {
        let names = &variables.names;
        let mut slots: Vec<Option<V>> = Vec::new();
        slots.resize_with(names.len(), || None);
        let (mut unknown, mut repeated) = (Vec::new(), Vec::new());
        for (name, value) in values {
            let name = name.as_ref();
            match names.binary_search_by(|known| (**known).cmp(name)) {
                Ok(index) if slots[index].is_none() => slots[index] = Some(value),
                Ok(_) => repeated.push(name.to_owned()),
                Err(_) if options.extra_variables == ExtraVariables::Refuse => {
                    unknown.push(name.to_owned());
                }
                Err(_) => {}
            }
        }
        let missing: Vec<String> = (0..names.len())
            .filter(|&index| slots[index].is_none() && variables.defaults[index].is_none())
            .map(|index| names[index].to_string())
            .collect();
        if missing.is_empty() && unknown.is_empty() && repeated.is_empty() {
            return Ok(Self(slots));
        }
        unknown.sort_unstable();
        unknown.dedup();
        repeated.sort_unstable();
        repeated.dedup();
        Err(RenderError::Variables {
            missing,
            unknown,
            repeated,
        })
    }

    fn value<'v>(&'v self, variables: &'v Variables, index: usize) -> &'v str {
        match &self.0[index] {
            Some(value) => value.as_ref(),
            // Checked by `collect`: a variable without value has a default.
            None => variables.defaults[index].as_deref().unwrap_or_default(),
        }
    }
}
