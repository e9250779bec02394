//! `mainstay prompt render`

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::Path;

use clap::Args;
use mainstay::prompt::{Output, RenderOptions};
use mainstay::{Digest, Locator, NodeRef, Result};
use serde::Serialize;
use serde_json::Value as Json;

use crate::args::{self, Pair};
use crate::cli::Global;
use crate::output::Answer;

/// Fill in the variables of a prompt
///
/// A missing and an unknown variable are errors. Values are never interpreted. A text is written byte
/// for byte; messages are headed by their role.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay prompt render support@production --var name=Ada --var-file question=question.txt")]
pub(crate) struct Render {
    /// The prompt version, as key@selector
    #[arg(value_name = "REF", value_parser = args::prompt)]
    reference: Locator,
    /// The value of a variable; may be repeated
    #[arg(long = "var", value_name = "KEY=VALUE")]
    variables: Vec<Pair>,
    /// A file that holds the value of a variable; may be repeated
    #[arg(long = "var-file", value_name = "KEY=PATH")]
    variable_files: Vec<Pair>,
}

#[derive(Serialize)]
struct Document<'a> {
    node: &'a NodeRef,
    version: Json,
    prompt_digest: Digest,
    /// Either `text` or `messages`.
    #[serde(flatten)]
    output: &'a Output,
    receipt: Digest,
}

impl Render {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let options = RenderOptions::default();
        let values = self.values(options.max_output_bytes)?;
        let workspace = global.open().await?;
        let version = workspace.prompts().get(&self.reference).await?;
        let rendered = version.prompt.render(&values, &options)?;
        let document = Document {
            node: &version.node,
            version: args::version(&version.node),
            prompt_digest: version.digest,
            receipt: rendered.receipt()?,
            output: rendered.output(),
        };
        global
            .output()
            .verbatim(&document, &text(rendered.output()))?;
        Ok(Answer::Yes)
    }

    fn values(&self, limit: usize) -> Result<BTreeMap<String, String>> {
        let files = self.variable_files.iter().map(|Pair { key, value }| {
            let value = args::read_text(Path::new(value), limit)?;
            let key = key.clone();
            Ok(Pair { key, value })
        });
        let mut pairs = self.variables.clone();
        pairs.extend(files.collect::<Result<Vec<_>>>()?);
        args::texts(pairs, "variable")
    }
}

fn text(output: &Output) -> String {
    match output {
        Output::Text(text) => {
            // A shell's prompt shall not stand on the last line; a file shall hold nothing more.
            let closed = text.ends_with('\n') || !std::io::stdout().is_terminal();
            format!("{text}{}", if closed { "" } else { "\n" })
        }
        Output::Messages(messages) => {
            let blocks = messages
                .iter()
                .map(|m| format!("[{}]\n{}\n", m.role, m.content));
            blocks.collect::<Vec<_>>().concat()
        }
        _ => String::new(),
    }
}
