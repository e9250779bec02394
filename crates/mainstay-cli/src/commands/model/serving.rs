//! `mainstay model serving`, `mainstay model heartbeat`

use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use mainstay::registry;
use mainstay::registry::serving::{HeartbeatSpec, Of, Serving as Found};
use mainstay::repo::View;
use mainstay::{Error, Locator, Name, NodeRef, Result, Selector, Timestamp};
use serde::Serialize;

use crate::args;
use crate::cli::Global;
use crate::output::Answer;
use crate::text::{BAD, Cell, DIM, Table, joined, when};

/// List which service serves which version, as the services say
///
/// All that is served, or who serves any version of a model, or one version.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay model serving
  mainstay model serving fraud@1.2.0 --stale-after 5m
  mainstay model serving --service checkout")]
pub(crate) struct Serving {
    /// A model, or one of its versions, as name@selector
    #[arg(value_name = "MODEL|REF")]
    what: Option<What>,
    /// What this service serves
    #[arg(long, value_name = "NAME", conflicts_with = "what")]
    service: Option<Name>,
    /// Mark instances that were not heard of for so long, as 90s, 5m, 2h or 1d
    #[arg(long, value_name = "TIME", value_parser = args::duration)]
    stale_after: Option<Duration>,
}

/// Say what an instance of a service serves
///
/// All that it serves, nothing when it stops. The log has an entry when that is something else than the
/// instance said before; otherwise it only says that it is alive.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay model heartbeat checkout pod-7 fraud@1.2.0 churn@3.0.1
  mainstay model heartbeat checkout pod-7")]
pub(crate) struct Heartbeat {
    /// The service
    service: Name,
    /// Which instance of it
    instance: Name,
    /// What it serves, by exact version or digest: names move
    #[arg(value_name = "REF", value_parser = args::model)]
    models: Vec<Locator>,
}

/// A model, or one of its versions.
#[derive(Debug, Clone)]
enum What {
    Model(Name),
    Version(Locator),
}

impl FromStr for What {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let locator = args::model(text)?;
        Ok(if text.contains('@') {
            Self::Version(locator)
        } else {
            Self::Model(locator.name)
        })
    }
}

#[derive(Serialize)]
struct Document {
    /// When this was asked.
    now: Timestamp,
    serving: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    #[serde(flatten)]
    found: Found,
    #[serde(skip_serializing_if = "Option::is_none")]
    stale: Option<bool>,
}

impl Serving {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let of = match (self.what, self.service) {
            (Some(What::Model(model)), _) => Of::Model(model),
            (Some(What::Version(locator)), _) => {
                let view = workspace.repo().view().await?;
                Of::Version(version(&view, &locator).await?)
            }
            (None, Some(service)) => Of::Service(service),
            (None, None) => Of::Everything,
        };
        let found = workspace.models().serving(&of).await?;
        let now = workspace.repo().now();
        let line = |found: Found| Line {
            stale: self.stale_after.map(|after| found.is_stale(now, after)),
            found,
        };
        let document = Document {
            now,
            serving: found.into_iter().map(line).collect(),
        };
        let output = global.output();
        output.result(&document, |out| {
            let mut table = Table::new(["service", "instance", "model", "since", "seen", ""]);
            for Line { found, stale } in &document.serving {
                let mark = if *stale == Some(true) { "stale" } else { "" };
                table.row([
                    (&found.deployment.service).into(),
                    (&found.deployment.instance).into(),
                    (&found.deployment.model).into(),
                    Cell::new(when(found.since), DIM),
                    Cell::new(when(found.seen), DIM),
                    Cell::new(mark, BAD),
                ]);
            }
            table.write(out)
        })?;
        if document.serving.is_empty() {
            output.note("no service says so");
        }
        Ok(Answer::Yes)
    }
}

impl Heartbeat {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let view = workspace.repo().view().await?;
        let mut spec = HeartbeatSpec::new(self.service, self.instance, global.actor()?);
        for locator in &self.models {
            spec = spec.with_model(exact(&view, locator).await?);
        }
        let heartbeat = workspace.models().heartbeat(spec).await?;
        global.output().result(&heartbeat, |out| {
            if heartbeat.seq.is_none() {
                return writeln!(out, "serves what it served");
            }
            for (what, models) in [("began", &heartbeat.began), ("ended", &heartbeat.ended)] {
                if !models.is_empty() {
                    writeln!(out, "{what} {}", joined(models))?;
                }
            }
            Ok(())
        })?;
        Ok(Answer::Yes)
    }
}

/// The version that a reference means; one that is spelled out, also when it is deleted.
async fn version(view: &View, locator: &Locator) -> Result<NodeRef> {
    view.read(|view| registry::resolve_ever(view, locator))
        .await
}

/// The version that a reference spells out; refuses one that may mean another tomorrow.
async fn exact(view: &View, locator: &Locator) -> Result<NodeRef> {
    let version = version(view, locator).await?;
    let is_exact = match &locator.selector {
        Selector::Digest(_) => true,
        Selector::Named(name) => name == version.version(),
        _ => false,
    };
    if is_exact {
        Ok(version)
    } else {
        let why = "say the exact version: another name may mean another one meanwhile";
        Err(Error::invalid(why)
            .context("reference", locator)
            .context("version now", version))
    }
}
