//! `mainstay history`

use std::collections::BTreeMap;
use std::str::FromStr;

use clap::Args;
use futures::{StreamExt as _, TryStreamExt as _};
use mainstay::repo::{RefChange, Value};
use mainstay::{
    Actor, Error, Locator, NodeKind, NodeRef, RefPath, Result, Timestamp, Workspace, registry,
};
use serde::Serialize;
use serde_json::Value as Json;

use crate::cli::Global;
use crate::output::Answer;
use crate::text::{Cell, DIM, Table, joined, when};

/// Show every change of one ref, newest first
///
/// Tags, labels, aliases, stages and channels are refs that move; each move is kept with who made it
/// and why. A version is a ref that is written once. Of other records, as a stage or what was set on a
/// version, the members that changed are shown, old and new.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay history model/fraud/stage/production
  mainstay history channel/prod/current
  mainstay history model/fraud/annotation/1.2.0
  mainstay history model:fraud@1.2.0")]
pub(crate) struct History {
    /// The ref, as model/fraud/stage/production, or a version, as model:fraud@1.2.0
    #[arg(value_name = "REF")]
    target: Target,

    /// Show at most so many changes
    #[arg(long, short = 'n', value_name = "N")]
    limit: Option<usize>,
}

#[derive(Debug, Clone)]
enum Target {
    Path(RefPath),
    Version(Locator),
}

impl FromStr for Target {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.contains('/') {
            text.parse().map(Self::Path)
        } else {
            text.parse().map(Self::Version)
        }
    }
}

#[derive(Serialize)]
struct Document<'a> {
    path: &'a RefPath,
    changes: Vec<Change>,
}

#[derive(Serialize)]
struct Change {
    seq: u64,
    generation: u64,
    time: Timestamp,
    actor: Actor,
    reason: String,
    /// What a pointer points to, or the digest of the record; absent after a deletion.
    value: Option<String>,
    /// The members of the record that became others, of what is neither a pointer nor a version.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    changed: BTreeMap<String, Turned>,
}

/// A member of a record before and after; `None` where it had none.
#[derive(Debug, PartialEq, Serialize)]
struct Turned {
    before: Option<Json>,
    after: Option<Json>,
}

impl History {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let path = self.target.path(&workspace).await?;
        let history = workspace.repo().history(&path);
        // The one before the oldest that is shown tells what that changed.
        let limit = self.limit.unwrap_or(usize::MAX);
        let history = history.take(limit.saturating_add(1));
        let history: Vec<RefChange> = history.try_collect().await?;
        let earlier = history.iter().skip(1).map(Some).chain([None]);
        let changes: Vec<Change> = history
            .iter()
            .zip(earlier)
            .map(|(change, earlier)| Change::new(change, earlier))
            .take(limit)
            .collect();
        if history.is_empty() {
            return Err(Error::not_found("ref", &path));
        }
        let document = Document {
            path: &path,
            changes,
        };
        global.output().result(&document, |out| {
            let mut table = Table::new(["change", "value", "time", "actor", "reason"]);
            for change in &document.changes {
                table.row([
                    change.generation.into(),
                    change.told().into(),
                    Cell::new(when(change.time), DIM),
                    (&change.actor).into(),
                    (&change.reason).into(),
                ]);
            }
            table.write(out)
        })?;
        Ok(Answer::Yes)
    }
}

impl Target {
    async fn path(self, workspace: &Workspace) -> Result<RefPath> {
        match self {
            Self::Path(path) => by_id(workspace, path).await,
            Self::Version(locator) => Ok(workspace.resolve(&locator).await?.ref_path()),
        }
    }
}

/// What is kept of a model is kept under its id.
async fn by_id(workspace: &Workspace, path: RefPath) -> Result<RefPath> {
    let segments: Vec<&str> = path.segments().collect();
    let [kind, name, rest @ ..] = &segments[..] else {
        return Ok(path);
    };
    if *kind != NodeKind::Model.as_str() || rest.is_empty() {
        return Ok(path);
    }
    let (name, rest) = (name.parse()?, rest.join("/"));
    let view = workspace.repo().view().await?;
    let id = view.read(|view| registry::model_id(view, &name)).await?;
    let kept = format!("{kind}/{id}/{rest}").parse()?;
    let is_there = view.read(|view| Ok(view.state(&kept)?.is_some())).await?;
    Ok(if is_there { kept } else { path })
}

impl Change {
    /// Tells of a change by what was there before it.
    fn new(change: &RefChange, earlier: Option<&RefChange>) -> Self {
        let value = change.value.as_ref().map(|value| match value.pointee() {
            Some(node) => node.to_string(),
            None => value
                .record_digest()
                .map_or_else(|_| value.kind.clone(), |digest| digest.to_string()),
        });
        Self {
            seq: change.seq,
            generation: change.generation,
            time: change.time,
            actor: change.actor.clone(),
            reason: change.reason.clone(),
            value,
            changed: turned(change, earlier),
        }
    }

    fn told(&self) -> String {
        let shown = |json: &Option<Json>| json.as_ref().map_or("-".to_owned(), Json::to_string);
        let members = self.changed.iter().map(|(name, turned)| {
            let Turned { before, after } = turned;
            format!("{name} {} -> {}", shown(before), shown(after))
        });
        match &self.value {
            None => "deleted".to_owned(),
            Some(value) if self.changed.is_empty() => value.clone(),
            Some(_) => joined(members),
        }
    }
}

/// Compares the records of two changes member by member.
fn turned(change: &RefChange, earlier: Option<&RefChange>) -> BTreeMap<String, Turned> {
    let is_version = NodeRef::from_ref_path(&change.path).is_some();
    let Some(value) = change
        .value
        .as_ref()
        .filter(|value| value.pointee().is_none() && !is_version)
    else {
        return BTreeMap::new();
    };
    let earlier = earlier.and_then(|earlier| earlier.value.as_ref());
    let member = |value: Option<&Value>, name: &str| value?.record.get(name).cloned();
    let records = earlier.into_iter().chain([value]);
    let names = records
        .filter_map(|value| value.record.as_object())
        .flat_map(|members| members.keys());
    let mut changed = BTreeMap::new();
    for name in names.filter(|name| *name != "format") {
        let turned = Turned {
            before: member(earlier, name),
            after: member(Some(value), name),
        };
        if turned.before != turned.after {
            changed.insert(name.clone(), turned);
        }
    }
    changed
}
