//! Merges, against maps.

use std::collections::BTreeMap;

use arrow::array::{Array as _, AsArray as _, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use arrow::ipc::writer::FileWriter;
use futures::TryStreamExt as _;
use mainstay_core::{ErrorKind, NodeRef};
use mainstay_data::merge::{FileAction, MergeOutcome, MergeSpec, Strategy as Wins};
use mainstay_data::{BranchTarget, Datasets, ReadOptions, SnapshotSpec};
use proptest::prelude::*;

use crate::support::{ada, check_error, column, datasets, directory, spec, table};

/// Rows by key; a cell may be null.
type Rows = BTreeMap<i64, (Option<i64>, String)>;

fn batch(rows: &Rows) -> RecordBatch {
    let (a, b): (Vec<Option<i64>>, Vec<&str>) =
        rows.values().map(|(a, b)| (*a, b.as_str())).unzip();
    table([
        (
            "id",
            column(Int64Array::from(rows.keys().copied().collect::<Vec<_>>())),
        ),
        ("a", column(Int64Array::from(a))),
        ("b", column(StringArray::from(b))),
    ])
}

fn keyed(rows: &Rows) -> SnapshotSpec {
    in_memory(rows, "rows.parquet")
}

fn in_memory(rows: &Rows, name: &str) -> SnapshotSpec {
    spec("d")
        .with_batches(name.parse().unwrap(), vec![batch(rows)])
        .with_key(["id"])
}

/// A file of these rows, of the format that its name says.
fn written(rows: &Rows, name: &str) -> (SnapshotSpec, tempfile::TempDir) {
    let batch = batch(rows);
    let mut bytes = Vec::new();
    if name.contains(".csv") {
        let lines = rows.iter().map(|(id, (a, b))| {
            let a = a.map_or(String::new(), |a| a.to_string());
            format!("{id},{a},{b}\n")
        });
        bytes = format!("id,a,b\n{}", lines.collect::<String>()).into_bytes();
    } else if name.contains(".jsonl") {
        let lines = rows.iter().map(|(id, (a, b))| match a {
            Some(a) => format!("{{\"id\": {id}, \"a\": {a}, \"b\": \"{b}\"}}\n"),
            None => format!("{{\"b\":\"{b}\",\"id\":{id}}}\n"),
        });
        bytes = lines.collect::<String>().into_bytes();
    } else {
        let mut writer = FileWriter::try_new(&mut bytes, &batch.schema()).unwrap();
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
    }
    let directory = directory(&[(name, &bytes)]);
    let spec = spec("d").with_path(directory.path()).with_key(["id"]);
    (spec, directory)
}

async fn read(datasets: &Datasets, node: &NodeRef) -> Rows {
    let read = datasets.read(node, ReadOptions::default()).await.unwrap();
    let batches: Vec<RecordBatch> = read.try_collect().await.unwrap();
    let mut rows = Rows::new();
    for batch in batches {
        let ids = batch["id"].as_primitive::<Int64Type>();
        let a = batch["a"].as_primitive::<Int64Type>();
        let b = batch["b"].as_string::<i32>();
        for row in 0..batch.num_rows() {
            let cells = (
                a.is_valid(row).then(|| a.value(row)),
                b.value(row).to_owned(),
            );
            assert!(rows.insert(ids.value(row), cells).is_none(), "a key twice");
        }
    }
    rows
}

/// Stores a base and two versions of it.
async fn versions(
    datasets: &Datasets,
    [base, ours, theirs]: [SnapshotSpec; 3],
) -> (NodeRef, NodeRef) {
    let base = datasets.snapshot(base).await.unwrap().node;
    let ours = datasets
        .snapshot(ours.with_parent(base.clone()))
        .await
        .unwrap();
    let theirs = datasets.snapshot(theirs.with_parent(base)).await.unwrap();
    (ours.node, theirs.node)
}

/// A cell by cell merge of maps; the conflicts as (key, whether of a row).
fn merged(base: &Rows, ours: &Rows, theirs: &Rows, wins: Wins) -> (Rows, Vec<(i64, bool)>) {
    let mut result = Rows::new();
    let mut conflicts = Vec::new();
    let mut keys: Vec<i64> = base
        .keys()
        .chain(ours.keys())
        .chain(theirs.keys())
        .copied()
        .collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        let (b, o, t) = (base.get(&key), ours.get(&key), theirs.get(&key));
        let row = if o == t || b == t {
            o.cloned()
        } else if b == o {
            t.cloned()
        } else if let (Some(o), Some(t)) = (o, t) {
            let mut pick = |changed_by_us, changed_by_them, differ: bool| {
                let conflict = changed_by_us && changed_by_them && differ;
                if conflict {
                    conflicts.push((key, false));
                }
                changed_by_them && (!changed_by_us || (conflict && wins == Wins::Theirs))
            };
            let changed = |row: &(Option<i64>, String)| match b {
                Some(b) => (row.0 != b.0, row.1 != b.1),
                None => (true, true),
            };
            let (by_us, by_them) = (changed(o), changed(t));
            let a = if pick(by_us.0, by_them.0, o.0 != t.0) {
                t.0
            } else {
                o.0
            };
            let text = if pick(by_us.1, by_them.1, o.1 != t.1) {
                &t.1
            } else {
                &o.1
            };
            Some((a, text.clone()))
        } else {
            conflicts.push((key, true));
            if wins == Wins::Theirs {
                t.cloned()
            } else {
                o.cloned()
            }
        };
        if let Some(row) = row {
            result.insert(key, row);
        }
    }
    (result, conflicts)
}

