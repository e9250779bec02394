//! The tensors of a version.

use mainstay_core::{BulkDigest, Error, Result};
use mainstay_repo::{Blob, Repo};

use super::digest::digest;
use super::{Tensor, header};
use crate::artifact::{Artifact, ArtifactFile};

/// The most tensors of a version that are looked at.
pub const MAX_TENSORS: usize = 300_000;

/// A file and its tensors, in order of their places.
#[derive(Debug)]
pub(super) struct Shard {
    pub(super) blob: Blob,
    pub(super) tensors: Vec<Tensor>,
}

/// The safetensors files of a version.
pub(super) fn safetensors(artifact: &Artifact) -> impl Iterator<Item = &ArtifactFile> {
    artifact.files.iter().filter(|file| is_safetensors(file))
}

/// Reads the headers of safetensors files.
pub(super) async fn shards(
    repo: &Repo,
    files: impl IntoIterator<Item = &ArtifactFile>,
) -> Result<Vec<Shard>> {
    let mut shards = Vec::new();
    let mut count = 0;
    for file in files {
        let blob = repo
            .blob(&file.digest)
            .await?
            .ok_or_else(|| Error::corrupt(file.digest, "the model's bytes are missing"))?;
        let tensors = header::read(&blob, &file.path).await?;
        count += tensors.len();
        if count > MAX_TENSORS {
            let error = Error::invalid(format!("more than {MAX_TENSORS} tensors"));
            return Err(error.context("file", &file.path));
        }
        shards.push(Shard { blob, tensors });
    }
    Ok(shards)
}

pub(super) fn is_safetensors(file: &ArtifactFile) -> bool {
    file.media_type == "application/vnd.safetensors"
        || file.path.extension().eq_ignore_ascii_case("safetensors")
}

/// Lists the tensors, file by file and in order of their places.
pub(crate) async fn tensors(repo: &Repo, artifact: &Artifact) -> Result<Vec<Tensor>> {
    let shards = shards(repo, safetensors(artifact)).await?;
    Ok(shards.into_iter().flat_map(|shard| shard.tensors).collect())
}

/// Lists the tensors with the digest of each.
pub(crate) async fn digests(repo: &Repo, artifact: &Artifact) -> Result<Vec<(Tensor, BulkDigest)>> {
    let mut digests = Vec::new();
    for Shard { blob, tensors } in shards(repo, safetensors(artifact)).await? {
        for tensor in tensors {
            let digest = digest(&blob, &tensor).await?;
            digests.push((tensor, digest));
        }
    }
    Ok(digests)
}
