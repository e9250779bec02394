//! The files of a run: reports, plots, whatever it left beside models.

use std::collections::BTreeMap;
use std::path::Path;

use mainstay_core::{Locator, NodeKind, NodeRef, RefPath, Result};
use mainstay_repo::{Repo, Value, View};
use serde::{Deserialize, Serialize};

use super::info::resolve;
use super::record::FORMAT;
use super::refs;
use crate::artifact::{ArtifactFile, FileSpec, check_paths, ingest};
use crate::pull::pull_files;
use crate::refs::held;

const KIND: &str = "run.files";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: u32,
    files: Vec<ArtifactFile>,
}

/// Returns the ref that holds the files of a run.
pub(super) fn path(run: &NodeRef) -> Result<RefPath> {
    RefPath::from_names(&[
        NodeKind::Run.as_str().parse()?,
        run.name().clone(),
        "files".parse()?,
        run.version().clone(),
    ])
}

/// Stores files.
pub(super) async fn store(repo: &Repo, files: &[FileSpec]) -> Result<Vec<ArtifactFile>> {
    let stored = ingest(repo, [files]).await?;
    Ok(stored.into_iter().flatten().collect())
}

/// Returns what the ref holds.
pub(super) fn value(mut files: Vec<ArtifactFile>) -> Result<Value> {
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let blobs: Vec<_> = files.iter().map(|file| file.digest).collect();
    let format = FORMAT;
    Ok(Value::new(KIND, &Stored { format, files })?.with_blobs(blobs))
}

/// Returns what the ref holds once `more` are among the files; `None` when they are already.
pub(super) fn added(view: &View, run: &NodeRef, more: &[ArtifactFile]) -> Result<Option<Value>> {
    if more.is_empty() {
        return Ok(None);
    }
    let before = files(view, run)?;
    let all = before.iter().chain(more);
    let by_path: BTreeMap<_, _> = all.map(|file| (&file.path, file)).collect();
    let after: Vec<ArtifactFile> = by_path.into_values().cloned().collect();
    check_paths(&after)?;
    if after == before {
        return Ok(None);
    }
    value(after).map(Some)
}

/// Lists the files of a run, sorted by path.
pub(super) fn files(view: &View, run: &NodeRef) -> Result<Vec<ArtifactFile>> {
    let path = path(run)?;
    let Some(state) = view.get(&path)? else {
        return Ok(Vec::new());
    };
    let value = held(&path, state)?;
    value.check_format(KIND, u64::from(FORMAT))?;
    Ok(value.decode::<Stored>(KIND)?.files)
}

/// Writes the files of a run to a directory.
pub(super) async fn pull(
    repo: &Repo,
    view: &View,
    locator: &Locator,
    directory: &Path,
) -> Result<Vec<ArtifactFile>> {
    let find = |view: &View| {
        let run = resolve(view, locator)?;
        refs::run(view, &run)?;
        Ok((files(view, &run)?, run))
    };
    let (files, run) = view.read(find).await?;
    pull_files(repo, &files, directory)
        .await
        .map_err(|error| error.context("run", run))?;
    Ok(files)
}
