//! CSV that is not spelled by RFC 4180 with a header line.

use std::fmt::Write as _;

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type};
use futures::TryStreamExt as _;
use mainstay_core::{ErrorKind, NodeRef, canon};
use mainstay_data::diff::{CompareOptions, CompareRows};
use mainstay_data::merge::MergeSpec;
use mainstay_data::rows::Identity;
use mainstay_data::{
    CsvDelimiter, CsvOptions, CsvQuote, Datasets, FileLayout, Manifest, PartSpec, ReadOptions,
    SnapshotSpec, TableFiles,
};
use proptest::prelude::*;

use crate::golden::check;
use crate::model::seeds;
use crate::support::{ada, check_error, datasets, directory, spec};

fn german() -> TableFiles {
    let options = CsvOptions::new()
        .with_delimiter(';'.try_into().unwrap())
        .with_null("NA")
        .without_header();
    TableFiles::new().with_csv(options)
}

async fn read(datasets: &Datasets, node: &NodeRef) -> RecordBatch {
    let stream = datasets.read(node, ReadOptions::default()).await.unwrap();
    let batches: Vec<_> = stream.try_collect().await.unwrap();
    batches[0].clone()
}

fn of(files: &tempfile::TempDir) -> SnapshotSpec {
    spec("d").with_path(files.path())
}

#[tokio::test]
async fn files_are_read_as_they_are_spelled_also_by_the_next_snapshot() {
    for layout in [FileLayout::Verbatim, FileLayout::Canonical] {
        let files = directory(&[("a.csv", b"1;NA;x,y\n2;0.5;\"NA\"\n")]);
        let datasets = datasets().await;
        let first = of(&files).with_layout(layout).with_table_files(german());
        let first = datasets.snapshot(first).await.unwrap();
        let manifest = datasets.manifest(&first.node).await.unwrap();
        let columns = manifest.columns().iter();
        let columns: Vec<_> = columns
            .map(|column| (column.name.as_str(), column.logical_type.as_str()))
            .collect();
        assert_eq!(
            columns,
            [
                ("column_1", "int64"),
                ("column_2", "float64"),
                ("column_3", "utf8")
            ]
        );
        let stored = manifest.table.unwrap().csv;
        assert_eq!(stored.is_some(), layout == FileLayout::Verbatim);
        let batch = read(&datasets, &first.node).await;
        assert_eq!(
            batch.column(0).as_primitive::<Int64Type>().values(),
            &[1, 2]
        );
        assert!(batch.column(1).is_null(0) && batch.column(2).is_null(1));
        let halves = batch.column(1).as_primitive::<Float64Type>();
        assert_eq!(halves.value(1).to_bits(), 0.5_f64.to_bits());
        assert_eq!(batch.column(2).as_string::<i32>().value(0), "x,y");

        let again = of(&files).with_layout(layout);
        assert!(datasets.snapshot(again).await.unwrap().reused);
        std::fs::write(files.path().join("a.csv"), "1;NA;x,y\n2;0.25;NA\n3;1.5;z\n").unwrap();
        let second = of(&files).with_layout(layout);
        let second = datasets.snapshot(second).await.unwrap();
        assert_eq!((second.rows, second.columns.len()), (Some(3), 3));
        let rows = CompareRows::new(Identity::key(["column_1"]));
        let options = CompareOptions::default().with_rows(rows);
        let diff = datasets.compare_with(&first.node, &second.node, &options);
        let compared = diff.await.unwrap().rows.compared.unwrap();
        let counts = (compared.added, compared.removed, compared.changed);
        assert_eq!(counts, (1, 0, 1));
    }
}

