//! Stores that answer as services do and local ones do not.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use mainstay_core::ErrorKind;
use mainstay_store::{
    ByteRange, Key, NoWait, Prefix, PutMode, PutOutcome, RetryOptions, RetryStorage, Storage as _,
    StorageExt as _,
};
use mainstay_store_object::object_store::memory::InMemory;
use mainstay_store_object::object_store::path::Path;
use mainstay_store_object::object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt as _, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result,
};
use mainstay_store_object::{ObjectStorage, StoreProfile};

/// A store in memory that fails its next calls as told.
#[derive(Debug, Default)]
struct Scripted {
    inner: InMemory,
    puts: Mutex<VecDeque<Answer>>,
    deletes: Mutex<VecDeque<Answer>>,
    /// Replaces the object so many times between a look-up of its size and the read.
    replaced: Mutex<usize>,
    reversed: bool,
}

/// How to answer a write.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Failed { status: u16, applied: bool },
    Conflict,
}

impl Answer {
    fn error(self) -> Error {
        let path = "key".to_owned();
        match self {
            Self::Failed { status: 403, .. } => Error::PermissionDenied {
                path,
                source: text(403).into(),
            },
            Self::Failed { status: 404, .. } => Error::NotFound {
                path,
                source: text(404).into(),
            },
            Self::Failed { status, .. } => Error::Generic {
                store: "S3",
                source: text(status).into(),
            },
            Self::Conflict => Error::AlreadyExists {
                path,
                source: text(409).into(),
            },
        }
    }
}

/// What the client of `object_store` says of an answer, and a secret.
fn text(status: u16) -> String {
    format!("Server returned non-2xx status code: {status} Somehow: 5ec7e7")
}

impl fmt::Display for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("scripted")
    }
}

