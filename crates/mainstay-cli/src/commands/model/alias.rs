//! `mainstay model alias`

use clap::Args;
use mainstay::registry::{AliasReport, AliasSpec};
use mainstay::{Locator, Name, NodeKind, Result, Selector};
use serde::Serialize;

use super::expectation;
use crate::args::Expected;
use crate::cli::Global;
use crate::output::Answer;
use crate::text::or_dash;

/// Point an alias to a version, or remove it
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay model alias fraud champion 1.2.0
  mainstay model alias fraud champion latest --expect 1.1.0
  mainstay model alias fraud challenger --remove")]
pub(crate) struct Alias {
    /// The model
    model: Name,
    /// The alias
    #[arg(value_name = "ALIAS")]
    name: Name,
    /// The version it is to point to: a version, another alias, a stage, sha256:… or latest
    #[arg(required_unless_present = "remove", conflicts_with = "remove")]
    version: Option<Selector>,
    /// Refuse unless it points to this version, or to none
    #[arg(long, value_name = "VERSION|none", conflicts_with = "remove")]
    expect: Option<Expected>,
    /// Remove the alias
    #[arg(long)]
    remove: bool,
    /// A role of whoever moves it, for policies that ask; may be repeated
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<Name>,
}

#[derive(Serialize)]
struct Document<'a> {
    model: &'a Name,
    #[serde(flatten)]
    report: &'a AliasReport,
}

impl Alias {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let (model, alias) = (&self.model, &self.name);
        let actor = global.actor()?;
        let models = global.open().await?.models();
        let report = if let Some(selector) = &self.version {
            let locator = Locator {
                kind: Some(NodeKind::Model),
                name: model.clone(),
                selector: selector.clone(),
            };
            let reason = global.reason(format!("set alias {alias}"));
            let mut spec = AliasSpec::new(locator, alias.clone(), actor, reason)
                .with_expect(expectation(self.expect.as_ref())?);
            spec.roles = self.roles.iter().cloned().collect();
            models.set_alias(spec).await?
        } else {
            let reason = global.reason(format!("remove alias {alias}"));
            let roles = self.roles.iter().cloned().collect();
            let removed = models.remove_alias(model, alias, actor, &roles, reason);
            removed.await?
        };
        let document = Document {
            model,
            report: &report,
        };
        let output = global.output();
        output.result(&document, |out| {
            writeln!(out, "{alias} -> {}", or_dash(report.to.as_ref()))
        })?;
        if report.seq.is_none() {
            output.note("nothing had to change");
        }
        Ok(Answer::Yes)
    }
}
