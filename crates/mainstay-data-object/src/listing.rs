//! The files of a snapshot by their paths.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use mainstay_data::FileEntry;
use object_store::path::Path;
use object_store::{Extensions, ListResult, ObjectMeta, Result};

use crate::error;

/// Every file of a snapshot, sorted by its path in the store.
///
/// A path of a snapshot may hold characters that `object_store` reserves; those are percent-encoded as
/// [`Path::from`] does it, as for files of a local directory.
#[derive(Debug)]
pub(crate) struct Listing {
    files: BTreeMap<Path, FileEntry>,
    time: DateTime<Utc>,
}

impl Listing {
    pub(crate) fn new(files: impl IntoIterator<Item = FileEntry>, time: DateTime<Utc>) -> Self {
        let by_path = |file: FileEntry| (Path::from(file.path.as_str()), file);
        Self {
            files: files.into_iter().map(by_path).collect(),
            time,
        }
    }

    pub(crate) fn get(&self, path: &Path) -> Option<&FileEntry> {
        self.files.get(path)
    }

    /// Describes a file as an object.
    ///
    /// # Errors
    /// [`NotSupported`](object_store::Error::NotSupported) when patches change it: what is known of its size
    /// and bytes is that of another.
    pub(crate) fn meta(&self, path: &Path, file: &FileEntry) -> Result<ObjectMeta> {
        if !file.patches().is_empty() {
            return Err(error::patched(path));
        }
        Ok(ObjectMeta {
            location: path.clone(),
            last_modified: self.time,
            size: file.bytes,
            e_tag: Some(format!("\"{}\"", file.digest)),
            version: None,
        })
    }

    /// Lists the files below `prefix`, those after `offset` when it is given.
    pub(crate) fn below(&self, prefix: &Path, offset: Option<&Path>) -> Vec<Result<ObjectMeta>> {
        let after = |path: &Path| offset.is_none_or(|offset| path > offset);
        self.at(prefix)
            .filter(|(path, _)| after(path) && is_below(path, prefix))
            .map(|(path, file)| self.meta(path, file))
            .collect()
    }

    /// Lists the files and the directories directly below `prefix`.
    pub(crate) fn directly_below(&self, prefix: &Path) -> Result<ListResult> {
        let mut objects = Vec::new();
        let mut directories = BTreeSet::new();
        for (path, file) in self.at(prefix) {
            let Some(mut parts) = path.prefix_match(prefix) else {
                continue;
            };
            match (parts.next(), parts.next()) {
                (Some(directory), Some(_)) => {
                    directories.insert(prefix.clone().join(directory));
                }
                (Some(_), None) => objects.push(self.meta(path, file)?),
                (None, _) => {}
            }
        }
        Ok(ListResult {
            objects,
            common_prefixes: directories.into_iter().collect(),
            extensions: Extensions::default(),
        })
    }

    fn at(&self, prefix: &Path) -> impl Iterator<Item = (&Path, &FileEntry)> {
        let text = prefix.as_ref().to_owned();
        self.files
            .range(prefix.clone()..)
            .take_while(move |(path, _)| path.as_ref().starts_with(&text))
    }
}

fn is_below(path: &Path, prefix: &Path) -> bool {
    path.prefix_match(prefix)
        .is_some_and(|mut rest| rest.next().is_some())
}
