//! Versions, tags and listings.

use arrow::array::{Int64Array, RecordBatch};
use mainstay_core::{Edge, EdgeKind, ErrorKind, Locator};
use mainstay_data::{Datasets, SnapshotReport};
use mainstay_repo::VerifyLevel;

use crate::support::{
    ada, check_error, column, datasets, directory, penguins, repo, rows, spec, table,
};

fn numbers(values: &[i64]) -> RecordBatch {
    table([("n", column(Int64Array::from(values.to_vec())))])
}

async fn snapshot(datasets: &Datasets, values: &[i64]) -> SnapshotReport {
    datasets.snapshot(rows("d", numbers(values))).await.unwrap()
}

#[tokio::test]
async fn a_snapshot_reports_what_it_stored() {
    let datasets = datasets().await;
    let report = datasets
        .snapshot(spec("penguins").with_path(penguins()))
        .await
        .unwrap();
    assert_eq!(report.node.to_string(), "data:penguins@1");
    assert_eq!(
        (report.version, report.rows, report.reused),
        (1, Some(344), false)
    );
    assert!(report.new_bytes >= report.files[0].bytes);
    let columns: Vec<_> = report
        .columns
        .iter()
        .map(|column| (column.name.as_str(), column.logical_type.as_str()))
        .collect();
    assert_eq!(
        columns,
        [
            ("species", "utf8"),
            ("island", "utf8"),
            ("bill_length_mm", "float64"),
            ("bill_depth_mm", "float64"),
            ("flipper_length_mm", "float64"),
            ("body_mass_g", "float64"),
            ("sex", "utf8"),
            ("year", "int64"),
        ]
    );
    let json = serde_json::to_value(&report).unwrap();
    for field in [
        "dataset",
        "version",
        "snapshot",
        "rows",
        "columns",
        "table_digest",
        "rows_digest",
        "files",
        "new_bytes",
        "reused",
    ] {
        assert!(json.get(field).is_some(), "{field}");
    }
    for field in ["name", "type", "digest"] {
        assert!(json["columns"][0].get(field).is_some(), "{field}");
    }
}

#[tokio::test]
async fn equal_content_makes_no_new_version() {
    let datasets = datasets().await;
    let first = snapshot(&datasets, &[1, 2]).await;
    let again = snapshot(&datasets, &[1, 2]).await;
    assert_eq!((again.node, again.snapshot), (first.node, first.snapshot));
    assert!(again.reused && again.new_bytes == 0);

    let other = snapshot(&datasets, &[1, 2, 3]).await;
    assert_eq!((other.version, other.reused), (2, false));
    // The latest version counts, not any.
    let back = snapshot(&datasets, &[1, 2]).await;
    assert_eq!((back.version, back.snapshot), (3, first.snapshot));
}

#[tokio::test]
async fn the_cut_into_batches_leaves_no_trace() {
    let datasets = datasets().await;
    let values: Vec<i64> = (0..20_000).collect();
    let whole = snapshot(&datasets, &values).await;
    let batch = numbers(&values);
    let pieces = vec![
        batch.slice(0, 1),
        batch.slice(1, 0),
        batch.slice(1, 9_999),
        batch.slice(10_000, 10_000),
    ];
    let spec = spec("d").with_batches("rows.parquet".parse().unwrap(), pieces);
    assert_eq!(datasets.snapshot(spec).await.unwrap().files, whole.files);
}

#[tokio::test]
async fn metadata_is_content_and_lineage_is_not() {
    let datasets = datasets().await;
    let first = snapshot(&datasets, &[1]).await;
    let described = rows("d", numbers(&[1])).with_metadata("license", "CC0");
    let described = datasets.snapshot(described).await.unwrap();
    assert_ne!(described.snapshot, first.snapshot);

    let derived = rows("d", numbers(&[1]))
        .with_metadata("license", "CC0")
        .with_parent(first.node.clone())
        .with_edge(Edge::new(
            EdgeKind::GeneratedBy,
            "run:clean@7".parse().unwrap(),
        ));
    let report = datasets.snapshot(derived.clone()).await.unwrap();
    assert_eq!(report.snapshot, described.snapshot);
    assert_eq!((report.version, report.reused), (3, false));
    assert!(datasets.snapshot(derived).await.unwrap().reused);
}

