//! `mainstay model show`

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{self, Write};
use std::sync::Arc;

use clap::Args;
use mainstay::registry::signature::Schema;
use mainstay::registry::signing::{self, StoredSignature};
use mainstay::registry::{self, Metric, ModelInfo, Parent, Relation};
use mainstay::{Locator, NodeRef, Result};
use serde::Serialize;

use super::note_name;
use crate::args;
use crate::cli::Global;
use crate::commands::moment::At;
use crate::output::Answer;
use crate::text::{BOLD, Cell, Fields, files, when};

/// Show one version and everything known about it
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay model show fraud@production
  mainstay model show fraud@production --at 2026-01-01T00:00:00Z")]
pub(crate) struct Show {
    /// The model version, as name@selector
    #[arg(value_name = "REF", value_parser = args::model)]
    reference: Locator,
    #[command(flatten)]
    moment: At,
}

impl Show {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let view = self.moment.view(&global.open().await?).await?;
        let reference = &self.reference;
        let read = |view: &_| {
            Ok(Document {
                info: Arc::unwrap_or_clone(registry::show(view, reference)?),
                signatures: signing::signatures(view, reference)?,
            })
        };
        let document = view.read(read).await?;
        let output = global.output();
        output.result(&document, |out| write(&document, out))?;
        note_name(global, &reference.name, &document.info.model);
        Ok(Answer::Yes)
    }
}

#[derive(Serialize)]
struct Document {
    #[serde(flatten)]
    info: ModelInfo,
    signatures: Vec<StoredSignature>,
}

fn write(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    let Document { info, signatures } = document;
    let record = &info.record;
    let data = record.data.iter();
    let parents = record.parents.iter();
    let code = record.code.as_ref().map(|code| {
        let dirty = if code.dirty { " (dirty)" } else { "" };
        format!("{}{dirty}", code.node())
    });
    let bump = record.bump.as_ref();
    let signature = record.signature.clone().unwrap_or_default();
    let renamed = Some(&info.model).filter(|model| *model != info.node.name());
    let about = Some(&info.description).filter(|about| !about.is_empty());
    Fields::new()
        .with("version", Cell::new(&info.node, BOLD))
        .with_some("model", renamed)
        .with("digest", info.digest)
        .with("stage", &info.stage)
        .with_all("aliases", &info.aliases)
        .with("made", when(info.registered))
        .with_some("author", record.author.as_ref())
        .with_some("about", about)
        .with_all(
            "data",
            data.map(|used| format!("{}={}", used.role, used.data)),
        )
        .with_some("code", code)
        .with_some("env", record.environment.as_ref())
        .with_some("run", record.run.as_ref().map(|made| made.run.clone()))
        .with_some("step", record.run.as_ref().and_then(|made| made.step))
        .with_some("owner", info.owner.as_ref())
        .with_some("purpose", info.purpose.as_ref())
        .with_some("expires", info.expires.map(when))
        .with_all(
            "parents",
            parents.map(|parent| made_from(parent, &record.weights)),
        )
        .with_all("params", pairs(&record.parameters))
        .with_all("seeds", pairs(&record.seeds))
        .with_all("metrics", pairs(&info.metrics))
        .with_all("tags", pairs(&info.tags))
        .with_all("takes", names(signature.inputs.as_ref()))
        .with_all("gives", names(signature.outputs.as_ref()))
        .with_some(
            "bump",
            bump.map(|b| format!("{} above {}", b.inferred, b.previous)),
        )
        .with("reproducibility", record.reproducibility)
        .with_all(
            "signed by",
            signatures.iter().map(|signature| signature.key),
        )
        .write(out)?;
    writeln!(out)?;
    let entries = record.artifact.files.iter();
    files(
        out,
        entries.map(|file| (file.path.to_string(), file.bytes, file.digest)),
    )
}

/// Shows a parent, how the version was made from it, and how much it weighed where it was merged.
pub(super) fn made_from(parent: &Parent, weights: &BTreeMap<NodeRef, Metric>) -> String {
    let Parent {
        model, relation, ..
    } = parent;
    let merged = (*relation == Relation::Merge)
        .then(|| weights.get(model))
        .flatten();
    match merged {
        Some(weight) => format!("{model} ({relation} {weight})"),
        None => format!("{model} ({relation})"),
    }
}

fn pairs<V: Display>(map: &BTreeMap<String, V>) -> impl Iterator<Item = String> {
    map.iter().map(|(key, value)| format!("{key}={value}"))
}

/// The names of columns or tensors; those without one by their place, from 1.
fn names(schema: Option<&Schema>) -> Vec<String> {
    let names: Vec<Option<&String>> = match schema {
        Some(Schema::Columns(columns)) => columns.iter().map(|c| c.name.as_ref()).collect(),
        Some(Schema::Tensors(tensors)) => tensors.iter().map(|t| t.name.as_ref()).collect(),
        None => Vec::new(),
    };
    let numbered = (1..).zip(names);
    numbered
        .map(|(place, name): (usize, _)| name.map_or_else(|| format!("#{place}"), Clone::clone))
        .collect()
}
