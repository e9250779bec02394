//! `mainstay model resolve`

use std::str::FromStr;

use clap::Args;
use mainstay::registry::{self, model_name};
use mainstay::repo::View;
use mainstay::{Error, Locator, Name, NodeRef, Result};
use serde::Serialize;

use super::note_name;
use crate::args;
use crate::cli::Global;
use crate::commands::moment::At;
use crate::output::Answer;

/// Find the version that a name means, and pin it
///
/// Prints model:name@version, which means this version for ever. After the @ stands a version, an alias, a
/// stage, the beginning of a version, sha256:…, latest, or a requirement: the highest version that meets it.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay model resolve fraud@production
  mainstay model resolve fraud@^1.2
  mainstay model resolve 'fraud@>=1.2, <2' --at 2026-01-01T00:00:00Z")]
pub(crate) struct Resolve {
    /// The model version, as name@selector or name@requirement
    #[arg(value_name = "REF|NAME@REQUIREMENT")]
    wanted: Wanted,
    #[command(flatten)]
    moment: At,
}

#[derive(Debug, Clone)]
enum Wanted {
    Version(Locator),
    /// The highest that meets a requirement, as Cargo writes them.
    Highest(Name, String),
}

impl FromStr for Wanted {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let is_requirement = |text: &str| {
            text.trim_start()
                .starts_with(['^', '~', '=', '<', '>', '*'])
        };
        match text.split_once('@') {
            Some((model, requirement)) if is_requirement(requirement) => {
                let model = args::model(model)?.name;
                Ok(Self::Highest(model, requirement.to_owned()))
            }
            _ => args::model(text).map(Self::Version),
        }
    }
}

#[derive(Serialize)]
struct Document<'a> {
    node: &'a NodeRef,
    /// What the model is called.
    model: &'a Name,
    version: &'a Name,
}

impl Resolve {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let view = self.moment.view(&global.open().await?).await?;
        let (said, node) = match self.wanted {
            Wanted::Version(locator) => {
                let find = |view: &View| registry::resolve(view, &locator);
                (locator.name.clone(), view.read(find).await?)
            }
            Wanted::Highest(model, text) => {
                let requirement = text.parse().map_err(|error| {
                    Error::invalid("not a requirement such as ^1.2")
                        .context("requirement", &text)
                        .with_source(error)
                })?;
                let find = |view: &View| registry::resolve_req(view, &model, &requirement);
                let found = view.read(find).await?;
                (model, found)
            }
        };
        let model = view.read(|view| model_name(view, node.name())).await?;
        let document = Document {
            node: &node,
            model: &model,
            version: node.version(),
        };
        let output = global.output();
        output.result(&document, |out| writeln!(out, "{node}"))?;
        note_name(global, &said, &model);
        Ok(Answer::Yes)
    }
}
