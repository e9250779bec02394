//! `mainstay model annotate`

use std::sync::Arc;

use clap::{ArgGroup, Args, ValueEnum};
use mainstay::registry::{AnnotateSpec, ModelInfo, Restated};
use mainstay::{Error, Locator, Result, Timestamp};
use serde::Serialize;

use crate::args::{self, Pair};
use crate::cli::Global;
use crate::output::Answer;
use crate::text::{BOLD, Cell, Fields, when};

/// Set tags, description, owner, purpose and expiry of a version after its registration
///
/// The record of the version stays as it is, and so does its digest: what is set lies over it. Searches,
/// gates and cards see it. What was set before stands in the history: mainstay history
/// model/NAME/annotation/VERSION. The lineage goes on leading from the owner of the registration to it.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("what").args(["tags", "untags", "description", "owner", "purpose", "expires", "unset"]).multiple(true).required(true),
    after_long_help = "\
Example:
  mainstay model annotate fraud@1.2.0 --tag reviewed=yes --untag todo
  mainstay model annotate fraud@production --description 'until the summer' --reason 'asked by risk'
  mainstay model annotate fraud@1.2.0 --owner risk --unset expires"
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
    /// Who answers for it, instead of whom it has
    #[arg(long, value_name = "WHO")]
    owner: Option<String>,
    /// What it is for, instead of what it has
    #[arg(long, value_name = "TEXT")]
    purpose: Option<String>,
    /// From when on it should not be used any more, as 2027-01-01T00:00:00Z
    #[arg(long, value_name = "TIME")]
    expires: Option<Timestamp>,
    /// It has none any more; may be repeated
    #[arg(long, value_name = "WHAT")]
    unset: Vec<Stated>,
}

/// What a version may have or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Stated {
    Owner,
    Purpose,
    Expires,
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
                .with_some("owner", info.owner.as_ref())
                .with_some("purpose", info.purpose.as_ref())
                .with_some("expires", info.expires.map(when))
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
        let unset = |what| self.unset.contains(&what);
        spec.owner = restated("owner", self.owner, unset(Stated::Owner))?;
        spec.purpose = restated("purpose", self.purpose, unset(Stated::Purpose))?;
        spec.expires = restated("expires", self.expires, unset(Stated::Expires))?;
        Ok(spec)
    }
}

fn restated<T>(what: &'static str, stated: Option<T>, unset: bool) -> Result<Restated<T>> {
    match (stated, unset) {
        (Some(_), true) => Err(Error::invalid("both set and unset").context("what", what)),
        (Some(value), false) => Ok(Restated::As(value)),
        (None, true) => Ok(Restated::Absent),
        (None, false) => Ok(Restated::AsRegistered),
    }
}
