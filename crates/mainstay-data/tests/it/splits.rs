//! Splits, samples, and what leaks between them.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{AsArray as _, Date32Array, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Int32Type, Int64Type};
use futures::TryStreamExt as _;
use mainstay_core::{EdgeKind, ErrorKind, NodeRef};
use mainstay_data::split::{SplitReport, SplitRule, SplitSpec};
use mainstay_data::{Datasets, ReadOptions, SampleSize, SampleSpec};
use mainstay_repo::VerifyLevel;
use proptest::prelude::*;

use crate::support::{ada, check_error, column, datasets, repo, rows, table};

/// Ids, with a letter and a day that follow from each.
fn numbered(ids: impl IntoIterator<Item = i64>) -> RecordBatch {
    let ids: Vec<i64> = ids.into_iter().collect();
    let letters = ids.iter().map(|id| if id % 4 == 0 { "a" } else { "b" });
    let days = ids.iter().map(|id| i32::try_from(id / 10).unwrap());
    table([
        ("letter", column(StringArray::from_iter_values(letters))),
        ("day", column(Date32Array::from_iter_values(days))),
        ("id", column(Int64Array::from(ids))),
    ])
}

fn spec(source: &NodeRef, rule: SplitRule) -> SplitSpec {
    SplitSpec::new(source.clone(), rule, ada(), "test")
        .with_part("train".parse().unwrap(), 8)
        .with_part("validation".parse().unwrap(), 1)
        .with_part("test".parse().unwrap(), 1)
}

async fn store(datasets: &Datasets, batch: RecordBatch) -> NodeRef {
    datasets.snapshot(rows("d", batch)).await.unwrap().node
}

async fn ids(datasets: &Datasets, node: &NodeRef) -> Vec<i64> {
    let read = datasets.read(node, ReadOptions::default().with_columns(["id"]));
    let batches: Vec<RecordBatch> = read.await.unwrap().try_collect().await.unwrap();
    let values = |batch: &RecordBatch| {
        batch
            .column(0)
            .as_primitive::<Int64Type>()
            .values()
            .to_vec()
    };
    batches.iter().flat_map(values).collect()
}

/// The ids of each part.
async fn parts(datasets: &Datasets, report: &SplitReport) -> Vec<Vec<i64>> {
    let mut parts = Vec::new();
    for part in &report.parts {
        parts.push(ids(datasets, &part.snapshot.node).await);
    }
    parts
}

/// Where docs/formats/data-split.md says that an integer key goes, of weights 8, 1, 1.
fn expected_part(id: i64, seed: u32) -> usize {
    let mut hasher = blake3::Hasher::new_derive_key("mainstay data-split v1");
    hasher.update(&seed.to_le_bytes());
    hasher.update(&[1]);
    hasher.update(&i128::from(id).to_le_bytes());
    let hash = hasher.finalize();
    let position = u64::from_le_bytes(hash.as_bytes()[..8].try_into().unwrap());
    let end = |weight: u128| u64::try_from((1_u128 << 64) * weight / 10).unwrap();
    usize::from(position >= end(8)) + usize::from(position >= end(9))
}

#[tokio::test]
async fn a_row_goes_where_the_format_page_says_and_stays_when_rows_are_added() {
    let datasets = datasets().await;
    let small = store(&datasets, numbered(0..500)).await;
    let rule = SplitRule::hash(["id"], 7);
    let first = datasets.split(spec(&small, rule.clone())).await.unwrap();
    let before = parts(&datasets, &first).await;
    for (place, part) in before.iter().enumerate() {
        let expected = (0..500).filter(|&id| expected_part(id, 7) == place);
        assert_eq!(part, &expected.collect::<Vec<_>>());
    }

    let grown = store(&datasets, numbered((0..2_000).rev())).await;
    let second = datasets.split(spec(&grown, rule)).await.unwrap();
    for (before, after) in before.iter().zip(parts(&datasets, &second).await) {
        let after: BTreeSet<i64> = after.into_iter().collect();
        assert!(before.iter().all(|id| after.contains(id)));
    }
}

