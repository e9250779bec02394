//! `mainstay model policy`

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use mainstay::registry::StagePolicy;
use mainstay::{Digest, Name, Result};
use serde::Serialize;

use crate::args;
use crate::cli::Global;
use crate::output::Answer;
use crate::text::{BOLD, Cell, PLAIN, Table, joined};

/// The longest policy file in bytes.
const MAX_BYTES: usize = 1 << 20;

#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    Show(Show),
    Set(Set),
}

/// Show the stages of a model, the ways between them, and their gates
///
/// With --json the policy is what set reads back.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay model policy show fraud")]
pub(crate) struct Show {
    /// The model; it need not have versions yet
    model: Name,
}

/// Set the stages of a model, the ways between them, their gates and protected aliases
///
/// The file is JSON, as the member policy of show --json. Approvals that were given under another policy
/// do not count any more.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay model policy set fraud policy.json --reason 'two approvals for production'")]
pub(crate) struct Set {
    /// The model; it need not have versions yet
    model: Name,
    /// The policy
    file: PathBuf,
    /// A role of whoever sets it, for policies that ask; may be repeated
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<Name>,
}

#[derive(Serialize)]
struct Document {
    model: Name,
    /// What approvals are bound to.
    digest: Digest,
    policy: StagePolicy,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
}

impl Policy {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        match self {
            Self::Show(command) => command.run(global).await,
            Self::Set(command) => command.run(global).await,
        }
    }
}

impl Show {
    async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let policy = workspace
            .repo()
            .read(|view| StagePolicy::of(view, &self.model));
        let document = Document::of(self.model.clone(), policy.await?, None)?;
        global
            .output()
            .result(&document, |out| document.write(out))?;
        Ok(Answer::Yes)
    }
}

impl Set {
    async fn run(self, global: &Global) -> Result<Answer> {
        let (actor, reason) = (global.actor()?, global.reason("set stage policy"));
        let models = global.open().await?.models();
        let policy = StagePolicy::from_json(&args::read_file(&self.file, MAX_BYTES)?)
            .map_err(|error| error.context("path", self.file.display()))?;
        let roles = self.roles.into_iter().collect();
        let set = models.set_stage_policy(&self.model, policy.clone(), actor, &roles, reason);
        let seq = set.await?;
        let document = Document::of(self.model, policy, seq)?;
        let output = global.output();
        output.result(&document, |out| document.write(out))?;
        if seq.is_none() {
            output.note("nothing had to change");
        }
        Ok(Answer::Yes)
    }
}

impl Document {
    fn of(model: Name, policy: StagePolicy, seq: Option<u64>) -> Result<Self> {
        Ok(Self {
            model,
            digest: policy.digest()?,
            policy,
            seq,
        })
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let policy = &self.policy;
        let mut table = Table::new(["stage", "leads to", "asks for"]);
        for stage in &policy.stages {
            let style = if stage.exclusive { BOLD } else { PLAIN };
            let ways = policy.transitions.get(&stage.name);
            let gates = policy.gates.get(&stage.name);
            table.row([
                Cell::new(&stage.name, style),
                joined(ways.into_iter().flatten()).into(),
                joined(gates.into_iter().flatten()).into(),
            ]);
        }
        table.write(out)?;
        for (alias, rule) in &policy.aliases {
            writeln!(
                out,
                "alias {alias}: moved by {}, to {}",
                any_or(joined(&rule.movers)),
                any_or(joined(&rule.stages))
            )?;
        }
        if !policy.setters.is_empty() {
            writeln!(out, "set by {}", joined(&policy.setters))?;
        }
        Ok(())
    }
}

fn any_or(names: String) -> String {
    if names.is_empty() {
        "any".to_owned()
    } else {
        names
    }
}