fn any_rows() -> impl Strategy<Value = Rows> {
    let cells = (proptest::option::of(0_i64..3), "[xy]");
    proptest::collection::btree_map(0_i64..8, cells, 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(
        if std::env::var_os("MAINSTAY_LONG").is_some() { 2_000 } else { 40 }
    ))]

    #[test]
    fn keyed_tables_merge_as_maps_do(
        base in any_rows(),
        ours in any_rows(),
        theirs in any_rows(),
        wins in prop_oneof![Just(Wins::Fail), Just(Wins::Ours), Just(Wins::Theirs)],
        name in prop_oneof![
            Just("rows.parquet"), Just("rows.pq"), Just("of/rows.csv"), Just("rows.arrow"),
            Just("of/rows.jsonl"),
        ],
    ) {
        // So that every version has the types of the columns.
        let [base, ours, theirs] = [base, ours, theirs].map(|mut rows| {
            rows.insert(100, (Some(7), "z".to_owned()));
            rows
        });
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            if base == ours || base == theirs || ours == theirs {
                return;
            }
            let datasets = datasets().await;
            let mut held = Vec::new();
            let specs = [&base, &ours, &theirs].map(|rows| {
                if name.ends_with('t') || name.ends_with('q') {
                    return in_memory(rows, name);
                }
                let (spec, directory) = written(rows, name);
                held.push(directory);
                spec
            });
            let (our_node, their_node) = versions(&datasets, specs).await;
            let spec = MergeSpec::new(our_node.clone(), their_node.clone())
                .with_strategy("", wins);
            let plan = datasets.plan_merge(&spec).await.unwrap();
            let (expected, conflicts) = merged(&base, &ours, &theirs, wins);
            let mut found: Vec<(i64, bool)> = plan
                .cells
                .iter()
                .map(|cell| (cell.key["id"].parse().unwrap(), cell.column.is_none()))
                .collect();
            found.sort_unstable();
            assert_eq!(found, conflicts);
            assert_eq!(plan.cells_as_table().unwrap().num_rows(), conflicts.len());
            let applied = datasets.apply_merge(&plan, ada(), "merge").await;
            if wins == Wins::Fail && !conflicts.is_empty() {
                return check_error(applied, ErrorKind::Conflict, &[name]);
            }
            let applied = applied.unwrap();
            let node = applied.node;
            assert_eq!(applied.files[0].path.as_str(), name);
            assert_eq!(read(&datasets, &node).await, expected);
            let info = datasets.show(&node).await.unwrap();
            assert_eq!(info.parents, [our_node, their_node]);
            assert_eq!(info.key, ["id"]);
        });
    }
}

