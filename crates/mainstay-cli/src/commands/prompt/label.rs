//! `mainstay prompt label`

use clap::Args;
use mainstay::prompt::LabelExpectation;
use mainstay::{Name, NodeKind, NodeRef, Result, Selector};
use serde::Serialize;

use crate::args::Expected;
use crate::cli::Global;
use crate::output::Answer;
use crate::text::or_dash;

/// Point a label to a version, or remove it
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay prompt label support production 3
  mainstay prompt label support production latest --expect 3
  mainstay prompt label support staging --remove")]
pub(crate) struct Label {
    /// The prompt
    #[arg(value_name = "KEY")]
    name: Name,
    /// The label
    #[arg(value_name = "LABEL")]
    pointer: Name,
    /// The version it is to point to: a number, another label, sha256:… or latest
    #[arg(required_unless_present = "remove", conflicts_with = "remove")]
    version: Option<Selector>,
    /// Refuse unless it points to this version, or to none
    #[arg(long, value_name = "VERSION|none")]
    expect: Option<Expected>,
    /// Remove the label
    #[arg(long)]
    remove: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    prompt: &'a Name,
    label: &'a Name,
    to: Option<&'a NodeRef>,
}

impl Label {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let (name, label) = (&self.name, &self.pointer);
        let expected = self.expectation();
        let actor = global.actor()?;
        let workspace = global.open().await?;
        let prompts = workspace.prompts();
        let to = if let Some(to) = &self.version {
            let reason = global.reason(format!("set label {label}"));
            let set = prompts.set_label(name, label, to, &expected, actor, &reason);
            Some(set.await?)
        } else {
            let reason = global.reason(format!("remove label {label}"));
            let removed = prompts.remove_label(name, label, &expected, actor, &reason);
            removed.await.map(|_| None)?
        };
        let document = Document {
            prompt: name,
            label,
            to: to.as_ref(),
        };
        global.output().result(&document, |out| {
            writeln!(out, "{label} -> {}", or_dash(to.as_ref()))
        })?;
        Ok(Answer::Yes)
    }

    fn expectation(&self) -> LabelExpectation {
        match &self.expect {
            None => LabelExpectation::Any,
            Some(Expected::Nothing) => LabelExpectation::Absent,
            Some(Expected::Version(version)) => LabelExpectation::At(NodeRef::new(
                NodeKind::Prompt,
                self.name.clone(),
                version.clone(),
            )),
        }
    }
}
