//! Prompts with inference configuration: idempotent publishing, labels, strict rendering.
//!
//! A prompt is the text or the chat messages *and* the model parameters they were written for, as
//! one immutable, content-addressed version. Labels such as `production` point to versions and move
//! with a history. Rendering is strict and single-pass: a missing variable is an error, and a value
//! is text whatever it contains.
//!
//! ```
//! use mainstay_prompt::{Compiled, PromptContent, RenderOptions};
//!
//! let content = PromptContent::text("Answer {{name}} in one line: {{question}}")
//!     .with_param("temperature", 0.2)?;
//! let prompt = Compiled::new(content)?;
//!
//! // The question tries to read another variable; it stays text.
//! let rendered = prompt.render(
//!     [("name", "Ada"), ("question", "what is {{name}}?")],
//!     &RenderOptions::default(),
//! )?;
//! assert_eq!(
//!     rendered.output().as_text(),
//!     Some("Answer Ada in one line: what is {{name}}?")
//! );
//!
//! // A forgotten variable never reaches the model.
//! assert!(prompt.render([("name", "Ada")], &RenderOptions::default()).is_err());
//! # Ok::<(), mainstay_core::Error>(())
//! ```
//!
//! Know [`PromptContent`] (what is hashed), [`Compiled`] (what renders), [`Prompts`] (the versions in
//! a repository) and [`PromptDiff`] (what a change means for callers).
//!
//! The template language is `{{variable}}` and nothing else: no conditions, loops, filters or
//! includes, and no formatting of numbers; pass text. The crate calls no model and counts no tokens.

mod compiled;
mod content;
mod diff;
mod file;
mod prompts;
mod record;
mod render;
mod scalar;
mod template;
mod unique_map;

pub use compiled::Compiled;
pub use content::{
    Body, Dialect, Inference, MAX_CONTENT_BYTES, Message, PromptContent, Role, Variable,
};
pub use diff::{Change, ChangeClass, ConfigChange, DiffLine, Hunk, PromptDiff, VariableChanges};
pub use prompts::{
    LabelChange, LabelExpectation, LogLine, PromptSummary, PromptVersion, Prompts, Published,
};
pub use render::{ExtraVariables, Output, RenderError, RenderOptions, Rendered};
pub use scalar::Scalar;
pub use template::{ParseError, ParseErrorKind};