#[async_trait]
impl ObjectStore for Scripted {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let answer = self.puts.lock().unwrap().pop_front();
        if let Some(answer) = answer {
            if let Answer::Failed { applied: true, .. } = answer {
                self.inner
                    .put_opts(location, payload, options)
                    .await
                    .map(drop)?;
            }
            return Err(answer.error());
        }
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let head = options.head;
        let result = self.inner.get_opts(location, options).await;
        let replace = {
            let mut left = self.replaced.lock().unwrap();
            let replace = head && *left > 0;
            *left -= usize::from(replace);
            replace
        };
        if replace {
            self.inner
                .put(location, "replaced".into())
                .await
                .map(drop)?;
        }
        result
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        match self.deletes.lock().unwrap().pop_front() {
            Some(answer) => stream::once(async move { Err(answer.error()) }).boxed(),
            None => self.inner.delete_stream(locations),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let listed = self.inner.list(prefix);
        if !self.reversed {
            return listed;
        }
        let reversed = async {
            let mut all: Vec<_> = listed.try_collect().await?;
            all.reverse();
            Ok::<_, Error>(stream::iter(all.into_iter().map(Ok)))
        };
        stream::once(reversed).try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

fn key() -> Key {
    Key::new("log/1").unwrap()
}

fn answering(puts: &[Answer]) -> ObjectStorage {
    let store = Scripted {
        puts: Mutex::new(puts.iter().copied().collect()),
        ..Scripted::default()
    };
    ObjectStorage::new(Arc::new(store), StoreProfile::s3())
}

#[tokio::test]
async fn a_conflict_about_an_object_that_exists_is_a_lost_race() {
    let storage = answering(&[]);
    storage
        .create(&key(), "theirs".into())
        .await
        .map(drop)
        .unwrap();
    assert_eq!(
        storage.create(&key(), "mine".into()).await.unwrap(),
        PutOutcome::Exists
    );

    let store = Scripted::default();
    store
        .inner
        .put(&Path::from("log/1"), "theirs".into())
        .await
        .map(drop)
        .unwrap();
    store.puts.lock().unwrap().push_back(Answer::Conflict);
    let storage = ObjectStorage::new(Arc::new(store), StoreProfile::s3());
    assert_eq!(
        storage.create(&key(), "mine".into()).await.unwrap(),
        PutOutcome::Exists
    );
}

#[tokio::test]
async fn a_conflict_about_an_object_that_is_absent_is_tried_again() {
    let storage = answering(&[Answer::Conflict]);
    let error = storage.create(&key(), "mine".into()).await.unwrap_err();
    assert!(error.is_retryable() && !error.is_ambiguous());

    let options = RetryOptions::default();
    let storage = RetryStorage::new(
        answering(&[Answer::Conflict, Answer::Conflict]),
        Arc::new(NoWait::default()),
        options,
    );
    assert_eq!(
        storage.create(&key(), "mine".into()).await.unwrap(),
        PutOutcome::Written
    );
}

#[tokio::test]
async fn a_create_whose_answer_was_lost_is_known_by_its_bytes_when_tried_again() {
    for applied in [true, false] {
        let failed = Answer::Failed {
            status: 503,
            applied,
        };
        let options = RetryOptions::default();
        let storage = RetryStorage::new(answering(&[failed]), Arc::new(NoWait::default()), options);
        assert_eq!(
            storage.create(&key(), "mine".into()).await.unwrap(),
            PutOutcome::Written
        );
        assert_eq!(storage.get_all(&key()).await.unwrap().unwrap(), "mine");
    }
}

#[tokio::test]
async fn failures_of_writes_have_kinds_and_no_secrets() {
    for (status, kind, ambiguous) in [
        (403, ErrorKind::PermissionDenied, false),
        (404, ErrorKind::NotFound, false),
        (429, ErrorKind::RateLimited, false),
        (400, ErrorKind::Invalid, false),
        (500, ErrorKind::Unavailable, true),
    ] {
        let failed = Answer::Failed {
            status,
            applied: false,
        };
        for mode in [PutMode::Create, PutMode::Overwrite] {
            let error = answering(&[failed])
                .put(&key(), "1".into(), mode)
                .await
                .unwrap_err();
            assert_eq!(
                (error.kind(), error.is_ambiguous()),
                (kind, ambiguous),
                "{status}"
            );
            let told = format!("{error} {error:?}");
            assert!(told.contains("log/1") && told.contains("s3"), "{told}");
            assert!(!told.contains("5ec7e7"), "{told}");
        }
        let store = Scripted::default();
        store.deletes.lock().unwrap().push_back(failed);
        let storage = ObjectStorage::new(Arc::new(store), StoreProfile::s3());
        match storage.delete(&key()).await {
            // Deleting what is not there is a success.
            Ok(()) => assert_eq!(status, 404),
            Err(error) => assert_eq!((error.kind(), error.is_ambiguous()), (kind, ambiguous)),
        }
    }
}

#[tokio::test]
async fn an_object_larger_than_one_request_takes_is_refused_before_it_is_sent() {
    let profile = StoreProfile::s3().with_max_object_bytes(3);
    let storage = ObjectStorage::new(Arc::new(InMemory::new()), profile);
    let error = storage.create(&key(), "four".into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    storage
        .create(&key(), "333".into())
        .await
        .map(drop)
        .unwrap();
}

#[tokio::test]
async fn the_last_bytes_are_of_one_object_although_it_is_replaced_while_they_are_looked_for() {
    let tail = async |replaced| {
        let store = Scripted::default();
        store
            .inner
            .put(&Path::from("log/1"), "0123456789".into())
            .await
            .map(drop)
            .unwrap();
        *store.replaced.lock().unwrap() = replaced;
        let storage = ObjectStorage::new(Arc::new(store), StoreProfile::azure());
        storage.get(&key(), ByteRange::Last(4)).await
    };
    assert_eq!(tail(0).await.unwrap().unwrap().bytes, "6789");
    assert_eq!(tail(3).await.unwrap().unwrap().bytes, "aced");
    assert!(tail(100).await.unwrap_err().kind() == ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_store_that_lists_out_of_order_is_refused_unless_it_is_known_for_it() {
    let listed = async |profile| {
        let store = Scripted {
            reversed: true,
            ..Scripted::default()
        };
        for name in ["a/1", "a/2", "A/Foreign Object"] {
            store
                .inner
                .put(&Path::from(name), "".into())
                .await
                .map(drop)
                .unwrap();
        }
        let storage = ObjectStorage::new(Arc::new(store), profile);
        let keys = storage
            .list(&Prefix::all(), None)
            .map_ok(|object| object.key.to_string());
        keys.try_collect::<Vec<_>>().await
    };
    let error = listed(StoreProfile::s3()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    assert_eq!(
        listed(StoreProfile::s3().unordered()).await.unwrap(),
        ["a/1", "a/2"]
    );
}