/// Of files that are large enough that a version that has them is asked for what they say.
#[tokio::test]
async fn other_options_are_another_table_of_the_same_bytes() {
    let mut text = String::from("a;b\n");
    for row in 0..1_100 {
        writeln!(text, "{row};{}", "x".repeat(1_000)).unwrap();
    }
    let files = directory(&[("a.csv", text.as_bytes())]);
    let datasets = datasets().await;
    let plain = datasets.snapshot(of(&files)).await.unwrap();
    assert_eq!((plain.rows, plain.columns.len()), (Some(1_100), 1));
    let options = CsvOptions::new().with_delimiter(';'.try_into().unwrap());
    let chosen = TableFiles::new().with_csv(options);
    let cut = of(&files).with_table_files(chosen.clone());
    let cut = datasets.snapshot(cut).await.unwrap();
    assert_eq!((cut.version, cut.columns.len()), (2, 2));
    std::fs::write(files.path().join("readme.txt"), "x").unwrap();
    let third = datasets.snapshot(of(&files)).await.unwrap();
    assert_eq!(
        (third.columns.len(), third.table_digest),
        (2, cut.table_digest)
    );
    let back = of(&files).with_table_files(TableFiles::new());
    let back = datasets.snapshot(back).await.unwrap();
    assert_eq!(back.table_digest, plain.table_digest);
    // The files of one version are spelled in one way.
    let merge = MergeSpec::new(third.node, back.node).with_base(plain.node);
    let plan = datasets.plan_merge(&merge).await.unwrap();
    let merged = datasets.apply_merge(&plan, ada(), "test").await;
    check_error(merged, ErrorKind::Invalid, &["spell CSV"]);
}

#[tokio::test]
async fn merged_rows_are_spelled_as_those_of_both_versions() {
    let datasets = datasets().await;
    let mut versions = Vec::new();
    for text in ["1;NA\n2;x;y\n", "1;NA\n2;other\n", "1;NA\n2;x;y\n3;NA\n"] {
        let files = directory(&[("a.csv", text.replace("x;y", "'x;y'").as_bytes())]);
        let mut chosen = german();
        chosen.csv = chosen.csv.with_quote("'".parse().unwrap());
        let mut version = of(&files).with_table_files(chosen).with_key(["column_1"]);
        if let Some(base) = versions.first() {
            version = version.with_parent(NodeRef::clone(base));
        }
        versions.push(datasets.snapshot(version).await.unwrap().node);
    }
    let merge = MergeSpec::new(versions[1].clone(), versions[2].clone());
    let plan = datasets.plan_merge(&merge).await.unwrap();
    let merged = datasets.apply_merge(&plan, ada(), "test").await.unwrap();
    assert_eq!(merged.rows, Some(3));
    let out = tempfile::tempdir().unwrap();
    datasets.export(&merged.node, out.path()).await.unwrap();
    let text = std::fs::read_to_string(out.path().join("a.csv")).unwrap();
    assert_eq!(text, "1;NA\n2;other\n3;NA\n");
}

#[tokio::test]
async fn nulls_of_merged_rows_keep_their_spelling() {
    let quoteless = CsvOptions::new().with_quote("".parse().unwrap());
    let nulls = |options: CsvOptions| options.with_null("-").with_null("NA");
    for (options, versions, key, expected) in [
        (
            nulls(CsvOptions::new()),
            [
                "id,a,b\n1,NA,x\n2,,y\n3,-,z\n4,5,6\n5,7,8\n",
                "id,a,b\n1,NA,w\n2,,y\n3,-,z\n4,5,6\n5,7,8\n",
                "id,a,b\n1,-,x\n2,NA,v\n3,,z\n4,NA,\n5,7,-\n6,,NA\n",
            ],
            "id",
            "id,a,b\n1,NA,w\n2,,v\n3,-,z\n4,NA,\n5,7,-\n6,,NA\n",
        ),
        (
            nulls(CsvOptions::new()),
            ["a\nNA\n", "a\nNA\n\"\"\n", "a\nNA\n-\n\"\"\n"],
            "",
            "a\nNA\n\"\"\n-\n\"\"\n",
        ),
        (
            nulls(quoteless),
            ["a\nNA\n", "a\nNA\n-\n", "a\nNA\nNA\n"],
            "",
            "a\nNA\n-\nNA\n",
        ),
    ] {
        let datasets = datasets().await;
        let mut nodes = Vec::new();
        for text in versions {
            let files = directory(&[("a.csv", text.as_bytes())]);
            let chosen = TableFiles::new().with_csv(options.clone());
            let mut version = of(&files).with_table_files(chosen);
            version = version.with_key((!key.is_empty()).then_some(key));
            if let Some(base) = nodes.first() {
                version = version.with_parent(NodeRef::clone(base));
            }
            nodes.push(datasets.snapshot(version).await.unwrap().node);
        }
        let merge = MergeSpec::new(nodes[1].clone(), nodes[2].clone());
        let plan = datasets.plan_merge(&merge).await.unwrap();
        let merged = datasets.apply_merge(&plan, ada(), "test").await.unwrap();
        let out = tempfile::tempdir().unwrap();
        datasets.export(&merged.node, out.path()).await.unwrap();
        let text = std::fs::read_to_string(out.path().join("a.csv")).unwrap();
        assert_eq!(text, expected);
    }
}

