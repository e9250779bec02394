//! Merging versions: planning, and applying a plan.

use std::collections::BTreeMap;

use mainstay_core::{Digest, Edge, EdgeKind, Error, ErrorKind, FilePath, NodeRef, Result, Telling};
use mainstay_repo::{Repo, View};
use tempfile::TempDir;

use super::ancestry::{continues, merge_bases};
use super::branches;
use super::by::By;
use super::merge_files;
use super::merge_rows::{self, Mergeable, Sides};
use super::merge_write::{self, Merged};
use super::snapshot::stage_with;
use super::{Datasets, series_of, version_state};
use crate::format::TableFormat;
use crate::merge::{
    Choice, Conflict, FileAction, FileMerge, MergeOutcome, MergePlan, MergeSpec, RowMerge,
    Strategy, Unmerged, choose,
};
use crate::passing::ROWS;
use crate::{BranchTarget, FileEntry, Manifest, SnapshotInput, SnapshotReport, SnapshotSpec};

pub(super) async fn plan(datasets: &Datasets, spec: &MergeSpec) -> Result<MergePlan> {
    if series_of(&spec.ours)?.name() != series_of(&spec.theirs)?.name() {
        return Err(Error::invalid("versions of two datasets are not merged")
            .context("ours", &spec.ours)
            .context("theirs", &spec.theirs));
    }
    let view = datasets.view().await?;
    let (base, outcome) = view.read(|view| relation(view, spec)).await?;
    let mut plan = MergePlan {
        spec: spec.clone(),
        base,
        outcome,
        files: Vec::new(),
        metadata: BTreeMap::new(),
        conflicts: Vec::new(),
        cells: Vec::new(),
    };
    if let (MergeOutcome::Merge, Some(base)) = (outcome, &plan.base) {
        let sides = [base, &spec.ours, &spec.theirs];
        let [base, ours, theirs] = merge_files::differing(datasets, sides).await?;
        let merging = Merging {
            base,
            ours,
            theirs,
            key: key(datasets, spec).await?,
        };
        merging.metadata(&mut plan);
        merging.files(datasets, &mut plan).await?;
    }
    Ok(plan)
}

/// Finds how two versions relate.
fn relation(view: &View, spec: &MergeSpec) -> Result<(Option<NodeRef>, MergeOutcome)> {
    let MergeSpec { ours, theirs, .. } = spec;
    if let Some(branch) = &spec.branch {
        let target = BranchTarget::new(branch.clone()).at(ours.clone());
        branches::existing(view, ours.name(), &target)?;
    }
    if let Some(base) = &spec.base {
        version_state(view, base)?;
        version_state(view, ours)?;
        version_state(view, theirs)?;
        return Ok((Some(base.clone()), MergeOutcome::Merge));
    }
    if continues(view, ours, theirs)? {
        return Ok((Some(theirs.clone()), MergeOutcome::UpToDate));
    }
    if continues(view, theirs, ours)? {
        return Ok((Some(ours.clone()), MergeOutcome::FastForward));
    }
    let bases = merge_bases(view, ours, theirs)?;
    let why = match &bases[..] {
        [base] => return Ok((Some(base.clone()), MergeOutcome::Merge)),
        [] => "no common ancestor: say what both began from",
        // Whichever is taken, what was decided when the others were merged would be undone in silence.
        _ => "merged crosswise, so that both began from several versions: say from which",
    };
    let error = Error::invalid(why)
        .context("ours", ours)
        .context("theirs", theirs);
    Err(bases
        .iter()
        .fold(error, |error, base| error.context("base", base)))
}

/// The columns that tell rows apart.
async fn key(datasets: &Datasets, spec: &MergeSpec) -> Result<Vec<String>> {
    if !spec.key.is_empty() {
        return Ok(spec.key.clone());
    }
    let ours = datasets.record(&spec.ours).await?.key;
    let theirs = datasets.record(&spec.theirs).await?.key;
    Ok(if ours.is_empty() { theirs } else { ours })
}

/// The contents of a merge.
struct Merging {
    base: Manifest,
    ours: Manifest,
    theirs: Manifest,
    key: Vec<String>,
}

