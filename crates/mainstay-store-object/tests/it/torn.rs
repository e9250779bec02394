//! Answers that are not whole never become data.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt as _;
use mainstay_core::ErrorKind;
use mainstay_hostile::{Boundary, Fault, HostileServer, Rule, Verb};
use mainstay_repo::{Repo, RepoOptions, Value};
use mainstay_store::{ByteRange, Prefix, Storage as _, StorageExt as _};
use mainstay_store_object::connect;

use crate::server::{SERVICES, bare, key, retried, start};

const TORN: [Fault; 9] = [
    Fault::CutAnswer(Boundary::BeforeStatus),
    Fault::CutAnswer(Boundary::Byte(1)),
    Fault::CutAnswer(Boundary::InHeaders),
    Fault::CutAnswer(Boundary::AfterHeaders),
    Fault::CutAnswer(Boundary::InBody),
    Fault::CutAnswer(Boundary::Byte(1000)),
    Fault::LongerLength(1),
    Fault::LongerLength(100_000),
    Fault::Refused(503),
];

fn content() -> Bytes {
    (0..50_000_u32).flat_map(u32::to_le_bytes).collect()
}

#[tokio::test]
async fn a_torn_object_is_an_error_and_whole_when_read_again() {
    for dialect in SERVICES {
        let server = start(dialect).await;
        server.insert("pack/1", content());
        let (once, again) = (bare(&server), retried(&server));
        let pack = key("pack/1");
        for fault in TORN {
            for range in [ByteRange::Full, ByteRange::Offsets(7..150_000)] {
                let rule = || Rule::new(fault).on(Verb::Get);
                server.add(rule());
                let error = once.get(&pack, range.clone()).await.unwrap_err();
                assert!(error.is_retryable(), "{dialect:?} {fault:?}: {error:?}");
                server.add(rule());
                let object = again.get(&pack, range.clone()).await.unwrap().unwrap();
                let size = content().len() as u64;
                let wanted = range.within(size);
                let wanted =
                    usize::try_from(wanted.start).unwrap()..usize::try_from(wanted.end).unwrap();
                assert_eq!(object.bytes, content()[wanted], "{dialect:?} {fault:?}");
                assert_eq!(object.size, size);
            }
        }
    }
}

#[tokio::test]
async fn a_torn_listing_is_an_error_and_whole_when_listed_again() {
    for dialect in SERVICES {
        let server = start(dialect).await;
        let keys: Vec<_> = (100..200).map(|number| format!("log/{number}")).collect();
        for key in &keys {
            server.insert(key, "entry");
        }
        let shorter = [Fault::ShorterLength(1), Fault::ShorterLength(3000)];
        for fault in TORN.into_iter().chain(shorter) {
            server.add(Rule::new(fault).on(Verb::List));
            let once = bare(&server);
            let listed: Result<Vec<_>, _> = once.list(&Prefix::all(), None).try_collect().await;
            let error = listed.unwrap_err();
            assert!(error.is_retryable(), "{dialect:?} {fault:?}: {error:?}");
            server.add(Rule::new(fault).on(Verb::List));
            let again = retried(&server);
            let listed = again
                .list(&Prefix::all(), None)
                .map_ok(|object| object.key.to_string());
            let listed: Vec<_> = listed.try_collect().await.unwrap();
            assert_eq!(listed, keys, "{dialect:?} {fault:?}");
        }
    }
}

/// HTTP cannot tell; what the ranges say, and the digests of the repository, can.
#[tokio::test]
async fn an_object_that_claims_to_be_shorter_is_found_out_by_range_and_by_digest() {
    for dialect in SERVICES {
        let server = start(dialect).await;
        let shorter = |bytes| {
            let rule = Rule::new(Fault::ShorterLength(bytes));
            server.add(rule.on(Verb::Get).times(u64::MAX));
        };
        server.insert("pack/1", content());
        shorter(1);
        let part = bare(&server)
            .get(&key("pack/1"), ByteRange::Offsets(0..9))
            .await;
        assert!(part.unwrap_err().is_retryable());
        server.behave();

        let repo = repo(&server).await;
        let mut ingest = repo.ingest();
        let stored = ingest.bytes(content()).await.unwrap();
        ingest.finish().await.unwrap();
        let value = Value::new("kind", &1).unwrap().with_blobs([stored.digest]);
        crate::lost_answers::set(&repo, "case/1", value).await;
        for lie in [1, 17, 40_000] {
            shorter(lie);
            let options = RepoOptions::default();
            let read = async {
                let repo = Repo::open(retried(&server), options).await?;
                repo.view().await?;
                repo.blob(&stored.digest).await?.unwrap().bytes().await
            };
            let error = read.await.unwrap_err();
            assert_ne!(error.kind(), ErrorKind::NotFound, "{dialect:?}: {error:?}");
            server.behave();
            assert_eq!(
                repo.blob(&stored.digest)
                    .await
                    .unwrap()
                    .unwrap()
                    .bytes()
                    .await
                    .unwrap(),
                content()
            );
        }
    }
}

async fn repo(server: &HostileServer) -> Repo {
    Repo::create(retried(server), RepoOptions::default())
        .await
        .unwrap()
}

#[tokio::test]
async fn an_answer_that_stops_ends_with_the_timeout_and_a_slow_one_is_waited_for() {
    for dialect in SERVICES {
        let server = start(dialect).await;
        server.insert("pack/1", content());
        let mut options = server.client_options();
        options.insert("timeout".to_owned(), "300ms".to_owned());
        let hasty = connect(&server.url(), &options).unwrap();
        for boundary in [Boundary::BeforeStatus, Boundary::InBody] {
            server.add(Rule::new(Fault::Stalled(boundary)));
            let error = hasty.get_all(&key("pack/1")).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        }
        server.add(Rule::new(Fault::Stalled(Boundary::BeforeStatus)));
        let error = hasty.create(&key("log/1"), "1".into()).await.unwrap_err();
        assert!(error.is_ambiguous() && error.is_retryable(), "{error:?}");

        let pause = Duration::from_millis(1);
        server.add(Rule::new(Fault::Slow {
            piece: 20_000,
            pause,
        }));
        let patient: Arc<_> = bare(&server);
        let slow = patient.get_all(&key("pack/1")).await.unwrap().unwrap();
        assert_eq!(slow, content());
    }
}
