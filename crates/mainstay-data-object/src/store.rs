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

/// One version of a dataset as a store that is only read.
///
/// The objects are the files of the version, by their paths; ranges read only the chunks they touch,
/// and every byte is verified. An object's e-tag is the SHA-256 of its bytes in quotes, and its time is
/// that of the version. A file that patches change has no bytes to read, and no size: getting it fails with
/// [`NotSupported`](object_store::Error::NotSupported), and so does listing where it would be listed, so that
/// no engine reads the file without its patches, or the others without it. Writing, deleting and copying fail with
/// [`NotImplemented`](object_store::Error::NotImplemented).
///
/// Cheap to clone. Holds the list of files, about 200 bytes a file.
#[derive(Debug, Clone)]
pub struct SnapshotStore {
    datasets: Datasets,
    node: NodeRef,
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
            listing: Arc::new(Listing::new(files, time)),
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
}

impl fmt::Display for SnapshotStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", error::STORE, self.node)
    }
}

#[async_trait]
impl ObjectStore for SnapshotStore {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let file = self.listing.get(location);
        let file = file.ok_or_else(|| error::absent(location))?;
        let meta = self.listing.meta(location, file)?;
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
            let blob = self.datasets.file(file).await;
            let blob = blob.map_err(|source| error::of(source, location))?;
            let location = location.clone();
            blob.stream_range(range.clone())
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
        let found = self.listing.below(prefix.unwrap_or(&root), None);
        stream::iter(found).boxed()
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let root = Path::default();
        let found = self.listing.below(prefix.unwrap_or(&root), Some(offset));
        stream::iter(found).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let root = Path::default();
        self.listing.directly_below(prefix.unwrap_or(&root))
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
