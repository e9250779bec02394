//! The adapter.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use mainstay_core::{Error, ErrorKind, Result};
use mainstay_store::{
    ByteRange, Capabilities, Key, Object, ObjectMeta, Prefix, PutMode, PutOutcome, Storage,
};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutOptions};

use crate::error::{self, Report};
use crate::{StoreProfile, get, list};

/// A store of the [`object_store`] crate as a [`Storage`].
///
/// Does not try again by itself: wrap it in a [`RetryStorage`](mainstay_store::RetryStorage). The
/// store should not try again either, because a creation that is silently repeated after its answer
/// was lost finds its own object and reports a lost race; [`open`](crate::open()) sees to that.
///
/// # Errors
/// What a failed call may have done, [`Error::is_ambiguous`] says. Errors name the key, the backend
/// and the HTTP status, and never what the service wrote or the URL asked for, which can hold
/// signatures.
#[derive(Clone)]
pub struct ObjectStorage {
    store: Arc<dyn ObjectStore>,
    profile: StoreProfile,
}

/// Not that of the store, which shows keys and tokens.
impl fmt::Debug for ObjectStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectStorage")
            .field("store", &format_args!("{}", self.store))
            .field("profile", &self.profile)
            .finish()
    }
}

impl ObjectStorage {
    /// Adapts `store`, which is as `profile` says.
    #[must_use]
    pub fn new(store: Arc<dyn ObjectStore>, profile: StoreProfile) -> Self {
        Self { store, profile }
    }

    fn failure(&self, operation: &'static str, key: &Key, error: &object_store::Error) -> Error {
        Report::of(error)
            .into_error()
            .operation(operation)
            .context("key", key)
            .context("backend", self.profile.backend)
    }

    /// As [`failure`](Self::failure), of a call that may have had an effect.
    fn write_failure(
        &self,
        operation: &'static str,
        key: &Key,
        error: &object_store::Error,
    ) -> Error {
        let failure = self.failure(operation, key, error);
        if Report::of(error).may_be_applied() {
            failure.ambiguous()
        } else {
            failure
        }
    }

    /// Tells whether a refused creation was refused because the object exists.
    ///
    /// S3 also answers 409 to creations that meet another one under way, which may yet fail.
    async fn confirm_exists(
        &self,
        key: &Key,
        path: &Path,
        refusal: &object_store::Error,
    ) -> Result<PutOutcome> {
        if !Report::of(refusal).may_be_absent() {
            return Ok(PutOutcome::Exists);
        }
        match self.store.head(path).await {
            Ok(_) => Ok(PutOutcome::Exists),
            Err(error) if error::is_absent(&error) => Err(Error::new(
                ErrorKind::Unavailable,
                "another creation of the object is under way",
            )
            .operation("put")
            .context("key", key)
            .context("backend", self.profile.backend)),
            Err(error) => Err(self.failure("put", key, &error)),
        }
    }

    fn check_size(&self, key: &Key, bytes: &Bytes) -> Result<()> {
        if bytes.len() as u64 <= self.profile.max_object_bytes {
            return Ok(());
        }
        Err(Error::invalid("the object is too large for one request")
            .operation("put")
            .context("key", key)
            .context("bytes", bytes.len())
            .context("max", self.profile.max_object_bytes))
    }
}

/// Every key is a path: the rules for paths are weaker.
fn path_of(key: &Key) -> Result<Path> {
    Path::parse(key.as_str()).map_err(|error| {
        Error::new(ErrorKind::Internal, "a key is no path")
            .context("key", key)
            .with_source(error)
    })
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Storage for ObjectStorage {
    #[tracing::instrument(level = "debug", name = "object_get", skip_all, fields(%key), err(level = "debug"))]
    async fn get(&self, key: &Key, range: ByteRange) -> Result<Option<Object>> {
        let path = path_of(key)?;
        match get::get(&*self.store, &path, &range, &self.profile).await {
            Ok(object) => Ok(object),
            Err(error) => Err(self.failure("get", key, &error)),
        }
    }

    #[tracing::instrument(level = "debug", name = "object_put", skip_all, fields(%key, bytes = bytes.len()), err(level = "debug"))]
    async fn put(&self, key: &Key, bytes: Bytes, mode: PutMode) -> Result<PutOutcome> {
        use object_store::Error::{AlreadyExists, Precondition};
        self.check_size(key, &bytes)?;
        let path = path_of(key)?;
        let options = PutOptions::from(match mode {
            PutMode::Create => object_store::PutMode::Create,
            PutMode::Overwrite => object_store::PutMode::Overwrite,
        });
        match self.store.put_opts(&path, bytes.into(), options).await {
            Ok(_) => Ok(PutOutcome::Written),
            Err(error @ (AlreadyExists { .. } | Precondition { .. }))
                if mode == PutMode::Create =>
            {
                self.confirm_exists(key, &path, &error).await
            }
            Err(error) => Err(self.write_failure("put", key, &error)),
        }
    }

    fn list(&self, prefix: &Prefix, after: Option<&Key>) -> BoxStream<'_, Result<ObjectMeta>> {
        list::list(&*self.store, prefix, after, &self.profile)
    }

    #[tracing::instrument(level = "debug", name = "object_delete", skip_all, fields(%key), err(level = "debug"))]
    async fn delete(&self, key: &Key) -> Result<()> {
        match self.store.delete(&path_of(key)?).await {
            Ok(()) => Ok(()),
            Err(error) if error::is_absent(&error) => Ok(()),
            Err(error) => Err(self.write_failure("delete", key, &error)),
        }
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            backend: self.profile.backend,
            durable: self.profile.durable,
            shared: self.profile.shared,
            read_only: false,
            max_object_bytes: self.profile.max_object_bytes,
        }
    }
}