#[tokio::test]
async fn a_parent_must_exist() {
    let spec = rows("d", numbers(&[1])).with_parent("data:gone@1".parse().unwrap());
    check_error(
        datasets().await.snapshot(spec).await,
        ErrorKind::NotFound,
        &["data:gone@1"],
    );
}

#[tokio::test]
async fn versions_are_found_by_number_tag_digest_and_latest() {
    let datasets = datasets().await;
    let tagged = rows("d", numbers(&[1])).with_tag("first".parse().unwrap());
    let first = datasets.snapshot(tagged).await.unwrap();
    let second = snapshot(&datasets, &[2]).await;
    for (text, expected) in [
        ("d@1".to_owned(), &first.node),
        ("data:d@first".to_owned(), &first.node),
        (format!("d@{}", first.snapshot), &first.node),
        (format!("d@{}", second.snapshot), &second.node),
        ("d@latest".to_owned(), &second.node),
        ("d".to_owned(), &second.node),
    ] {
        let locator: Locator = text.parse().unwrap();
        assert_eq!(
            &datasets.resolve(&locator).await.unwrap(),
            expected,
            "{text}"
        );
    }
    for text in [
        "d@3",
        "d@other",
        "nothing",
        &format!("d@{}", first.files[0].digest),
    ] {
        let outcome = datasets.resolve(&text.parse().unwrap()).await;
        check_error(
            outcome,
            ErrorKind::NotFound,
            &[text.split('@').next().unwrap()],
        );
    }
    let model = datasets.resolve(&"model:d@1".parse().unwrap()).await;
    check_error(model, ErrorKind::Invalid, &["model"]);
}

#[tokio::test]
async fn tags_do_not_move() {
    let datasets = datasets().await;
    let (first, second) = (
        snapshot(&datasets, &[1]).await,
        snapshot(&datasets, &[2]).await,
    );
    let tag = "gold".parse().unwrap();
    datasets
        .tag(&first.node, &tag, ada(), "good")
        .await
        .unwrap();
    datasets
        .tag(&first.node, &tag, ada(), "again")
        .await
        .unwrap();
    let moved = datasets.tag(&second.node, &tag, ada(), "better").await;
    check_error(moved, ErrorKind::AlreadyExists, &["gold", "data:d@1"]);

    let by_snapshot = rows("d", numbers(&[3])).with_tag(tag);
    check_error(
        datasets.snapshot(by_snapshot).await,
        ErrorKind::AlreadyExists,
        &["gold"],
    );
    assert_eq!(datasets.log(&"d".parse().unwrap()).await.unwrap().len(), 2);

    for reserved in ["latest", "12"] {
        let tag = reserved.parse().unwrap();
        let outcome = datasets.tag(&first.node, &tag, ada(), "bad").await;
        check_error(outcome, ErrorKind::Invalid, &[reserved]);
    }
    let absent = datasets
        .tag(
            &"data:d@9".parse().unwrap(),
            &"x".parse().unwrap(),
            ada(),
            "",
        )
        .await;
    check_error(absent, ErrorKind::NotFound, &["data:d@9"]);
}

#[tokio::test]
async fn a_reused_version_can_still_be_tagged() {
    let datasets = datasets().await;
    snapshot(&datasets, &[1]).await;
    let tagged = rows("d", numbers(&[1])).with_tag("late".parse().unwrap());
    assert!(datasets.snapshot(tagged).await.unwrap().reused);
    assert_eq!(
        datasets
            .resolve(&"d@late".parse().unwrap())
            .await
            .unwrap()
            .to_string(),
        "data:d@1"
    );
}

