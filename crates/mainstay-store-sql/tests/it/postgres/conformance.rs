//! The conformance suite, the race, and processes that share a database.

use mainstay_children::part;
use mainstay_store::conformance::{self, RaceOptions, RunOptions};

use super::{Database, namespace, open, server, with};
use crate::processes::{create_all, take_part};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_namespaces_at_once_pass_every_case() {
    let Some(server) = server() else { return };
    let options = RunOptions::default().with_seed(1);
    let a = open(&namespace(&server)).await.unwrap();
    let b = open(&namespace(&server)).await.unwrap();
    let (a, b) = tokio::join!(conformance::run(a, &options), conformance::run(b, &options));
    a.check(&[]).unwrap();
    b.check(&[]).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_sixteen_racing_creators_one_wins_each_of_a_hundred_rounds() {
    let Some(server) = server() else { return };
    let url = with(&namespace(&server), &[("max_connections", "16")]);
    let storage = open(&url).await.unwrap();
    let report = conformance::race(storage, &RaceOptions::default())
        .await
        .unwrap();
    assert!(
        report.is_exclusive() && report.failed_calls == 0,
        "{report}"
    );
}

#[tokio::test]
async fn of_eight_processes_that_create_the_same_keys_one_wins_each() {
    if let Some((url, writer)) = part() {
        return take_part(&url, writer).await;
    }
    let Some(server) = server() else { return };
    // Nobody has made the tables: they all try.
    let database = Database::create(&server).await;
    let test = "postgres::conformance::of_eight_processes_that_create_the_same_keys_one_wins_each";
    create_all(test, &database.url).await;
    database.drop().await;
}
