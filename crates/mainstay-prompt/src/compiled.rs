//! A prompt ready to render: every template parsed, every variable known.

use std::collections::BTreeMap;

use mainstay_core::{Digest, Error, Result};

use crate::render::{self, Parts};
use crate::template::{ParseError, Template};
use crate::{Body, PromptContent, RenderError, RenderOptions, Rendered};

/// A prompt ready to render. Immutable; share it in an [`Arc`](std::sync::Arc).
#[derive(Debug, Clone)]
pub struct Compiled {
    content: PromptContent,
    digest: Digest,
    variables: Variables,
    parts: Parts,
}

/// The variables of a prompt in name order, with their defaults.
#[derive(Debug, Clone, Default)]
pub(crate) struct Variables {
    pub(crate) names: Box<[Box<str>]>,
    pub(crate) defaults: Box<[Option<Box<str>>]>,
}

impl Compiled {
    /// Checks and parses `content`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when
    /// * the body is empty, or the canonical JSON is larger than 1 MiB;
    /// * a template does not parse: the source is a [`ParseError`] with line and column;
    /// * variables are declared and differ from those the body uses;
    /// * a parameter is not finite, or the seed is beyond ±(2⁵³ − 1).
    pub fn new(content: PromptContent) -> Result<Self> {
        content.validate()?;
        let mut found = BTreeMap::new();
        let mut parse = |text: &str| {
            Template::parse(text, |name| {
                let next = found.len();
                *found.entry(Box::from(name)).or_insert(next)
            })
        };
        let mut parts = match &content.body {
            Body::Text(text) => Parts::Text(parse(text)?),
            Body::Chat(messages) => Parts::Chat(
                messages
                    .iter()
                    .enumerate()
                    .map(|(index, message)| {
                        let parsed = parse(&message.content).map_err(|error| ParseError {
                            message: Some(index + 1),
                            ..error
                        })?;
                        Ok((message.role, parsed))
                    })
                    .collect::<Result<_>>()?,
            ),
        };
        parts.renumber(&by_name(&found));
        let variables = Variables::new(found.into_keys(), &content)?;
        Ok(Self {
            digest: content.digest()?,
            content,
            variables,
            parts,
        })
    }

    /// Renders with `values`, pairs of variable and value in any order.
    ///
    /// The output is the body's literals and the values, each copied once: a value is never scanned,
    /// so `{{other}}` or a role marker inside one stays text. Complexity: O(output + v log v) for v
    /// variables; for a text, one allocation of the output's exact size beside the table of values.
    ///
    /// # Errors
    /// [`RenderError::Variables`] listing every variable that is missing, unknown or given twice;
    /// [`RenderError::TooLong`] when the output would exceed
    /// [`max_output_bytes`](RenderOptions::max_output_bytes).
    pub fn render<K, V>(
        &self,
        values: impl IntoIterator<Item = (K, V)>,
        options: &RenderOptions,
    ) -> Result<Rendered, RenderError>
    where
        K: AsRef<str>,
        V: AsRef<str>,
    {
        render::render(self.digest, &self.parts, &self.variables, values, options)
    }

    /// Returns what was compiled.
    #[must_use]
    pub fn content(&self) -> &PromptContent {
        &self.content
    }

    /// Returns the digest of the content.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Iterates over the variables in name order; `true` beside those without a default.
    pub fn variables(&self) -> impl Iterator<Item = (&str, bool)> {
        self.variables
            .names
            .iter()
            .zip(&self.variables.defaults)
            .map(|(name, default)| (&**name, default.is_none()))
    }
}

impl Variables {
    fn new(names: impl Iterator<Item = Box<str>>, content: &PromptContent) -> Result<Self> {
        let names: Box<[Box<str>]> = names.collect();
        let declared = &content.variables;
        if !declared.is_empty() {
            let undeclared = names.iter().find(|name| !declared.contains_key(&***name));
            if let Some(name) = undeclared {
                return Err(
                    Error::invalid("the body uses a variable that is not declared")
                        .context("variable", name),
                );
            }
            let unused = declared
                .keys()
                .find(|name| names.binary_search_by(|n| (**n).cmp(name)).is_err());
            if let Some(name) = unused {
                return Err(
                    Error::invalid("a declared variable is not used in the body")
                        .context("variable", name),
                );
            }
        }
        let default = |name| declared.get(name)?.default.as_deref().map(Box::from);
        Ok(Self {
            defaults: names.iter().map(|name| default(&**name)).collect(),
            names,
        })
    }
}

/// Maps the order of first use to the order by name.
fn by_name(found: &BTreeMap<Box<str>, usize>) -> Vec<usize> {
    let mut order = vec![0; found.len()];
    for (by_name, by_use) in found.values().enumerate() {
        order[*by_use] = by_name;
    }
    order
}
