//! Reading a directory of somebody else's: bounded, and without leaving it.

use std::fs::{self, File, FileType};
use std::io::{ErrorKind as Io, Read as _};
use std::path::{Path, PathBuf};

use mainstay_core::{Error, FilePath, Result};

use crate::artifact::FileSpec;

/// The most entries that are listed below one directory.
const MAX_ENTRIES: usize = 100_000;

/// A directory; paths in it are relative, the empty one is itself.
#[derive(Debug, Clone)]
pub(super) struct Disk {
    root: PathBuf,
}

impl Disk {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let root = fs::canonicalize(path).map_err(|error| fail(error.into(), path))?;
        if root.is_dir() {
            Ok(Self { root })
        } else {
            Err(fail(Error::invalid("not a directory"), path))
        }
    }

    /// Returns where the directory is, without links.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Finds something; `None` when it is not there.
    ///
    /// A link on the way, or a path that leads out, is [`Invalid`](mainstay_core::ErrorKind::Invalid).
    pub(super) fn find(&self, path: &str) -> Result<Option<(PathBuf, FileType)>> {
        let mut place = self.root.clone();
        if path.is_empty() {
            let kind = fs::symlink_metadata(&place).map_err(|error| fail(error.into(), &place))?;
            return Ok(Some((place, kind.file_type())));
        }
        let path = FilePath::new(path).map_err(|error| error.context("in", place.display()))?;
        path.below(&place)?;
        let mut found = None;
        for segment in path.as_str().split('/') {
            place.push(segment);
            let kind = match fs::symlink_metadata(&place) {
                Ok(metadata) => metadata.file_type(),
                Err(error) if matches!(error.kind(), Io::NotFound | Io::NotADirectory) => {
                    return Ok(None);
                }
                Err(error) => return Err(fail(error.into(), &place)),
            };
            if kind.is_symlink() {
                return Err(fail(link(), &place));
            }
            found = Some(kind);
        }
        Ok(found.map(|kind| (place, kind)))
    }

    /// Reads a text file of at most `limit` bytes; `None` when it is not there.
    pub(super) fn text(&self, path: &str, limit: usize) -> Result<Option<String>> {
        let Some((place, kind)) = self.find(path)? else {
            return Ok(None);
        };
        if !kind.is_file() {
            return Err(fail(Error::invalid("not a file"), &place));
        }
        let mut bytes = Vec::new();
        let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        File::open(&place)
            .and_then(|file| file.take(most).read_to_end(&mut bytes))
            .map_err(|error| fail(error.into(), &place))?;
        if bytes.len() > limit {
            let why = format!("the file is longer than {limit} bytes");
            return Err(fail(Error::invalid(why), &place));
        }
        String::from_utf8(bytes).map(Some).map_err(|error| {
            let why = Error::invalid("the file is not UTF-8").with_source(error);
            fail(why, &place)
        })
    }

    /// Lists the names of the directories in a directory, sorted; none when it is not there.
    pub(super) fn directories(&self, path: &str) -> Result<Vec<String>> {
        let Some((place, kind)) = self.find(path)? else {
            return Ok(Vec::new());
        };
        if !kind.is_dir() {
            return Err(fail(Error::invalid("not a directory"), &place));
        }
        let mut names = Vec::new();
        for (name, kind) in entries(&place, MAX_ENTRIES)? {
            if kind.is_symlink() {
                return Err(fail(link(), &place.join(name)));
            }
            if kind.is_dir() {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Lists the files at any depth below a directory, by their paths in it, sorted; none when it is not
    /// there. Of a file, only itself.
    pub(super) fn files(&self, path: &str) -> Result<Vec<(FilePath, PathBuf)>> {
        let Some((place, kind)) = self.find(path)? else {
            return Ok(Vec::new());
        };
        if kind.is_file() {
            let name = path.rsplit('/').next().unwrap_or(path);
            return Ok(vec![(name.parse()?, place)]);
        }
        let mut files = Vec::new();
        let mut seen = 0;
        let mut pending = vec![(place, String::new())];
        while let Some((directory, prefix)) = pending.pop() {
            for (name, kind) in entries(&directory, MAX_ENTRIES - seen)? {
                seen += 1;
                let place = directory.join(&name);
                let inside: FilePath = format!("{prefix}{name}")
                    .parse()
                    .map_err(|error| fail(error, &directory))?;
                if kind.is_dir() {
                    pending.push((place, format!("{inside}/")));
                } else if kind.is_file() {
                    files.push((inside, place));
                } else if kind.is_symlink() {
                    return Err(fail(link(), &place));
                } else {
                    return Err(fail(
                        Error::invalid("neither a file nor a directory"),
                        &place,
                    ));
                }
            }
        }
        files.sort();
        Ok(files)
    }

    /// Lists the files below a directory as what to register.
    pub(super) fn specs(&self, path: &str) -> Result<Vec<FileSpec>> {
        let files = self.files(path)?.into_iter();
        Ok(files
            .map(|(inside, place)| FileSpec::from_disk(inside, place))
            .collect())
    }
}

fn entries(directory: &Path, most: usize) -> Result<Vec<(String, FileType)>> {
    let mut entries = Vec::new();
    let listed = fs::read_dir(directory).map_err(|error| fail(error.into(), directory))?;
    for entry in listed {
        let entry = entry.map_err(|error| fail(error.into(), directory))?;
        let kind = entry
            .file_type()
            .map_err(|error| fail(error.into(), &entry.path()))?;
        let name = entry
            .file_name()
            .into_string()
            .map_err(|_| fail(Error::invalid("a name is not UTF-8"), &entry.path()))?;
        if entries.len() == most {
            let why = format!("more than {MAX_ENTRIES} entries");
            return Err(fail(Error::invalid(why), directory));
        }
        entries.push((name, kind));
    }
    Ok(entries)
}

fn link() -> Error {
    Error::invalid("a symbolic link is not followed")
}

/// Names the file that an error is about.
pub(super) fn fail(error: Error, path: &Path) -> Error {
    error.context("path", path.display())
}
