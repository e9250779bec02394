//! The files of a snapshot that are too many for its manifest: a tree of pages that versions share.

use std::cmp::Ordering;

use futures::stream::{self, BoxStream, Peekable};
use futures::{StreamExt as _, TryStreamExt as _};
use mainstay_core::{Digest, Error, FilePath, Result};
use mainstay_repo::{Ingest, Repo, TreeBuilder, TreeChange, TreeEntry};
use serde::{Deserialize, Serialize};
use std::pin::Pin;

use crate::{Canonical, FileChange, FileEntry, FileTree, Files};

/// More files than this are stored as a tree.
const MAX_LISTED: usize = 1_024;

/// What a leaf says of a file beside its path and blobs.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Leaf {
    bytes: u64,
    media_type: String,
    rows: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    canonical: Option<Canonical>,
}

/// Decides how files, in path order, are listed, and stores the tree if there is one; returns also its
/// new bytes.
pub(crate) async fn list(ingest: &mut Ingest, entries: &[FileEntry]) -> Result<(Files, u64)> {
    if entries.len() <= MAX_LISTED {
        return Ok((Files::Listed(entries.to_vec()), 0));
    }
    let mut builder = TreeBuilder::new();
    for entry in entries {
        builder.add(ingest, &to_tree(entry)?).await?;
    }
    let stored = builder.finish(ingest).await?;
    let tree = FileTree {
        bytes: entries.iter().map(FileEntry::stored_bytes).sum(),
        count: stored.entries,
        tree: stored.root,
    };
    Ok((Files::Tree(tree), stored.new_bytes))
}

/// Streams the files whose paths begin with `prefix`, in path order.
pub(crate) fn below(
    repo: &Repo,
    files: &Files,
    prefix: &str,
) -> BoxStream<'static, Result<FileEntry>> {
    match files {
        Files::Listed(files) => {
            let begins = |file: &&FileEntry| file.path.as_str().starts_with(prefix);
            let files: Vec<_> = files.iter().filter(begins).cloned().map(Ok).collect();
            stream::iter(files).boxed()
        }
        Files::Tree(tree) => {
            let entries = repo.tree(&tree.tree).below(prefix);
            entries
                .map(|entry| entry.and_then(|entry| from_tree(&entry)))
                .boxed()
        }
    }
}

/// Finds a file by its path.
pub(crate) async fn find(repo: &Repo, files: &Files, path: &FilePath) -> Result<Option<FileEntry>> {
    match files {
        Files::Listed(files) => {
            let found = files.binary_search_by(|file| file.path.cmp(path));
            Ok(found.ok().map(|at| files[at].clone()))
        }
        Files::Tree(tree) => {
            let found = repo.tree(&tree.tree).get(path.as_str()).await?;
            found.as_ref().map(from_tree).transpose()
        }
    }
}

/// Lists the table files, or all, in memory.
pub(crate) async fn listed(repo: &Repo, files: Files, which: Which) -> Result<Files> {
    let Files::Tree(_) = files else {
        return Ok(files);
    };
    let all = below(repo, &files, "");
    let wanted = all.try_filter(|file| {
        let is_wanted = which == Which::All || file.rows.is_some();
        std::future::ready(is_wanted)
    });
    Ok(Files::Listed(wanted.try_collect().await?))
}

/// Which files are wanted in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    All,
    Tables,
}

/// Streams how the files of two snapshots differ, in path order; pages that two trees share are not
/// read.
pub(crate) fn changes(
    repo: &Repo,
    before: &Files,
    after: &Files,
) -> BoxStream<'static, Result<FileChange>> {
    if let (Files::Tree(before), Files::Tree(after)) = (before, after) {
        let (before, after) = (repo.tree(&before.tree), repo.tree(&after.tree));
        let changes = after.changes_since(&before);
        return changes.map(|change| of_tree(&change?)).boxed();
    }
    let sides = (
        below(repo, before, "").peekable(),
        below(repo, after, "").peekable(),
    );
    let merged = stream::try_unfold(sides, |(mut before, mut after)| async move {
        let change = next(Pin::new(&mut before), Pin::new(&mut after)).await?;
        Ok(change.map(|change| (change, (before, after))))
    });
    merged.boxed()
}

type Side = Peekable<BoxStream<'static, Result<FileEntry>>>;

/// The next difference of two listings.
async fn next(mut before: Pin<&mut Side>, mut after: Pin<&mut Side>) -> Result<Option<FileChange>> {
    loop {
        let order = match (before.as_mut().peek().await, after.as_mut().peek().await) {
            (None, None) => return Ok(None),
            (Some(Ok(before)), Some(Ok(after))) => before.path.cmp(&after.path),
            (None, _) | (_, Some(Err(_))) => Ordering::Greater,
            (_, None) | (Some(Err(_)), _) => Ordering::Less,
        };
        let old = match order {
            Ordering::Less | Ordering::Equal => before.try_next().await?,
            Ordering::Greater => None,
        };
        let new = match order {
            Ordering::Greater | Ordering::Equal => after.try_next().await?,
            Ordering::Less => None,
        };
        match (old, new) {
            (Some(before), Some(after)) if before == after => {}
            (Some(before), Some(after)) => {
                return Ok(Some(FileChange::Changed { before, after }));
            }
            (Some(before), None) => return Ok(Some(FileChange::Removed(before))),
            (None, Some(after)) => return Ok(Some(FileChange::Added(after))),
            (None, None) => return Ok(None),
        }
    }
}

fn to_tree(file: &FileEntry) -> Result<TreeEntry> {
    let leaf = Leaf {
        bytes: file.bytes,
        media_type: file.media_type.clone(),
        rows: file.rows,
        canonical: file.canonical.clone(),
    };
    let record = serde_json::to_value(&leaf).map_err(|error| {
        Error::invalid("a file that cannot be described")
            .context("file", &file.path)
            .with_source(error)
    })?;
    Ok(TreeEntry::new(file.path.as_str(), record, file.blobs()))
}

fn from_tree(entry: &TreeEntry) -> Result<FileEntry> {
    let corrupt = |why| Error::corrupt("data snapshot tree", why);
    let named = |error: Error| error.context("file", entry.key.escape_debug());
    let path = FilePath::new(&entry.key)
        .map_err(|error| named(corrupt("not the path of a file").with_source(error)))?;
    let leaf = Leaf::deserialize(&entry.record)
        .map_err(|error| named(corrupt("not the entry of a file").with_source(error)))?;
    let digest = entry.blobs.first().copied();
    let digest = digest.ok_or_else(|| named(corrupt("a file without a blob")))?;
    let file = FileEntry {
        path,
        digest,
        bytes: leaf.bytes,
        media_type: leaf.media_type,
        rows: leaf.rows,
        canonical: leaf.canonical,
    };
    if file.blobs().eq(entry.blobs.iter().copied()) {
        Ok(file)
    } else {
        Err(named(corrupt("blobs that are not those of the file")))
    }
}

fn of_tree(change: &TreeChange) -> Result<FileChange> {
    Ok(match change {
        TreeChange::Added(after) => FileChange::Added(from_tree(after)?),
        TreeChange::Removed(before) => FileChange::Removed(from_tree(before)?),
        TreeChange::Changed { before, after } => FileChange::Changed {
            before: from_tree(before)?,
            after: from_tree(after)?,
        },
        _ => {
            return Err(Error::corrupt(
                "data snapshot tree",
                "an unknown difference",
            ));
        }
    })
}

impl FileTree {
    /// The root of the tree, whose pages and blobs a version needs.
    pub(crate) fn root(&self) -> Digest {
        self.tree
    }
}
