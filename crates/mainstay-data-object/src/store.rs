//! The store.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use mainstay_core::{Error, Locator, NodeRef};
use mainstay_data::Datasets;
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, Extensions, GetOptions, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result,
};

use crate::error;
use crate::listing::Listing;
use crate::object::Object;

/// One version of a dataset as a store that is only read.
///
/// The objects are the files of the version, by their paths; ranges read only the chunks they touch,
/// and every byte is verified. An object's e-tag is the SHA-256 of its bytes in quotes, and its time is
/// that of the version. Writing, deleting and copying fail with
/// [`NotImplemented`](object_store::Error::NotImplemented).
///
/// A file that patches change is written as one when it is first listed or read, into a temporary file where it
/// has more than 8 MiB, and is kept until the last clone of the store is dropped: that takes as long as storing
/// its rows. A version that is [compacted](Datasets::compact) has no such files.
///
/// Cheap to clone. Holds the list of files, about 200 bytes a file.
#[derive(Debug, Clone)]
pub struct SnapshotStore {
    datasets: Datasets,
    node: NodeRef,
    time: DateTime<Utc>,
    listing: Arc<Listing>,
}

impl SnapshotStore {
    /// Opens the version that `locator` means now.
    ///
    /// # Errors
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound) naming what is missing,
    /// [`Corrupt`](mainstay_core::ErrorKind::Corrupt) when the stored manifest is damaged.
    pub async fn open(datasets: &Datasets, locator: &Locator) -> mainstay_core::Result<Self> {
        Self::of(datasets, datasets.resolve(locator).await?).await
    }

    /// Opens a version.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn of(datasets: &Datasets, node: NodeRef) -> mainstay_core::Result<Self> {
        let time = datasets.show(&node).await?.time;
        let time = DateTime::<Utc>::from_timestamp_micros(time.as_unix_micros())
            .ok_or_else(|| Error::corrupt(&node, "a time out of range"))?;
        let files = datasets.files(&node).await?;
        let files: Vec<_> = files.try_collect().await?;
        Ok(Self {
            datasets: datasets.clone(),
            listing: Arc::new(Listing::new(files)),
            time,
            node,
        })
    }

    /// Returns a URL for the version, as `mainstay://penguins-1/`: no two versions of a repository have the
    /// same one, nor the same host in it, by which engines tell stores apart. Files are below it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("mainstay://{}-{}/", self.node.name(), self.node.version())
    }

    /// Returns the version.
    #[must_use]
    pub fn node(&self) -> &NodeRef {
        &self.node
    }

    fn object(&self, path: &Path) -> Result<&Object> {
        self.listing.get(path).ok_or_else(|| error::absent(path))
    }

    async fn meta(&self, path: Path) -> Result<ObjectMeta> {
        let identity = self.object(&path)?.identity(&self.datasets).await;
        let identity = identity.map_err(|source| error::of(source, &path))?;
        Ok(ObjectMeta {
            location: path,
            last_modified: self.time,
            size: identity.bytes,
            e_tag: Some(format!("\"{}\"", identity.digest)),
            version: None,
        })
    }

    /// Describes the objects of these paths, in order.
    fn metas(&self, paths: Vec<Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let store = self.clone();
        let metas = stream::iter(paths).then(move |path| {
            let store = store.clone();
            async move { store.meta(path).await }
        });
        metas.boxed()
    }
}

impl fmt::Display for SnapshotStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", error::STORE, self.node)
    }
}

#[async_trait]
impl ObjectStore for SnapshotStore {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let meta = self.meta(location.clone()).await?;
        options.check_preconditions(&meta)?;
        if options.version.is_some() {
            return Err(error::read_only("get of a version of an object"));
        }
        let range = match &options.range {
            Some(range) => range
                .as_range(meta.size)
                .map_err(|source| error::bad_range(source.into()))?,
            None => 0..meta.size,
        };
        let bytes = if options.head {
            stream::empty().boxed()
        } else {
            let bytes = self.object(location)?.read(&self.datasets, range.clone());
            let bytes = bytes.await.map_err(|source| error::of(source, location))?;
            let location = location.clone();
            bytes
                .map_err(move |source| error::of(source, &location))
                .boxed()
        };
        Ok(GetResult {
            payload: GetResultPayload::Stream(bytes),
            meta,
            range,
            attributes: Attributes::default(),
            extensions: Extensions::default(),
        })
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let root = Path::default();
        self.metas(self.listing.below(prefix.unwrap_or(&root), None))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let root = Path::default();
        self.metas(self.listing.below(prefix.unwrap_or(&root), Some(offset)))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let root = Path::default();
        let level = self.listing.directly_below(prefix.unwrap_or(&root));
        Ok(ListResult {
            objects: self.metas(level.files).try_collect().await?,
            common_prefixes: level.directories.into_iter().collect(),
            extensions: Extensions::default(),
        })
    }

    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        Err(error::read_only("put"))
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Err(error::read_only("put"))
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        locations
            .map(|location| location.and(Err(error::read_only("delete"))))
            .boxed()
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(error::read_only("copy"))
    }
}
