//! Connections that end in the middle of something, and servers that come back.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mainstay_store::conformance::{self, RaceOptions};
use mainstay_store::{Key, PutOutcome, StorageExt as _};

use super::{namespace, open, server, session, unique, with};

/// A shell command that restarts the server, for a test that must then run alone.
const RESTART: &str = "MAINSTAY_TEST_POSTGRES_RESTART";

/// Ends the sessions of an application again and again, until told to stop.
async fn end_sessions(server: String, application: String, stop: Arc<AtomicBool>) -> i64 {
    let session = session(&server).await;
    let mut ended = 0;
    while !stop.load(Ordering::Relaxed) {
        let end = "
            SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
            WHERE application_name = $1";
        let row = session.query_one(end, &[&application]).await.unwrap();
        ended += row.get::<_, i64>(0);
        session
            .query_one("SELECT pg_sleep(0.3)", &[])
            .await
            .unwrap();
    }
    ended
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_creator_is_told_that_it_lost_against_itself_when_sessions_end() {
    let Some(server) = server() else { return };
    let application = unique();
    let url = with(&namespace(&server), &[("application_name", &application)]);
    let storage = open(&url).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let ending = tokio::spawn(end_sessions(server, application, Arc::clone(&stop)));
    let writers = (0..8).map(|writer| {
        let storage = Arc::clone(&storage);
        tokio::spawn(async move {
            let mut unknown = 0;
            for number in 0..150 {
                let key = Key::new(format!("log/{writer}-{number}")).unwrap();
                let bytes = key.to_string();
                match storage.create(&key, bytes.clone().into()).await {
                    Ok(outcome) => {
                        assert_eq!(outcome, PutOutcome::Written, "{key}");
                        let found = storage.get_all(&key).await;
                        assert!(found.is_err() || found.unwrap().unwrap() == bytes);
                    }
                    Err(error) => {
                        assert!(error.is_retryable(), "{error:?}");
                        unknown += 1;
                    }
                }
            }
            unknown
        })
    });
    let unknown = futures::future::try_join_all(writers).await.unwrap();
    stop.store(true, Ordering::Relaxed);
    assert!(ending.await.unwrap() > 0, "sessions were ended");
    assert!(unknown.into_iter().sum::<u32>() < 200, "most calls recover");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_race_has_one_winner_a_round_also_when_sessions_end() {
    let Some(server) = server() else { return };
    let application = unique();
    let url = with(&namespace(&server), &[("application_name", &application)]);
    let storage = open(&url).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let ending = tokio::spawn(end_sessions(server, application, Arc::clone(&stop)));
    let options = RaceOptions::default().with_writers(8).with_rounds(100);
    let report = conformance::race(storage, &options).await.unwrap();
    stop.store(true, Ordering::Relaxed);
    assert!(ending.await.unwrap() > 0, "sessions were ended");
    assert_eq!(report.rounds_with_several_winners, 0, "{report}");
    assert_eq!(report.refused_winners, 0, "{report}");
    assert_eq!(report.lost_acknowledgements, 0, "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn everything_acknowledged_is_there_after_the_server_restarted() {
    let Some(server) = server() else { return };
    let Ok(restart) = std::env::var(RESTART) else {
        return;
    };
    let storage = open(&namespace(&server)).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let writers = (0..4).map(|writer| {
        let (storage, stop) = (Arc::clone(&storage), Arc::clone(&stop));
        tokio::spawn(async move {
            let mut acknowledged = Vec::new();
            for number in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let key = Key::new(format!("log/{writer}-{number}")).unwrap();
                match storage.create(&key, key.to_string().into()).await {
                    Ok(outcome) => {
                        assert_eq!(outcome, PutOutcome::Written);
                        acknowledged.push(key);
                    }
                    Err(error) => assert!(error.is_retryable(), "{error:?}"),
                }
            }
            acknowledged
        })
    });
    let writers: Vec<_> = writers.collect();
    let restarted = tokio::task::spawn_blocking(move || {
        let status = Command::new("/bin/sh").args(["-c", &restart]).status();
        status.unwrap().success()
    });
    assert!(restarted.await.unwrap());
    stop.store(true, Ordering::Relaxed);
    for keys in futures::future::try_join_all(writers).await.unwrap() {
        assert!(!keys.is_empty());
        for key in keys {
            let bytes = storage.get_all(&key).await.unwrap();
            assert_eq!(bytes.unwrap(), key.as_str());
        }
    }
}