impl Merging {
    fn metadata(&self, plan: &mut MergePlan) {
        let (base, ours, theirs) = (&self.base, &self.ours, &self.theirs);
        for (name, choice) in choose(&base.metadata, &ours.metadata, &theirs.metadata) {
            let take = choice == Choice::Theirs;
            match plan.spec.strategy("") {
                Strategy::Fail if !take => plan.conflicts.push(Conflict {
                    path: None,
                    metadata: Some(name.clone()),
                    why: "changed on both sides",
                }),
                Strategy::Ours if !take => {}
                _ => {
                    let value = theirs.metadata.get(name).cloned();
                    plan.metadata.insert(name.clone(), value);
                }
            }
        }
    }

    async fn files(&self, datasets: &Datasets, plan: &mut MergePlan) -> Result<()> {
        let telling = datasets.telling();
        let base = by_path(&self.base)?;
        let (ours, theirs) = (by_path(&self.ours)?, by_path(&self.theirs)?);
        let blobs = |files: &BTreeMap<FilePath, &FileEntry>| -> BTreeMap<FilePath, Vec<Digest>> {
            let files = files.iter();
            files
                .map(|(path, file)| (path.clone(), file.blobs().collect()))
                .collect()
        };
        let (base_of, ours_of, theirs_of) = (blobs(&base), blobs(&ours), blobs(&theirs));
        for (path, choice) in choose(&base_of, &ours_of, &theirs_of) {
            let taken = if theirs.contains_key(path) {
                FileAction::Take
            } else {
                FileAction::Remove
            };
            let mut file = FileMerge {
                path: path.clone(),
                action: taken,
                rows: None,
            };
            if choice == Choice::Theirs {
                plan.files.push(file);
                continue;
            }
            let strategy = plan.spec.strategy(path.as_str());
            match self.rows(datasets, path, strategy, plan, &telling).await? {
                Ok(rows) => {
                    file.action = FileAction::MergeRows;
                    file.rows = Some(rows);
                }
                Err(unmerged) => match strategy {
                    Strategy::Theirs => {}
                    Strategy::Ours => file.action = FileAction::Keep,
                    Strategy::Fail => {
                        plan.conflicts.push(Conflict {
                            path: Some(path.clone()),
                            metadata: None,
                            why: why([&base, &ours, &theirs], path, unmerged),
                        });
                        continue;
                    }
                },
            }
            plan.files.push(file);
        }
        Ok(())
    }

    /// Merges the rows of a file on trial.
    async fn rows(
        &self,
        datasets: &Datasets,
        path: &FilePath,
        strategy: Strategy,
        plan: &mut MergePlan,
        telling: &Telling,
    ) -> Result<Mergeable<RowMerge>> {
        let Some(sides) = self.sides(path, strategy) else {
            return Ok(Err(Unmerged::NoTable));
        };
        let found = match merge_rows::find((&datasets.repo, telling), sides).await? {
            Ok(found) => found,
            Err(unmerged) => return Ok(Err(unmerged)),
        };
        if found.counts.conflicts > 0 && strategy == Strategy::Fail {
            plan.conflicts.push(Conflict {
                path: Some(path.clone()),
                metadata: None,
                why: "cells or rows changed on both sides",
            });
        }
        plan.cells.extend(found.conflicts);
        Ok(Ok(found.counts))
    }

    fn sides(&self, path: &FilePath, strategy: Strategy) -> Option<Sides> {
        Sides::of(
            [&self.base, &self.ours, &self.theirs],
            path,
            &self.key,
            strategy,
        )
    }
}

/// The files of a manifest, which has been read [whole](Datasets::whole).
fn by_path(manifest: &Manifest) -> Result<BTreeMap<FilePath, &FileEntry>> {
    let files = manifest.files.entries()?.iter();
    Ok(files.map(|file| (file.path.clone(), file)).collect())
}

fn why(
    versions: [&BTreeMap<FilePath, &FileEntry>; 3],
    path: &FilePath,
    unmerged: Unmerged,
) -> &'static str {
    match versions.map(|files| files.contains_key(path)) {
        [false, ..] => "added on both sides",
        [_, false, _] => "removed by us, changed by them",
        [_, _, false] => "changed by us, removed by them",
        [true, true, true] => unmerged.why(),
    }
}