#[tokio::test]
async fn files_merge_by_path_and_conflicts_name_theirs() {
    let datasets = datasets().await;
    let of = |files: &[(&str, &[u8])]| {
        let directory = directory(files);
        (spec("d").with_path(directory.path()), directory)
    };
    let (base, _a) = of(&[("a", b"1"), ("b", b"1"), ("c", b"1"), ("x/d", b"1")]);
    let (ours, _b) = of(&[
        ("a", b"2"),
        ("b", b"1"),
        ("c", b"1"),
        ("x/d", b"2"),
        ("e", b"1"),
    ]);
    let (theirs, _c) = of(&[("a", b"1"), ("b", b"2"), ("x/d", b"3"), ("f", b"1")]);
    let described = theirs.with_metadata("licence", "CC0");
    let (ours, theirs) = versions(&datasets, [base, ours, described]).await;
    let spec = MergeSpec::new(ours.clone(), theirs.clone());
    let plan = datasets.plan_merge(&spec).await.unwrap();
    let actions: Vec<_> = plan
        .files
        .iter()
        .map(|file| (file.path.as_str(), file.action))
        .collect();
    assert_eq!(
        actions,
        [
            ("b", FileAction::Take),
            ("c", FileAction::Remove),
            ("f", FileAction::Take)
        ]
    );
    assert_eq!(plan.conflicts[0].path.as_ref().unwrap().as_str(), "x/d");
    let refused = datasets.apply_merge(&plan, ada(), "").await;
    check_error(refused, ErrorKind::Conflict, &["x/d"]);

    for (wins, expected) in [(Wins::Ours, "2"), (Wins::Theirs, "3")] {
        let spec = spec.clone().with_strategy("x/", wins);
        let plan = datasets.plan_merge(&spec).await.unwrap();
        let merged = datasets.apply_merge(&plan, ada(), "").await.unwrap();
        let out = tempfile::tempdir().unwrap();
        datasets.export(&merged.node, out.path()).await.unwrap();
        let read = |path: &str| std::fs::read_to_string(out.path().join(path)).unwrap();
        assert_eq!(
            ["a", "b", "e", "f", "x/d"].map(read),
            ["2", "2", "1", "1", expected]
        );
        assert!(!out.path().join("c").exists());
        let manifest = datasets.manifest(&merged.node).await.unwrap();
        assert_eq!(manifest.metadata["licence"], "CC0");
    }
}

/// Stores three versions of a file and plans to merge the last two.
async fn planned(
    datasets: &Datasets,
    name: &str,
    versions: [&str; 3],
    key: &[&str],
) -> mainstay_data::merge::MergePlan {
    let mut held = Vec::new();
    let specs = versions.map(|text| {
        let directory = directory(&[(name, text.as_bytes())]);
        let spec = spec("d").with_path(directory.path());
        held.push(directory);
        spec.with_key(key.iter().copied())
    });
    let (ours, theirs) = self::versions(datasets, specs).await;
    let plan = datasets.plan_merge(&MergeSpec::new(ours, theirs)).await;
    plan.unwrap()
}

async fn text(datasets: &Datasets, plan: &mainstay_data::merge::MergePlan, name: &str) -> String {
    let merged = datasets.apply_merge(plan, ada(), "").await.unwrap();
    let out = tempfile::tempdir().unwrap();
    datasets.export(&merged.node, out.path()).await.unwrap();
    std::fs::read_to_string(out.path().join(name)).unwrap()
}

#[tokio::test]
async fn merged_csv_keeps_how_fields_are_spelled() {
    let datasets = datasets().await;
    let files = [
        "id\tprice\tnote\n1\t1.50\ta\n2\t2.0\t\"say \"\"x\"\"\"\n3\t3e0\t\n4\t4.25\td\n",
        "id\tprice\tnote\n1\t1.50\tb\n2\t2.0\t\"say \"\"x\"\"\"\n3\t3e0\t\n4\t4.25\td\n",
        "id\tprice\tnote\n1\t1.50\ta\n2\t2.10\t\"say \"\"x\"\"\"\n3\t3e0\t\"two\nlines\"\n5\t5.00\t\n",
    ];
    let plan = planned(&datasets, "t.tsv", files, &["id"]).await;
    let rows = plan.files[0].rows.unwrap();
    assert_eq!((rows.added, rows.removed, rows.changed), (1, 1, 2));
    assert_eq!(
        text(&datasets, &plan, "t.tsv").await,
        "id\tprice\tnote\n1\t1.50\tb\n2\t2.10\t\"say \"\"x\"\"\"\n3\t3e0\t\"two\nlines\"\n5\t5.00\t\n"
    );

    let files = ["n\n1.0\n", "n\n1.0\n2.50\n", "n\n1.0\n\"3.0\"\n4.0\n"];
    let datasets = self::datasets().await;
    let plan = planned(&datasets, "t.csv", files, &[]).await;
    assert_eq!(plan.files[0].rows.unwrap().added, 2);
    assert_eq!(
        text(&datasets, &plan, "t.csv").await,
        "n\n1.0\n2.50\n3.0\n4.0\n"
    );
}