#[tokio::test]
async fn a_split_is_a_record_and_versions_with_lineage_and_made_once() {
    let repo = repo().await;
    let datasets = Datasets::new(repo.clone());
    let source = rows("d", numbered(0..300)).with_key(["id"]).synthetic();
    let source = datasets.snapshot(source).await.unwrap().node;
    let by_id = || spec(&source, SplitRule::hash(["id"], 1));
    let report = datasets.split(by_id()).await.unwrap();
    assert_eq!(report.split.to_string(), "split:d@1");
    let nodes: Vec<String> = report
        .parts
        .iter()
        .map(|part| part.snapshot.node.to_string())
        .collect();
    assert_eq!(
        nodes,
        ["data:d-train@1", "data:d-validation@1", "data:d-test@1"]
    );

    let record = datasets.show_split(&report.split).await.unwrap();
    assert_eq!(
        (&record.source, &record.rule),
        (&source, &SplitRule::hash(["id"], 1))
    );
    assert_eq!(record.parts.iter().map(|part| part.rows).sum::<u64>(), 300);
    let info = datasets.show(&report.parts[2].snapshot.node).await.unwrap();
    assert_eq!((info.key, info.synthetic), (vec!["id".to_owned()], true));
    assert_eq!(info.repeated_keys, Some(0));
    let edges: Vec<_> = info
        .sources
        .iter()
        .map(|edge| {
            (
                edge.kind,
                edge.to.clone(),
                edge.role.as_ref().map(ToString::to_string),
            )
        })
        .collect();
    let role = Some("test".to_owned());
    assert_eq!(
        edges,
        [
            (EdgeKind::Used, report.split.clone(), None),
            (EdgeKind::DerivedFrom, source.clone(), role),
        ]
    );

    let head = repo.view().await.unwrap().seq();
    let again = datasets.split(by_id()).await.unwrap();
    assert!(again.reused && again.split == report.split);
    assert_eq!(repo.view().await.unwrap().seq(), head);
    let other = datasets
        .split(spec(&source, SplitRule::hash(["id"], 2)))
        .await;
    assert_eq!(other.unwrap().split.to_string(), "split:d@2");
    let verified = repo.verify(VerifyLevel::Full).await.unwrap();
    assert!(verified.faults.is_empty(), "{verified:?}");
}

#[tokio::test]
async fn strata_are_divided_in_proportion_and_groups_stay_whole() {
    let datasets = datasets().await;
    let source = store(&datasets, numbered(0..400)).await;
    let rule = SplitRule::stratified(["id"], 3, ["letter"]);
    let report = datasets.split(spec(&source, rule)).await.unwrap();
    let parts_found = parts(&datasets, &report).await;
    for (part, (a, b)) in parts_found.iter().zip([(80, 240), (10, 30), (10, 30)]) {
        let found = part.iter().filter(|id| *id % 4 == 0).count();
        assert_eq!((found, part.len() - found), (a, b));
    }

    let by_day = spec(&source, SplitRule::hash(["day"], 3)).with_name("groups".parse().unwrap());
    let report = datasets.split(by_day).await.unwrap();
    let nodes = report
        .parts
        .iter()
        .map(|part| part.snapshot.node.to_string());
    assert_eq!(
        nodes.collect::<Vec<_>>(),
        [
            "data:groups-train@1",
            "data:groups-validation@1",
            "data:groups-test@1"
        ]
    );
    let mut part_of_day = BTreeMap::new();
    for (place, part) in parts(&datasets, &report).await.iter().enumerate() {
        for id in part {
            assert_eq!(*part_of_day.entry(id / 10).or_insert(place), place);
        }
    }
}

#[tokio::test]
async fn keys_in_several_strata_are_refused_rather_than_divided() {
    let datasets = datasets().await;
    let source = store(&datasets, numbered(0..400)).await;
    // Every day has both letters; every letter has its days alone.
    let torn = SplitRule::stratified(["day"], 3, ["letter"]);
    let refused = datasets.split(spec(&source, torn)).await;
    check_error(refused, ErrorKind::Invalid, &["strata", "keys: 40"]);
    let whole = SplitRule::stratified(["day", "letter"], 3, ["letter"]);
    let report = datasets.split(spec(&source, whole)).await.unwrap();
    let mut part_of = BTreeMap::new();
    for (place, part) in parts(&datasets, &report).await.iter().enumerate() {
        for id in part {
            let key = (id / 10, id % 4 == 0);
            assert_eq!(*part_of.entry(key).or_insert(place), place);
        }
    }
}

