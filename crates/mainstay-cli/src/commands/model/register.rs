//! `mainstay model register`

mod parent;
mod signature;
mod tell;

use std::mem;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use mainstay::registry::signature::CompatOptions;
use mainstay::registry::{self, ModelSpec, files_at};
use mainstay::repo::View;
use mainstay::{Error, Locator, Name, Result, Timestamp};

use self::parent::Parent;
use self::signature::Stated;
use self::tell::Document;
use super::note_name;
use crate::args::{self, Commit, Pair, Slot};
use crate::cli::Global;
use crate::commands::resolve;
use crate::output::Answer;

/// Register a model version: its files, and what it was made from
///
/// The version number follows from the differences to the version before: another signature, other
/// files, other hyperparameters. --bump may ask for more, not for less.
///
/// Where data, code, parameters, seeds and environment are those of an earlier version and the files are
/// not, the training is not deterministic; the tensors that differ are named.
#[derive(Debug, Args)]
#[command(after_long_help = "\
How a model was made from a parent, fine_tune unless said:
  fine_tune, continue, distill, merge, quantize, prune, convert, checkpoint, copy

Example:
  mainstay model register fraud model.safetensors --data payments@7 --data validation=payments@6 \\
      --code training@9f31c2a --env trainer --param depth=6 --seed numpy=42 --metric auc=0.93 \\
      --signature signature.json
  mainstay model register fraud epoch-3.safetensors --run fraud@7 --step 3000
  mainstay model register fraud small/ --parent fraud@1.2.0=distill --data payments
  mainstay model register fraud merged/ --parent fraud@2.0.0=merge:0.7 --parent scams=merge:0.3
  mainstay model register fraud model.bin --signature-from payments@7 --outputs is_fraud")]
pub(crate) struct Register {
    /// The model
    name: Name,
    /// Its file, or a directory whose files are taken
    #[arg(required_unless_present = "upload")]
    path: Option<PathBuf>,
    /// It is the first version of a model that is new, also when another one had the name
    #[arg(long)]
    new: bool,
    /// Take the files of this upload too, and end it; see model upload
    #[arg(long, value_name = "ID")]
    upload: Option<Name>,
    /// Data it was made from, role train unless said; may be repeated
    #[arg(long, value_name = "[ROLE=]REF", value_parser = Slot::data)]
    data: Vec<Slot>,
    /// The commit it was made with; REPO is the model's name unless said
    #[arg(long, value_name = "[REPO@]COMMIT")]
    code: Option<Commit>,
    /// The working tree had changes beyond the commit
    #[arg(long, requires = "code")]
    dirty: bool,
    /// The environment it was made in
    #[arg(long, value_name = "REF", value_parser = args::env)]
    env: Option<Locator>,
    /// A hyperparameter: a JSON scalar, or else text; may be repeated
    #[arg(long = "param", value_name = "KEY=VALUE")]
    params: Vec<Pair>,
    /// The seed of a source of random numbers; may be repeated
    #[arg(long = "seed", value_name = "KEY=NUMBER")]
    seeds: Vec<Pair>,
    /// What was measured; may be repeated
    #[arg(long = "metric", value_name = "KEY=NUMBER")]
    metrics: Vec<Pair>,
    /// The data on which the metrics were measured
    #[arg(long, value_name = "REF", value_parser = args::data, requires = "metrics")]
    measured_on: Option<Locator>,
    /// A model it was made from, how, and how much it weighed where it was merged; may be repeated
    #[arg(long = "parent", value_name = "REF[=RELATION[:WEIGHT]]")]
    parents: Vec<Parent>,
    /// The run that made it
    #[arg(long = "run", value_name = "RUN", value_parser = args::run)]
    made_by: Option<Locator>,
    /// The step that the run had reached
    #[arg(
        long,
        value_name = "N",
        requires = "made_by",
        allow_negative_numbers = true
    )]
    step: Option<i64>,
    /// Who answers for it
    #[arg(long, value_name = "WHO")]
    owner: Option<String>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    purpose: Option<String>,
    /// From when on it should not be used any more, as 2027-01-01T00:00:00Z
    #[arg(long, value_name = "TIME")]
    expires: Option<Timestamp>,
    #[command(flatten)]
    signature: Stated,
    /// Those who serve it refuse inputs that they do not know, so that to drop one is a major change
    #[arg(long)]
    strict_inputs: bool,
    /// auto, major, minor, patch, or the exact version
    #[arg(long, value_name = "LEVEL", default_value = "auto")]
    bump: Bump,
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
}

