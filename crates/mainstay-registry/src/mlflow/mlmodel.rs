//! The signature that the `MLmodel` of a model states.

use mainstay_core::{Error, FilePath, Result};
use mainstay_repo::{Repo, View};

use super::records::MlmodelFile;
use super::text::{MAX_YAML_BYTES, parse};
use crate::artifact::{ArtifactFile, FileSpec};
use crate::signature::Signature;
use crate::spec::ModelSpec;
use crate::upload;

/// Where MLflow puts it among the files of a model.
pub(super) const MLMODEL: &str = "MLmodel";

/// Reads the signature in the text of an `MLmodel`, if it states one.
pub(super) fn signature(text: &str) -> Result<Option<Signature>> {
    let file: MlmodelFile = parse(text)?;
    file.signature
        .map(|stated| Signature::from_json(&stated))
        .transpose()
}

/// Reads the signature that the `MLmodel` among the files of a spec states, or of the upload it takes.
pub(crate) async fn of_spec(repo: &Repo, spec: &ModelSpec) -> Result<Option<Signature>> {
    let is_it = |path: &FilePath| path.as_str() == MLMODEL;
    let named = |error: Error| error.context("file", MLMODEL);
    if let Some(file) = spec.files.iter().find(|file| is_it(file.path())) {
        return in_spec(file).await.map_err(named);
    }
    let Some(id) = &spec.upload else {
        return Ok(None);
    };
    let find = |view: &View| {
        let mut files = upload::files(view, &spec.model, id)?.into_iter();
        Ok(files.find(|file| is_it(&file.path)))
    };
    match repo.read(find).await? {
        Some(file) => stored(repo, &file).await.map_err(named),
        None => Ok(None),
    }
}

async fn in_spec(file: &FileSpec) -> Result<Option<Signature>> {
    of_bytes(file.read(MAX_YAML_BYTES).await?)
}

async fn stored(repo: &Repo, file: &ArtifactFile) -> Result<Option<Signature>> {
    if file.bytes > MAX_YAML_BYTES as u64 {
        return Err(Error::invalid(format!(
            "the file is longer than {MAX_YAML_BYTES} bytes"
        )));
    }
    let blob = repo
        .blob(&file.digest)
        .await?
        .ok_or_else(|| Error::corrupt(file.digest, "the bytes of an upload are missing"))?;
    of_bytes(blob.range(0..blob.size()).await?)
}

fn of_bytes(bytes: impl Into<Vec<u8>>) -> Result<Option<Signature>> {
    let text = String::from_utf8(bytes.into())
        .map_err(|error| Error::invalid("the file is not UTF-8").with_source(error))?;
    signature(&text)
}