#[tokio::test]
async fn time_divides_by_share_or_at_cuts() {
    let datasets = datasets().await;
    let source = store(&datasets, numbered((0..200).rev())).await;
    let sorted = |mut part: Vec<i64>| {
        part.sort_unstable();
        (part[0], part[part.len() - 1])
    };
    let report = datasets
        .split(spec(&source, SplitRule::time("day")))
        .await
        .unwrap();
    let found = parts(&datasets, &report).await.into_iter().map(sorted);
    assert_eq!(
        found.collect::<Vec<_>>(),
        [(0, 159), (160, 179), (180, 199)]
    );

    let cuts = SplitRule::time_cut("day", ["1970-01-05", "1970-01-11"]);
    let report = datasets.split(spec(&source, cuts)).await.unwrap();
    let found = parts(&datasets, &report).await.into_iter().map(sorted);
    assert_eq!(found.collect::<Vec<_>>(), [(0, 39), (40, 99), (100, 199)]);
}

#[tokio::test]
async fn what_cannot_be_divided_is_refused_by_name_and_nothing_is_committed() {
    let repo = repo().await;
    let datasets = Datasets::new(repo.clone());
    let source = store(&datasets, numbered(0..40)).await;
    let head = repo.view().await.unwrap().seq();
    let none: [&str; 0] = [];
    for (rule, kind, named) in [
        (
            SplitRule::hash(["nothing"], 1),
            ErrorKind::NotFound,
            "nothing",
        ),
        (SplitRule::hash(none, 1), ErrorKind::Invalid, "no columns"),
        (SplitRule::time("letter"), ErrorKind::Invalid, "letter"),
        (
            SplitRule::time_cut("day", ["1970-01-03"]),
            ErrorKind::Invalid,
            "cut",
        ),
        (
            SplitRule::time_cut("day", ["x", "y"]),
            ErrorKind::Invalid,
            "x",
        ),
        (
            SplitRule::time_cut("day", ["1970-01-03", "1970-01-02"]),
            ErrorKind::Invalid,
            "day",
        ),
        (
            SplitRule::time_cut("day", ["1980-01-03", "1980-01-04"]),
            ErrorKind::Invalid,
            "validation",
        ),
    ] {
        check_error(datasets.split(spec(&source, rule)).await, kind, &[named]);
    }
    let rule = || SplitRule::hash(["id"], 1);
    let bare = SplitSpec::new(source.clone(), rule(), ada(), "").with_part("a".parse().unwrap(), 1);
    check_error(
        datasets.split(bare.clone()).await,
        ErrorKind::Invalid,
        &["2 to 64"],
    );
    for (role, weight) in [("a", 1), ("b", 0)] {
        let bad = bare.clone().with_part(role.parse().unwrap(), weight);
        check_error(datasets.split(bad).await, ErrorKind::Invalid, &[role]);
    }
    let onto = bare.with_part_in("b".parse().unwrap(), 1, "d".parse().unwrap());
    check_error(datasets.split(onto).await, ErrorKind::Invalid, &["b"]);
    assert_eq!(repo.view().await.unwrap().seq(), head);
}

#[tokio::test]
async fn leaks_are_counted_and_shown_whatever_the_width_of_the_key() {
    let datasets = datasets().await;
    let train = table([
        ("id", column(Int64Array::from(vec![1, 2, 3, 3, 4]))),
        (
            "x",
            column(StringArray::from(vec!["p", "q", "r", "r", "s"])),
        ),
    ]);
    let test = table([
        ("id", column(Int32Array::from(vec![3, 4, 5]))),
        ("x", column(StringArray::from(vec!["r", "other", "t"]))),
        ("extra", column(Int32Array::from(vec![0, 0, 0]))),
    ]);
    let train = datasets.snapshot(rows("train", train)).await.unwrap().node;
    let test = datasets.snapshot(rows("test", test)).await.unwrap().node;
    let sides = [train, test];
    let report = datasets
        .check_leakage(&sides, &["id".to_owned()])
        .await
        .unwrap();
    assert!(report.leaks);
    let keys = &report.keys[0];
    assert_eq!((keys.distinct, keys.rows_a, keys.rows_b), (2, 3, 2));
    let shown: BTreeSet<&str> = keys
        .samples
        .iter()
        .map(|sample| sample["id"].as_str())
        .collect();
    assert_eq!(shown, BTreeSet::from(["3", "4"]));
    let rows = &report.rows[0];
    assert_eq!((rows.distinct, rows.rows_a, rows.rows_b), (1, 2, 1));
    assert_eq!(
        (&*rows.samples[0]["id"], &*rows.samples[0]["x"]),
        ("3", "r")
    );

    check_error(
        datasets.check_leakage(&sides[..1], &[]).await,
        ErrorKind::Invalid,
        &["two"],
    );
    let unknown = datasets.check_leakage(&sides, &["extra".to_owned()]).await;
    check_error(unknown, ErrorKind::NotFound, &["extra"]);
}

