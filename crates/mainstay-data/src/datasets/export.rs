//! Writing the files of a snapshot to a directory.

use std::fs;
use std::io::{ErrorKind as IoKind, Write as _};
use std::path::{Path, PathBuf};

use futures::TryStreamExt as _;
use mainstay_core::{Error, FilePath, Hasher, NodeRef, Result, Telling};
use mainstay_repo::Repo;
use tempfile::NamedTempFile;
use tokio::runtime::Handle;

use crate::merged;
use crate::report::FileReport;
use crate::stored::blob;
use crate::{ExportReport, FileEntry, Manifest, blocking, file_tree};

pub(super) async fn export(
    (repo, telling): (&Repo, &Telling),
    node: &NodeRef,
    manifest: &Manifest,
    directory: &Path,
) -> Result<ExportReport> {
    telling.expect("files", manifest.files.count());
    let mut files = Vec::new();
    let mut entries = file_tree::below(repo, &manifest.files, "");
    while let Some(file) = entries.try_next().await? {
        let target = make_way(directory.to_owned(), file.path.clone()).await?;
        files.push(if file.patches().is_empty() {
            let mut blob = blob(repo, &file.digest).await?;
            if let Some(progress) = telling.step("bytes") {
                blob = blob.with_progress(progress);
            }
            blob.export(&target).await?;
            FileReport::from(&file)
        } else {
            let merged = merge((repo, telling), file, target).await?;
            telling.add("bytes", merged.bytes);
            merged
        });
        telling.add("files", 1);
    }
    Ok(ExportReport {
        node: node.clone(),
        bytes: files.iter().map(|file| file.bytes).sum(),
        files,
    })
}

/// Writes a file with patches, merged.
async fn merge(
    (repo, telling): (&Repo, &Telling),
    file: FileEntry,
    target: PathBuf,
) -> Result<FileReport> {
    let (repo, runtime, telling) = (repo.clone(), Handle::current(), telling.clone());
    blocking::run_on_own_thread(move || {
        let merged = merged::merge((&repo, &telling), &runtime, &file)?.open()?;
        let unwritten = |error| Error::from(error).context("path", target.display());
        let mut written =
            NamedTempFile::new_in(target.parent().unwrap_or(Path::new("."))).map_err(unwritten)?;
        let mut hasher = Hasher::new();
        for piece in merged::pieces(0..merged.size()) {
            let piece = merged.read_range(piece)?;
            hasher.update(&piece);
            written.write_all(&piece).map_err(unwritten)?;
        }
        written.as_file().sync_all().map_err(unwritten)?;
        written
            .persist(&target)
            .map_err(|error| unwritten(error.error))?;
        Ok(FileReport {
            path: file.path,
            digest: hasher.finish(),
            bytes: merged.size(),
        })
    })
    .await
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
