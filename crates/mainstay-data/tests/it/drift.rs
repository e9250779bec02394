//! What changed between two versions.

use arrow::array::{BooleanArray, Float64Array, Int64Array, ListArray, RecordBatch, StringArray};
use arrow::datatypes::Float64Type;
use mainstay_core::NodeRef;
use mainstay_data::Datasets;
use mainstay_data::diff::{
    CompareOptions, DatasetDiff, Direction, DriftThresholds, Threshold, Verdict,
};

use crate::support::{column, datasets, penguins, rows, spec, table};

async fn compare(before: RecordBatch, after: RecordBatch) -> DatasetDiff {
    let datasets = datasets().await;
    let before = datasets.snapshot(rows("d", before)).await.unwrap();
    let after = datasets.snapshot(rows("d", after)).await.unwrap();
    datasets.compare(&before.node, &after.node).await.unwrap()
}

fn names(diff: &DatasetDiff) -> Vec<&str> {
    diff.columns
        .iter()
        .map(|column| column.name.as_str())
        .collect()
}

/// The penguins of these years, body mass divided by 1,000 where the year is 2009 if asked for.
async fn season(datasets: &Datasets, name: &str, years: &[&str], kilograms: bool) -> NodeRef {
    let csv = std::fs::read_to_string(penguins()).unwrap();
    let mut lines = csv.lines();
    let mut out = vec![lines.next().unwrap().to_owned()];
    for line in lines {
        let mut fields: Vec<String> = line.split(',').map(str::to_owned).collect();
        if !years.contains(&fields[7].as_str()) {
            continue;
        }
        if kilograms && fields[7] == "2009" && !fields[5].is_empty() {
            fields[5] = format!("{}", fields[5].parse::<f64>().unwrap() / 1_000.0);
        }
        out.push(fields.join(","));
    }
    let files = crate::support::directory(&[("penguins.csv", out.join("\n").as_bytes())]);
    let report = datasets
        .snapshot(spec(name).with_path(files.path()))
        .await
        .unwrap();
    report.node
}

#[tokio::test]
async fn a_wrong_unit_in_new_rows_is_the_first_thing_named() {
    let datasets = datasets().await;
    let before = season(&datasets, "p", &["2007", "2008"], false).await;
    let after = season(&datasets, "p", &["2007", "2008", "2009"], true).await;
    let diff = datasets.compare(&before, &after).await.unwrap();
    let first = &diff.columns[0];
    assert_eq!(first.name, "body_mass_g");
    assert_eq!(first.verdict, Verdict::Fail);
    assert!(first.drift.psi.unwrap() > 0.25 && first.drift.ks.unwrap() > 0.2);
    assert!(first.drift.shift.unwrap() > 1.0);
    assert!(diff.compatible && diff.schema.is_empty());
    assert_eq!((diff.rows.before, diff.rows.after), (224, 344));
    // The measurements that are right pass.
    for column in &diff.columns[2..] {
        assert_eq!(column.verdict, Verdict::Pass, "{column:?}");
    }
    assert_eq!(diff.columns[1].name, "year");
}

#[tokio::test]
async fn seasons_of_one_population_pass() {
    let datasets = datasets().await;
    let before = season(&datasets, "p", &["2008"], false).await;
    let after = season(&datasets, "p", &["2009"], false).await;
    let diff = datasets.compare(&before, &after).await.unwrap();
    for column in diff.columns.iter().filter(|column| column.name != "year") {
        assert_ne!(column.verdict, Verdict::Fail, "{column:?}");
    }
}

#[tokio::test]
async fn a_version_equals_itself() {
    let datasets = datasets().await;
    let node = season(&datasets, "p", &["2007"], false).await;
    let diff = datasets.compare(&node, &node).await.unwrap();
    assert!(diff.same_table && diff.same_rows && diff.compatible);
    assert_eq!((diff.verdict, diff.before), (Verdict::Pass, diff.after));
    assert!(
        diff.columns
            .iter()
            .all(|column| !column.changed && column.drift.ks == Some(0.0))
    );
}

