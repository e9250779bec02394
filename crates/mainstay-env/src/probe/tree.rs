//! Reads files below a root: bounded, regular files only, links resolved as if chrooted there.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use mainstay_core::{Digest, Hasher};

use crate::Failure;

/// The most that is read of a file.
pub(crate) const MAX_FILE_BYTES: u64 = 1 << 20;

/// The most entries read of a directory.
const MAX_ENTRIES: usize = 100_000;

/// The most symbolic links followed for one path, as Linux does.
const MAX_LINKS: usize = 40;

/// The largest file that is hashed.
const MAX_HASHED_BYTES: u64 = 64 << 20;

/// The files below a root. Paths are absolute as a process inside would see them.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    root: PathBuf,
}

/// What reading gives: `None` when nothing is there.
pub(crate) type Lookup<T> = Result<Option<T>, Failure>;

impl Tree {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Reports whether the tree is the running system.
    pub(crate) fn is_host(&self) -> bool {
        self.root == Path::new("/")
    }

    /// Reads a text file of at most 1 MiB.
    pub(crate) fn text(&self, path: impl AsRef<Path>) -> Lookup<String> {
        let Some(bytes) = self.prefix(path, MAX_FILE_BYTES + 1)? else {
            return Ok(None);
        };
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(Failure::TooLarge);
        }
        String::from_utf8(bytes)
            .map(Some)
            .map_err(|_| Failure::Malformed)
    }

    /// Reads at most `limit` bytes from the beginning of a file.
    pub(crate) fn prefix(&self, path: impl AsRef<Path>, limit: u64) -> Lookup<Vec<u8>> {
        let Some(file) = self.open(path.as_ref())? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        file.take(limit)
            .read_to_end(&mut bytes)
            .map_err(|error| failure(&error))?;
        Ok(Some(bytes))
    }

    /// Hashes a file of at most 64 MiB.
    pub(crate) fn digest(&self, path: impl AsRef<Path>) -> Lookup<Digest> {
        let Some(file) = self.open(path.as_ref())? else {
            return Ok(None);
        };
        let mut file = file.take(MAX_HASHED_BYTES + 1);
        let (mut hasher, mut buffer) = (Hasher::new(), vec![0; 1 << 16]);
        let mut total = 0;
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return Ok(Some(hasher.finish())),
                Ok(read) => {
                    hasher.update(&buffer[..read]);
                    total += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failure(&error)),
            }
            if total > MAX_HASHED_BYTES {
                return Err(Failure::TooLarge);
            }
        }
    }

    /// Lists the names in a directory, sorted; names that are not UTF-8 are left out.
    pub(crate) fn names(&self, path: impl AsRef<Path>) -> Lookup<Vec<String>> {
        let Some(path) = self.resolve(path.as_ref()) else {
            return Ok(None);
        };
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) => return absent_or(&error),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| failure(&error))?;
            if names.len() >= MAX_ENTRIES {
                return Err(Failure::TooLarge);
            }
            if let Ok(name) = entry.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(Some(names))
    }

    /// Reports whether something is there, of any type.
    pub(crate) fn exists(&self, path: impl AsRef<Path>) -> bool {
        self.resolve(path.as_ref())
            .is_some_and(|path| fs::symlink_metadata(path).is_ok())
    }

    /// Reports whether a directory is there.
    pub(crate) fn is_dir(&self, path: impl AsRef<Path>) -> bool {
        self.resolve(path.as_ref())
            .is_some_and(|path| path.is_dir())
    }

    /// Reports whether a regular file is there.
    pub(crate) fn is_file(&self, path: impl AsRef<Path>) -> bool {
        self.resolve(path.as_ref())
            .is_some_and(|path| path.is_file())
    }

    /// Returns the target of the symbolic link at `path`.
    pub(crate) fn link(&self, path: impl AsRef<Path>) -> Option<String> {
        let path = path.as_ref();
        let parent = self.resolve(path.parent()?)?;
        let target = fs::read_link(parent.join(path.file_name()?)).ok()?;
        target.into_os_string().into_string().ok()
    }

    /// Returns the path inside the tree that `path` means after all links.
    pub(crate) fn canonical(&self, path: impl AsRef<Path>) -> Option<PathBuf> {
        let outside = self.walk(path.as_ref())?;
        let inside = outside.strip_prefix(&self.root).ok()?;
        Some(Path::new("/").join(inside))
    }

    fn open(&self, path: &Path) -> Lookup<File> {
        let Some(path) = self.resolve(path) else {
            return Ok(None);
        };
        // Before opening: opening a pipe would wait for its other end.
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => {}
            Ok(_) => return Err(Failure::Malformed),
            Err(error) => return absent_or(&error),
        }
        match File::open(path) {
            Ok(file) => Ok(Some(file)),
            Err(error) => absent_or(&error),
        }
    }

    /// Turns a path inside the tree into one outside. `None` when links loop.
    fn resolve(&self, path: &Path) -> Option<PathBuf> {
        if self.is_host() {
            return Some(Path::new("/").join(path));
        }
        self.walk(path)
    }

    /// Follows every link; `..` and absolute links stay below the root.
    fn walk(&self, path: &Path) -> Option<PathBuf> {
        let mut todo = VecDeque::new();
        push_front(&mut todo, path);
        let (mut done, mut links): (Vec<OsString>, usize) = (Vec::new(), 0);
        while let Some(name) = todo.pop_front() {
            if name == OsStr::new("..") {
                done.pop();
                continue;
            }
            done.push(name);
            let mut candidate = self.root.clone();
            candidate.extend(&done);
            let Ok(target) = fs::read_link(&candidate) else {
                continue;
            };
            links += 1;
            if links > MAX_LINKS {
                return None;
            }
            if target.is_absolute() {
                done.clear();
            } else {
                done.pop();
            }
            push_front(&mut todo, &target);
        }
        let mut outside = self.root.clone();
        outside.extend(done);
        Some(outside)
    }
}

/// Puts the names and `..` of `path` before everything else that is to be walked.
fn push_front(todo: &mut VecDeque<OsString>, path: &Path) {
    let names = path
        .components()
        .rev()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some(OsString::from("..")),
            _ => None,
        });
    for name in names {
        todo.push_front(name);
    }
}

fn absent_or<T>(error: &io::Error) -> Lookup<T> {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(None),
        _ => Err(failure(error)),
    }
}

fn failure(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Failure::Denied,
        _ => Failure::Unreadable,
    }
}
