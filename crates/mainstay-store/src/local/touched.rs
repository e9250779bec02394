//! Making names, and waiting until they are on the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;

use rustix::io::Errno;

use super::Durability;
use super::commit::{Change, Ready};
use super::directory::Directory;
use super::place::Place;
use super::tree::Tree;
use crate::PutOutcome;

/// The directories and files whose sync makes changes durable.
#[derive(Debug)]
pub(super) struct Touched<'a> {
    tree: &'a Tree,
    /// By path.
    directories: BTreeMap<String, Directory>,
    /// Paths of directories whose names the sync of the others makes durable.
    settling: BTreeSet<String>,
    /// Objects that were in the place of others, whose writer may not have synced them.
    existing: Vec<File>,
}

impl<'a> Touched<'a> {
    pub(super) fn new(tree: &'a Tree) -> Self {
        Self {
            tree,
            directories: BTreeMap::new(),
            settling: BTreeSet::new(),
            existing: Vec::new(),
        }
    }

    /// Gives a staged file its name, or removes a name.
    pub(super) fn make(&mut self, change: &Change, ready: Ready<'_>) -> io::Result<PutOutcome> {
        let name = change.place.file();
        if matches!(ready, Ready::Remove) {
            // Synced also when it was absent: who removed it may not have come to that yet.
            if let Some(directory) = self.present(&change.place)? {
                directory.remove(name)?;
            }
            return Ok(PutOutcome::Written);
        }
        let directory = self.made(&change.place)?;
        let written = match ready {
            Ready::Link(staged) => staged.link(directory, name)?,
            Ready::Rename(staged) => staged.rename(directory, name).map(|()| true)?,
            Ready::Nothing | Ready::Remove => false,
        };
        if written {
            Ok(PutOutcome::Written)
        } else {
            self.exists(change)
        }
    }

    fn exists(&mut self, change: &Change) -> io::Result<PutOutcome> {
        if self.tree.durability == Durability::None {
            return Ok(PutOutcome::Exists);
        }
        // Its writer may not have come to the sync, or does not sync at all.
        self.existing.extend(self.tree.beneath.file(&change.place)?);
        Ok(PutOutcome::Exists)
    }

    /// Opens the directory of `place` if there.
    fn present(&mut self, place: &Place) -> io::Result<Option<&Directory>> {
        let path = place.directory();
        if !self.directories.contains_key(path) {
            let Some(directory) = self.tree.beneath.directory(path)? else {
                return Ok(None);
            };
            self.directories.insert(path.to_owned(), directory);
        }
        Ok(self.directories.get(path))
    }

    /// Opens the directory of `place`, making what is absent, and sees to it that the names of all
    /// of it get to the disk, whoever made it.
    fn made(&mut self, place: &Place) -> io::Result<&Directory> {
        let path = place.directory();
        let settled = self.tree.is_settled(path) || self.settling.contains(path);
        if !settled || self.present(place)?.is_none() {
            self.walk(path)?;
        }
        let directory = self.directories.get(path);
        directory.ok_or_else(|| Errno::NOENT.into())
    }

    fn walk(&mut self, path: &str) -> io::Result<()> {
        let mut parent = "";
        let mut directory = self.tree.beneath.root.try_clone()?;
        for end in ends_of_names(path) {
            let child_path = &path[..end];
            let name = child_path[parent.len()..].trim_start_matches('/');
            let (child, new) = match directory.child(name)? {
                Some(child) => (child, false),
                None => (directory.make_child(name)?, true),
            };
            if new || !self.tree.is_settled(child_path) {
                self.directories.insert(parent.to_owned(), directory);
                self.settling.insert(child_path.to_owned());
            }
            directory = child;
            parent = child_path;
        }
        self.directories.insert(path.to_owned(), directory);
        Ok(())
    }

    /// Waits until all of it is on the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        if self.tree.durability == Durability::None {
            return Ok(());
        }
        let directories = self.directories.values().map(Directory::as_file);
        let files: Vec<_> = directories.chain(&self.existing).collect();
        self.tree.disk.sync_published(&files)?;
        self.tree.settle(&self.settling);
        Ok(())
    }
}

/// Where each name of a path ends; nowhere in the empty path.
fn ends_of_names(path: &str) -> impl Iterator<Item = usize> {
    let slashes = path.match_indices('/').map(|(at, _)| at);
    slashes.chain((!path.is_empty()).then_some(path.len()))
}
