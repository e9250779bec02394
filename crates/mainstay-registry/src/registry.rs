//! The handle: each verb lives in its own module.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use mainstay_core::{Actor, BulkDigest, Locator, Name, NodeRef, Result, Timestamp};
use mainstay_repo::{Repo, View};
use tracing::instrument;

use crate::alias::{self, AliasChange, AliasReport, AliasSpec};
use crate::annotate::{self, AnnotateSpec};
use crate::approval::{self, ApprovalReport, ApproveSpec};
use crate::artifact::FileSpec;
use crate::card::{self, ModelCard};
use crate::check::{Checks, GateCheck};
use crate::delete::{self, Dependents};
use crate::history::{self, StageChange};
use crate::info::{self, ModelInfo, ModelSummary};
#[cfg(feature = "mlflow")]
use crate::mlflow::{self, ImportReport, ImportSpec};
#[cfg(feature = "oci")]
use crate::oci::{self, OciReport};
use crate::policy::StagePolicy;
use crate::promote::{self, PromoteSpec, Promotion};
use crate::pull::{self, PullReport};
use crate::register::{self, Registered};
use crate::rename::{self, Renamed};
use crate::rollback::{self, RollbackReport, RollbackSpec};
use crate::search::{Moment, Page, Pages, Query, SearchPage};
use crate::serving::{self, Heartbeat, HeartbeatSpec, Of, Serving};
#[cfg(feature = "mlflow")]
use crate::signature::Signature;
#[cfg(feature = "sign")]
use crate::signing::{self, Bundle, Signed, SigningKey, Verification, VerifyingKey};
use crate::spec::ModelSpec;
use crate::tensor::{self, Tensor, TensorDiff, TensorSummary};
use crate::upload::{self, Upload, UploadSpec};
use crate::{adopt, resolve, show};

/// The models of a repository. Cheap to clone.
///
/// Every change is one transaction, made on exactly the state it was decided on.
#[derive(Debug, Clone)]
pub struct Registry {
    repo: Repo,
    checks: Arc<Checks>,
    pages: Arc<Pages>,
}

impl Registry {
    /// Opens the registry of a repository.
    #[must_use]
    pub fn new(repo: Repo) -> Self {
        Self {
            repo,
            checks: Arc::default(),
            pages: Arc::default(),
        }
    }

    /// Adds a check of the program's own, for gates that ask for it by this name; it replaces another
    /// of the same name.
    #[must_use]
    pub fn with_check(mut self, name: Name, check: Arc<dyn GateCheck>) -> Self {
        Arc::make_mut(&mut self.checks).insert(name, check);
        self
    }

    /// Registers a version: stores its files, finds its version number, records it.
    ///
    /// # Errors
    /// * [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid): the spec breaks a rule, or declares
    ///   a lower version than the differences ask for; their list is in the error.
    /// * [`ErrorKind::NotFound`](mainstay_core::ErrorKind::NotFound): data, environment or a parent is
    ///   not in the repository, or a file is not on the disk.
    /// * [`ErrorKind::AlreadyExists`](mainstay_core::ErrorKind::AlreadyExists): the exact version exists
    ///   or existed, or the version before it has the same files, signature and inputs.
    ///
    /// # Complexity
    /// O(log n) in the versions of the model, [warm](View::project), beside storing the files. Where the
    /// inputs are those of another version and the bytes are not, also what
    /// [`tensor_summary`](Self::tensor_summary) takes.
    #[instrument(skip_all, fields(model = %spec.model), err(level = "debug"))]
    pub async fn register(&self, spec: ModelSpec) -> Result<Registered> {
        register::register(&self.repo, spec)
            .await
            .map_err(|error| error.operation("register model"))
    }

    /// Registers versions together: their files are stored in one session, and all of them are in one
    /// log entry, or none. Each is placed as if those before it were registered already; what they refer
    /// to must be there before.
    ///
    /// # Errors
    /// As [`register`](Self::register); [`Invalid`](mainstay_core::ErrorKind::Invalid) when they have
    /// not all one actor and one reason.
    ///
    /// # Complexity
    /// O(k log n) for k versions of models with n, [warm](View::project), beside storing the files.
    #[instrument(skip_all, fields(versions = specs.len()), err(level = "debug"))]
    pub async fn register_many(&self, specs: Vec<ModelSpec>) -> Result<Vec<Registered>> {
        register::register_many(&self.repo, &specs)
            .await
            .map_err(|error| error.operation("register models"))
    }

