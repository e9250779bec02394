//! The store for engines that are built on version 0.13 of the `object_store` crate, as `DataFusion` 55 and
//! delta-rs 1 are.
//!
//! ```
//! use std::sync::Arc;
//!
//! # use mainstay_core::Actor;
//! # use mainstay_data::{Datasets, SnapshotSpec, arrow};
//! # use mainstay_repo::{Repo, RepoOptions};
//! # use mainstay_store::MemoryStorage;
//! use mainstay_data_object::v0_13::object_store::{ObjectStore, ObjectStoreExt as _};
//! use mainstay_data_object::{SnapshotStore, v0_13};
//!
//! # tokio::runtime::Builder::new_multi_thread().build().unwrap().block_on(async {
//! # let masses: arrow::array::ArrayRef = Arc::new(arrow::array::Float64Array::from(vec![3750.0]));
//! # let batch = arrow::array::RecordBatch::try_from_iter([("mass", masses)]).unwrap();
//! # let datasets = Datasets::new(Repo::create(Arc::new(MemoryStorage::new()), RepoOptions::default()).await?);
//! # let spec = SnapshotSpec::new("penguins".parse()?, Actor::new("ada")?, "first season")
//! #     .with_batches("penguins.parquet".parse()?, vec![batch]);
//! # datasets.snapshot(spec).await?;
//! let store = SnapshotStore::open(&datasets, &"penguins@latest".parse()?).await?;
//! let store: Arc<dyn ObjectStore> = Arc::new(v0_13::SnapshotStore::from(store));
//! let file = store.get(&"penguins.parquet".into()).await.unwrap();
//! assert_eq!(&file.bytes().await.unwrap()[..4], b"PAR1");
//! # Ok::<(), mainstay_core::Error>(()) }).unwrap();
//! ```

use std::fmt;

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, Error, GetOptions, GetRange, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result,
};
pub use object_store_0_13 as object_store;

use crate::error::{self, STORE};

/// The same store, of the same files, by the traits of version 0.13.
#[derive(Debug, Clone)]
pub struct SnapshotStore(crate::SnapshotStore);

impl From<crate::SnapshotStore> for SnapshotStore {
    fn from(store: crate::SnapshotStore) -> Self {
        Self(store)
    }
}

impl fmt::Display for SnapshotStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for SnapshotStore {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let location = path(location)?;
        let found = newer::ObjectStore::get_opts(&self.0, &location, asked(options));
        let found = found.await.map_err(older)?;
        let (meta, range) = (described(found.meta.clone())?, found.range.clone());
        Ok(GetResult {
            payload: GetResultPayload::Stream(found.into_stream().map_err(older).boxed()),
            meta,
            range,
            attributes: Attributes::default(),
        })
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match prefix.map(path).transpose() {
            Ok(prefix) => all(newer::ObjectStore::list(&self.0, prefix.as_ref())),
            Err(error) => futures::stream::once(async { Err(error) }).boxed(),
        }
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        match (prefix.map(path).transpose(), path(offset)) {
            (Ok(prefix), Ok(offset)) => {
                let prefix = prefix.as_ref();
                all(newer::ObjectStore::list_with_offset(
                    &self.0, prefix, &offset,
                ))
            }
            (Err(error), _) | (_, Err(error)) => {
                futures::stream::once(async { Err(error) }).boxed()
            }
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let prefix = prefix.map(path).transpose()?;
        let found = newer::ObjectStore::list_with_delimiter(&self.0, prefix.as_ref());
        let found = found.await.map_err(older)?;
        let objects = found.objects.into_iter().map(described);
        let directories = found.common_prefixes.iter();
        let directories = directories.map(|path| Ok(Path::parse(path.as_ref())?));
        Ok(ListResult {
            objects: objects.collect::<Result<_>>()?,
            common_prefixes: directories.collect::<Result<_>>()?,
        })
    }

    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        Err(older(error::read_only("put")))
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Err(older(error::read_only("put")))
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        locations
            .map(|location| location.and(Err(older(error::read_only("delete")))))
            .boxed()
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(older(error::read_only("copy")))
    }
}

/// The version that the crate is written for.
mod newer {
    pub(super) use ::object_store::path::Path;
    pub(super) use ::object_store::{Error, GetOptions, GetRange, ObjectMeta, ObjectStore, Result};
}

/// Both versions spell paths alike.
fn path(path: &Path) -> Result<newer::Path> {
    newer::Path::parse(path.as_ref()).map_err(|source| generic(source.into()))
}

fn all(
    metas: BoxStream<'static, newer::Result<newer::ObjectMeta>>,
) -> BoxStream<'static, Result<ObjectMeta>> {
    metas
        .map(|meta| meta.map_err(older).and_then(described))
        .boxed()
}

fn described(meta: newer::ObjectMeta) -> Result<ObjectMeta> {
    Ok(ObjectMeta {
        location: Path::parse(meta.location.as_ref())?,
        last_modified: meta.last_modified,
        size: meta.size,
        e_tag: meta.e_tag,
        version: meta.version,
    })
}

fn asked(options: GetOptions) -> newer::GetOptions {
    let range = options.range.map(|range| match range {
        GetRange::Bounded(range) => newer::GetRange::Bounded(range),
        GetRange::Offset(offset) => newer::GetRange::Offset(offset),
        GetRange::Suffix(bytes) => newer::GetRange::Suffix(bytes),
    });
    newer::GetOptions {
        if_match: options.if_match,
        if_none_match: options.if_none_match,
        if_modified_since: options.if_modified_since,
        if_unmodified_since: options.if_unmodified_since,
        range,
        version: options.version,
        head: options.head,
        ..newer::GetOptions::default()
    }
}

fn older(error: newer::Error) -> Error {
    match error {
        newer::Error::NotFound { path, source } => Error::NotFound { path, source },
        newer::Error::Precondition { path, source } => Error::Precondition { path, source },
        newer::Error::NotModified { path, source } => Error::NotModified { path, source },
        newer::Error::PermissionDenied { path, source } => Error::PermissionDenied { path, source },
        newer::Error::NotImplemented {
            operation,
            implementer,
        } => Error::NotImplemented {
            operation,
            implementer,
        },
        newer::Error::Generic { store, source } => Error::Generic { store, source },
        other => generic(other.into()),
    }
}

fn generic(source: Box<dyn std::error::Error + Send + Sync>) -> Error {
    Error::Generic {
        store: STORE,
        source,
    }
}
