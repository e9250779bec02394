//! Writing the files of a version to a directory.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use mainstay_core::{Error, ErrorKind, Locator, NodeRef, Result};
use mainstay_repo::{Repo, View};
use serde::Serialize;

use crate::artifact::ArtifactFile;
use crate::info::show;

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PullReport {
    /// The version.
    pub model: NodeRef,
    /// The directory.
    pub directory: PathBuf,
    /// The files in it.
    pub files: Vec<ArtifactFile>,
    /// Their bytes.
    pub bytes: u64,
}

/// Writes every file, or leaves `directory` as it was: the files are written beside it first.
pub(crate) async fn pull(
    repo: &Repo,
    view: &View,
    locator: &Locator,
    directory: &Path,
) -> Result<PullReport> {
    let model = view.read(|view| show(view, locator)).await?;
    pull_files(repo, &model.record.artifact.files, directory)
        .await
        .map_err(|error| error.context("model", &model.node))?;
    Ok(PullReport {
        model: model.node.clone(),
        directory: directory.to_owned(),
        bytes: model.record.artifact.bytes(),
        files: model.record.artifact.files.clone(),
    })
}

/// Writes files to a directory that is absent or empty: all of them or none.
pub(crate) async fn pull_files(
    repo: &Repo,
    files: &[ArtifactFile],
    directory: &Path,
) -> Result<()> {
    check_free(directory).await?;
    let workshop = workshop(directory)?;
    let placed = match write(repo, files, &workshop).await {
        Ok(()) => place(&workshop, directory).await,
        Err(error) => Err(error),
    };
    if placed.is_err() {
        // The first failure is the one to report.
        drop(tokio::fs::remove_dir_all(&workshop).await);
    }
    placed
}

async fn check_free(directory: &Path) -> Result<()> {
    match tokio::fs::read_dir(directory).await {
        Ok(mut entries) => match entries.next_entry().await? {
            None => Ok(()),
            Some(_) => Err(
                Error::new(ErrorKind::AlreadyExists, "the directory is not empty")
                    .context("directory", directory.display()),
            ),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::from(error).context("directory", directory.display())),
    }
}

/// Names a directory beside `directory` that no other pull of this machine uses.
fn workshop(directory: &Path) -> Result<PathBuf> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = directory
        .file_name()
        .ok_or_else(|| {
            Error::invalid("the directory has no name").context("directory", directory.display())
        })?
        .to_string_lossy();
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!(".{name}.partial-{}-{number}", std::process::id());
    Ok(directory.with_file_name(name))
}

async fn write(repo: &Repo, files: &[ArtifactFile], directory: &Path) -> Result<()> {
    tokio::fs::create_dir_all(directory)
        .await
        .map_err(|error| Error::from(error).context("directory", directory.display()))?;
    for file in files {
        let path = file.path.below(directory)?;
        if let Some(parent) = path.parent() {
            tokio::fs::create_dir_all(parent).await?;
        }
        let blob = repo
            .blob(&file.digest)
            .await?
            .ok_or_else(|| Error::corrupt(file.digest, "the bytes of the file are missing"))?;
        blob.export(&path).await?;
    }
    Ok(())
}

async fn place(workshop: &Path, directory: &Path) -> Result<()> {
    // An empty directory is replaced; where it has been filled meanwhile, this fails.
    match tokio::fs::remove_dir(directory).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => tokio::fs::rename(workshop, directory).await,
    }
    .map_err(|error| Error::from(error).context("directory", directory.display()))
}