    /// Calls a model something else, in one log entry of two refs however many versions it has.
    ///
    /// Everything is kept under the model's [id](crate::model_id) and stays as it is: versions, stages, aliases,
    /// policy, history, what the lineage and units say of them. Views of before show the old name. The
    /// old name goes on to lead to the model until another one takes it, by being renamed or
    /// [registered as new](ModelSpec::of_new_model).
    ///
    /// # Errors
    /// * [`ErrorKind::NotFound`](mainstay_core::ErrorKind::NotFound): no such model.
    /// * [`ErrorKind::AlreadyExists`](mainstay_core::ErrorKind::AlreadyExists): another model has the name,
    ///   or a policy or an upload of a model to come is kept under it.
    /// * [`ErrorKind::Conflict`](mainstay_core::ErrorKind::Conflict): the model is called something else
    ///   than `model` by now; or the name is the id of another model that has, or had, a version of the same
    ///   number as this one: a name and a number never mean two things.
    ///
    /// # Complexity
    /// O(log n), and O(n log n) in the versions of two models where the name is the id of another.
    #[instrument(skip_all, fields(%model, %to), err(level = "debug"))]
    pub async fn rename(
        &self,
        model: &Name,
        to: &Name,
        actor: Actor,
        reason: impl Into<String>,
    ) -> Result<Renamed> {
        rename::rename(&self.repo, model, to, actor, reason.into())
            .await
            .map_err(|error| error.operation("rename model"))
    }

    /// Reads the signature that the `MLmodel` at the top of the files of a spec states, those of the upload
    /// it takes included; `None` when there is no such file, or it states none.
    ///
    /// Registering does not read it on its own: what a model takes and gives is what the spec says.
    ///
    /// # Errors
    /// * [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid): the file is longer than 4 MiB, not the
    ///   YAML that MLflow writes, or states a signature that is none.
    /// * [`ErrorKind::NotFound`](mainstay_core::ErrorKind::NotFound): it is not on the disk, or there is no
    ///   such upload.
    #[cfg(feature = "mlflow")]
    #[instrument(skip_all, fields(model = %spec.model), err(level = "debug"))]
    pub async fn mlmodel_signature(&self, spec: &ModelSpec) -> Result<Option<Signature>> {
        mlflow::of_spec(&self.repo, spec)
            .await
            .map_err(|error| error.operation("read signature of MLmodel"))
    }

    /// Imports the runs and registered models of an MLflow file store; see [`mlflow`].
    ///
    /// Each run, and each version, is one log entry; a stage is one or two more, an alias one. An import that
    /// was interrupted is finished by another one.
    ///
    /// # Errors
    /// * [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid): a file of the store is not what MLflow
    ///   writes, is too long, or leads out of the store; the error names it.
    /// * [`ErrorKind::NotFound`](mainstay_core::ErrorKind::NotFound): the store, or the files of a version, are
    ///   not there.
    /// * [`ErrorKind::Conflict`](mainstay_core::ErrorKind::Conflict): two models, or two experiments, would
    ///   have one name.
    ///
    /// What was imported before the error stays. That MLflow and this registry disagree is no error; the report
    /// says so.
    ///
    /// # Complexity
    /// O(n) in the store; of what was imported before, series and files are not read.
    #[cfg(feature = "mlflow")]
    #[instrument(skip_all, fields(store = %spec.store.display()), err(level = "debug"))]
    pub async fn import_mlflow(&self, spec: &ImportSpec) -> Result<ImportReport> {
        mlflow::import(self, &self.repo, spec)
            .await
            .map_err(|error| error.operation("import from MLflow"))
    }

    /// Begins an upload: files that come in several calls, before there is a version. Returns the log
    /// entry. [`ModelSpec::with_upload`] makes the version of them, whole, and ends the upload.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`](mainstay_core::ErrorKind::AlreadyExists): the model has an upload of
    /// this id under way.
    #[instrument(skip_all, fields(model = %spec.model, id = %spec.id), err(level = "debug"))]
    pub async fn begin_upload(&self, spec: UploadSpec) -> Result<u64> {
        upload::begin(&self.repo, &spec)
            .await
            .map_err(|error| error.operation("begin upload"))
    }

