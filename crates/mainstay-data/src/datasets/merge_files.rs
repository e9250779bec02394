//! The files of three versions, as far as they differ.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt as _;
use mainstay_core::{Error, FilePath, NodeRef, Result};
use mainstay_repo::Repo;

use super::Datasets;
use crate::merge::MergeSpec;
use crate::{FileChange, FileEntry, Files, Manifest, TableFiles, file_tree};

/// Reads the manifests of a base and of two versions that came from it, with their files in memory:
/// where all are in trees, only those that the base has not alike.
pub(super) async fn differing(
    datasets: &Datasets,
    [base, ours, theirs]: [&NodeRef; 3],
) -> Result<[Manifest; 3]> {
    let manifests = [
        datasets.manifest(base).await?,
        datasets.manifest(ours).await?,
        datasets.manifest(theirs).await?,
    ];
    let in_trees = manifests
        .iter()
        .all(|manifest| manifest.files.listed().is_none());
    if !in_trees {
        return Ok([
            datasets.whole(base).await?,
            datasets.whole(ours).await?,
            datasets.whole(theirs).await?,
        ]);
    }
    let [base, ours, theirs] = manifests;
    let mut by_ours = Changed::of(&datasets.repo, &base.files, &ours.files).await?;
    let mut by_theirs = Changed::of(&datasets.repo, &base.files, &theirs.files).await?;
    by_ours.keep_unchanged(&by_theirs);
    by_theirs.keep_unchanged(&by_ours);
    let mut before = by_ours.before;
    before.extend(by_theirs.before);
    let with = |manifest: Manifest, files: BTreeMap<FilePath, FileEntry>| Manifest {
        files: Files::Listed(files.into_values().collect()),
        ..manifest
    };
    Ok([
        with(base, before),
        with(ours, by_ours.after),
        with(theirs, by_theirs.after),
    ])
}

/// The files that one side changed.
#[derive(Default)]
struct Changed {
    paths: BTreeSet<FilePath>,
    before: BTreeMap<FilePath, FileEntry>,
    after: BTreeMap<FilePath, FileEntry>,
}

impl Changed {
    async fn of(repo: &Repo, before: &Files, after: &Files) -> Result<Self> {
        let mut changed = Self::default();
        let mut changes = file_tree::changes(repo, before, after);
        while let Some(change) = changes.try_next().await? {
            let path = change.path().clone();
            let (before, after) = match change {
                FileChange::Added(after) => (None, Some(after)),
                FileChange::Removed(before) => (Some(before), None),
                FileChange::Changed { before, after } => (Some(before), Some(after)),
            };
            changed
                .before
                .extend(before.map(|file| (path.clone(), file)));
            changed.after.extend(after.map(|file| (path.clone(), file)));
            changed.paths.insert(path);
        }
        Ok(changed)
    }

    /// Takes in what only the other side changed, as this side has it: as before.
    fn keep_unchanged(&mut self, other: &Self) {
        let kept = other.before.iter();
        let kept = kept.filter(|(path, _)| !self.paths.contains(*path));
        let kept: Vec<_> = kept
            .map(|(path, file)| (path.clone(), file.clone()))
            .collect();
        self.after.extend(kept);
    }
}

/// Returns which files are the table of the merged version, and how they are spelled: as those of ours.
///
/// # Errors
/// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when those of theirs are spelled otherwise.
pub(super) async fn chosen(
    datasets: &Datasets,
    spec: &MergeSpec,
    ours: Option<TableFiles>,
) -> Result<TableFiles> {
    let ours = ours.unwrap_or_default();
    let theirs = datasets.record(&spec.theirs).await?.table_files;
    if ours.csv == theirs.unwrap_or_default().csv {
        return Ok(ours);
    }
    let why = "the versions spell CSV in different ways: snapshot one of them spelled as the other";
    let error = Error::invalid(why).context("ours", &spec.ours);
    Err(error.context("theirs", &spec.theirs))
}
