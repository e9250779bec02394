//! `mainstay deploy unit`

use crate::commands::resolve;
use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use mainstay::repo::View;
use mainstay::rollout::{self, CreatedUnit, UnitSpec, Units};
use mainstay::{Error, Locator, Name, NodeKind, NodeRef, Result};
use serde::Serialize;

use crate::args::{self, Slot};
use crate::cli::Global;
use crate::output::Answer;
use crate::text::{BOLD, Cell, DIM, Fields, Line, Table, joined, when};

/// The longest configuration that is read, in bytes.
const MAX_CONFIG_BYTES: usize = 1 << 20;

#[derive(Debug, Subcommand)]
pub(crate) enum Unit {
    Create(Box<Create>),
    Show(Show),
    List(List),
}

/// Bundle components as the next version of a unit
///
/// A unit is served as one and rolled back as one. Components are fixed versions: production means the
/// version that is in production now. A unit equal to the latest version is that version.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay deploy unit create support --model intent@production --prompt support@production \\
      --data faq --env server --code web@9f31c2a
  mainstay deploy unit create search --model ranker --component reranker=model:cross@2.0.0")]
pub(crate) struct Create {
    /// The unit
    name: Name,
    /// The model
    #[arg(long, value_name = "REF", value_parser = args::model)]
    model: Option<Locator>,
    /// The prompt
    #[arg(long, value_name = "REF", value_parser = args::prompt)]
    prompt: Option<Locator>,
    /// The data
    #[arg(long, value_name = "REF", value_parser = args::data)]
    data: Option<Locator>,
    /// The environment
    #[arg(long, value_name = "REF", value_parser = args::env)]
    env: Option<Locator>,
    /// The code
    #[arg(long, value_name = "REPO@COMMIT", value_parser = args::code)]
    code: Option<NodeRef>,
    /// Any other component, as reranker=model:cross@2.0.0; may be repeated
    #[arg(long = "component", value_name = "SLOT=REF")]
    components: Vec<Slot>,
    /// A JSON object that a service needs to know besides; no secrets
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Show one unit and its components
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay deploy unit show support@2")]
pub(crate) struct Show {
    /// The unit, as name@selector
    #[arg(value_name = "REF", value_parser = args::unit)]
    reference: Locator,
}

/// List the units
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay deploy unit list")]
pub(crate) struct List {}

#[derive(Serialize)]
struct Created<'a> {
    #[serde(flatten)]
    unit: &'a CreatedUnit,
    components: &'a BTreeMap<Name, NodeRef>,
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    unit: &'a rollout::Unit,
    /// What models are called by now that were renamed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    called: &'a BTreeMap<NodeRef, Name>,
}

#[derive(Serialize)]
struct Listing {
    units: Vec<Summary>,
}

#[derive(Serialize)]
struct Summary {
    unit: Name,
    versions: usize,
    latest: rollout::Unit,
}

impl Unit {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        match self {
            Self::Create(command) => command.run(global).await,
            Self::Show(command) => command.run(global).await,
            Self::List(command) => command.run(global).await,
        }
    }
}

impl Create {
    async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let view = workspace.repo().view().await?;
        let spec = self.spec(&view).await?;
        let components = spec.components.clone();
        let reason = global.reason(format!("create unit {}", spec.name));
        let units = workspace.units();
        let unit = units.create(spec, global.actor()?, &reason).await?;
        let document = Created {
            unit: &unit,
            components: &components,
        };
        let output = global.output();
        output.result(&document, |out| {
            writeln!(out, "{BOLD}{}{BOLD:#}", unit.node)?;
            write_components(&components, &BTreeMap::new(), out)
        })?;
        if !unit.created {
            output.note("the content is the latest version's: no new version was made");
        }
        Ok(Answer::Yes)
    }

    async fn spec(self, view: &View) -> Result<UnitSpec> {
        let mut spec = UnitSpec::new(self.name);
        let named = [
            (NodeKind::Model, self.model),
            (NodeKind::Prompt, self.prompt),
            (NodeKind::Data, self.data),
            (NodeKind::Env, self.env),
        ];
        for (kind, reference) in named {
            if let Some(reference) = reference {
                let node = resolve(view, &reference).await?;
                spec = spec.with_component(kind.as_str().parse()?, node);
            }
        }
        if let Some(code) = self.code {
            spec = spec.with_component(NodeKind::Code.as_str().parse()?, code);
        }
        for Slot { role, reference } in self.components {
            if spec.components.contains_key(&role) {
                return Err(Error::invalid("given twice").context("component", role));
            }
            spec = spec.with_component(role, resolve(view, &reference).await?);
        }
        if let Some(path) = &self.config {
            let bytes = args::read_file(path, MAX_CONFIG_BYTES)?;
            let config = serde_json::from_slice(&bytes).map_err(|error| {
                Error::invalid("the configuration is not a JSON object")
                    .context("path", path.display())
                    .with_source(error)
            })?;
            spec = spec.with_config(config);
        }
        Ok(spec)
    }
}

impl Show {
    async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let unit = workspace.units().get(&self.reference).await?;
        let view = workspace.repo().view().await?;
        let find = |view: &View| mainstay::called(view, unit.components.values());
        let called = view.read(find).await?;
        let document = Shown {
            unit: &unit,
            called: &called,
        };
        global.output().result(&document, |out| {
            Fields::new()
                .with("unit", Cell::new(&unit.node, BOLD))
                .with("digest", unit.digest)
                .with("created", when(unit.created_at))
                .write(out)?;
            write_components(&unit.components, &called, out)?;
            unit.config.iter().try_for_each(|(key, value)| {
                writeln!(out, "  {}: {}", Line(key), Line(&value.to_string()))
            })
        })?;
        Ok(Answer::Yes)
    }
}

impl List {
    async fn run(self, global: &Global) -> Result<Answer> {
        let view = global.open().await?.repo().view().await?;
        view.load(NodeKind::Unit.as_str()).await?;
        let mut units = Vec::new();
        for name in Units::names(&view)? {
            let mut versions = Units::versions(&view, &name)?;
            let count = versions.len();
            units.extend(versions.pop().map(|latest| Summary {
                unit: name,
                versions: count,
                latest,
            }));
        }
        let document = Listing { units };
        let output = global.output();
        output.result(&document, |out| {
            let mut table =
                Table::new(["unit", "latest", "created", "components"]).numbers_in(&[1]);
            for unit in &document.units {
                table.row([
                    (&unit.unit).into(),
                    unit.latest.node.version().into(),
                    Cell::new(when(unit.latest.created_at), DIM),
                    joined(unit.latest.components.values()).into(),
                ]);
            }
            table.write(out)
        })?;
        if document.units.is_empty() {
            output.note("no units; see mainstay deploy unit create");
        }
        Ok(Answer::Yes)
    }
}

fn write_components(
    components: &BTreeMap<Name, NodeRef>,
    called: &BTreeMap<NodeRef, Name>,
    out: &mut dyn std::io::Write,
) -> std::io::Result<()> {
    components
        .iter()
        .fold(Fields::new(), |fields, (slot, node)| {
            let shown = match called.get(node) {
                Some(name) => format!("{node} (called {name} now)"),
                None => node.to_string(),
            };
            fields.with(slot.as_str(), shown)
        })
        .write(out)
}
