//! Writing the files of a snapshot to a directory.

use std::fs;
use std::io::ErrorKind as IoKind;
use std::path::{Path, PathBuf};

use mainstay_core::{Error, FilePath, NodeRef, Result};
use mainstay_repo::Repo;

use super::read::blob;
use crate::report::FileReport;
use crate::{ExportReport, Manifest, blocking};

pub(super) async fn export(
    repo: &Repo,
    node: &NodeRef,
    manifest: &Manifest,
    directory: &Path,
) -> Result<ExportReport> {
    for file in manifest.files.listed() {
        let target = make_way(directory.to_owned(), file.path.clone()).await?;
        blob(repo, &file.digest).await?.export(&target).await?;
    }
    Ok(ExportReport {
        node: node.clone(),
        files: manifest
            .files
            .listed()
            .iter()
            .map(FileReport::from)
            .collect(),
        bytes: manifest.files.bytes(),
    })
}

/// Creates the directories above a file and returns where the file goes.
///
/// # Errors
/// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when a symbolic link or a file is in the
/// way: what lies behind a link is not below `directory`.
async fn make_way(directory: PathBuf, path: FilePath) -> Result<PathBuf> {
    blocking::run(move || {
        let named = |path: &Path, error| Error::from(error).context("path", path.display());
        fs::create_dir_all(&directory).map_err(|error| named(&directory, error))?;
        let target = path.below(&directory)?;
        let mut place = directory;
        for segment in path.directories() {
            place.push(segment);
            match fs::create_dir(&place) {
                Err(error) if error.kind() != IoKind::AlreadyExists => {
                    return Err(named(&place, error));
                }
                _ => {}
            }
            let metadata = fs::symlink_metadata(&place).map_err(|error| named(&place, error))?;
            if !metadata.is_dir() {
                return Err(
                    Error::invalid("a link or file is where a directory should be")
                        .context("path", place.display()),
                );
            }
        }
        Ok(target)
    })
    .await
}
