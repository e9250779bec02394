//! Uploads: the files of a version that come in several calls, before there is a version.
//!
//! Nobody sees a version before it is registered whole. The files that are there are held by a ref of
//! their own, so that no collection takes them; without that ref they are like any blob that nothing
//! names.

use std::collections::BTreeMap;

use mainstay_core::{
    Actor, Error, ErrorKind, FilePath, Name, NodeKind, RefPath, Result, Timestamp,
};
use mainstay_repo::{Expectation, Repo, Series, Step, Transaction, Value, View};
use serde::{Deserialize, Serialize};

use crate::artifact::{ArtifactFile, FileSpec, check_paths, ingest};
use crate::names::{model_id, model_name};
use crate::record::decode;
use crate::refs;

const FORMAT: u32 = 1;

/// An upload that is begun.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct UploadSpec {
    /// The model that is to have the version.
    pub model: Name,
    /// What the upload is called, of the caller's choice.
    pub id: Name,
    /// From when on [`Registry::sweep_uploads`](crate::Registry::sweep_uploads) may remove it.
    pub expires: Timestamp,
    /// Who begins it.
    pub actor: Actor,
    /// Why.
    pub reason: String,
}

impl UploadSpec {
    /// Creates a spec.
    #[must_use]
    pub fn new(
        model: Name,
        id: Name,
        expires: Timestamp,
        actor: Actor,
        reason: impl Into<String>,
    ) -> Self {
        Self {
            model,
            id,
            expires,
            actor,
            reason: reason.into(),
        }
    }
}

/// An upload that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Upload {
    /// What the model is called.
    pub model: Name,
    /// What the upload is called.
    pub id: Name,
    /// From when on it may be removed.
    pub expires: Timestamp,
    /// The files that are there, sorted by path.
    pub files: Vec<ArtifactFile>,
}

/// The stored record of an upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pending {
    format: u32,
    expires: Timestamp,
    files: Vec<ArtifactFile>,
}

impl Pending {
    const KIND: &'static str = "model.upload";

    fn to_value(&self) -> Result<Value> {
        let blobs = self.files.iter().map(|file| file.digest);
        Ok(Value::new(Self::KIND, self)?.with_blobs(blobs))
    }
}

/// Returns the ref of an upload of the model that a name leads to.
fn path(view: &View, model: &Name, id: &Name) -> Result<RefPath> {
    Series::new(NodeKind::Model, model_id(view, model)?).pointer("upload", id)
}

/// Reads an upload with the generation of its ref.
fn pending(view: &View, model: &Name, id: &Name) -> Result<(Pending, RefPath, Expectation)> {
    let path = path(view, model, id)?;
    let Some(state) = view.get(&path)? else {
        return Err(Error::not_found("upload", id).context("model", model));
    };
    let pending = decode(refs::held(&path, state)?, Pending::KIND)?;
    Ok((pending, path, Expectation::Generation(state.generation)))
}

/// Takes the files of an upload, and ends it in the same transaction.
pub(crate) fn take(
    view: &View,
    model: &Name,
    id: &Name,
    transaction: &mut Transaction,
) -> Result<Vec<ArtifactFile>> {
    let (pending, path, expectation) = pending(view, model, id)?;
    transaction.delete(path, expectation);
    Ok(pending.files)
}

/// Lists the files of an upload.
#[cfg(feature = "mlflow")]
pub(crate) fn files(view: &View, model: &Name, id: &Name) -> Result<Vec<ArtifactFile>> {
    Ok(pending(view, model, id)?.0.files)
}

pub(crate) async fn begin(repo: &Repo, spec: &UploadSpec) -> Result<u64> {
    let build = |view: &View| {
        let path = path(view, &spec.model, &spec.id)?;
        if view.get(&path)?.is_some() {
            let error = Error::new(ErrorKind::AlreadyExists, "the upload is under way");
            return Err(error.context("upload", &spec.id));
        }
        let pending = Pending {
            format: FORMAT,
            expires: spec.expires,
            files: Vec::new(),
        };
        let mut transaction = Transaction::new(spec.actor.clone(), spec.reason.clone());
        transaction.set(path, pending.to_value()?, Expectation::Absent);
        Ok(Step::Commit(transaction, view.seq()))
    };
    let (committed, seq) = repo.transact(build).await?;
    Ok(committed.map_or(seq, |committed| committed.seq))
}