#[tokio::test]
async fn the_schema_diff_tells_added_removed_changed_and_renamed_apart() {
    let before = table([
        ("kept", column(Int64Array::from(vec![1, 2]))),
        ("gone", column(Int64Array::from(vec![3, 4]))),
        ("old_name", column(StringArray::from(vec!["x", "y"]))),
        ("typed", column(Int64Array::from(vec![5, 6]))),
    ]);
    let after = table([
        ("new_name", column(StringArray::from(vec!["x", "y"]))),
        ("typed", column(Float64Array::from(vec![5.0, 6.0]))),
        ("kept", column(Int64Array::from(vec![1, 2]))),
        ("new", column(BooleanArray::from(vec![true, false]))),
    ]);
    let diff = compare(before, after).await;
    let json = serde_json::to_value(&diff).unwrap();
    assert_eq!(
        json["schema"],
        serde_json::json!({
            "added": [{"name": "new", "type": "bool", "nullable": true}],
            "removed": [{"name": "gone", "type": "int64", "nullable": true}],
            "changed": [{
                "name": "typed",
                "before": {"name": "typed", "type": "int64", "nullable": true},
                "after": {"name": "typed", "type": "float64", "nullable": true},
            }],
            "renamed": [{"from": "old_name", "to": "new_name"}],
        })
    );
    assert!(!diff.compatible);
    assert_eq!(diff.verdict, Verdict::Fail);
    assert_eq!(names(&diff), ["typed", "kept", "new_name"]);
    assert!(diff.columns[0].changed && !diff.columns[2].changed);
    for field in ["compatible", "rows", "bytes_read"] {
        assert!(json.get(field).is_some(), "{field}");
    }
    for pointer in [
        "/columns/0/drift/psi",
        "/columns/0/stats/before/count",
        "/columns/0/verdict",
    ] {
        assert!(json.pointer(pointer).is_some(), "{pointer}");
    }
}

#[tokio::test]
async fn added_columns_and_order_are_compatible() {
    let numbers = || column(Int64Array::from(vec![1, 2]));
    let before = table([("a", numbers()), ("b", numbers())]);
    let after = table([
        ("b", numbers()),
        ("c", column(StringArray::from(vec!["x", "y"]))),
        ("a", numbers()),
    ]);
    let diff = compare(before, after).await;
    assert!(diff.compatible && !diff.same_table);
    assert_eq!(diff.schema.added.len(), 1);
}

#[tokio::test]
async fn nulls_that_were_not_allowed_before_are_incompatible() {
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field, Schema};
    let with_nullable = |nullable| {
        let schema = Schema::new(vec![Field::new("a", DataType::Int64, nullable)]);
        RecordBatch::try_new(Arc::new(schema), vec![column(Int64Array::from(vec![1]))]).unwrap()
    };
    assert!(
        !compare(with_nullable(false), with_nullable(true))
            .await
            .compatible
    );
    assert!(
        compare(with_nullable(true), with_nullable(false))
            .await
            .compatible
    );
}

#[tokio::test]
async fn new_categories_and_missing_values_are_drift() {
    let colors = |share: usize| {
        StringArray::from_iter_values((0..400).map(|i| if i % 10 < share { "red" } else { "blue" }))
    };
    let sparse = |every: i64| {
        (0..400)
            .map(|i| (i % every > 0).then_some(i))
            .collect::<Int64Array>()
    };
    let before = table([("color", column(colors(5))), ("n", column(sparse(100)))]);
    let after = table([("color", column(colors(1))), ("n", column(sparse(3)))]);
    let diff = compare(before, after).await;
    let find = |name: &str| {
        diff.columns
            .iter()
            .find(|column| column.name == name)
            .unwrap()
    };
    let color = find("color");
    assert_eq!(color.verdict, Verdict::Fail);
    assert!((color.drift.ks.unwrap() - 0.4).abs() < 1e-9);
    let n = find("n");
    assert_eq!(n.verdict, Verdict::Fail);
    assert!(n.drift.missing > 0.3);
}

#[tokio::test]
async fn thresholds_are_the_users_to_choose() {
    let datasets = datasets().await;
    let numbers = |from: i64| {
        table([(
            "n",
            column(Int64Array::from_iter_values(from..from + 2_000)),
        )])
    };
    let before = datasets.snapshot(rows("d", numbers(0))).await.unwrap().node;
    let after = datasets
        .snapshot(rows("d", numbers(400)))
        .await
        .unwrap()
        .node;
    let strict = datasets.compare(&before, &after).await.unwrap();
    assert_eq!(strict.verdict, Verdict::Fail);
    let never = Threshold {
        warn: 100.0,
        fail: 100.0,
    };
    let lenient = DriftThresholds::default()
        .with_psi(never)
        .with_ks(never)
        .with_missing(never);
    let lenient = CompareOptions::default().with_thresholds(lenient);
    let lenient = datasets
        .compare_with(&before, &after, &lenient)
        .await
        .unwrap();
    assert_eq!(lenient.verdict, Verdict::Pass);
}