#[tokio::test]
async fn merged_json_lines_keep_every_line_but_for_the_values_that_change() {
    let datasets = datasets().await;
    let files = [
        concat!(
            "{\"id\": 1, \"price\": 1.50, \"note\": null, \"tags\": [ 1, 2 ]}\n",
            "{ \"note\":\"\\u0061\", \"id\":2, \"price\":2.0 }\n",
            "\n",
            "{\"id\":3,\"price\":3e0,\"tags\":[]}\r\n",
            "{\"id\":4,\"price\":4.250}\n",
        ),
        concat!(
            "{\"id\": 1, \"price\": 1.60, \"note\": null, \"tags\": [ 1, 2 ]}\n",
            "{ \"note\":\"\\u0061\", \"id\":2, \"price\":2.0 }\n",
            "\r\n",
            " {\"id\":3,\"price\":3e0,\"tags\":[]} \r\n",
            "{\"id\":4,\"price\":4.250}\n",
        ),
        concat!(
            "{\"id\":1,\"price\":1.5,\"note\":\"}\",\"tags\":[1,2]}\n",
            "{\"note\":\"\\u0061\",\"id\":2,\"price\":2.00,\"tags\":[ 7 ]}\n",
            "{\"id\":3,\"price\":3}\n",
            "{\"price\": 5.00, \"id\": 5}",
        ),
    ];
    let plan = planned(&datasets, "t.jsonl", files, &["id"]).await;
    let rows = plan.files[0].rows.unwrap();
    assert_eq!((rows.added, rows.removed, rows.changed), (1, 1, 3));
    assert_eq!(
        text(&datasets, &plan, "t.jsonl").await,
        concat!(
            "{\"id\": 1, \"price\": 1.60, \"note\": \"}\", \"tags\": [ 1, 2 ]}\n",
            "{ \"note\":\"\\u0061\", \"id\":2, \"price\":2.0 ,\"tags\":[ 7 ]}\n",
            "\r\n",
            " {\"id\":3,\"price\":3e0,\"tags\":null} \r\n",
            "{\"price\": 5.00, \"id\": 5}\n",
        )
    );

    let files = [
        "{\"n\":1}\n",
        "{\"n\":1}\n{\"n\": 2}\n",
        "{\"n\":1}\n{\"n\":3 }\n",
    ];
    let datasets = self::datasets().await;
    let plan = planned(&datasets, "t.ndjson", files, &[]).await;
    assert_eq!(
        text(&datasets, &plan, "t.ndjson").await,
        "{\"n\":1}\n{\"n\": 2}\n{\"n\":3 }\n"
    );
}

#[tokio::test]
async fn a_conflict_says_why_rows_were_not_merged() {
    let csv = ["id,a\n1,x\n2,x\n", "id,a\n1,y\n2,x\n", "id,a\n1,x\n2,y\n"];
    let twice = ["id,a\n1,x\n1,x\n", "id,a\n1,y\n1,x\n", "id,a\n1,x\n1,y\n"];
    for (name, files, key, why) in [
        ("t.csv", csv, vec![], "name the columns"),
        ("t.csv", twice, vec!["id"], "does not tell its rows apart"),
    ] {
        let plan = planned(&datasets().await, name, files, &key).await;
        assert!(
            plan.conflicts[0].why.contains(why),
            "{}",
            plan.conflicts[0].why
        );
    }
}

#[tokio::test]
async fn rows_added_behind_on_both_sides_need_no_key() {
    let datasets = datasets().await;
    let rows = |values: &[i64]| {
        let batch = table([("n", column(Int64Array::from(values.to_vec())))]);
        spec("d").with_batches("rows.parquet".parse().unwrap(), vec![batch])
    };
    let specs = [rows(&[1, 1]), rows(&[1, 1, 2]), rows(&[1, 1, 3, 4])];
    let (ours, theirs) = versions(&datasets, specs).await;
    let plan = datasets
        .plan_merge(&MergeSpec::new(ours.clone(), theirs))
        .await
        .unwrap();
    assert_eq!(plan.files[0].rows.unwrap().added, 2);
    let merged = datasets.apply_merge(&plan, ada(), "").await.unwrap();
    let expected = datasets.snapshot(rows(&[1, 1, 2, 3, 4])).await.unwrap();
    assert_eq!(merged.table_digest, expected.table_digest);

    // One that changed what was there is a conflict.
    let base = datasets.show(&ours).await.unwrap().parents[0].clone();
    let changed = datasets
        .snapshot(rows(&[1, 5, 3]).with_parent(base))
        .await
        .unwrap();
    let spec = MergeSpec::new(ours, changed.node);
    assert_eq!(datasets.plan_merge(&spec).await.unwrap().conflicts.len(), 1);
}

