//! `mainstay run start`

use clap::Args;
use mainstay::registry::run::RunSpec;
use mainstay::repo::View;
use mainstay::{Locator, Name, Result, Timestamp};

use super::or_now;
use crate::args::{self, Commit, Pair, Slot};
use crate::cli::Global;
use crate::commands::resolve;
use crate::output::Answer;

/// Begin a run: a training or an evaluation
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay run start churn --input payments@7 --input validation=payments@6 --param depth=6
  mainstay run start churn --id nightly-12 --code training@9f31c2a --env trainer --seed numpy=42")]
pub(crate) struct Start {
    /// The experiment it belongs to
    experiment: Name,
    /// What it is called there [default: the next number]
    #[arg(long)]
    id: Option<Name>,
    /// What it uses, a dataset in the role train unless said; may be repeated
    #[arg(long = "input", value_name = "[ROLE=]REF", value_parser = Slot::input)]
    inputs: Vec<Slot>,
    /// The commit that runs; REPO is the experiment's name unless said
    #[arg(long, value_name = "[REPO@]COMMIT")]
    code: Option<Commit>,
    /// The working tree has changes beyond the commit
    #[arg(long, requires = "code")]
    dirty: bool,
    /// The environment it runs in
    #[arg(long, value_name = "REF", value_parser = args::env)]
    env: Option<Locator>,
    /// A hyperparameter: a JSON scalar, or else text; may be repeated
    #[arg(long = "param", value_name = "KEY=VALUE")]
    params: Vec<Pair>,
    /// The seed of a source of random numbers; may be repeated
    #[arg(long = "seed", value_name = "KEY=NUMBER")]
    seeds: Vec<Pair>,
    /// A free label; may be repeated
    #[arg(long = "tag", value_name = "KEY=VALUE")]
    tags: Vec<Pair>,
    /// Free text
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    description: String,
    /// When it began, as 2026-11-24T09:00:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
}

impl Start {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let view = workspace.repo().view().await?;
        let spec = self.spec(&view, global).await?;
        let started = workspace.runs().start(spec).await?;
        let output = global.output();
        output.result(&started, |out| writeln!(out, "{}", started.run))?;
        Ok(Answer::Yes)
    }

    async fn spec(self, view: &View, global: &Global) -> Result<RunSpec> {
        let reason = global.reason(format!("start run of {}", self.experiment));
        let started = or_now(self.at);
        let mut spec = RunSpec::new(self.experiment, started, global.actor()?, reason)
            .with_description(self.description);
        spec.id = self.id;
        for Slot { role, reference } in self.inputs {
            spec = spec.with_input(role, resolve(view, &reference).await?);
        }
        if let Some(code) = self.code {
            let (repository, commit) = code.or_in(&spec.experiment);
            spec = spec.with_code(repository, commit);
        }
        if self.dirty {
            spec = spec.with_dirty_code();
        }
        if let Some(env) = &self.env {
            spec = spec.with_environment(resolve(view, env).await?);
        }
        spec.parameters = args::collect(self.params, "param", |text| Ok(args::scalar(text)))?;
        spec.seeds = args::collect(self.seeds, "seed", args::count)?;
        spec.tags = args::texts(self.tags, "tag")?;
        Ok(spec)
    }
}