    /// Adds files to an upload; one of the same path is replaced. Returns what is there now.
    ///
    /// May be called any number of times, and again after a failure: bytes that are stored are not stored
    /// twice.
    ///
    /// # Errors
    /// * [`ErrorKind::NotFound`](mainstay_core::ErrorKind::NotFound): no such upload, or a file is not on
    ///   the disk.
    /// * [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid): the paths clash, or a media type is none.
    #[instrument(skip_all, fields(%model, %id), err(level = "debug"))]
    pub async fn upload(
        &self,
        model: &Name,
        id: &Name,
        files: &[FileSpec],
        actor: Actor,
        reason: impl Into<String>,
    ) -> Result<Upload> {
        upload::add(&self.repo, (model, id), files, actor, reason.into())
            .await
            .map_err(|error| error.operation("upload model files"))
    }

    /// Ends an upload without a version. Its files go when garbage is collected, unless something else
    /// names them. Returns the log entry, `None` when there was no such upload.
    #[instrument(skip_all, fields(%model, %id), err(level = "debug"))]
    pub async fn abort_upload(
        &self,
        model: &Name,
        id: &Name,
        actor: Actor,
        reason: impl Into<String>,
    ) -> Result<Option<u64>> {
        upload::abort(&self.repo, model, id, actor, reason.into())
            .await
            .map_err(|error| error.operation("abort upload"))
    }

    /// Ends every upload that has expired at `now`; returns them.
    #[instrument(skip_all, err(level = "debug"))]
    pub async fn sweep_uploads(
        &self,
        now: Timestamp,
        actor: Actor,
        reason: impl Into<String>,
    ) -> Result<Vec<Upload>> {
        upload::sweep(&self.repo, now, actor, reason.into())
            .await
            .map_err(|error| error.operation("sweep uploads"))
    }

    /// Lets a version enter a stage; whom it displaces is retired in the same transaction.
    ///
    /// All in one transaction: the gates are evaluated on exactly the state that it changes, again when
    /// another commit came first; what they found and what was measured is recorded; the approvals that
    /// counted are used up. A promotion of a version that is in the stage already changes nothing, and
    /// metrics given then are not recorded. One with an idempotency key happens once, also when the
    /// version has left the stage since.
    ///
    /// # Errors
    /// * [`ErrorKind::NotFound`](mainstay_core::ErrorKind::NotFound): no such version.
    /// * [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid): no such stage, or the policy does
    ///   not allow this way.
    /// * [`ErrorKind::Conflict`](mainstay_core::ErrorKind::Conflict): another version holds the stage
    ///   than expected.
    /// * [`ErrorKind::AlreadyExists`](mainstay_core::ErrorKind::AlreadyExists): the idempotency key
    ///   stands for another promotion.
    /// * Those of a [check](GateCheck) of the program's own.
    ///
    /// A gate that says no is a value, [`Promotion::Refused`].
    #[instrument(skip_all, fields(model = %spec.model, to = %spec.to), err(level = "debug"))]
    pub async fn promote(&self, spec: PromoteSpec) -> Result<Promotion> {
        promote::promote(&self.repo, &self.checks, spec)
            .await
            .map_err(|error| error.operation("promote model"))
    }

    /// Approves that a version enters a stage.
    ///
    /// An approval is of exactly this version, for this stage, under the stage policy of this moment:
    /// under another policy it does not count. One person has one approval for a stage; the newer
    /// replaces the older. A promotion to the stage uses it up.
    ///
    /// # Errors
    /// * [`ErrorKind::NotFound`](mainstay_core::ErrorKind::NotFound): no such version.
    /// * [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid): no such stage, or its gates ask for
    ///   no approvals.
    /// * [`ErrorKind::PermissionDenied`](mainstay_core::ErrorKind::PermissionDenied): no gate would count
    ///   it, because of the roles or because the approver registered the version.
    #[instrument(skip_all, fields(model = %spec.model, stage = %spec.stage), err(level = "debug"))]
    pub async fn approve(&self, spec: ApproveSpec) -> Result<ApprovalReport> {
        approval::approve(&self.repo, spec)
            .await
            .map_err(|error| error.operation("approve model"))
    }

