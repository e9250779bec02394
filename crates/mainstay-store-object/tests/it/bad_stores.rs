//! Services that break the promise of exclusive creation are refused.

use std::time::Duration;

use futures::future::join_all;
use mainstay_core::{ErrorKind, SeededIds};
use mainstay_hostile::{Conditions, Dialect};
use mainstay_store::conformance::{RaceOptions, race};
use mainstay_store::{ProbeStorage, PutMode, Storage as _, probe};

use crate::server::{SERVICES, bare, key, retried, start};

/// The four ways to break it, and the promise that is found broken.
///
/// A writer without a rival, as the first of a probe, waits for one as long as said here.
const BAD: [(Conditions, &str); 4] = [
    (Conditions::Ignored, "exclusive creation"),
    (
        Conditions::Racy(Duration::from_millis(250)),
        "exclusive creation",
    ),
    (Conditions::NeverMatching, "creation"),
    (Conditions::Forgotten, "read-after-write"),
];

#[tokio::test]
async fn every_bad_store_is_refused_every_time_and_the_broken_promise_named() {
    join_all(SERVICES.map(refused_every_time)).await;
}

async fn refused_every_time(dialect: Dialect) {
    let server = start(dialect).await;
    let storage = bare(&server);
    for seed in 0..10 {
        for (conditions, promise) in BAD {
            server.set_conditions(conditions);
            let error = probe(&*storage, &SeededIds::new(seed)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{conditions:?}");
            let named = error
                .contexts()
                .any(|context| context == ("promise", promise));
            assert!(named, "{conditions:?}: {error:?}");
            assert!(server.objects().is_empty(), "{conditions:?}");
        }
    }
    server.set_conditions(Conditions::Honored);
    probe(&*storage, &SeededIds::new(99)).await.unwrap();
}

#[tokio::test]
async fn a_race_on_every_bad_store_is_not_exclusive_and_on_a_good_one_it_is() {
    for dialect in SERVICES {
        let server = start(dialect).await;
        for (seed, (conditions, _)) in (0..).zip(BAD) {
            server.set_conditions(conditions);
            let options = RaceOptions::default().with_rounds(3).with_seed(seed);
            let report = race(bare(&server), &options).await.unwrap();
            assert!(
                !report.is_exclusive(),
                "{dialect:?} {conditions:?}: {report}"
            );
        }
        server.set_conditions(Conditions::Honored);
        let options = RaceOptions::default().with_rounds(10).with_seed(99);
        let report = race(bare(&server), &options).await.unwrap();
        assert!(report.is_exclusive(), "{dialect:?}: {report}");
    }
}

#[tokio::test]
async fn a_refused_store_is_still_read_and_never_written() {
    let server = start(Dialect::S3).await;
    server.insert("log/1", "theirs");
    server.set_conditions(Conditions::Ignored);
    let storage = ProbeStorage::new(retried(&server), std::sync::Arc::new(SeededIds::new(1)));
    let log = key("log/1");
    for _ in 0..2 {
        let put = storage.put(&log, "mine".into(), PutMode::Create).await;
        assert_eq!(put.unwrap_err().kind(), ErrorKind::Unsupported);
    }
    let read = storage.get(&log, mainstay_store::ByteRange::Full).await;
    assert_eq!(read.unwrap().unwrap().bytes, "theirs");
    assert_eq!(server.objects().len(), 1);
}