#[tokio::test]
async fn listings_tell_who_when_why_and_what() {
    let datasets = datasets().await;
    datasets
        .snapshot(rows("d", numbers(&[1, 2])).with_tag("one".parse().unwrap()))
        .await
        .unwrap();
    snapshot(&datasets, &[1, 2, 3]).await;
    datasets.snapshot(rows("a", numbers(&[1]))).await.unwrap();

    let list = datasets.list().await.unwrap();
    let listed: Vec<_> = list
        .iter()
        .map(|d| (d.dataset.as_str(), d.versions, d.rows))
        .collect();
    assert_eq!(listed, [("a", 1, Some(1)), ("d", 2, Some(3))]);

    let log = datasets.log(&"d".parse().unwrap()).await.unwrap();
    assert_eq!(
        log.iter().map(|v| (v.version, v.rows)).collect::<Vec<_>>(),
        [(1, Some(2)), (2, Some(3))]
    );
    assert_eq!(
        (log[0].actor.as_str(), log[0].reason.as_str()),
        ("ada", "test")
    );
    assert_eq!(log[0].tags, ["one".parse().unwrap()]);
    assert_eq!(datasets.show(&log[1].node).await.unwrap(), log[1]);

    let unknown = datasets.log(&"nothing".parse().unwrap()).await;
    check_error(unknown, ErrorKind::NotFound, &["nothing"]);
}

#[tokio::test]
async fn the_ref_names_every_blob_and_edge() {
    let repo = repo().await;
    let datasets = Datasets::new(repo.clone());
    let first = datasets
        .snapshot(spec("d").with_path(penguins()))
        .await
        .unwrap();
    let report = datasets
        .snapshot(rows("d", numbers(&[1])).with_parent(first.node.clone()))
        .await
        .unwrap();
    let view = repo.view().await.unwrap();
    let value = view
        .get(&report.node.ref_path())
        .unwrap()
        .unwrap()
        .value
        .clone()
        .unwrap();
    assert_eq!(value.kind, "data.snapshot");
    assert_eq!(value.edges, [Edge::new(EdgeKind::DerivedFrom, first.node)]);
    let mut blobs = vec![report.snapshot, report.files[0].digest];
    blobs.sort();
    assert_eq!(value.blobs, blobs);
    let verified = repo.verify(VerifyLevel::Full).await.unwrap();
    assert!(verified.faults.is_empty(), "{verified:?}");
}

#[tokio::test]
async fn concurrent_snapshots_get_different_numbers() {
    let datasets = datasets().await;
    let one = |value: i64| {
        let datasets = datasets.clone();
        async move { snapshot(&datasets, &[value]).await.version }
    };
    let mut versions = futures::future::join_all((0..8).map(one)).await;
    versions.sort_unstable();
    assert_eq!(versions, [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[tokio::test]
async fn keys_that_several_rows_have_are_told_or_refused() {
    let datasets = datasets().await;
    let keyed = |rows: &[(&str, &str)]| {
        let files: Vec<(&str, &[u8])> = rows.iter().map(|(n, t)| (*n, t.as_bytes())).collect();
        let directory = directory(&files);
        let spec = spec("d").with_path(directory.path()).with_key(["b", "a"]);
        (spec, directory)
    };
    let once = [("1.csv", "a,b\n1,x\n2,x\n"), ("2.csv", "b,a\ny,1\n,1\n")];
    let (spec, _held) = keyed(&once);
    let report = datasets.snapshot(spec.with_unique_key()).await.unwrap();
    assert_eq!(report.repeated_keys, None);

    let twice = [
        ("1.csv", "a,b\n1,x\n2,x\n2,y\n"),
        ("2.csv", "b,a\ny,2\nx,2\nx,2\n"),
    ];
    let (spec, _held) = keyed(&twice);
    let report = datasets.snapshot(spec.clone()).await.unwrap();
    let found = report.repeated_keys.unwrap();
    assert_eq!((found.keys, found.rows), (2, 5));
    let first = [("a", "2"), ("b", "x")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(found.first, first.into());
    let refused = datasets.snapshot(spec.with_unique_key()).await;
    check_error(
        refused,
        ErrorKind::Invalid,
        &["several rows", "a=2 b=x", "keys: 2"],
    );
    assert_eq!(datasets.log(&"d".parse().unwrap()).await.unwrap().len(), 2);
}
