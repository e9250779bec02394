//! Engines read snapshots by URL.
#![cfg(test)]

use std::sync::Arc;

use datafusion::arrow::array::{AsArray, RecordBatch as Answer};
use datafusion::arrow::datatypes::{Float64Type, Int64Type};
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use mainstay_core::Actor;
use mainstay_data::arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use mainstay_data::{Datasets, Patches, SnapshotSpec};
use mainstay_data_object::{SnapshotStore, v0_13};
use mainstay_repo::{Repo, RepoOptions};
use mainstay_store::{MemoryStorage, MeterStorage};

const ROWS: i64 = 400_000;
/// The row whose price the second version changes.
const EDITED: i64 = 7;

fn price(id: i64) -> f64 {
    ((id * 2_654_435_761) % 10_007) as f64
}

fn rows(edited: Option<f64>) -> RecordBatch {
    let prices = (0..ROWS).map(|id| edited.filter(|_| id == EDITED).unwrap_or(price(id)));
    let noise = (0..ROWS).map(|id| (id * 40_503 % 65_537) as f64 * 1.37);
    let id: ArrayRef = Arc::new(Int64Array::from_iter_values(0..ROWS));
    let price: ArrayRef = Arc::new(Float64Array::from_iter_values(prices));
    let noise: ArrayRef = Arc::new(Float64Array::from_iter_values(noise));
    RecordBatch::try_from_iter([("id", id), ("price", price), ("noise", noise)]).unwrap()
}

async fn ask(engine: &SessionContext, sql: &str) -> Answer {
    let answer = engine.sql(sql).await.unwrap().collect().await.unwrap();
    answer
        .into_iter()
        .find(|batch| batch.num_rows() > 0)
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn datafusion_compares_a_version_with_one_that_is_patches_of_it() {
    let storage = Arc::new(MeterStorage::new(MemoryStorage::new()));
    let shared = Arc::<MeterStorage<MemoryStorage>>::clone(&storage);
    let repo = Repo::create(shared, RepoOptions::default()).await.unwrap();
    let datasets = Datasets::new(repo);
    for edited in [None, Some(1e9)] {
        let actor = Actor::new("ada").unwrap();
        let spec = SnapshotSpec::new("prices".parse().unwrap(), actor, "for engines")
            .with_batches("2026/prices.parquet".parse().unwrap(), vec![rows(edited)])
            .with_patches(Patches::WhereSmaller);
        datasets.snapshot(spec).await.unwrap();
    }

    let engine = SessionContext::new();
    for version in ["1", "2"] {
        let locator = format!("prices@{version}").parse().unwrap();
        let store = SnapshotStore::open(&datasets, &locator).await.unwrap();
        let url = store.url();
        let store = v0_13::SnapshotStore::from(store);
        engine.register_object_store(&url.parse().unwrap(), Arc::new(store));
        let (table, options) = (format!("v{version}"), ParquetReadOptions::default());
        let directory = format!("{url}2026/");
        engine
            .register_parquet(&table, directory, options)
            .await
            .unwrap();
    }

    let before = storage.reading().bytes_read;
    let some = "SELECT count(*), sum(price) FROM v1 WHERE id < 1000";
    let answer = ask(&engine, some).await;
    assert_eq!(answer.column(0).as_primitive::<Int64Type>().value(0), 1_000);
    let expected: f64 = (0..1_000).map(price).sum();
    assert_eq!(
        answer.column(1).as_primitive::<Float64Type>().value(0),
        expected
    );
    let read = storage.reading().bytes_read - before;
    assert!(read < 500_000, "{read} bytes for a thousand rows");

    let changed =
        "SELECT a.id, a.price, b.price FROM v1 a JOIN v2 b ON a.id = b.id WHERE a.price <> b.price";
    let answer = ask(&engine, changed).await;
    assert_eq!(answer.num_rows(), 1);
    assert_eq!(
        answer.column(0).as_primitive::<Int64Type>().value(0),
        EDITED
    );
    let prices = [1, 2].map(|column| answer.column(column).as_primitive::<Float64Type>().value(0));
    assert_eq!(prices, [price(EDITED), 1e9]);
}
