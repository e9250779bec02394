//! `mainstay model alias`

use std::collections::BTreeMap;
use std::io::{self, Write};

use clap::{ArgGroup, Args};
use mainstay::registry::{self, AliasChange, AliasReport, AliasSpec};
use mainstay::{Error, Locator, Name, NodeKind, NodeRef, Result, Selector, Workspace};
use serde::Serialize;

use super::expectation;
use crate::args::Expected;
use crate::cli::Global;
use crate::commands::moment::At;
use crate::output::Answer;
use crate::text::{Cell, DIM, Table, or_dash, when};

/// Show where aliases point; point one to a version, or remove it
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("change").args(["version", "remove"]).conflicts_with_all(["history", "moment"]),
    after_long_help = "\
Example:
  mainstay model alias fraud
  mainstay model alias fraud champion --history
  mainstay model alias fraud champion --at 2026-01-01T00:00:00Z
  mainstay model alias fraud champion 1.2.0
  mainstay model alias fraud champion latest --expect 1.1.0
  mainstay model alias fraud challenger --remove"
)]
pub(crate) struct Alias {
    /// The model
    model: Name,
    /// Show this alias only, or change it
    #[arg(value_name = "ALIAS")]
    name: Option<Name>,
    /// The version it is to point to: a version, another alias, a stage, sha256:… or latest
    version: Option<Selector>,
    /// Refuse unless it points to this version, or to none
    #[arg(long, value_name = "VERSION|none", requires = "version")]
    expect: Option<Expected>,
    /// Remove the alias
    #[arg(long, requires = "name")]
    remove: bool,
    /// A role of whoever moves it, for policies that ask; may be repeated
    #[arg(long = "role", value_name = "ROLE", requires = "change")]
    roles: Vec<Name>,
    /// Show where the alias pointed, newest first
    #[arg(long, requires = "name")]
    history: bool,
    #[command(flatten)]
    moment: At,
}

#[derive(Serialize)]
struct Aliases<'a> {
    model: &'a Name,
    aliases: BTreeMap<Name, NodeRef>,
}

#[derive(Serialize)]
struct Pointer<'a> {
    model: &'a Name,
    alias: &'a Name,
    /// `None` when there is no such alias now.
    to: Option<&'a NodeRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<Vec<AliasChange>>,
}

#[derive(Serialize)]
struct Changed<'a> {
    model: &'a Name,
    #[serde(flatten)]
    report: &'a AliasReport,
}

impl Alias {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        match &self.name {
            Some(alias) if self.remove || self.version.is_some() => {
                self.change(global, &workspace, alias).await
            }
            alias => self.show(global, &workspace, alias.as_ref()).await,
        }
    }

    async fn show(
        &self,
        global: &Global,
        workspace: &Workspace,
        alias: Option<&Name>,
    ) -> Result<Answer> {
        let model = &self.model;
        let view = self.moment.view(workspace).await?;
        let aliases = view.read(|view| registry::aliases(view, model)).await?;
        let output = global.output();
        let Some(alias) = alias else {
            let document = Aliases { model, aliases };
            output.result(&document, |out| table(&document.aliases, out))?;
            if document.aliases.is_empty() {
                output.note("no aliases");
            }
            return Ok(Answer::Yes);
        };
        let history = if self.history {
            let mut changes = workspace.models().alias_history(model, alias).await?;
            changes.retain(|change| change.seq <= view.seq());
            Some(changes)
        } else {
            None
        };
        let to = aliases.get(alias);
        if to.is_none() && history.as_ref().is_none_or(Vec::is_empty) {
            return Err(Error::not_found("alias", alias).context("model", model));
        }
        let document = Pointer {
            model,
            alias,
            to,
            history,
        };
        output.result(&document, |out| document.write(out))?;
        Ok(Answer::Yes)
    }

    async fn change(&self, global: &Global, workspace: &Workspace, alias: &Name) -> Result<Answer> {
        let (model, actor) = (&self.model, global.actor()?);
        let models = workspace.models();
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
        let document = Changed {
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

fn table(aliases: &BTreeMap<Name, NodeRef>, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(["alias", "version"]);
    for (alias, version) in aliases {
        table.row([alias.into(), version.into()]);
    }
    table.write(out)
}

impl Pointer<'_> {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{} -> {}", self.alias, or_dash(self.to))?;
        let Some(history) = &self.history else {
            return Ok(());
        };
        writeln!(out)?;
        let mut moves = Table::new(["version", "time", "actor", "reason"]);
        for change in history {
            moves.row([
                or_dash(change.to.as_ref()).into(),
                Cell::new(when(change.time), DIM),
                (&change.actor).into(),
                (&change.reason).into(),
            ]);
        }
        moves.write(out)
    }
}