#[tokio::test]
async fn one_column_has_thresholds_of_its_own() {
    let letters = |new: usize| {
        let letters = (0..400).map(|i| if i < new { "new" } else { ["a", "b"][i % 2] });
        table([("letter", column(StringArray::from_iter_values(letters)))])
    };
    let datasets = datasets().await;
    let before = datasets.snapshot(rows("d", letters(0))).await.unwrap().node;
    let after = datasets.snapshot(rows("d", letters(8))).await.unwrap().node;
    let compare = async |thresholds: &str| {
        let thresholds = DriftThresholds::from_json(thresholds.as_bytes()).unwrap();
        let options = CompareOptions::default().with_thresholds(thresholds);
        datasets.compare_with(&before, &after, &options).await
    };
    let diff = compare("{}").await.unwrap();
    assert_eq!(diff.verdict, Verdict::Pass);
    let drift = &diff.columns[0].drift;
    let categories = drift.categories.as_ref().unwrap();
    assert_eq!(
        categories.new,
        [mainstay_data::stats::ScalarValue::Text("new".into())]
    );
    assert!((categories.new_share - 0.02).abs() < 1e-12 && categories.vanished.is_empty());
    assert_eq!(drift.chi_square.unwrap().freedom, 2);
    let strict = r#"{"columns": {"letter": {"new_categories": {"warn": 0, "fail": 0.01}}}}"#;
    assert_eq!(compare(strict).await.unwrap().verdict, Verdict::Fail);
    let misspelled = compare(r#"{"columns": {"leter": {}}}"#).await;
    crate::support::check_error(misspelled, mainstay_core::ErrorKind::NotFound, &["leter"]);
}

#[tokio::test]
async fn compatibility_is_told_in_both_directions_with_reasons() {
    use arrow::array::Int32Array;
    let before = table([
        ("a", column(Int32Array::from(vec![1]))),
        ("gone", column(Int64Array::from(vec![1]))),
    ]);
    let after = table([
        ("a", column(Int64Array::from(vec![1]))),
        ("new", column(Int64Array::from(vec![2]))),
    ]);
    let diff = compare(before, after).await;
    let found = &diff.compatibility;
    assert!(!found.backward && !found.forward && !found.full);
    let told = found.reasons.iter();
    let told: Vec<_> = told
        .map(|found| {
            (
                found.direction,
                found.column.as_str(),
                found.reason.as_str(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (Direction::Backward, "new", "it is missing"),
            (Direction::Forward, "a", "int64 does not fit into int32"),
            (Direction::Forward, "gone", "it is missing"),
        ]
    );
    let markdown = diff.to_markdown();
    for part in [
        "- **not forward compatible**: readers of the earlier columns fail on the later data: `a` (int64 \
         does not fit into int32), `gone` (it is missing)",
        "- **not backward compatible**: readers of the later columns fail on the earlier data: `new` (it is \
         missing)",
    ] {
        assert!(markdown.contains(part), "{part}: {markdown}");
    }
}

/// One rule decides, whatever is asked: `compatible` is the forward direction.
#[tokio::test]
async fn each_change_of_a_schema_is_compatible_in_the_direction_that_can_read_it() {
    use arrow::array::Int32Array;
    let narrow = || ("a", column(Int32Array::from(vec![1, 2])));
    let wide = || ("a", column(Int64Array::from(vec![1, 2])));
    let other = || ("b", column(StringArray::from(vec!["x", "y"])));
    for (before, after, backward, forward) in [
        (table([narrow()]), table([narrow(), other()]), false, true),
        (table([narrow(), other()]), table([narrow()]), true, false),
        (table([narrow()]), table([wide()]), true, false),
        (table([wide()]), table([narrow()]), false, true),
        (table([narrow()]), table([("c", narrow().1)]), false, false),
        (
            table([narrow(), other()]),
            table([other(), narrow()]),
            true,
            true,
        ),
    ] {
        let diff = compare(before, after).await;
        let found = &diff.compatibility;
        assert_eq!(
            (found.backward, found.forward),
            (backward, forward),
            "{found:?}"
        );
        assert_eq!(
            (diff.compatible, found.full),
            (forward, backward && forward)
        );
    }
}

#[tokio::test]
async fn a_rare_new_category_is_told_to_people() {
    let letters = |new: usize| {
        let letters = (0..400).map(|i| if i < new { "new|er" } else { ["a", "b"][i % 2] });
        table([("letter", column(StringArray::from_iter_values(letters)))])
    };
    let diff = compare(letters(0), letters(14)).await;
    assert_eq!(diff.verdict, Verdict::Warn);
    let evidence = diff.columns[0].drift.evidence().unwrap();
    assert_eq!(evidence[4], "3.5 %: new|er");
    let markdown = diff.to_markdown();
    for part in [
        "| column | chi-square | p | Cramér's V | missing p | new | vanished |",
        "(df 2) | \\<0.001 | 0.13",
        "| 3.5 %: new\\|er |",
    ] {
        assert!(markdown.contains(part), "{part}: {markdown}");
    }
}

/// Of many different texts, how often each occurs is compared, not which there are.
#[tokio::test]
async fn many_different_texts_drift_when_their_shares_do() {
    let mut random = crate::model::Random(11);
    let mut words = |from: usize, rows: usize| {
        // Low numbers are the likelier ones.
        let words = (0..rows).map(|_| {
            let number = random.below(300).min(random.below(300));
            format!("word {}", from + number)
        });
        table([("text", column(StringArray::from_iter_values(words)))])
    };
    let ids = |from: usize| {
        let ids = (from..from + 2_000).map(|id| format!("id-{id}"));
        table([("text", column(StringArray::from_iter_values(ids)))])
    };
    for (before, after, expected) in [
        (words(0, 3_000), words(0, 2_500), Verdict::Pass),
        (words(0, 3_000), words(150, 3_000), Verdict::Fail),
        (ids(0), ids(50_000), Verdict::Pass),
    ] {
        let diff = compare(before, after).await;
        let text = &diff.columns[0];
        assert!(text.stats.before.categories.is_none() && text.changed);
        assert!(text.drift.psi.is_some() && text.drift.categories.is_none());
        assert_eq!(text.verdict, expected, "{:?}", text.drift);
    }
}

#[tokio::test]
async fn what_cannot_be_measured_is_no_pass_and_infinities_are_missing() {
    let floats = |value: fn(f64) -> f64| {
        let values = (0..2_000).map(|n| {
            if n % 2 == 0 {
                value(f64::from(n))
            } else {
                f64::from(n)
            }
        });
        table([("x", column(Float64Array::from_iter_values(values)))])
    };
    for (value, verdict) in [
        ((|n| n) as fn(f64) -> f64, Verdict::Pass),
        (|_| f64::NEG_INFINITY, Verdict::Fail),
    ] {
        let diff = compare(floats(|n| n), floats(value)).await;
        assert_eq!(diff.verdict, verdict);
    }

    let embeddings = |of: f64| {
        let rows = (0..100).map(|n| Some(vec![Some(of), Some(f64::from(n))]));
        let lists = ListArray::from_iter_primitive::<Float64Type, _, _>(rows);
        table([("embedding", column(lists))])
    };
    let diff = compare(embeddings(1.0), embeddings(2.0)).await;
    assert_eq!(diff.verdict, Verdict::Warn);
    let diff = compare(embeddings(1.0), embeddings(1.0)).await;
    assert_eq!(diff.verdict, Verdict::Pass);
}

#[tokio::test]
async fn a_threshold_of_a_column_that_says_nothing_of_it_is_no_pass() {
    let numbers = |first: i64| {
        table([(
            "n",
            column(Int64Array::from_iter_values(first..first + 500)),
        )])
    };
    let datasets = datasets().await;
    let mut nodes = Vec::new();
    for first in [0, 1] {
        let stored = datasets.snapshot(rows("d", numbers(first))).await.unwrap();
        nodes.push(stored.node);
    }
    for (thresholds, verdict) in [
        ("{}", Verdict::Pass),
        (
            r#"{"columns": {"n": {"new_categories": {"warn": 0, "fail": 0.5}}}}"#,
            Verdict::Warn,
        ),
    ] {
        let thresholds = DriftThresholds::from_json(thresholds.as_bytes()).unwrap();
        let options = CompareOptions::default().with_thresholds(thresholds);
        let diff = datasets.compare_with(&nodes[0], &nodes[1], &options).await;
        assert_eq!(diff.unwrap().verdict, verdict);
    }
}