#[tokio::test]
async fn a_sample_has_its_size_its_strata_and_its_seed() {
    let datasets = datasets().await;
    let source = store(&datasets, numbered(0..400)).await;
    let sample = |size, seed| SampleSpec::new(source.clone(), size, seed, ada(), "look");
    let taken = datasets
        .sample(sample(SampleSize::Rows(50), 1))
        .await
        .unwrap();
    assert_eq!(taken.node.to_string(), "data:d-sample@1");
    let chosen = ids(&datasets, &taken.node).await;
    assert!(chosen.len() == 50 && chosen.is_sorted_by(|a, b| a < b));
    assert!(
        datasets
            .sample(sample(SampleSize::Rows(50), 1))
            .await
            .unwrap()
            .reused
    );
    let other = datasets
        .sample(sample(SampleSize::Rows(50), 2))
        .await
        .unwrap();
    assert_ne!(ids(&datasets, &other.node).await, chosen);

    let strata = sample(SampleSize::Fraction(0.1), 1).with_strata(["letter"]);
    let strata = strata.with_dataset("tenth".parse().unwrap());
    let taken = datasets.sample(strata).await.unwrap();
    let chosen = ids(&datasets, &taken.node).await;
    let of_a = chosen.iter().filter(|id| *id % 4 == 0).count();
    assert_eq!(
        (taken.dataset.as_str(), of_a, chosen.len()),
        ("tenth", 10, 40)
    );
    let info = datasets.show(&taken.node).await.unwrap();
    let transform = info.transform.unwrap();
    assert_eq!(transform.name.as_str(), "sample");
    assert_eq!(transform.parameters["fraction"], 0.1);

    for size in [
        SampleSize::Rows(0),
        SampleSize::Fraction(0.0),
        SampleSize::Fraction(f64::NAN),
    ] {
        check_error(
            datasets.sample(sample(size, 1)).await,
            ErrorKind::Invalid,
            &[],
        );
    }
}

/// A rule, and the column whose values stay together.
fn random_rule(which: u8, seed: u32, parts: usize) -> (SplitRule, &'static str) {
    match which {
        0 => (SplitRule::hash(["key"], seed), "key"),
        1 => (SplitRule::stratified(["key"], seed, ["stratum"]), "key"),
        2 => (SplitRule::time("day"), "day"),
        _ => {
            let cuts = (1..parts).map(|part| (40 * part / parts).to_string());
            (SplitRule::time_cut("day", cuts), "day")
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn no_row_is_lost_or_doubled_and_no_key_leaks(
        rows in proptest::collection::vec((proptest::option::of(0_i32..40), 0_i32..40), 30..200),
        which in 0_u8..4,
        seed: u32,
        weights in proptest::collection::vec(1_u32..5, 2..4),
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let datasets = datasets().await;
            let keys = rows.iter().map(|(key, _)| *key);
            let strata = keys.clone().map(|key| key.map(|key| key % 3));
            let batch = table([
                ("key", column(keys.collect::<Int32Array>())),
                ("stratum", column(strata.collect::<Int32Array>())),
                ("day", column(Int32Array::from_iter_values(rows.iter().map(|(_, day)| *day)))),
            ]);
            let source = store(&datasets, batch).await;
            let (rule, together) = random_rule(which, seed, weights.len());
            let mut spec = SplitSpec::new(source, rule, ada(), "");
            for (index, weight) in weights.iter().enumerate() {
                spec = spec.with_part(format!("p{index}").parse().unwrap(), *weight);
            }
            let report = match datasets.split(spec).await {
                Ok(report) => report,
                // Few keys may all fall on one side.
                Err(error) => return assert!(error.to_string().contains("part"), "{error}"),
            };
            let (mut found, mut nodes) = (Vec::new(), Vec::new());
            for part in &report.parts {
                let node = &part.snapshot.node;
                let read = datasets.read(node, ReadOptions::default()).await.unwrap();
                let batches: Vec<RecordBatch> = read.try_collect().await.unwrap();
                for batch in batches {
                    let [keys, days] = ["key", "day"].map(|name| batch[name].as_primitive::<Int32Type>().clone());
                    found.extend(keys.iter().zip(days.values().to_vec()));
                }
                nodes.push(node.clone());
            }
            found.sort_unstable();
            let mut expected = rows;
            expected.sort_unstable();
            assert_eq!(found, expected);
            let leaks = datasets.check_leakage(&nodes, &[together.to_owned()]).await.unwrap();
            assert!(!leaks.leaks, "{leaks:?}");
        });
    }
}