    /// Withdraws what `actor` approved; changes nothing when that is nothing.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](mainstay_core::ErrorKind::NotFound): no such version.
    #[instrument(skip_all, fields(model = %model, stage = %stage), err(level = "debug"))]
    pub async fn withdraw(
        &self,
        model: &Locator,
        stage: &Name,
        actor: Actor,
        reason: impl Into<String>,
    ) -> Result<ApprovalReport> {
        approval::withdraw(&self.repo, model, stage, actor, reason.into())
            .await
            .map_err(|error| error.operation("withdraw approval"))
    }

    /// Gives an exclusive stage back to the version that held it before, whatever the policy says of
    /// the way there and without asking gates; the version that held it is retired.
    ///
    /// # Errors
    /// * [`ErrorKind::NotFound`](mainstay_core::ErrorKind::NotFound): no other version held the stage.
    /// * [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid): the stage is not exclusive.
    /// * [`ErrorKind::Conflict`](mainstay_core::ErrorKind::Conflict): another version holds the stage
    ///   than expected.
    #[instrument(skip_all, fields(model = %spec.model, stage = %spec.stage), err(level = "debug"))]
    pub async fn rollback(&self, spec: RollbackSpec) -> Result<RollbackReport> {
        rollback::rollback(&self.repo, spec)
            .await
            .map_err(|error| error.operation("roll back model"))
    }

    /// Sets the stage policy of a model. Returns the log entry, `None` when it was set already.
    ///
    /// Versions stay in their stages; those that never moved begin where the new policy says. `roles` are
    /// those of `actor`, as the caller says.
    ///
    /// # Errors
    /// * [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid): the policy contradicts itself, lacks a
    ///   stage that a version is in, names a stage like an alias, or makes a stage exclusive that
    ///   several versions are in.
    /// * [`ErrorKind::PermissionDenied`](mainstay_core::ErrorKind::PermissionDenied): the policy that the
    ///   model has asks for a role that is not among them.
    #[instrument(skip_all, fields(model = %model), err(level = "debug"))]
    pub async fn set_stage_policy(
        &self,
        model: &Name,
        policy: StagePolicy,
        actor: Actor,
        roles: &BTreeSet<Name>,
        reason: impl Into<String>,
    ) -> Result<Option<u64>> {
        adopt::set_policy(&self.repo, model, policy, actor, roles, reason.into())
            .await
            .map_err(|error| error.operation("set stage policy"))
    }

    /// Reads who moved versions between stages, newest first; all of them or those of one stage.
    ///
    /// # Complexity
    /// O(changes of all versions of the model).
    #[instrument(skip_all, fields(model = %model), err(level = "debug"))]
    pub async fn stage_history(
        &self,
        model: &Name,
        stage: Option<&Name>,
    ) -> Result<Vec<StageChange>> {
        history::history(&self.repo, model, stage)
            .await
            .map_err(|error| error.operation("read stage history"))
    }

    /// Points an alias to a version. Setting it to where it points already changes nothing.
    ///
    /// # Errors
    /// * [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid): the name is `latest`, reads like a
    ///   version, or is that of a stage.
    /// * [`ErrorKind::NotFound`](mainstay_core::ErrorKind::NotFound): no such version.
    /// * [`ErrorKind::Conflict`](mainstay_core::ErrorKind::Conflict): the alias points elsewhere than
    ///   expected, or is protected and the version is in none of the stages it asks for.
    /// * [`ErrorKind::PermissionDenied`](mainstay_core::ErrorKind::PermissionDenied): the alias is
    ///   protected and the spec names none of the roles that move it.
    #[instrument(skip_all, fields(model = %spec.model, alias = %spec.alias), err(level = "debug"))]
    pub async fn set_alias(&self, spec: AliasSpec) -> Result<AliasReport> {
        alias::set(&self.repo, spec)
            .await
            .map_err(|error| error.operation("set alias"))
    }

    /// Removes an alias; removing one that is not there changes nothing. `roles` are those of `actor`, as
    /// the caller says.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`](mainstay_core::ErrorKind::PermissionDenied): the alias is protected
    /// and none of the roles moves it.
    #[instrument(skip_all, fields(model = %model, alias = %alias), err(level = "debug"))]
    pub async fn remove_alias(
        &self,
        model: &Name,
        alias: &Name,
        actor: Actor,
        roles: &BTreeSet<Name>,
        reason: impl Into<String>,
    ) -> Result<AliasReport> {
        alias::remove(&self.repo, model, alias, actor, roles, reason.into())
            .await
            .map_err(|error| error.operation("remove alias"))
    }

