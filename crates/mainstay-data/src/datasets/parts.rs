//! Storing parts of a snapshot, and joining them into a version.

use std::sync::Arc;

use futures::TryStreamExt as _;
use mainstay_core::{Error, ErrorKind, FilePath, Result, Telling};
use mainstay_repo::Repo;
use tokio::runtime::Handle;

use super::by::By;
use super::snapshot::{Keys, Prepared, session, stage_summed, stored};
use crate::canonical::lay_out;
use crate::digest::RowsSum;
use crate::format::TableFormat;
use crate::input::{InputFile, gather, in_path_order};
use crate::scan::{TableFile, check};
use crate::table_files::{Chosen, helped};
use crate::{
    FileEntry, FileLayout, PartSpec, SnapshotPart, SnapshotReport, SnapshotSpec, blocking,
    file_tree,
};

pub(super) async fn store(repo: &Repo, telling: &Telling, spec: PartSpec) -> Result<SnapshotPart> {
    let repository = repo.id().await?;
    let (runtime, told) = (Handle::current(), telling.clone());
    let preparing = move || prepare(&spec, &runtime, &told);
    let (prepared, sum) = blocking::run_on_own_thread(preparing).await?;
    let mut ingest = session(repo, telling);
    let (entries, _) = stored(&mut ingest, telling, prepared, Vec::new()).await?;
    let (files, _) = file_tree::list(&mut ingest, &entries).await?;
    ingest.finish().await?;
    Ok(SnapshotPart::new(repository, files, sum))
}

/// Finds the files of a part, and decodes its tables, so that bad input is refused before anything is
/// stored; sums up their rows.
fn prepare(
    spec: &PartSpec,
    runtime: &Handle,
    telling: &Telling,
) -> Result<(Prepared, Option<RowsSum>)> {
    let mut files = gather(&spec.inputs, runtime, telling)?;
    if let Some(directory) = &spec.below {
        for file in &mut files {
            file.path = FilePath::new(&format!("{directory}/{}", file.path))?;
        }
    }
    let chosen = spec.table_files.clone().map(Chosen::Now);
    let chosen = chosen.unwrap_or_default();
    chosen.apply(&mut files, spec.layout)?;
    chosen.check_csv(files.iter())?;
    if spec.layout == FileLayout::Canonical
        && let Some(text) = files.iter().find(|file| is_text(file))
    {
        let why = "the types of CSV and JSON lines are those of all files together: \
                   store them verbatim in parts";
        return Err(Error::invalid(why).context("file", &text.path));
    }
    lay_out(&mut files, spec.layout, chosen.csv(), telling)
        .map_err(|error| helped(error, &files))?;
    in_path_order(&mut files)?;
    if files.is_empty() {
        return Err(Error::invalid("a part without files"));
    }
    let tables: Vec<TableFile<'_>> = files.iter().filter_map(TableFile::of).collect();
    let (rows, sum) =
        check(&tables, chosen.csv(), telling).map_err(|error| helped(error, &files))?;
    Ok((Prepared::new(files, None, rows)?, sum))
}

fn is_text(file: &InputFile) -> bool {
    file.table_format().is_some_and(TableFormat::is_text)
}

pub(super) async fn join(
    repo: &Repo,
    telling: &Telling,
    spec: SnapshotSpec,
    parts: &[SnapshotPart],
) -> Result<SnapshotReport> {
    let repository = repo.id().await?;
    let mut kept = Vec::new();
    for (number, part) in parts.iter().enumerate() {
        let numbered = |error: Error| error.context("part", number + 1);
        if part.repository != repository {
            let why = "the part was stored in another repository";
            return Err(numbered(Error::invalid(why)));
        }
        let sum = part.rows.clone().map(Arc::new);
        let files = files(repo, part).await.map_err(numbered)?.into_iter();
        kept.extend(files.map(|file| (file, sum.clone())));
    }
    let by = By::new(spec.actor.clone(), spec.reason.as_str());
    let staged = stage_summed(repo, telling, spec, kept, Keys::Counted).await?;
    let joined = staged.commit(repo, &by).await;
    joined.map_err(|error| {
        if error.contexts().any(|(key, _)| key == "blob") {
            gone(error)
        } else {
            error
        }
    })
}

/// The files of a part. Whether the blobs of its tables are there is looked at now, of others by the
/// commit.
async fn files(repo: &Repo, part: &SnapshotPart) -> Result<Vec<FileEntry>> {
    let files = file_tree::below(repo, &part.files, "").try_collect().await;
    let files: Vec<FileEntry> = files.map_err(|error: Error| match error.kind() {
        ErrorKind::Corrupt => gone(error),
        _ => error,
    })?;
    for file in &files {
        if !file.patches().is_empty() {
            return Err(Error::invalid("a part with patches").context("file", &file.path));
        }
        if file.rows.is_some() && repo.blob(&file.digest).await?.is_none() {
            let missing = Error::not_found("blob", file.digest);
            return Err(gone(missing).context("file", &file.path));
        }
    }
    Ok(files)
}

fn gone(cause: Error) -> Error {
    let why = "what the part stored has been collected: store the part again";
    Error::new(ErrorKind::Conflict, why).with_source(cause)
}
