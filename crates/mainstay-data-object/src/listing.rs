//! The files of a snapshot by their paths.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_data::FileEntry;
use object_store::path::Path;

use crate::object::Object;

/// Every file of a snapshot, sorted by its path in the store.
///
/// A path of a snapshot may hold characters that `object_store` reserves; those are percent-encoded as
/// [`Path::from`] does it, as for files of a local directory.
#[derive(Debug)]
pub(crate) struct Listing {
    files: BTreeMap<Path, Object>,
}

/// What is directly below a path.
#[derive(Debug, Default)]
pub(crate) struct Level {
    pub(crate) files: Vec<Path>,
    pub(crate) directories: BTreeSet<Path>,
}

impl Listing {
    pub(crate) fn new(files: impl IntoIterator<Item = FileEntry>) -> Self {
        let by_path = |file: FileEntry| (Path::from(file.path.as_str()), Object::new(file));
        Self {
            files: files.into_iter().map(by_path).collect(),
        }
    }

    pub(crate) fn get(&self, path: &Path) -> Option<&Object> {
        self.files.get(path)
    }

    /// Lists the files below `prefix`, those after `offset` when it is given.
    pub(crate) fn below(&self, prefix: &Path, offset: Option<&Path>) -> Vec<Path> {
        let after = |path: &&Path| offset.is_none_or(|offset| *path > offset);
        self.at(prefix)
            .filter(|path| after(path) && is_below(path, prefix))
            .cloned()
            .collect()
    }

    /// Lists the files and the directories directly below `prefix`.
    pub(crate) fn directly_below(&self, prefix: &Path) -> Level {
        let mut level = Level::default();
        for path in self.at(prefix) {
            let Some(mut parts) = path.prefix_match(prefix) else {
                continue;
            };
            match (parts.next(), parts.next()) {
                (Some(directory), Some(_)) => {
                    level.directories.insert(prefix.clone().join(directory));
                }
                (Some(_), None) => level.files.push(path.clone()),
                (None, _) => {}
            }
        }
        level
    }

    fn at(&self, prefix: &Path) -> impl Iterator<Item = &Path> {
        let text = prefix.as_ref().to_owned();
        let files = self.files.range(prefix.clone()..);
        files
            .map(|(path, _)| path)
            .take_while(move |path| path.as_ref().starts_with(&text))
    }
}

fn is_below(path: &Path, prefix: &Path) -> bool {
    path.prefix_match(prefix)
        .is_some_and(|mut rest| rest.next().is_some())
}
