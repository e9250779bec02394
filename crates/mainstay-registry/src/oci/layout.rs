//! The directory of a layout: `oci-layout`, `index.json`, and blobs by SHA-256.

use std::io::ErrorKind as Io;
use std::path::{Path, PathBuf};

use mainstay_core::{Digest, Error, ErrorKind, Result};
use mainstay_repo::Repo;
use oci_spec::image::OciLayout;

use super::MAX_MANIFEST_BYTES;
use super::disk::{blocking, create_directory, holds, is_temporary, read, replace};
use super::index::Index;
use crate::artifact::ArtifactFile;

const MARKER: &str = "oci-layout";
const MARKED: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
const MAX_MARKER_BYTES: u64 = 4096;
const INDEX: &str = "index.json";

/// A layout as it was found. Only below its directory is anything written.
#[derive(Debug)]
pub(super) struct Layout {
    directory: PathBuf,
    /// Whether the directory says that it is a layout.
    marked: bool,
    pub(super) index: Index,
}

impl Layout {
    /// Reads what is at `directory`: a layout, or nothing. Writes nothing.
    pub(super) async fn open(directory: &Path) -> Result<Self> {
        let directory = directory.to_owned();
        blocking(move || {
            let marker = read(&directory.join(MARKER), MAX_MARKER_BYTES)?;
            match &marker {
                Some(marker) => check_marker(marker)?,
                None => check_free(&directory)?,
            }
            check_directory(&directory.join("blobs"))?;
            check_directory(&directory.join("blobs/sha256"))?;
            let index = match read(&directory.join(INDEX), MAX_MANIFEST_BYTES)? {
                Some(index) => Index::parse(&index)?,
                None => Index::empty()?,
            };
            let marked = marker.is_some();
            Ok(Self {
                directory,
                marked,
                index,
            })
        })
        .await
    }

    /// Makes the directories, and says that it is a layout: what follows may be cut short and done again.
    pub(super) async fn prepare(&self) -> Result<()> {
        let (directory, marked) = (self.directory.clone(), self.marked);
        blocking(move || {
            create_directory(&directory)?;
            if !marked {
                replace(&directory.join(MARKER), MARKED)?;
            }
            create_directory(&directory.join("blobs"))?;
            create_directory(&directory.join("blobs/sha256"))
        })
        .await
    }

    /// Streams a stored file to its place, unless it is there with these bytes.
    pub(super) async fn put_file(&self, repo: &Repo, file: &ArtifactFile) -> Result<()> {
        let path = self.blob(file.digest);
        if self.has(&path, file.digest, file.bytes).await? {
            return Ok(());
        }
        let blob = repo
            .blob(&file.digest)
            .await?
            .ok_or_else(|| Error::corrupt(file.digest, "the bytes of the file are missing"))?;
        blob.export(&path).await
    }

    /// Writes a document to its place, unless it is there.
    pub(super) async fn put_bytes(&self, bytes: &[u8]) -> Result<()> {
        let digest = Digest::of(bytes);
        let path = self.blob(digest);
        if self.has(&path, digest, bytes.len() as u64).await? {
            return Ok(());
        }
        let bytes = bytes.to_vec();
        blocking(move || replace(&path, &bytes)).await
    }

    /// Replaces the index, once everything it names is there.
    pub(super) async fn replace_index(&self, index: Vec<u8>) -> Result<()> {
        let path = self.directory.join(INDEX);
        blocking(move || replace(&path, &index)).await
    }

    async fn has(&self, path: &Path, digest: Digest, bytes: u64) -> Result<bool> {
        let path = path.to_owned();
        blocking(move || holds(&path, digest, bytes)).await
    }

    fn blob(&self, digest: Digest) -> PathBuf {
        self.directory.join("blobs/sha256").join(digest.to_hex())
    }
}

fn check_marker(bytes: &[u8]) -> Result<()> {
    let layout: OciLayout = serde_json::from_slice(bytes).map_err(|error| {
        Error::invalid("oci-layout is not what it is called").with_source(error)
    })?;
    match layout.image_layout_version().as_str() {
        "1.0.0" => Ok(()),
        other => {
            let error = Error::new(ErrorKind::Unsupported, "an OCI layout of another version");
            Err(error.context("version", other.escape_debug()))
        }
    }
}

/// Refuses a directory that holds something else than what an export left that was given up early.
fn check_free(directory: &Path) -> Result<()> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == Io::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    for entry in entries {
        if !is_temporary(&entry?.file_name()) {
            return Err(Error::new(
                ErrorKind::AlreadyExists,
                "the directory holds something that is not an OCI image layout",
            ));
        }
    }
    Ok(())
}

/// Refuses what leads elsewhere.
fn check_directory(path: &Path) -> Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(Error::invalid("not a directory").context("path", path.display())),
        Err(error) if error.kind() == Io::NotFound => Ok(()),
        Err(error) => Err(Error::from(error).context("path", path.display())),
    }
}
