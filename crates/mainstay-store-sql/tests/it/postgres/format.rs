//! The stored format, and what a database says that cannot be used.

use futures::TryStreamExt as _;
use mainstay_core::ErrorKind;
use mainstay_store::{Key, Prefix, PutOutcome, StorageExt as _};

use super::{Database, open, server, session, with};

#[tokio::test]
async fn a_database_without_tables_reads_as_empty_and_stays_so_until_the_first_write() {
    let Some(server) = server() else { return };
    let database = Database::create(&server).await;
    let key = Key::new("log/1").unwrap();
    let storage = open(&database.url).await.unwrap();
    assert!(storage.get_all(&key).await.unwrap().is_none());
    let listing = storage.list(&Prefix::all(), None);
    assert!(listing.try_collect::<Vec<_>>().await.unwrap().is_empty());
    let reader = open(&with(&database.url, &[("read_only", "true")]))
        .await
        .unwrap();
    let refused = reader.create(&key, "no".into()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
    let beside = session(&database.url).await;
    let there = "SELECT to_regnamespace('mainstay') IS NOT NULL";
    assert!(
        !beside
            .query_one(there, &[])
            .await
            .unwrap()
            .get::<_, bool>(0)
    );

    let _written = storage.create(&key, "first".into()).await.unwrap();
    assert_eq!(reader.get_all(&key).await.unwrap().unwrap(), "first");
    database.drop().await;
}

#[tokio::test]
async fn tables_of_a_newer_version_are_refused() {
    let Some(server) = server() else { return };
    let database = Database::create(&server).await;
    let key = Key::new("log/1").unwrap();
    let storage = open(&database.url).await.unwrap();
    let _written = storage.create(&key, "first".into()).await.unwrap();
    let beside = session(&database.url).await;
    let newer = "UPDATE mainstay.format SET version = 2";
    beside.execute(newer, &[]).await.unwrap();
    let error = open(&database.url).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    assert!(error.to_string().contains("version: 2"), "{error}");
    database.drop().await;
}

#[tokio::test]
async fn the_golden_tables_of_version_1_are_read_and_written_on() {
    let golden = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/golden/sql-storage/v1/postgres.sql"
    );
    let golden = std::fs::read_to_string(golden).unwrap();
    let Some(server) = server() else { return };
    let database = Database::create(&server).await;
    let beside = session(&database.url).await;
    beside.batch_execute(&golden).await.unwrap();

    let main = open(&database.url).await.unwrap();
    let listing = main.list(&Prefix::all(), None);
    let listed: Vec<_> = listing.try_collect().await.unwrap();
    let listed: Vec<_> = listed.iter().map(|o| (o.key.as_str(), o.size)).collect();
    let wanted = [
        ("empty", 0),
        ("log/1", 5),
        ("log/2", 6),
        ("pack/1", 1_048_579),
    ];
    assert_eq!(listed, wanted);
    let read = async |key: &str| {
        main.get_all(&Key::new(key).unwrap())
            .await
            .unwrap()
            .unwrap()
    };
    assert_eq!(read("empty").await, "");
    assert_eq!(read("log/1").await, "first");
    let pack = read("pack/1").await;
    assert!(pack[..1_048_576].iter().all(|byte| *byte == 0));
    assert_eq!(pack.slice(1_048_576..), "end");
    let other = open(&with(&database.url, &[("namespace", "other")]))
        .await
        .unwrap();
    let key = Key::new("log/1").unwrap();
    assert_eq!(other.get_all(&key).await.unwrap().unwrap(), "other");
    let key = Key::new("log/3").unwrap();
    let outcome = main.create(&key, "third".into()).await.unwrap();
    assert_eq!(outcome, PutOutcome::Written);
    database.drop().await;
}

#[tokio::test]
async fn a_server_that_takes_no_writes_says_so_and_is_read() {
    let Some(server) = server() else { return };
    let database = Database::create(&server).await;
    let key = Key::new("log/1").unwrap();
    let storage = open(&database.url).await.unwrap();
    let _written = storage.create(&key, "first".into()).await.unwrap();
    let beside = session(&database.url).await;
    let read_only = format!(
        "ALTER DATABASE {} SET default_transaction_read_only = on",
        database.name
    );
    beside.batch_execute(&read_only).await.unwrap();
    let storage = open(&database.url).await.unwrap();
    assert_eq!(storage.get_all(&key).await.unwrap().unwrap(), "first");
    let error = storage.delete(&key).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("takes no writes"), "{error}");
    database.drop().await;
}

#[tokio::test]
async fn databases_that_cannot_be_used_are_told_apart() {
    let Some(server) = server() else { return };
    let mut absent = url::Url::parse(&server).unwrap();
    absent.set_path("no_such_database");
    let error = open(absent.as_str()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
    let mut user = url::Url::parse(&server).unwrap();
    user.set_username("no_such_role").unwrap();
    let error = open(user.as_str()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error:?}");
    // No certificate of the test's server is one that the system trusts.
    let encrypted = with(&server, &[("sslmode", "require")]);
    let error = open(&encrypted).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible, "{error:?}");
    // Port 9 discards, if anything is there at all.
    let error = open("postgres://127.0.0.1:9/m?connect_timeout=1")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
}
