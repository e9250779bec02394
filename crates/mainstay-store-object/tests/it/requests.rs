//! How many requests each operation costs.

use std::sync::Arc;

use futures::TryStreamExt as _;
use mainstay_core::{Actor, SeededIds};
use mainstay_hostile::{Boundary, Dialect, Fault, HostileServer, Rule, ServerOptions, Verb};
use mainstay_repo::{CommitOutcome, Expectation, Repo, RepoOptions, Transaction, Value};
use mainstay_store::{ByteRange, NoWait, Prefix, PutMode, Storage as _, StorageExt as _, probe};

use crate::server::{SERVICES, bare, key, retried, start};

/// The verbs of the requests since the last call.
fn verbs(server: &HostileServer) -> Vec<Verb> {
    let requests = server.take_requests();
    requests.into_iter().map(|request| request.verb).collect()
}

#[tokio::test]
async fn every_operation_of_a_storage_is_one_request_where_the_service_has_it() {
    for dialect in SERVICES {
        let options = ServerOptions::default().with_page(2);
        let server = HostileServer::start_with(dialect, options).await.unwrap();
        let storage = bare(&server);
        let log = key("log/1");
        storage.create(&log, "mine".into()).await.map(drop).unwrap();
        assert_eq!(verbs(&server), [Verb::Put]);
        storage.create(&log, "mine".into()).await.map(drop).unwrap();
        assert_eq!(verbs(&server), [Verb::Put], "a lost race, {dialect:?}");
        let overwrite = storage.put(&log, "mine".into(), PutMode::Overwrite);
        overwrite.await.map(drop).unwrap();
        assert_eq!(verbs(&server), [Verb::Put]);
        for range in [ByteRange::Full, ByteRange::Offsets(1..3)] {
            storage.get(&log, range).await.unwrap().unwrap();
            assert_eq!(verbs(&server), [Verb::Get]);
        }
        storage
            .get(&log, ByteRange::Last(2))
            .await
            .unwrap()
            .unwrap();
        if dialect == Dialect::Azure {
            assert_eq!(verbs(&server), [Verb::Head, Verb::Get]);
        } else {
            assert_eq!(verbs(&server), [Verb::Get]);
        }
        storage
            .get(&log, ByteRange::Offsets(9..12))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(verbs(&server), [Verb::Get, Verb::Head], "beyond the end");
        assert!(storage.get_all(&key("log/2")).await.unwrap().is_none());
        assert_eq!(verbs(&server), [Verb::Get]);
        for _ in 0..2 {
            storage.delete(&log).await.unwrap();
            assert_eq!(verbs(&server), [Verb::Delete], "{dialect:?}");
        }
        for number in 0..5 {
            server.insert(&format!("log/{number}"), "entry");
        }
        let listed: Vec<_> = storage
            .list(&Prefix::all(), None)
            .try_collect()
            .await
            .unwrap();
        assert_eq!((listed.len(), verbs(&server)), (5, vec![Verb::List; 3]));
    }
}

#[tokio::test]
async fn a_conflict_of_s3_is_looked_into_with_one_request_more() {
    let server = start(Dialect::S3).await;
    server.add(Rule::new(Fault::Refused(409)).on(Verb::Put));
    let outcome = retried(&server).create(&key("log/1"), "mine".into()).await;
    outcome.map(drop).unwrap();
    assert_eq!(verbs(&server), [Verb::Put, Verb::Head, Verb::Put]);
}

#[tokio::test]
async fn a_service_that_fails_for_ever_is_asked_six_times() {
    for dialect in SERVICES {
        let server = start(dialect).await;
        let storage = retried(&server);
        server.add(Rule::new(Fault::Refused(503)).times(u64::MAX));
        let log = key("log/1");
        storage.get_all(&log).await.unwrap_err();
        assert_eq!(verbs(&server), [Verb::Get; 6]);
        storage.delete(&log).await.unwrap_err();
        assert_eq!(verbs(&server), [Verb::Delete; 6]);
        let listed: Result<Vec<_>, _> = storage.list(&Prefix::all(), None).try_collect().await;
        listed.unwrap_err();
        assert_eq!(verbs(&server), [Verb::List; 6]);
        let error = storage.create(&log, "mine".into()).await.unwrap_err();
        assert!(error.is_ambiguous());
        assert!(verbs(&server).len() <= 12, "each attempt is read back");
    }
}

#[tokio::test]
async fn a_commit_is_one_request_and_a_lost_answer_or_race_a_few_more() {
    for dialect in SERVICES {
        let server = start(dialect).await;
        let repo = |seed| {
            let options = RepoOptions::default()
                .with_ids(Arc::new(SeededIds::new(seed)))
                .with_timer(Arc::new(NoWait::default()));
            (retried(&server), options)
        };
        let (storage, options) = repo(1);
        let ours = Repo::create(storage, options).await.unwrap();
        let (storage, options) = repo(2);
        let theirs = Repo::open(storage, options).await.unwrap();
        let commit = async |repo: &Repo, path: &str| {
            let mut transaction = Transaction::new(Actor::new("ada").unwrap(), "counted");
            let value = Value::new("case", &1).unwrap();
            transaction.set(path.parse().unwrap(), value, Expectation::Absent);
            let outcome = repo.commit(transaction).await.unwrap();
            assert!(matches!(outcome, CommitOutcome::Committed(_)));
        };
        verbs(&server);
        commit(&ours, "case/1").await;
        assert_eq!(verbs(&server), [Verb::Put]);

        server.add(Rule::new(Fault::CutAnswer(Boundary::BeforeStatus)).on(Verb::Put));
        commit(&ours, "case/2").await;
        assert_eq!(verbs(&server), [Verb::Put, Verb::Get], "a lost answer");

        commit(&theirs, "case/3").await;
        verbs(&server);
        commit(&ours, "case/4").await;
        let lost = verbs(&server);
        assert_eq!(lost.first(), Some(&Verb::Put));
        assert_eq!(lost.last(), Some(&Verb::Put));
        assert!(lost.len() <= 6, "a lost race: {lost:?}");
    }
}

#[tokio::test]
async fn a_probe_is_about_a_hundred_requests() {
    for dialect in SERVICES {
        let server = start(dialect).await;
        probe(&*bare(&server), &SeededIds::new(1)).await.unwrap();
        assert!(server.request_count() <= 113, "{dialect:?}");
    }
}