pub(crate) async fn add(
    repo: &Repo,
    (model, id): (&Name, &Name),
    files: &[FileSpec],
    actor: Actor,
    reason: String,
) -> Result<Upload> {
    // Before the bytes are stored, so that a mistyped name costs nothing.
    repo.read(|view| pending(view, model, id).map(drop)).await?;
    let stored = ingest(repo, [files]).await?;
    let build = |view: &View| {
        let (before, path, expectation) = pending(view, model, id)?;
        let files = before.files.iter().chain(stored.iter().flatten());
        let by_path: BTreeMap<&FilePath, &ArtifactFile> =
            files.map(|file| (&file.path, file)).collect();
        let after = Pending {
            files: by_path.into_values().cloned().collect(),
            ..before.clone()
        };
        check_paths(&after.files)?;
        let upload = of(model, id, &after);
        if after == before {
            return Ok(Step::Done(upload));
        }
        let mut transaction = Transaction::new(actor.clone(), reason.clone());
        transaction.set(path, after.to_value()?, expectation);
        Ok(Step::Commit(transaction, upload))
    };
    Ok(repo.transact(build).await?.1)
}

pub(crate) async fn abort(
    repo: &Repo,
    model: &Name,
    id: &Name,
    actor: Actor,
    reason: String,
) -> Result<Option<u64>> {
    let build = |view: &View| {
        let path = path(view, model, id)?;
        if view.get(&path)?.is_none() {
            return Ok(Step::Done(()));
        }
        let expectation = refs::unchanged(view, &path)?;
        let mut transaction = Transaction::new(actor.clone(), reason.clone());
        transaction.delete(path, expectation);
        Ok(Step::Commit(transaction, ()))
    };
    let (committed, ()) = repo.transact(build).await?;
    Ok(committed.map(|committed| committed.seq))
}

pub(crate) async fn sweep(
    repo: &Repo,
    now: Timestamp,
    actor: Actor,
    reason: String,
) -> Result<Vec<Upload>> {
    let build = |view: &View| {
        let mut swept = Vec::new();
        let mut transaction = Transaction::new(actor.clone(), reason.clone());
        for upload in uploads(view)? {
            if upload.expires <= now {
                let path = path(view, &upload.model, &upload.id)?;
                let expectation = refs::unchanged(view, &path)?;
                transaction.delete(path, expectation);
                swept.push(upload);
            }
        }
        if swept.is_empty() {
            return Ok(Step::Done(swept));
        }
        Ok(Step::Commit(transaction, swept))
    };
    Ok(repo.transact(build).await?.1)
}

/// Lists the uploads that are under way, by model.
///
/// # Errors
/// [`Corrupt`](mainstay_core::ErrorKind::Corrupt) when a ref of an upload holds something else.
///
/// # Complexity
/// O(n) in the refs of all models.
pub fn uploads(view: &View) -> Result<Vec<Upload>> {
    let mut uploads = Vec::new();
    for (path, state) in view.below(NodeKind::Model.as_str())? {
        let segments: Vec<&str> = path.segments().collect();
        if let [_, model, "upload", id] = segments[..] {
            let pending: Pending = decode(refs::held(path, state)?, Pending::KIND)?;
            let model = model_name(view, &model.parse()?)?;
            uploads.push(of(&model, &id.parse()?, &pending));
        }
    }
    Ok(uploads)
}

fn of(model: &Name, id: &Name, pending: &Pending) -> Upload {
    Upload {
        model: model.clone(),
        id: id.clone(),
        expires: pending.expires,
        files: pending.files.clone(),
    }
}
