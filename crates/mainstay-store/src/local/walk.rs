//! Listing in key order.

use std::io;
use std::sync::Arc;
use std::vec;

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use mainstay_core::{Error, Result};
use rustix::fs::FileType;
use rustix::io::Errno;

use super::blocking;
use super::directory::Found;
use super::place::{Segment, directory_of};
use super::tree::Tree;
use crate::{Key, ObjectMeta, Prefix};

/// A walk through the tree that reads one directory at a time.
#[derive(Debug)]
struct Walk {
    tree: Arc<Tree>,
    after: Option<Key>,
    /// The directory to read next, as the prefix of the keys in it.
    descend: Option<String>,
    /// What is left of each directory from the outermost inwards.
    open: Vec<vec::IntoIter<Entry>>,
}

#[derive(Debug)]
enum Entry {
    Object(ObjectMeta),
    Directory(String),
}

impl Entry {
    /// The text by which entries of one directory sort as the keys in them do.
    fn text(&self) -> &str {
        match self {
            Self::Object(object) => object.key.as_str(),
            Self::Directory(prefix) => prefix,
        }
    }
}

pub(super) fn list(
    tree: Arc<Tree>,
    prefix: &Prefix,
    after: Option<&Key>,
) -> BoxStream<'static, Result<ObjectMeta>> {
    let walk = Walk {
        tree,
        after: after.cloned(),
        descend: Some(prefix.as_str().to_owned()),
        open: Vec::new(),
    };
    stream::try_unfold(walk, Walk::step).boxed()
}

impl Walk {
    async fn step(mut self) -> Result<Option<(ObjectMeta, Self)>> {
        loop {
            if let Some(prefix) = self.descend.take() {
                let tree = Arc::clone(&self.tree);
                let after = self.after.clone();
                let entries = blocking(move || {
                    tree.entries(&prefix, after.as_ref()).map_err(|error| {
                        Error::from(error)
                            .operation("list")
                            .context("prefix", &prefix)
                    })
                });
                self.open.push(entries.await?.into_iter());
            }
            match self.open.last_mut().map(Iterator::next) {
                Some(Some(Entry::Object(object))) => return Ok(Some((object, self))),
                Some(Some(Entry::Directory(prefix))) => self.descend = Some(prefix),
                Some(None) => drop(self.open.pop()),
                None => return Ok(None),
            }
        }
    }
}

impl Tree {
    /// Reads the entries of one directory that are, or may hold, keys after `after`, in order.
    fn entries(&self, prefix: &str, after: Option<&Key>) -> io::Result<Vec<Entry>> {
        let directory = match self.beneath.directory(&directory_of(prefix)) {
            Ok(Some(directory)) => directory,
            Ok(None) => return Ok(Vec::new()),
            Err(error) => {
                return match Errno::from_io_error(&error) {
                    // Not made by this storage, so there is no key in it.
                    Some(Errno::NOTDIR | Errno::LOOP) => Ok(Vec::new()),
                    _ => Err(error),
                };
            }
        };
        let mut entries = Vec::new();
        for (name, file_type) in directory.names()? {
            let entry = match (Segment::of_name(&name), file_type) {
                (Some(Segment::File(segment)), FileType::RegularFile | FileType::Unknown) => {
                    let Ok(key) = Key::new(format!("{prefix}{segment}")) else {
                        continue;
                    };
                    if after.is_some_and(|after| key <= *after) {
                        continue;
                    }
                    let Found::File { bytes: size } = directory.find(&name)? else {
                        continue;
                    };
                    Entry::Object(ObjectMeta { key, size })
                }
                (Some(Segment::Directory(segment)), FileType::Directory | FileType::Unknown) => {
                    let inner = format!("{prefix}{segment}/");
                    if after.is_some_and(|after| all_before(&inner, after)) {
                        continue;
                    }
                    Entry::Directory(inner)
                }
                _ => continue,
            };
            entries.push(entry);
        }
        entries.sort_unstable_by(|a, b| a.text().cmp(b.text()));
        // A name that is replaced while the directory is read may be met twice.
        entries.dedup_by(|a, b| a.text() == b.text());
        Ok(entries)
    }
}

/// Reports whether every key that begins with `prefix` comes before `after`.
fn all_before(prefix: &str, after: &Key) -> bool {
    prefix < after.as_str() && !after.as_str().starts_with(prefix)
}
