//! How stores differ.

/// What an [`ObjectStorage`](crate::ObjectStorage) must know about its store.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StoreProfile {
    pub(crate) backend: &'static str,
    pub(crate) durable: bool,
    pub(crate) shared: bool,
    pub(crate) listing: Listing,
    pub(crate) suffix_ranges: bool,
    pub(crate) max_object_bytes: u64,
}

/// In which order a store lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listing {
    Ordered,
    Unordered,
}

impl StoreProfile {
    /// Describes a service: durable, shared, lists keys in byte order, reads the last bytes of an
    /// object in one request, no limit to an object's size. `backend` is its name for people.
    #[must_use]
    pub fn new(backend: &'static str) -> Self {
        Self {
            backend,
            durable: true,
            shared: true,
            listing: Listing::Ordered,
            suffix_ranges: true,
            max_object_bytes: u64::MAX,
        }
    }

    /// Describes Amazon S3 and what speaks its protocol; 5 GiB in one request.
    #[must_use]
    pub fn s3() -> Self {
        Self::new("s3").with_max_object_bytes(5 << 30)
    }

    /// Describes Google Cloud Storage; 5 TiB in one request.
    #[must_use]
    pub fn gcs() -> Self {
        Self::new("gcs").with_max_object_bytes(5 << 40)
    }

    /// Describes Azure Blob Storage, which cannot be asked for the last bytes of an object; 5000
    /// MiB in one request.
    #[must_use]
    pub fn azure() -> Self {
        Self::new("azure")
            .without_suffix_ranges()
            .with_max_object_bytes(5000 << 20)
    }

    /// Describes a web server, which lists in no order and need not know of the last bytes.
    #[must_use]
    pub fn http() -> Self {
        Self::new("http").unordered().without_suffix_ranges()
    }

    /// Describes [`InMemory`](object_store::memory::InMemory).
    #[must_use]
    pub fn memory() -> Self {
        Self::new("memory").volatile().private()
    }

    /// Describes [`LocalFileSystem`](object_store::local::LocalFileSystem), whose listings have no
    /// order and whose deletions are not synced.
    #[must_use]
    pub fn file_system() -> Self {
        Self::new("file system").volatile().unordered()
    }

    /// Says that a crash of the machine can undo acknowledged writes.
    #[must_use]
    pub fn volatile(mut self) -> Self {
        self.durable = false;
        self
    }

    /// Says that no other process can open the store.
    #[must_use]
    pub fn private(mut self) -> Self {
        self.shared = false;
        self
    }

    /// Says that the store lists keys in no order: a listing is then held in memory and sorted.
    #[must_use]
    pub fn unordered(mut self) -> Self {
        self.listing = Listing::Unordered;
        self
    }

    /// Says that the store cannot be asked for the last bytes of an object: their place is then
    /// looked up first.
    #[must_use]
    pub fn without_suffix_ranges(mut self) -> Self {
        self.suffix_ranges = false;
        self
    }

    /// Sets the size in bytes of the largest object the store takes in one request.
    #[must_use]
    pub fn with_max_object_bytes(mut self, bytes: u64) -> Self {
        self.max_object_bytes = bytes;
        self
    }
}