    /// Reads where an alias pointed, newest first.
    #[instrument(skip_all, fields(model = %model, alias = %alias), err(level = "debug"))]
    pub async fn alias_history(&self, model: &Name, alias: &Name) -> Result<Vec<AliasChange>> {
        alias::history(&self.repo, model, alias)
            .await
            .map_err(|error| error.operation("read alias history"))
    }

    /// Sets tags and description of a registered version. Returns the version and the log entry,
    /// `None` when nothing had to change.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](mainstay_core::ErrorKind::NotFound): no such version.
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid): a key or value breaks its limits.
    #[instrument(skip_all, fields(model = %spec.model), err(level = "debug"))]
    pub async fn annotate(&self, spec: AnnotateSpec) -> Result<(NodeRef, Option<u64>)> {
        annotate::annotate(&self.repo, spec)
            .await
            .map_err(|error| error.operation("annotate model"))
    }

    /// Says what one instance of a service serves: every version, none when it stops. See
    /// [`serving`](mod@crate::serving).
    ///
    /// The log has an entry only when that is something else than the instance said before; one write for
    /// each version tells that it is alive.
    ///
    /// # Errors
    /// * [`ErrorKind::NotFound`](mainstay_core::ErrorKind::NotFound): there never was such a version. One
    ///   that was deleted may be served.
    /// * [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid): something is no model, or they are more
    ///   than [`MAX_SERVED`](crate::serving::MAX_SERVED).
    ///
    /// # Complexity
    /// O(n) in what the service serves and served.
    #[instrument(skip_all, fields(service = %spec.service, instance = %spec.instance), err(level = "debug"))]
    pub async fn heartbeat(&self, spec: HeartbeatSpec) -> Result<Heartbeat> {
        serving::heartbeat(&self.repo, &spec)
            .await
            .map_err(|error| error.operation("send heartbeat"))
    }

    /// Lists what is served now, and when each instance was last heard of, in order of service and number.
    ///
    /// # Errors
    /// As [`deployments`](crate::serving::deployments) and [`Repo::last_beat`].
    ///
    /// # Complexity
    /// As [`deployments`](crate::serving::deployments), and one read for each result.
    #[instrument(skip_all, err(level = "debug"))]
    pub async fn serving(&self, of: &Of) -> Result<Vec<Serving>> {
        serving::serving(&self.repo, of)
            .await
            .map_err(|error| error.operation("list what is served"))
    }

    /// Deletes a version, with its stage and annotation. Returns it and the log entry.
    ///
    /// Its number and ordinal are not used again, its history stays, and older views show it; its files
    /// go when nothing else names them and garbage is collected.
    ///
    /// # Errors
    /// * [`ErrorKind::NotFound`](mainstay_core::ErrorKind::NotFound): no such version.
    /// * [`ErrorKind::Conflict`](mainstay_core::ErrorKind::Conflict): an alias points to it, or it holds
    ///   an exclusive stage, or something was made from it or holds it: a model, a unit; the error names
    ///   one. [`delete_used`](Self::delete_used) does not mind the latter.
    ///
    /// # Complexity
    /// O(log n + k) for k things that name it.
    #[instrument(skip_all, fields(model = %model), err(level = "debug"))]
    pub async fn delete(
        &self,
        model: &Locator,
        actor: Actor,
        reason: impl Into<String>,
    ) -> Result<(NodeRef, u64)> {
        delete::delete(&self.repo, model, actor, reason.into(), Dependents::Refuse)
            .await
            .map_err(|error| error.operation("delete model"))
    }

    /// Deletes a version as [`delete`](Self::delete) does, also when things were made from it or hold it:
    /// their lineage goes on naming it, and shows it as deleted.
    ///
    /// # Errors
    /// Otherwise as [`delete`](Self::delete).
    #[instrument(skip_all, fields(model = %model), err(level = "debug"))]
    pub async fn delete_used(
        &self,
        model: &Locator,
        actor: Actor,
        reason: impl Into<String>,
    ) -> Result<(NodeRef, u64)> {
        delete::delete(&self.repo, model, actor, reason.into(), Dependents::Leave)
            .await
            .map_err(|error| error.operation("delete model"))
    }

    /// Writes the files of a version, as `view` shows it, to a directory that is absent or empty.
    ///
    /// All of them or none: they are written to a directory beside it, which then takes its name.
    ///
    /// # Errors
    /// * [`ErrorKind::AlreadyExists`](mainstay_core::ErrorKind::AlreadyExists): the directory holds
    ///   something.
    /// * [`ErrorKind::Corrupt`](mainstay_core::ErrorKind::Corrupt): stored bytes are missing or wrong.
    /// * [`ErrorKind::Unavailable`](mainstay_core::ErrorKind::Unavailable): the disk is full.
    #[instrument(skip_all, fields(model = %model), err(level = "debug"))]
    pub async fn pull(&self, view: &View, model: &Locator, directory: &Path) -> Result<PullReport> {
        pull::pull(&self.repo, view, model, directory)
            .await
            .map_err(|error| error.operation("pull model"))
    }

    /// Adds a version, as `view` shows it, to the OCI image layout at `directory`, which is made where there
    /// is none. See [`oci`](crate::oci).
    ///
    /// Its name in the layout is its version number. The index is written last: a layout never names what it
    /// lacks, and an export that was cut short is done again. Exporting a version again changes nothing, but
    /// a blob that was damaged meanwhile. Two exports to one layout at the same time may lose one of the
    /// names.
    ///
    /// # Errors
    /// * [`ErrorKind::NotFound`](mainstay_core::ErrorKind::NotFound): no such version.
    /// * [`ErrorKind::AlreadyExists`](mainstay_core::ErrorKind::AlreadyExists): the directory holds something
    ///   else than a layout, or the layout has another image of this name, as of another model.
    /// * [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid): what is there is not a sound layout, or
    ///   leads out of its directory, or manifest or index would exceed
    ///   [`MAX_MANIFEST_BYTES`](crate::oci::MAX_MANIFEST_BYTES).
    /// * [`ErrorKind::Unsupported`](mainstay_core::ErrorKind::Unsupported): a layout of another version.
    /// * [`ErrorKind::Corrupt`](mainstay_core::ErrorKind::Corrupt): stored bytes are missing or wrong.
    /// * [`ErrorKind::Unavailable`](mainstay_core::ErrorKind::Unavailable): the disk is full.
    #[cfg(feature = "oci")]
    #[instrument(skip_all, fields(model = %model), err(level = "debug"))]
    pub async fn export_oci(
        &self,
        view: &View,
        model: &Locator,
        directory: &Path,
    ) -> Result<OciReport> {
        oci::export(&self.repo, view, model, directory)
            .await
            .map_err(|error| error.operation("export model"))
    }

    /// Signs a version with a private key and keeps the signature with it; reads none of its files.
    ///
    /// Signing it again with the same key changes nothing. See [`signing`].
    ///
    /// # Errors
    /// * [`ErrorKind::NotFound`](mainstay_core::ErrorKind::NotFound): no such version.
    /// * [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid): it has no file that is signed, or so
    ///   many that the signature would exceed [`signing::MAX_BUNDLE_BYTES`], or
    ///   [`signing::MAX_SIGNATURES`] keys have signed it.
    #[cfg(feature = "sign")]
    #[instrument(skip_all, fields(model = %model), err(level = "debug"))]
    pub async fn sign(
        &self,
        model: &Locator,
        key: &SigningKey,
        actor: Actor,
        reason: impl Into<String>,
    ) -> Result<Signed> {
        signing::sign(&self.repo, model, key, actor, reason.into())
            .await
            .map_err(|error| error.operation("sign model"))
    }

    /// Keeps a signature with a version that another program made, once `key` has verified it. It takes
    /// the place of one that this key made before.
    ///
    /// # Errors
    /// * [`ErrorKind::NotFound`](mainstay_core::ErrorKind::NotFound): no such version.
    /// * [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid): the key did not make the signature, or
    ///   made it of other files or another version.
    /// * [`ErrorKind::Unsupported`](mainstay_core::ErrorKind::Unsupported): the files were signed by
    ///   hashes that are not known here.
    #[cfg(feature = "sign")]
    #[instrument(skip_all, fields(model = %model), err(level = "debug"))]
    pub async fn attach_signature(
        &self,
        model: &Locator,
        bundle: &Bundle,
        key: &VerifyingKey,
        actor: Actor,
        reason: impl Into<String>,
    ) -> Result<Signed> {
        signing::attach(&self.repo, model, bundle, key, actor, reason.into())
            .await
            .map_err(|error| error.operation("attach signature"))
    }

    /// Verifies the signature that a key made of a version, as `view` shows both; returns the bundle too,
    /// if there is one.
    ///
    /// The digests in the record are compared; the bytes behind them are checked whenever they are read.
    /// Only for a signature that another program made by other hashes are the files read.
    ///
    /// # Errors
    /// * [`ErrorKind::NotFound`](mainstay_core::ErrorKind::NotFound): no such version.
    /// * [`ErrorKind::Corrupt`](mainstay_core::ErrorKind::Corrupt): stored bytes are missing or wrong.
    ///
    /// That the signature does not hold is a value.
    #[cfg(feature = "sign")]
    #[instrument(skip_all, fields(model = %model), err(level = "debug"))]
    pub async fn verify_signature(
        &self,
        view: &View,
        model: &Locator,
        key: &VerifyingKey,
    ) -> Result<(Verification, Option<Bundle>)> {
        signing::verify(&self.repo, view, model, key)
            .await
            .map_err(|error| error.operation("verify model"))
    }

    /// Lists the tensors in the safetensors files of a version, file by file and in order of their
    /// places. Reads their headers only.
    ///
    /// # Errors
    /// * [`ErrorKind::NotFound`](mainstay_core::ErrorKind::NotFound): no such version.
    /// * [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid): a file that its name or media type
    ///   calls safetensors is none, or exceeds [`tensor::MAX_HEADER_BYTES`], [`tensor::MAX_RANK`] or
    ///   [`tensor::MAX_TENSORS`]; the error names it.
    /// * [`ErrorKind::Unsupported`](mainstay_core::ErrorKind::Unsupported): its elements are of a type
    ///   not known here.
    #[instrument(skip_all, fields(model = %model), err(level = "debug"))]
    pub async fn tensors(&self, view: &View, model: &Locator) -> Result<Vec<Tensor>> {
        let info = view.read(|view| show(view, model)).await?;
        tensor::tensors(&self.repo, &info.record.artifact)
            .await
            .map_err(|error| error.operation("list tensors").context("model", &info.node))
    }

    /// Lists the tensors of a version with the digest of each: BLAKE3 of the text `tensor/v1` and a
    /// zero byte, the type as text and a zero byte, the number of dimensions and each of them in 64
    /// bits little endian, and the bytes. It does not depend on name, place and file.
    ///
    /// Reads every tensor, in memory bounded whatever its size.
    ///
    /// # Errors
    /// As [`tensors`](Self::tensors).
    #[instrument(skip_all, fields(model = %model), err(level = "debug"))]
    pub async fn tensor_digests(
        &self,
        view: &View,
        model: &Locator,
    ) -> Result<Vec<(Tensor, BulkDigest)>> {
        let info = view.read(|view| show(view, model)).await?;
        let digests = tensor::digests(&self.repo, &info.record.artifact).await;
        digests.map_err(|error| {
            error
                .operation("digest tensors")
                .context("model", &info.node)
        })
    }

    /// Says how the tensors of two versions differ, by name; where one version has a name in several
    /// files, by name and file.
    ///
    /// Tensors stored in the same chunks are equal without being read. The others are read side by
    /// side, each once and several parts at a time, in memory of at most about 160 MiB whatever their
    /// size.
    ///
    /// # Errors
    /// As [`tensors`](Self::tensors).
    ///
    /// # Complexity
    /// O(n log n) in the tensors and chunks of both, and the bytes of the tensors that changed.
    #[instrument(skip_all, fields(before = %before, after = %after), err(level = "debug"))]
    pub async fn tensor_diff(
        &self,
        view: &View,
        before: &Locator,
        after: &Locator,
    ) -> Result<TensorDiff> {
        let both = |view: &View| Ok((show(view, before)?, show(view, after)?));
        let (before, after) = view.read(both).await?;
        let (old, new) = (&before.record.artifact, &after.record.artifact);
        let diff = tensor::diff(&self.repo, old, new).await;
        diff.map_err(|error| {
            error
                .operation("compare tensors")
                .context("after", &after.node)
        })
    }

    /// Says how the tensors of two versions differ as far as it can be told without reading them: by
    /// the headers of the safetensors files that differ, and by the chunks they are stored in. `None`
    /// when both versions hold the same safetensors files, or none.
    ///
    /// By how much they differ says [`tensor_diff`](Self::tensor_diff), which reads what changed.
    ///
    /// # Errors
    /// As [`tensors`](Self::tensors); [`ErrorKind::Unsupported`](mainstay_core::ErrorKind::Unsupported) when what
    /// differs is stored in more than [`tensor::MAX_SUMMARY_CHUNKS`] chunks.
    ///
    /// # Complexity
    /// O(n log n) in the tensors and chunks of both; reads headers, and for each MiB of the files that
    /// differ 300 to 600 bytes of where its chunks lie.
    #[instrument(skip_all, fields(before = %before, after = %after), err(level = "debug"))]
    pub async fn tensor_summary(
        &self,
        view: &View,
        before: &Locator,
        after: &Locator,
    ) -> Result<Option<TensorSummary>> {
        let both = |view: &View| Ok((show(view, before)?, show(view, after)?));
        let (before, after) = view.read(both).await?;
        let (old, new) = (&before.record.artifact, &after.record.artifact);
        let limit = tensor::MAX_SUMMARY_CHUNKS;
        let summary = tensor::summary(&self.repo, old, new, limit).await;
        summary.map_err(|error| {
            error
                .operation("compare tensors")
                .context("after", &after.node)
        })
    }

    /// Finds a version in the newest view; see [`resolve`](fn@crate::resolve).
    #[instrument(skip_all, fields(model = %locator), err(level = "debug"))]
    pub async fn resolve(&self, locator: &Locator) -> Result<NodeRef> {
        self.repo.read(|view| resolve(view, locator)).await
    }

    /// Reads a version in the newest view; see [`show`](fn@crate::show).
    #[instrument(skip_all, fields(model = %locator), err(level = "debug"))]
    pub async fn show(&self, locator: &Locator) -> Result<Arc<ModelInfo>> {
        self.repo.read(|view| show(view, locator)).await
    }

    /// Reads what a [card](mod@crate::card) of a version says, as `view` shows it, and who registered it.
    ///
    /// # Errors
    /// As [`show`](fn@crate::show).
    ///
    /// # Complexity
    /// That of [`show`](fn@crate::show), O(log n) for each evaluation report, and one read of the log.
    #[instrument(skip_all, fields(model = %locator), err(level = "debug"))]
    pub async fn card(&self, view: &View, locator: &Locator) -> Result<ModelCard> {
        card::card(&self.repo, view, locator)
            .await
            .map_err(|error| error.operation("make model card"))
    }

    /// Lists every model of the newest view; see [`list`](fn@crate::list).
    #[instrument(skip_all, err(level = "debug"))]
    pub async fn list(&self) -> Result<Vec<ModelSummary>> {
        self.repo.read(info::list).await
    }

    /// Searches the newest view, or the one that the query asks about with `AS OF`; for a page after the first,
    /// the view that the first was of. See [`search`](mod@crate::search).
    ///
    /// What eight searches are asked of is kept from page to page, so that a page costs as much as the first
    /// whatever others write; elsewhere, and later, that view is read again.
    ///
    /// # Errors
    /// As [`search()`](crate::search::search), and
    /// [`ErrorKind::NotFound`](mainstay_core::ErrorKind::NotFound) when the log has no such entry.
    #[instrument(skip_all, err(level = "debug"))]
    pub async fn search(&self, query: &str, page: &Page) -> Result<SearchPage> {
        let query = Query::parse(query)?;
        self.pages.search(&self.repo, &query, page).await
    }

    /// Counts the versions that a search finds: `stage = 'production'` says how many models are in production.
    ///
    /// # Errors
    /// As [`search`](Self::search).
    #[instrument(skip_all, err(level = "debug"))]
    pub async fn count(&self, query: &str) -> Result<u64> {
        let query = Query::parse(query)?;
        let view = Moment::view(query.moment(), &self.repo).await?;
        view.read(|view| query.count_on(view)).await
    }
}