#[tokio::test]
async fn parts_are_read_as_whoever_joins_them_says() {
    let datasets = datasets().await;
    let mut parts = Vec::new();
    for (directory_name, text) in [("a", "1;0,5\n"), ("b", "2;NA\n")] {
        let files = directory(&[("x.csv", text.as_bytes())]);
        let part = PartSpec::new()
            .with_path(files.path())
            .below(directory_name.parse().unwrap())
            .with_table_files(german());
        parts.push(datasets.store_part(part).await.unwrap());
    }
    let joined = spec("d").with_table_files(german());
    let joined = datasets.join(joined, &parts).await.unwrap();
    assert_eq!((joined.rows, joined.columns.len()), (Some(2), 2));
    assert!(read(&datasets, &joined.node).await.column(1).is_valid(0));
}

#[tokio::test]
async fn a_manifest_with_options_is_of_format_7() {
    let files = directory(&[("a.csv", b"1;NA\n2;3\n")]);
    let datasets = datasets().await;
    let report = of(&files).with_table_files(german());
    let report = datasets.snapshot(report).await.unwrap();
    let manifest = datasets.manifest(&report.node).await.unwrap();
    let bytes = canon::to_vec(&manifest).unwrap();
    check("data-snapshot/v7/options.manifest.json", &bytes);
    assert_eq!(Manifest::from_slice(&bytes).unwrap(), manifest);
    let mut json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    json["format"] = 6.into();
    let older = Manifest::from_slice(&canon::to_vec(&json).unwrap());
    check_error(older, ErrorKind::Corrupt, &["options"]);
    json["format"] = 7.into();
    for (field, value) in [("delimiter", "\""), ("delimiter", "é"), ("quote", ";;")] {
        let mut json = json.clone();
        json["table"]["csv"][field] = value.into();
        let refused = Manifest::from_slice(&canon::to_vec(&json).unwrap());
        check_error(refused, ErrorKind::Corrupt, &["manifest"]);
    }
}

#[tokio::test]
async fn what_cannot_be_said_is_refused() {
    for text in ["", ";;", "\n", "é"] {
        assert!(text.parse::<CsvDelimiter>().is_err(), "{text:?}");
    }
    for text in ["''", "\r", "é"] {
        assert!(text.parse::<CsvQuote>().is_err(), "{text:?}");
    }
    assert_eq!(char::from(r"\t".parse::<CsvDelimiter>().unwrap()), '\t');
    let datasets = datasets().await;
    let files = directory(&[("a.csv", b"1;2\n")]);
    let quote = CsvOptions::new().with_quote(",".parse().unwrap());
    for options in [quote, CsvOptions::new().with_null("")] {
        let refused = of(&files).with_table_files(TableFiles::new().with_csv(options));
        check_error(
            datasets.snapshot(refused).await,
            ErrorKind::Invalid,
            &["CSV"],
        );
    }
    let none = directory(&[("a.jsonl", b"{\"a\":1}\n")]);
    let refused = datasets
        .snapshot(of(&none).with_table_files(german()))
        .await;
    check_error(refused, ErrorKind::Invalid, &["CSV"]);
}

