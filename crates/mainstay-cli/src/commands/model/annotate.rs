//! `mainstay model annotate`

use std::sync::Arc;

use clap::{ArgGroup, Args};
use mainstay::registry::{AnnotateSpec, ModelInfo};
use mainstay::{Error, Locator, Result};
use serde::Serialize;

use crate::args::{self, Pair};
use crate::cli::Global;
use crate::output::Answer;
use crate::text::{BOLD, Cell, Fields};

/// Set tags and the description of a version after its registration
///
/// The record of the version stays as it is, and so does its digest: what is set lies over it. Searches,
/// gates and cards see it.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("what").args(["tags", "untags", "description"]).multiple(true).required(true),
    after_long_help = "\
Example:
  mainstay model annotate fraud@1.2.0 --tag reviewed=yes --untag todo
  mainstay model annotate fraud@production --description 'until the summer' --reason 'asked by risk'"
)]
pub(crate) struct Annotate {
    /// The model version, as name@selector
    #[arg(value_name = "REF", value_parser = args::model)]
    reference: Locator,
    /// A free label; may be repeated
    #[arg(long = "tag", value_name = "KEY=VALUE")]
    tags: Vec<Pair>,
    /// Remove a label; may be repeated
    #[arg(long = "untag", value_name = "KEY")]
    untags: Vec<String>,
    /// Free text, instead of what it has
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
}

#[derive(Serialize)]
struct Document {
    #[serde(flatten)]
    info: ModelInfo,
    /// The log entry; `None` when nothing had to change.
    annotated: Option<u64>,
}

impl Annotate {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let models = global.open().await?.models();
        let reason = global.reason(format!("annotate {}", self.reference));
        let spec = AnnotateSpec::new(self.reference.clone(), global.actor()?, reason);
        let (node, annotated) = models.annotate(self.fill(spec)?).await?;
        let info = Arc::unwrap_or_clone(models.show(&node.into()).await?);
        let document = Document { info, annotated };
        let output = global.output();
        output.result(&document, |out| {
            let info = &document.info;
            let about = Some(&info.description).filter(|about| !about.is_empty());
            let tags = info.tags.iter();
            Fields::new()
                .with("version", Cell::new(&info.node, BOLD))
                .with_some("about", about)
                .with_all("tags", tags.map(|(key, value)| format!("{key}={value}")))
                .write(out)
        })?;
        if annotated.is_none() {
            output.note("nothing had to change");
        }
        Ok(Answer::Yes)
    }

    fn fill(self, mut spec: AnnotateSpec) -> Result<AnnotateSpec> {
        for (key, value) in args::texts(self.tags, "tag")? {
            spec = spec.with_tag(key, value);
        }
        for key in self.untags {
            if spec.tags.get(&key).is_some_and(Option::is_some) {
                return Err(Error::invalid("both set and removed").context("tag", key));
            }
            spec = spec.without_tag(key);
        }
        spec.description = self.description;
        Ok(spec)
    }
}