#[tokio::test]
async fn a_branch_moves_to_the_merge_unless_it_moved_meanwhile() {
    let datasets = datasets().await;
    let row = |n: i64| Rows::from([(n, (Some(n), "x".to_owned())), (0, (None, "y".to_owned()))]);
    let on = |name: &str| BranchTarget::new(name.parse().unwrap());
    let first = datasets
        .snapshot(keyed(&row(0)).with_branch(on("main")))
        .await
        .unwrap();
    let tried = "try".parse().unwrap();
    datasets
        .create_branch(&tried, &first.node, ada(), "")
        .await
        .unwrap();
    let theirs = datasets
        .snapshot(keyed(&row(1)).with_branch(on("try")))
        .await
        .unwrap();
    let to_main = |ours: &NodeRef| {
        MergeSpec::new(ours.clone(), theirs.node.clone()).with_branch("main".parse().unwrap())
    };
    let ahead = datasets.plan_merge(&to_main(&first.node)).await.unwrap();
    assert_eq!(ahead.outcome, MergeOutcome::FastForward);
    let behind = MergeSpec::new(theirs.node.clone(), first.node.clone());
    let behind = datasets.plan_merge(&behind).await.unwrap();
    assert_eq!(behind.outcome, MergeOutcome::UpToDate);

    let ours = datasets
        .snapshot(keyed(&row(2)).with_branch(on("main")))
        .await
        .unwrap();
    let stale = datasets.plan_merge(&to_main(&first.node)).await;
    check_error(stale, ErrorKind::Conflict, &["main"]);
    let plan = datasets.plan_merge(&to_main(&ours.node)).await.unwrap();
    let merged = datasets.apply_merge(&plan, ada(), "both").await.unwrap();
    assert_eq!(read(&datasets, &merged.node).await.len(), 3);
    let head = datasets.resolve(&"d@main".parse().unwrap()).await.unwrap();
    assert_eq!(head, merged.node);
    let again = datasets.apply_merge(&plan, ada(), "again").await;
    check_error(again, ErrorKind::Conflict, &["main"]);

    let alone = datasets.snapshot(keyed(&row(5))).await.unwrap();
    let apart = datasets.plan_merge(&MergeSpec::new(head, alone.node)).await;
    check_error(apart, ErrorKind::Invalid, &["ancestor"]);
}

/// Each side of a conflict was once decided for; to compare with either would undo one in silence.
#[tokio::test]
async fn lines_that_were_merged_crosswise_need_to_be_told_what_both_began_from() {
    let datasets = datasets().await;
    let cell = |a| keyed(&Rows::from([(1, (Some(a), "x".to_owned()))]));
    let (ours, theirs) = versions(&datasets, [cell(0), cell(1), cell(2)]).await;
    let mut crossed = Vec::new();
    for (into, other) in [(&ours, &theirs), (&theirs, &ours)] {
        let spec = MergeSpec::new(into.clone(), other.clone()).with_strategy("", Wins::Ours);
        let plan = datasets.plan_merge(&spec).await.unwrap();
        let merged = datasets.apply_merge(&plan, ada(), "crosswise").await;
        crossed.push(merged.unwrap().node);
    }
    let spec = MergeSpec::new(crossed[0].clone(), crossed[1].clone());
    let refused = datasets.plan_merge(&spec).await;
    let named = [ours.to_string(), theirs.to_string()];
    let named = named.each_ref().map(String::as_str);
    check_error(
        refused,
        ErrorKind::Invalid,
        &["crosswise", named[0], named[1]],
    );

    let told = spec.with_base("data:d@1".parse().unwrap());
    let plan = datasets.plan_merge(&told).await.unwrap();
    assert_eq!(plan.conflicts.len(), 1);
}