pub(super) async fn apply(datasets: &Datasets, plan: &MergePlan, by: By) -> Result<SnapshotReport> {
    let repo = datasets.writable()?;
    let spec = &plan.spec;
    if let Some(conflict) = plan.conflicts.first() {
        let mut error = Error::new(ErrorKind::Conflict, conflict.why);
        if let Some(path) = &conflict.path {
            error = error.context("file", path);
        }
        if let Some(name) = &conflict.metadata {
            error = error.context("metadata", name.escape_debug());
        }
        return Err(error.context("conflicts", plan.conflicts.len()));
    }
    if plan.outcome != MergeOutcome::Merge {
        return Err(
            Error::invalid("nothing to merge: one version continues the other")
                .context("ours", &spec.ours)
                .context("theirs", &spec.theirs),
        );
    }
    let base = plan.base.as_ref();
    let base = base.ok_or_else(|| Error::invalid("a plan without a base"))?;
    let sides = [base, &spec.ours, &spec.theirs];
    let [base, _, theirs] = merge_files::differing(datasets, sides).await?;
    let merging = Merging {
        base,
        ours: datasets.whole(&spec.ours).await?,
        theirs,
        key: key(datasets, spec).await?,
    };
    let telling = datasets.telling();
    let (kept, inputs, held) = merging.content(&datasets.repo, &telling, plan).await?;
    if !inputs.is_empty() {
        // The others are part of the table that is described.
        let is_text =
            |file: &&FileEntry| TableFormat::of(&file.path).is_some_and(TableFormat::is_text);
        let others = kept.iter().filter(|file| !is_text(file));
        telling.expect(ROWS, others.filter_map(|file| file.rows).sum());
    }

    let mut merged = SnapshotSpec::new(spec.ours.name().clone(), by.actor(), by.reason());
    merged.inputs = inputs;
    merged.metadata = merging.ours.metadata.clone();
    for (name, value) in &plan.metadata {
        match value {
            Some(value) => drop(merged.metadata.insert(name.clone(), value.clone())),
            None => drop(merged.metadata.remove(name)),
        }
    }
    merged.key = merging.key;
    let ours = datasets.record(&spec.ours).await?;
    merged.synthetic = ours.synthetic || datasets.record(&spec.theirs).await?.synthetic;
    merged.table_files = Some(merge_files::chosen(datasets, spec, ours.table_files).await?);
    merged
        .edges
        .push(Edge::new(EdgeKind::DerivedFrom, spec.theirs.clone()));
    match &spec.branch {
        // The head of the branch becomes a parent by itself.
        Some(branch) => {
            merged.branch = Some(BranchTarget::new(branch.clone()).at(spec.ours.clone()));
        }
        None => merged
            .edges
            .push(Edge::new(EdgeKind::DerivedFrom, spec.ours.clone())),
    }
    let staged = stage_with(repo, &telling, merged, kept, None).await?;
    drop(held);
    staged.commit(repo, &by).await
}

impl Merging {
    /// Returns the files that are stored already, those whose rows are merged, and what holds these until
    /// they are stored.
    async fn content(
        &self,
        repo: &Repo,
        telling: &Telling,
        plan: &MergePlan,
    ) -> Result<(Vec<FileEntry>, Vec<SnapshotInput>, Vec<TempDir>)> {
        let mut files = by_path(&self.ours)?;
        let theirs = by_path(&self.theirs)?;
        let (mut inputs, mut held) = (Vec::new(), Vec::new());
        for file in &plan.files {
            match file.action {
                FileAction::Keep => {}
                FileAction::Remove => drop(files.remove(&file.path)),
                FileAction::Take => {
                    if let Some(entry) = theirs.get(&file.path) {
                        files.insert(file.path.clone(), entry);
                    }
                }
                FileAction::MergeRows => {
                    files.remove(&file.path);
                    let strategy = plan.spec.strategy(file.path.as_str());
                    let lost = || Error::invalid("the plan is of other versions");
                    let sides = self.sides(&file.path, strategy).ok_or_else(lost)?;
                    let merged = merge_write::write((repo, telling), sides).await?;
                    let Merged { input, directory } = merged.ok_or_else(lost)?;
                    inputs.push(input);
                    held.extend(directory);
                }
            }
        }
        let files = files.into_values().cloned().collect();
        Ok((files, inputs, held))
    }
}
