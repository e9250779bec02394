//! What a model consists of: files, named by their content.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use mainstay_core::{Digest, Error, FilePath, Result, canon};
use mainstay_repo::{Ingest, Repo};
use serde::{Deserialize, Serialize};
#[cfg(feature = "mlflow")]
use tokio::io::AsyncReadExt as _;

/// A file to register.
#[derive(Debug, Clone, PartialEq)]
pub struct FileSpec {
    path: FilePath,
    source: Source,
    media_type: String,
}

#[derive(Debug, Clone, PartialEq)]
enum Source {
    Disk(PathBuf),
    Memory(Bytes),
}

impl FileSpec {
    /// Takes the bytes from a file on disk, which is read when the model is registered.
    #[must_use]
    pub fn from_disk(path: FilePath, disk: impl Into<PathBuf>) -> Self {
        Self::new(path, Source::Disk(disk.into()))
    }

    /// Takes the bytes as they are.
    #[must_use]
    pub fn from_bytes(path: FilePath, bytes: impl Into<Bytes>) -> Self {
        Self::new(path, Source::Memory(bytes.into()))
    }

    fn new(path: FilePath, source: Source) -> Self {
        let media_type = media_type_of(&path.extension()).to_owned();
        Self {
            path,
            source,
            media_type,
        }
    }

    /// Returns its place in the artifact.
    #[must_use]
    pub fn path(&self) -> &FilePath {
        &self.path
    }

    /// Reads it; one longer than `limit` is refused.
    #[cfg(feature = "mlflow")]
    pub(crate) async fn read(&self, limit: usize) -> Result<Bytes> {
        let bytes = match &self.source {
            Source::Memory(bytes) => bytes.clone(),
            Source::Disk(disk) => {
                let named =
                    |error: std::io::Error| Error::from(error).context("path", disk.display());
                let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
                let mut bytes = Vec::new();
                let file = tokio::fs::File::open(disk).await.map_err(named)?;
                let read = file.take(most).read_to_end(&mut bytes).await;
                read.map_err(named)?;
                bytes.into()
            }
        };
        if bytes.len() > limit {
            return Err(Error::invalid(format!(
                "the file is longer than {limit} bytes"
            )));
        }
        Ok(bytes)
    }

    /// Returns its place and the file on disk, if that is where its bytes are.
    #[cfg(feature = "sign")]
    pub(crate) fn into_disk(self) -> Option<(FilePath, PathBuf)> {
        match self.source {
            Source::Disk(disk) => Some((self.path, disk)),
            Source::Memory(_) => None,
        }
    }

    /// Sets the media type; without it, it follows from the extension.
    #[must_use]
    pub fn with_media_type(mut self, media_type: impl Into<String>) -> Self {
        self.media_type = media_type.into();
        self
    }
}

/// Lists a file, or every file below a directory, as what to register.
///
/// A single file keeps its own name; files of a directory are named relative to it. Sorted by path.
/// Symbolic links are refused: what they point to may lie anywhere.
///
/// # Errors
/// [`ErrorKind::NotFound`](mainstay_core::ErrorKind::NotFound) when there is nothing at `path`,
/// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when a name is not UTF-8 or not an
/// [`FilePath`], a link or a device is met, or there is no file at all.
pub async fn files_at(path: &Path) -> Result<Vec<FileSpec>> {
    let fail = |error: Error, at: &Path| {
        error
            .operation("read model files")
            .context("path", at.display())
    };
    let top = tokio::fs::metadata(path)
        .await
        .map_err(|error| fail(error.into(), path))?;
    if top.is_file() {
        let name = path.file_name().map_or(path, Path::new);
        let name = utf8(name).map_err(|error| fail(error, path))?;
        return Ok(vec![FileSpec::from_disk(name.parse()?, path)]);
    }
    let mut files = Vec::new();
    let mut pending = vec![(path.to_owned(), String::new())];
    while let Some((directory, prefix)) = pending.pop() {
        let mut entries = tokio::fs::read_dir(&directory)
            .await
            .map_err(|error| fail(error.into(), &directory))?;
        while let Some(entry) = entries
            .next_entry()
            .await
            .map_err(|error| fail(error.into(), &directory))?
        {
            let disk = entry.path();
            let file_name = entry.file_name();
            let name = utf8(Path::new(&file_name)).map_err(|error| fail(error, &disk))?;
            let inside = format!("{prefix}{name}");
            // The type of the entry itself: a link is not followed.
            let kind = entry
                .file_type()
                .await
                .map_err(|error| fail(error.into(), &disk))?;
            if kind.is_dir() {
                pending.push((disk, format!("{inside}/")));
            } else if kind.is_file() {
                files.push(FileSpec::from_disk(inside.parse()?, disk));
            } else {
                let error = Error::invalid("neither a file nor a directory");
                return Err(fail(error, &disk));
            }
        }
    }
    if files.is_empty() {
        return Err(fail(Error::invalid("no file in the directory"), path));
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn utf8(path: &Path) -> Result<&str> {
    path.to_str()
        .ok_or_else(|| Error::invalid("a file name is not UTF-8"))
}

/// The files of a model version and their common identity.
///
/// The digest of one file is the file's own, so that `sha256sum` agrees; that of several is the
/// digest of the canonical JSON of `files`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Artifact {
    /// The identity.
    pub digest: Digest,
    /// The files, sorted by path; never empty.
    pub files: Vec<ArtifactFile>,
}

/// One stored file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ArtifactFile {
    /// Its place in the artifact.
    pub path: FilePath,
    /// The SHA-256 of its bytes.
    pub digest: Digest,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its media type.
    pub media_type: String,
}