/// Fields of the characters that mean something somewhere.
fn field() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop::sample::select(vec!['a', ';', '\'', '"', ',', '|', ' ', 'é', '\n']),
        0..6,
    )
    .prop_map(|characters| characters.into_iter().collect())
}

/// Writes a field as the options say, quoted where it must be.
fn write_field(text: &str, delimiter: char, quote: char, out: &mut String) {
    if text.contains([delimiter, quote, '\n', '\r']) {
        let doubled = text.replace(quote, &format!("{quote}{quote}"));
        write!(out, "{quote}{doubled}{quote}").unwrap();
    } else {
        out.push_str(text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(u32::try_from(seeds(32).count()).unwrap()))]

    #[test]
    fn what_was_written_with_options_is_read_with_them(
        rows in proptest::collection::vec((field(), field()), 1..8),
        (delimiter, quote) in prop::sample::select(vec![(',', '\''), (';', '"'), ('|', '\''), ('\t', '"'), (' ', '|')]),
        null in field(),
        headerless: bool,
    ) {
        let mut text = String::new();
        if !headerless {
            text.push('x');
            text.push(delimiter);
            text.push_str("y\n");
        }
        for (a, b) in &rows {
            write_field(a, delimiter, quote, &mut text);
            text.push(delimiter);
            write_field(b, delimiter, quote, &mut text);
            text.push('\n');
        }
        let mut options = CsvOptions::new()
            .with_delimiter(delimiter.try_into().unwrap())
            .with_quote(quote.to_string().parse().unwrap());
        options.headerless = headerless;
        if !null.is_empty() {
            options = options.with_null(&null);
        }
        let files = directory(&[("a.csv", text.as_bytes())]);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let found = runtime.block_on(async {
            let datasets = datasets().await;
            let chosen = TableFiles::new().with_csv(options);
            let report = datasets.snapshot(of(&files).with_table_files(chosen)).await.unwrap();
            read(&datasets, &report.node).await
        });
        prop_assert_eq!(found.num_rows(), rows.len());
        let expected = |text: &str| (!text.is_empty() && text != null).then(|| text.to_owned());
        for (row, (a, b)) in rows.iter().enumerate() {
            for (column, text) in [a, b].into_iter().enumerate() {
                let array = found.column(column).as_string::<i32>();
                let value = array.is_valid(row).then(|| array.value(row).to_owned());
                prop_assert_eq!(value, expected(text), "row {} column {} of {:?}", row, column, &text);
            }
        }
    }
}

#[tokio::test]
async fn columns_that_are_text_for_the_sake_of_some_fields_are_told() {
    let lines = b"id,age,name\n1,31,NA\n2,NA,Bob\n3,n/a,Cy\n";
    for layout in [FileLayout::Verbatim, FileLayout::Canonical] {
        let datasets = datasets().await;
        let files = directory(&[("people.csv", lines)]);
        let people = || spec("people").with_path(files.path()).with_layout(layout);
        let report = datasets.snapshot(people()).await.unwrap();
        let [found] = &report.null_like[..] else {
            panic!("{:?}", report.null_like);
        };
        assert_eq!(
            (found.column.as_str(), found.logical_type.as_str()),
            ("age", "int64")
        );
        assert_eq!(found.texts, ["NA", "n/a"]);

        let nulls = CsvOptions::new().with_null("NA").with_null("n/a");
        let told = people().with_table_files(TableFiles::new().with_csv(nulls));
        let report = datasets.snapshot(told).await.unwrap();
        assert_eq!(report.null_like, []);
        assert_eq!(report.columns[1].logical_type, "int64");
    }
}