#[derive(Debug, Clone)]
struct Bump(registry::Bump);

impl FromStr for Bump {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "auto" {
            return Ok(Self(registry::Bump::Auto));
        }
        if let Ok(level) = text.parse() {
            return Ok(Self(registry::Bump::Declared(level)));
        }
        let exact = text.parse().map(registry::Bump::Exact).map(Self);
        exact.map_err(|error| {
            Error::invalid("expected auto, major, minor, patch, or a version as 1.2.0")
                .with_source(error)
        })
    }
}

impl Register {
    pub(crate) async fn run(mut self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let view = workspace.repo().view().await?;
        let files = match &self.path {
            Some(path) => files_at(path).await?,
            None => Vec::new(),
        };
        let (name, signature) = (self.name.clone(), mem::take(&mut self.signature));
        let mut spec = self.spec(&view, global).await?.with_files(files);
        let origin = signature.set(&mut spec, &workspace, &view).await?;
        let registered = workspace.models().register(spec).await?;
        let document = Document {
            registered: &registered,
            signature_from: origin.as_ref(),
        };
        let output = global.output();
        output.result(&document, |out| document.write(out))?;
        note_name(global, &name, &registered.model);
        Ok(Answer::Yes)
    }

    async fn spec(self, view: &View, global: &Global) -> Result<ModelSpec> {
        let reason = global.reason(format!("register {}", self.name));
        let mut spec = ModelSpec::new(self.name, global.actor()?, reason)
            .with_bump(self.bump.0)
            .with_compat(CompatOptions::default().with_strict_inputs(self.strict_inputs))
            .with_description(self.description);
        spec.upload = self.upload;
        spec.new_model = self.new;
        for Slot { role, reference } in self.data {
            spec = spec.with_data(role, resolve(view, &reference).await?);
        }
        if let Some(code) = self.code {
            let (repository, commit) = code.or_in(&spec.model);
            spec = spec.with_code(repository, commit);
        }
        if self.dirty {
            spec = spec.with_dirty_code();
        }
        if let Some(env) = &self.env {
            spec = spec.with_environment(resolve(view, env).await?);
        }
        for parent in &self.parents {
            spec = parent.add_to(spec, view).await?;
        }
        if let Some(run) = &self.made_by {
            let run = resolve(view, run).await?;
            spec = match self.step {
                Some(step) => spec.with_checkpoint(run, step),
                None => spec.with_run(run),
            };
        }
        (spec.owner, spec.purpose, spec.expires) = (self.owner, self.purpose, self.expires);
        let measured_on = match &self.measured_on {
            Some(data) => Some(resolve(view, data).await?),
            None => None,
        };
        for (name, value) in args::collect(self.metrics, "metric", args::number)? {
            spec = match measured_on.clone() {
                Some(data) => spec.with_metric_on(name, value, data),
                None => spec.with_metric(name, value),
            };
        }
        for (name, value) in args::collect(self.params, "param", |text| Ok(args::scalar(text)))? {
            spec = spec.with_parameter(name, value);
        }
        for (name, seed) in args::collect(self.seeds, "seed", args::count)? {
            spec = spec.with_seed(name, seed);
        }
        for (key, value) in args::texts(self.tags, "tag")? {
            spec = spec.with_tag(key, value);
        }
        Ok(spec)
    }
}
