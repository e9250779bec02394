//! How the tensors of two versions differ, as far as it can be told without reading them.

use std::collections::BTreeMap;

use mainstay_core::{Digest, Result};
use mainstay_repo::Repo;
use serde::Serialize;

use super::compare::compare;
use super::header::shown;
use super::inventory::{is_safetensors, safetensors};
use super::stored::{Stored, keyed, stored};
use crate::artifact::{Artifact, ArtifactFile};

/// The most tensors of a kind of change that are named.
pub const MAX_NAMED: usize = 8;
/// The most chunks of a version that a summary looks at: 128 GiB of what differs at the usual 64 KiB each.
pub const MAX_SUMMARY_CHUNKS: usize = 1 << 21;
/// Files up to this size are one piece that comes with their headers, so their tensors are read where
/// chunks do not tell; see [`mainstay_repo::Blob::chunks`].
const HELD_BYTES: u64 = 16 * 1024;

/// How the safetensors files of two versions differ, told by headers and stored chunks.
///
/// Files that both versions hold are not looked into: their tensors are unchanged. Of the others no
/// tensor is read, but for those of files of at most 16 KiB.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct TensorSummary {
    /// Those that only the second version has.
    pub added: NamedTensors,
    /// Those that only the first version has.
    pub removed: NamedTensors,
    /// Those with another shape or type of elements.
    pub reshaped: NamedTensors,
    /// Those with other bytes.
    pub changed: NamedTensors,
    /// Those that may have other bytes: small ones that are stored together with others of which one
    /// changed, and those that were cut at other places.
    pub undecided: NamedTensors,
    /// The different chunks that the safetensors files of the second version are stored in, in bytes.
    pub bytes: u64,
    /// Those of them that the first version is stored in too.
    pub shared_bytes: u64,
    /// Whether other files differ: such as are neither safetensors nor documentation.
    pub other_files: bool,
}

/// How many tensors, and the first of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct NamedTensors {
    /// How many.
    pub count: u64,
    /// The first [`MAX_NAMED`] names in order; control characters are escaped, and long names cut.
    pub names: Vec<String>,
}

impl NamedTensors {
    fn add(&mut self, name: &str) {
        self.count += 1;
        if self.names.len() < MAX_NAMED {
            self.names.push(shown(name));
        }
    }
}

impl TensorSummary {
    /// Reports whether both versions have tensors of the same names, shapes and types.
    #[must_use]
    pub fn is_same_architecture(&self) -> bool {
        self.added.count + self.removed.count + self.reshaped.count == 0
    }

    /// Reports whether both versions have the same tensors, whatever files they are in.
    #[must_use]
    pub fn is_same_tensors(&self) -> bool {
        self.is_same_architecture() && self.changed.count + self.undecided.count == 0
    }
}

/// Compares versions of at most `limit` chunks; `None` when both hold the same safetensors files.
pub(crate) async fn summary(
    repo: &Repo,
    before: &Artifact,
    after: &Artifact,
    limit: usize,
) -> Result<Option<TensorSummary>> {
    let (old, new) = without_common(safetensors(before), safetensors(after));
    if old.is_empty() && new.is_empty() {
        return Ok(None);
    }
    let in_common = size(safetensors(after)) - size(new.iter().copied());
    let ((old, old_stock), (new, new_stock)) =
        futures::try_join!(stored(repo, old, limit), stored(repo, new, limit))?;
    let mut summary = TensorSummary {
        bytes: in_common + new_stock.bytes(),
        shared_bytes: in_common + new_stock.shared_bytes(&old_stock),
        other_files: others_differ(before, after),
        ..TensorSummary::default()
    };
    summary.compare(old, new).await?;
    Ok(Some(summary))
}

impl TensorSummary {
    async fn compare(&mut self, old: Vec<Stored>, new: Vec<Stored>) -> Result<()> {
        let (mut old, new) = keyed(old, new);
        let (mut changed, mut at_hand) = (Vec::new(), Vec::new());
        for (key, after) in new {
            let name = after.tensor.name.as_str();
            match old.remove(&key) {
                None => self.added.add(name),
                Some(before) if !before.is_shaped_as(&after) => self.reshaped.add(name),
                Some(_) if after.tensor.bytes == 0 => {}
                Some(before) => match before.chunks.are_equal(&after.chunks) {
                    Some(true) => {}
                    Some(false) => changed.push(after.tensor.name),
                    None if is_at_hand(&before) || is_at_hand(&after) => {
                        at_hand.push((before, after));
                    }
                    None => self.undecided.add(name),
                },
            }
        }
        for (name, _) in old.into_keys() {
            self.removed.add(&name);
        }
        let compared = compare(at_hand).await?.into_iter();
        let differ = compared.filter(|(_, tally)| !tally.is_unchanged());
        changed.extend(differ.map(|(tensor, _)| tensor.name));
        changed.sort_unstable();
        for name in changed {
            self.changed.add(&name);
        }
        Ok(())
    }
}

fn is_at_hand(stored: &Stored) -> bool {
    stored.blob.size() <= HELD_BYTES
}

/// Leaves out what is in both, as often as it is in both.
fn without_common<'a>(
    old: impl Iterator<Item = &'a ArtifactFile>,
    new: impl Iterator<Item = &'a ArtifactFile>,
) -> (Vec<&'a ArtifactFile>, Vec<&'a ArtifactFile>) {
    let mut by_digest: BTreeMap<Digest, Vec<&ArtifactFile>> = BTreeMap::new();
    for file in old {
        by_digest.entry(file.digest).or_default().push(file);
    }
    let is_new =
        |file: &&ArtifactFile| by_digest.get_mut(&file.digest).and_then(Vec::pop).is_none();
    let new = new.filter(is_new).collect();
    (by_digest.into_values().flatten().collect(), new)
}

fn others_differ(before: &Artifact, after: &Artifact) -> bool {
    let wanted = |file: &&ArtifactFile| !is_safetensors(file) && !file.is_documentation();
    let [before, after] = [before, after].map(|artifact| artifact.files.iter().filter(wanted));
    before.ne(after)
}

fn size<'a>(files: impl Iterator<Item = &'a ArtifactFile>) -> u64 {
    files.map(|file| file.bytes).sum()
}