impl ArtifactFile {
    /// Reports whether the file only explains the model: changing it changes no prediction.
    pub(crate) fn is_documentation(&self) -> bool {
        let name = self.path.as_str().rsplit('/').next().unwrap_or_default();
        let stem = name.split('.').next().unwrap_or_default();
        self.media_type == "text/markdown"
            || ["README", "LICENSE", "NOTICE", "CHANGELOG"]
                .iter()
                .any(|known| stem.eq_ignore_ascii_case(known))
    }
}

impl Artifact {
    /// Identifies a set of files.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when there is no file, two have one
    /// path (upper and lower case are one on many disks), or a file's path lies below another file.
    pub fn of(mut files: Vec<ArtifactFile>) -> Result<Self> {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        check_paths(&files)?;
        let digest = match &files[..] {
            [] => return Err(Error::invalid("a model needs at least one file")),
            [only] => only.digest,
            several => canon::digest(several)?,
        };
        Ok(Self { digest, files })
    }

    /// Counts the bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

/// Refuses files that cannot lie in one directory, on any disk.
pub(crate) fn check_paths(files: &[ArtifactFile]) -> Result<()> {
    check_fit(files.iter().map(|file| &file.path))
}

fn check_fit<'p>(paths: impl Iterator<Item = &'p FilePath> + Clone) -> Result<()> {
    let fold = |path: &FilePath| path.as_str().to_lowercase();
    let folded: BTreeSet<String> = paths.clone().map(fold).collect();
    let clash = paths.clone().find(|path| {
        let path = fold(path);
        path.match_indices('/')
            .any(|(at, _)| folded.contains(&path[..at]))
    });
    if let Some(path) = clash {
        return Err(Error::invalid("a file lies below another file").context("path", path));
    }
    if folded.len() < paths.count() {
        return Err(Error::invalid(
            "two files have one path, or paths that differ in case only",
        ));
    }
    Ok(())
}

/// Stores sets of files in one session; durable when it returns.
pub(crate) async fn ingest(
    repo: &Repo,
    sets: impl IntoIterator<Item = &[FileSpec]> + Send,
) -> Result<Vec<Vec<ArtifactFile>>> {
    let sets: Vec<&[FileSpec]> = sets.into_iter().collect();
    // Before the bytes are stored, so that a mistake costs nothing.
    for files in &sets {
        let mut media_types = files.iter().map(|file| &file.media_type);
        media_types.try_for_each(|media_type| check_media_type(media_type))?;
        check_fit(files.iter().map(|file| &file.path))?;
    }
    let mut session = repo.ingest();
    let mut stored = Vec::with_capacity(sets.len());
    for files in sets {
        let mut set = Vec::with_capacity(files.len());
        for file in files {
            set.push(put(&mut session, file).await?);
        }
        stored.push(set);
    }
    session.finish().await?;
    Ok(stored)
}

async fn put(session: &mut Ingest, file: &FileSpec) -> Result<ArtifactFile> {
    let blob = match &file.source {
        Source::Disk(path) => session
            .file(path)
            .await
            .map_err(|error| error.context("path", path.display()))?,
        Source::Memory(bytes) => session.bytes(bytes.clone()).await?,
    };
    Ok(ArtifactFile {
        path: file.path.clone(),
        digest: blob.digest,
        bytes: blob.size,
        media_type: file.media_type.clone(),
    })
}

fn check_media_type(media_type: &str) -> Result<()> {
    let acceptable = media_type.len() <= 255
        && media_type
            .split('/')
            .filter(|part| !part.is_empty())
            .count()
            == 2
        && media_type
            .bytes()
            .all(|b| b.is_ascii_graphic() || b == b' ');
    if acceptable {
        Ok(())
    } else {
        Err(Error::invalid("not a media type such as application/json")
            .context("media_type", media_type.escape_debug()))
    }
}

fn media_type_of(extension: &str) -> &'static str {
    match extension.to_ascii_lowercase().as_str() {
        "json" => "application/json",
        "md" => "text/markdown",
        "txt" => "text/plain",
        "yaml" | "yml" => "application/yaml",
        "toml" => "application/toml",
        "onnx" => "application/vnd.onnx",
        "safetensors" => "application/vnd.safetensors",
        "gguf" => "application/vnd.gguf",
        "parquet" => "application/vnd.apache.parquet",
        "pkl" | "pickle" | "joblib" => "application/vnd.python.pickle",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests;
