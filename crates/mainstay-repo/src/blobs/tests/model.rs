//! Any number of sessions and handles against a plain map.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use mainstay_core::Digest;
use mainstay_store::MemoryStorage;
use proptest::prelude::*;

use crate::blobs::testing::random_bytes;
use crate::blobs::{BlobStore, Ingest};

const HANDLES: usize = 2;

#[derive(Debug, Clone)]
enum Step {
    /// Store a blob in the session of a handle.
    Put {
        handle: usize,
        blob: Blob,
        how: How,
    },
    Finish {
        handle: usize,
    },
    /// Forget a handle and its session.
    Reopen {
        handle: usize,
    },
    Read {
        handle: usize,
        which: prop::sample::Index,
        from: u64,
        len: u64,
    },
}

/// Parts out of a few, so that blobs have content in common.
#[derive(Debug, Clone)]
struct Blob(Vec<(u64, usize)>);

#[derive(Debug, Clone)]
enum How {
    Bytes,
    File,
    /// A stream of pieces of these sizes, over and over.
    Stream(Vec<usize>),
}

impl Blob {
    fn bytes(&self) -> Vec<u8> {
        let parts = self.0.iter();
        parts
            .flat_map(|(seed, len)| random_bytes(*len, *seed))
            .collect()
    }
}

fn step() -> impl Strategy<Value = Step> {
    let handle = 0..HANDLES;
    let part = (
        0_u64..4,
        prop_oneof![Just(9_000_usize), Just(150_000), 0_usize..40_000],
    );
    let blob = prop::collection::vec(part, 0..5).prop_map(Blob);
    let how = prop_oneof![
        Just(How::Bytes),
        Just(How::File),
        prop::collection::vec(prop_oneof![0_usize..100, 0_usize..300_000], 1..5)
            .prop_filter("a stream that moves on", |sizes| sizes
                .iter()
                .any(|size| *size > 0))
            .prop_map(How::Stream),
    ];
    prop_oneof![
        4 => (handle.clone(), blob, how)
            .prop_map(|(handle, blob, how)| Step::Put { handle, blob, how }),
        2 => handle.clone().prop_map(|handle| Step::Finish { handle }),
        1 => handle.clone().prop_map(|handle| Step::Reopen { handle }),
        3 => (handle, any::<prop::sample::Index>(), 0_u64..300_000, 0_u64..300_000)
            .prop_map(|(handle, which, from, len)| Step::Read { handle, which, from, len }),
    ]
}

struct Handle {
    store: BlobStore,
    session: Option<Ingest>,
    /// What the session has been given.
    pending: BTreeMap<Digest, Vec<u8>>,
}

impl Handle {
    fn open(storage: &Arc<MemoryStorage>) -> Self {
        Self {
            store: BlobStore::new(Arc::<MemoryStorage>::clone(storage)),
            session: None,
            pending: BTreeMap::new(),
        }
    }
}

async fn put(ingest: &mut Ingest, bytes: &[u8], how: How) -> crate::StoredBlob {
    let whole = Bytes::copy_from_slice(bytes);
    match how {
        How::Bytes => ingest.bytes(whole).await.unwrap(),
        How::File => {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), bytes).unwrap();
            ingest.file(file.path()).await.unwrap()
        }
        How::Stream(sizes) => {
            let mut rest = whole;
            let mut pieces = Vec::new();
            for size in sizes.iter().cycle() {
                pieces.push(Ok(rest.split_to((*size).min(rest.len()))));
                if rest.is_empty() {
                    break;
                }
            }
            ingest.stream(stream::iter(pieces).boxed()).await.unwrap()
        }
    }
}

async fn run(steps: Vec<Step>) {
    let storage = Arc::new(MemoryStorage::new());
    let mut handles: Vec<Handle> = (0..HANDLES).map(|_| Handle::open(&storage)).collect();
    let mut stored: BTreeMap<Digest, Vec<u8>> = BTreeMap::new();
    for step in steps {
        match step {
            Step::Put { handle, blob, how } => {
                let handle = &mut handles[handle];
                let bytes = blob.bytes();
                let session = handle.session.get_or_insert_with(|| handle.store.ingest());
                let put = put(session, &bytes, how).await;
                assert_eq!(
                    (put.digest, put.size),
                    (Digest::of(&bytes), bytes.len() as u64)
                );
                assert!(put.new_bytes <= put.size);
                handle.pending.insert(put.digest, bytes);
            }
            Step::Finish { handle } => {
                let handle = &mut handles[handle];
                if let Some(session) = handle.session.take() {
                    let report = session.finish().await.unwrap();
                    assert!(report.blobs >= handle.pending.len() as u64);
                    stored.append(&mut handle.pending);
                }
            }
            Step::Reopen { handle } => handles[handle] = Handle::open(&storage),
            Step::Read {
                handle,
                which,
                from,
                len,
            } => {
                let store = &handles[handle].store;
                let pending = handles.iter().flat_map(|handle| &handle.pending);
                for digest in pending.map(|(digest, _)| digest) {
                    let found = store.find(digest).await.unwrap().is_some();
                    assert_eq!(found, stored.contains_key(digest), "{digest}");
                }
                if stored.is_empty() {
                    continue;
                }
                let (digest, bytes) = stored.iter().nth(which.index(stored.len())).unwrap();
                let blob = store.find(digest).await.unwrap().unwrap();
                assert_eq!(blob.size(), bytes.len() as u64);
                assert!(blob.bytes().await.unwrap() == *bytes);
                let at = |at: u64| usize::try_from(at).unwrap().min(bytes.len());
                let range = blob.range(from..from + len).await.unwrap();
                assert!(range == bytes[at(from)..at(from + len)]);
            }
        }
    }
    let fresh = BlobStore::new(storage);
    for (digest, bytes) in stored {
        let blob = fresh.find(&digest).await.unwrap().unwrap();
        assert!(blob.bytes().await.unwrap() == bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn sessions_and_handles_agree_with_a_map(steps in prop::collection::vec(step(), 1..20)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(run(steps));
    }
}
