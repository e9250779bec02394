//! Opening what is beneath the root and nothing else.

use std::fs::File;
use std::io::{self};

use super::directory::{Directory, Found, regular, unless_absent};
use super::kernel;
use super::place::Place;

/// The root. Paths are names joined by `/`, none of them `..`; empty is the root itself.
#[derive(Debug)]
pub(super) struct Beneath {
    pub(super) root: Directory,
    /// Whether the kernel resolves a whole path at once; otherwise it is walked name by name.
    at_once: bool,
}

impl Beneath {
    pub(super) fn new(root: Directory, at_once: bool) -> Self {
        Self { root, at_once }
    }

    /// Opens a directory; `None` when absent.
    pub(super) fn directory(&self, path: &str) -> io::Result<Option<Directory>> {
        if path.is_empty() {
            return self.root.try_clone().map(Some);
        }
        if self.at_once {
            let opened = kernel::open_beneath(self.root.as_file(), path, Directory::FLAGS);
            return Ok(unless_absent(opened)?.map(Directory::new));
        }
        let mut directory = self.root.try_clone()?;
        for name in path.split('/') {
            match directory.child(name)? {
                Some(child) => directory = child,
                None => return Ok(None),
            }
        }
        Ok(Some(directory))
    }

    /// Opens a file for reading; `None` when absent.
    pub(super) fn file(&self, place: &Place) -> io::Result<Option<File>> {
        if self.at_once {
            let opened =
                kernel::open_beneath(self.root.as_file(), place.path(), Directory::FILE_FLAGS);
            return unless_absent(opened)?.map(regular).transpose();
        }
        match self.directory(place.directory())? {
            Some(directory) => directory.open_file(place.file()),
            None => Ok(None),
        }
    }

    /// Finds out what is in an object's place.
    pub(super) fn find(&self, place: &Place) -> io::Result<Found> {
        match self.directory(place.directory())? {
            Some(directory) => directory.find(place.file()),
            None => Ok(Found::Nothing),
        }
    }
}
