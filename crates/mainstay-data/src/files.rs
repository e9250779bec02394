//! The files of a snapshot: what the manifest says of them.

use mainstay_core::{Digest, Error, ErrorKind, FilePath, Result};
use serde::{Deserialize, Serialize};

/// The files of a snapshot.
///
/// [`Datasets::files`](crate::Datasets::files) streams them however they are listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Files {
    /// In the manifest itself, in path order: of snapshots of up to 1,024 files.
    Listed(Vec<FileEntry>),
    /// In a tree of pages, which versions share.
    Tree(FileTree),
}

/// Names a tree of files; [`Datasets::files`](crate::Datasets::files) reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FileTree {
    /// The size of the files together, patches included.
    pub bytes: u64,
    /// How many files there are.
    pub count: u64,
    /// The root of the tree, whose format is that of `docs/formats/tree.md`.
    pub tree: Digest,
}

/// How a file differs between two snapshots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FileChange {
    /// The later snapshot alone has it.
    Added(FileEntry),
    /// The earlier snapshot alone has it.
    Removed(FileEntry),
    /// Both have the path, and not the same there.
    Changed {
        /// In the earlier snapshot.
        before: FileEntry,
        /// In the later snapshot.
        after: FileEntry,
    },
}

impl FileChange {
    /// Returns the path of the file.
    #[must_use]
    pub fn path(&self) -> &FilePath {
        let (Self::Added(file) | Self::Removed(file) | Self::Changed { after: file, .. }) = self;
        &file.path
    }
}

/// A file of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FileEntry {
    /// Its path inside the snapshot.
    pub path: FilePath,
    /// The plain SHA-256 of its bytes; of those that the patches change, where there are patches.
    pub digest: Digest,
    /// Its size, without patches.
    pub bytes: u64,
    /// Its media type, by its extension.
    pub media_type: String,
    /// How many rows of the table it holds, patches applied; `None` when it is not a table file.
    ///
    /// Its first row is the one behind those of the table files before it.
    pub rows: Option<u64>,
    /// How the file was written, when it has the canonical layout; absent when it is verbatim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canonical: Option<Canonical>,
}

/// What is to know of a file in the canonical layout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Canonical {
    /// The writer profile of `docs/formats/data-snapshot.md`.
    pub profile: u64,
    /// What changes the rows of the file into those of the version, in order; mostly none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<PatchEntry>,
}

/// A patch of a file in the canonical layout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PatchEntry {
    /// The SHA-256 of the patch, whose format is that of `docs/formats/data-patch.md`.
    pub digest: Digest,
    /// Its size.
    pub bytes: u64,
}

impl Files {
    /// Returns how many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        match self {
            Self::Listed(files) => files.len() as u64,
            Self::Tree(tree) => tree.count,
        }
    }

    /// Returns their size together, patches included.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Listed(files) => files.iter().map(FileEntry::stored_bytes).sum(),
            Self::Tree(tree) => tree.bytes,
        }
    }

    /// Returns the files where the manifest itself lists them; `None` when a tree does.
    #[must_use]
    pub fn listed(&self) -> Option<&[FileEntry]> {
        match self {
            Self::Listed(files) => Some(files),
            Self::Tree(_) => None,
        }
    }

    /// The files, which have been [listed](crate::file_tree::listed).
    pub(crate) fn entries(&self) -> Result<&[FileEntry]> {
        let unread = || Error::new(ErrorKind::Internal, "the files of a tree were not read");
        self.listed().ok_or_else(unread)
    }
}

impl FileEntry {
    /// Returns its patches.
    #[must_use]
    pub fn patches(&self) -> &[PatchEntry] {
        self.canonical
            .as_ref()
            .map_or(&[], |canonical| &canonical.patches)
    }

    /// Returns the size of the file and its patches.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        self.bytes + self.patches().iter().map(|patch| patch.bytes).sum::<u64>()
    }

    /// The blobs that hold the file.
    pub(crate) fn blobs(&self) -> impl Iterator<Item = Digest> {
        let patches = self.patches().iter().map(|patch| patch.digest);
        std::iter::once(self.digest).chain(patches)
    }
}
