//! JSON lines as tables.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, ListArray, RecordBatch, StringArray,
    StructArray,
};
use arrow::datatypes::{DataType, Field, Int64Type};
use arrow::ipc::writer::FileWriter;
use futures::TryStreamExt as _;
use mainstay_core::{ErrorKind, NodeRef};
use mainstay_data::diff::{CompareOptions, CompareRows, Compatibility};
use mainstay_data::rows::Identity;
use mainstay_data::{
    Datasets, FileLayout, JsonType, Manifest, PartSpec, ReadOptions, SnapshotPart,
};

use crate::model::{Random, seeds};
use crate::support::{check_error, column, datasets, digests, directory, rows, spec, table};

mod model;

use model::{Cell, cell, columns, random_fields, random_object, read, type_of};

/// How many arrays and objects deep columns have types of their own.
const DEPTH: usize = 16;

async fn snapshot(files: &[(&str, &[u8])]) -> mainstay_core::Result<(Datasets, NodeRef, Manifest)> {
    let datasets = datasets().await;
    let files = directory(files);
    let report = datasets.snapshot(spec("d").with_path(files.path())).await?;
    let manifest = datasets.manifest(&report.node).await?;
    Ok((datasets, report.node, manifest))
}

async fn batches(datasets: &Datasets, node: &NodeRef) -> Vec<RecordBatch> {
    let stream = datasets.read(node, ReadOptions::default()).await.unwrap();
    stream.try_collect().await.unwrap()
}

fn types(manifest: &Manifest) -> Vec<(&str, &str)> {
    let columns = manifest.columns().iter();
    columns
        .map(|column| (column.name.as_str(), column.logical_type.as_str()))
        .collect()
}

/// Snapshots one column and returns its type and its values as text.
async fn check(values: &[&str], of: &str, spelled: &[Option<&str>]) {
    let lines = values.iter().fold(String::new(), |mut out, value| {
        writeln!(out, "{{\"v\": {value}}}").unwrap();
        out
    });
    let (datasets, node, manifest) = snapshot(&[("f.jsonl", lines.as_bytes())]).await.unwrap();
    assert_eq!(types(&manifest), [("v", of)], "{values:?}");
    let batches = batches(&datasets, &node).await;
    let column = batches[0].column(0);
    for (row, expected) in spelled.iter().enumerate() {
        let text = match read(column, row) {
            Cell::Null => None,
            Cell::Bool(value) => Some(value.to_string()),
            Cell::Int(value) => Some(value.to_string()),
            Cell::Float(bits) => Some(format!("{:?}", f64::from_bits(bits))),
            Cell::Text(text) => Some(text),
            other => Some(format!("{other:?}")),
        };
        assert_eq!(text.as_deref(), *expected, "row {row} of {values:?}");
    }
}

#[tokio::test]
async fn a_column_has_the_narrowest_type_that_loses_nothing() {
    check(
        &["true", "null", "false"],
        "bool",
        &[Some("true"), None, Some("false")],
    )
    .await;
    check(
        &["1", "-9223372036854775808"],
        "int64",
        &[Some("1"), Some("-9223372036854775808")],
    )
    .await;
    check(
        &["1", "0.1", "1e3"],
        "float64",
        &[Some("1.0"), Some("0.1"), Some("1000.0")],
    )
    .await;
    check(&["3", "-0"], "float64", &[Some("3.0"), Some("-0.0")]).await;
    check(&["\"a\"", "\"1\""], "utf8", &[Some("a"), Some("1")]).await;
    check(&["\"2024-01-01\""], "utf8", &[Some("2024-01-01")]).await;
    check(&["null", "null"], "utf8", &[None, None]).await;
    check(&["[]", "[1, null]", "null"], "list(int64)", &[]).await;
    check(&["[]"], "list(utf8)", &[Some("List([])")]).await;
    check(
        &["{\"b\": 1}", "{\"a\": \"x\"}"],
        "struct(\"a\":utf8,\"b\":int64)",
        &[],
    )
    .await;
}

#[tokio::test]
async fn values_of_different_kinds_are_their_json_text() {
    check(
        &["1", "\"1\"", "null"],
        "utf8",
        &[Some("1"), Some("\"1\""), None],
    )
    .await;
    check(
        &["{\"b\" : [1, {}], \"a\": \"\\u00e9\"}", "[ ]", "1.50"],
        "utf8",
        &[Some("{\"b\":[1,{}],\"a\":\"é\"}"), Some("[]"), Some("1.50")],
    )
    .await;
    // A double would not keep them apart from their neighbors.
    check(
        &["18446744073709551616", "1"],
        "utf8",
        &[Some("18446744073709551616"), Some("1")],
    )
    .await;
    check(
        &["9007199254740993", "0.5"],
        "utf8",
        &[Some("9007199254740993"), Some("0.5")],
    )
    .await;
    check(&["1e400", "2"], "utf8", &[Some("1e400"), Some("2")]).await;
    check(&["{}", "{ }"], "utf8", &[Some("{}"), Some("{}")]).await;
    check(
        &["[1, \"x\", [true]]"],
        "list(utf8)",
        &[Some(
            "List([Text(\"1\"), Text(\"\\\"x\\\"\"), Text(\"[true]\")])",
        )],
    )
    .await;
}

#[tokio::test]
async fn what_is_nested_too_deep_or_has_too_many_keys_is_json_text() {
    let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
    let lists = |depth| "list(".repeat(depth) + "utf8" + &")".repeat(depth);
    check(&[&nested(DEPTH)], &lists(DEPTH), &[]).await;
    check(&[&nested(DEPTH + 1)], &lists(DEPTH), &[]).await;
    check(&[&nested(50_000)], &lists(DEPTH), &[]).await;

    let object = |keys: std::ops::Range<usize>| {
        let members: Vec<String> = keys.map(|key| format!("\"k{key}\":{key}")).collect();
        format!("{{{}}}", members.join(","))
    };
    check(
        &[&object(0..1_000), &object(500..1_025)],
        "utf8",
        &[Some(&object(0..1_000))],
    )
    .await;
    let (.., manifest) = snapshot(&[(
        "f.jsonl",
        format!("{{\"v\":{}}}", object(0..1_024)).as_bytes(),
    )])
    .await
    .unwrap();
    assert!(types(&manifest)[0].1.starts_with("struct("));
}

#[tokio::test]
async fn columns_are_those_of_all_files_in_the_order_of_their_first_appearance() {
    let (datasets, node, manifest) = snapshot(&[
        (
            "1.jsonl",
            b"\xef\xbb\xbf{\"z\": 1, \"a\": \"x\"}\r\n\n  \n{\"m\": [1]}",
        ),
        ("2.NDJSON", b"{\"b\": true, \"z\": 2.5}\n"),
        ("3.jsonl", b""),
    ])
    .await
    .unwrap();
    assert_eq!(
        types(&manifest),
        [
            ("z", "float64"),
            ("a", "utf8"),
            ("m", "list(int64)"),
            ("b", "bool")
        ]
    );
    let files = manifest.files.listed().unwrap();
    let files: Vec<_> = files
        .iter()
        .map(|file| (file.media_type.as_str(), file.rows))
        .collect();
    let media_type = "application/x-ndjson";
    assert_eq!(
        files,
        [
            (media_type, Some(2)),
            (media_type, Some(1)),
            (media_type, Some(0))
        ]
    );
    assert_eq!(manifest.column("m").unwrap().stats.nulls, 2);
    let options = ReadOptions::default().with_columns(["b", "z"]);
    let stream = datasets.read(&node, options).await.unwrap();
    let batches: Vec<RecordBatch> = stream.try_collect().await.unwrap();
    assert_eq!(batches.len(), 2);
    assert_eq!(
        batches[1],
        table([
            ("b", column(BooleanArray::from(vec![true]))),
            ("z", column(Float64Array::from(vec![2.5]))),
        ])
    );
}

#[tokio::test]
async fn bad_json_lines_are_refused_by_file_and_line() {
    for (bytes, named) in [
        (
            &b"{\"a\":1}\n{\"a\":}\n"[..],
            &["line: 2", "expected value"][..],
        ),
        (b"{\"a\":1}\n\n[1]\n", &["line: 3", "not a JSON object"]),
        (b"{\"a\":1} {\"a\":2}\n", &["line: 1", "trailing"]),
        (b"{\n\"a\":1}\n", &["line: 1", "EOF"]),
        (b"{\"a\":NaN}", &["line: 1"]),
        (b"{\"a\":01}", &["line: 1"]),
        (b"{\"a\":\"\xff\"}", &["line: 1", "UTF-8"]),
        (b"{\"a\":\"\\ud800\"}", &["line: 1", "escape"]),
        (
            b"{\"a\":1}\n{\"a\":[\"\\ud800\"]}",
            &["line: 2", "no character"],
        ),
        (
            b"{\"a\":1,\"b\":2,\"a\":1}",
            &["line: 1", "two values", "\"a\""],
        ),
        (
            b"{\"s\":{\"a\":1}}\n{\"s\":{\"a\":1,\"a\":1}}",
            &["line: 2", "two values", "\"a\""],
        ),
        (b"{}\n{}\n", &["without columns"]),
        (b"", &["without columns"]),
        (b"\n \n", &["without columns"]),
        (
            format!("{{\"{}\":1}}", "k".repeat(4_097)).as_bytes(),
            &["line: 1", "4,096"],
        ),
    ] {
        let outcome = snapshot(&[("bad.jsonl", bytes)]).await.map(|_| ());
        check_error(
            outcome,
            ErrorKind::Invalid,
            &[&["bad.jsonl"], named].concat(),
        );
    }
    let keys: Vec<String> = (0..16_385).map(|key| format!("\"k{key}\":1")).collect();
    let wide = format!("{{{}}}", keys.join(","));
    let outcome = snapshot(&[("bad.jsonl", wide.as_bytes())])
        .await
        .map(|_| ());
    check_error(
        outcome,
        ErrorKind::Unsupported,
        &["bad.jsonl", "line: 1", "16,384"],
    );
}

#[tokio::test]
async fn neither_a_long_line_nor_what_objects_lack_fills_memory() {
    let long = vec![b' '; 64 * 1024 * 1024 + 1];
    let outcome = snapshot(&[("long.jsonl", &long)]).await.map(|_| ());
    check_error(
        outcome,
        ErrorKind::Invalid,
        &["long.jsonl", "line: 1", "64 MiB"],
    );

    let members: Vec<String> = (0..1_024).map(|key| format!("\"k{key}\":1")).collect();
    let empty = "{},".repeat(20_000);
    let lacking = format!("{{\"v\":[{empty}{{{}}}]}}", members.join(","));
    let outcome = snapshot(&[("wide.jsonl", lacking.as_bytes())])
        .await
        .map(|_| ());
    check_error(
        outcome,
        ErrorKind::Invalid,
        &["wide.jsonl", "line: 1", "16,777,216 values"],
    );
}

/// Random values, spelled at random, in files at random.
#[tokio::test]
async fn any_lines_read_as_the_model_says_in_every_layout() {
    for seed in seeds(30) {
        let mut random = Random(seed);
        let fields = loop {
            let fields = random_fields(&mut random, 3);
            if !fields.is_empty() {
                break fields;
            }
        };
        let count = 1 + random.below(60);
        let lines: Vec<_> = (0..count)
            .map(|_| random_object(&fields, &mut random))
            .collect();
        let names = columns(&lines);
        if names.is_empty() {
            continue;
        }
        let files = 1 + random.below(3);
        let mut texts = vec![String::new(); files];
        for (row, line) in lines.iter().enumerate() {
            let text = &mut texts[row * files / count];
            line.spell(&mut random, text);
            text.push_str(random.pick(&["\n", "\r\n", "\n\n"]));
        }
        let paths: Vec<String> = (0..files).map(|file| format!("{file}.jsonl")).collect();
        let paths = paths.iter().map(String::as_str);
        let written: Vec<_> = paths.zip(texts.iter().map(String::as_bytes)).collect();
        let (datasets, node, manifest) = snapshot(&written).await.unwrap();

        let columns: Vec<_> = names
            .iter()
            .map(|name| {
                let values: Vec<_> = lines.iter().map(|line| line.get(name)).collect();
                (name, type_of(&values, DEPTH))
            })
            .collect();
        let found: Vec<_> = manifest
            .columns()
            .iter()
            .map(|column| (&column.name, column.json.clone().unwrap()))
            .collect();
        assert_eq!(found, columns, "seed {seed}");

        let batches = batches(&datasets, &node).await;
        let mut rows = lines.iter();
        for batch in &batches {
            for row in 0..batch.num_rows() {
                let line = rows.next().unwrap();
                for (array, (name, of)) in batch.columns().iter().zip(&columns) {
                    assert_eq!(
                        read(array, row),
                        cell(line.get(name), of),
                        "seed {seed}, {line:?}"
                    );
                }
            }
        }
        assert_eq!(rows.next(), None, "seed {seed}");

        let known = manifest.table.as_ref().unwrap();
        let again = digests(&batches);
        assert_eq!(
            (again.table, again.unordered),
            (known.table_digest, known.rows_digest)
        );
        let out = tempfile::tempdir().unwrap();
        datasets.export(&node, out.path()).await.unwrap();
        for (path, bytes) in &written {
            assert_eq!(std::fs::read(out.path().join(path)).unwrap(), *bytes);
        }
        let files = directory(&written);
        let canonical = spec("d")
            .with_path(files.path())
            .with_layout(FileLayout::Canonical);
        let canonical = datasets.snapshot(canonical).await.unwrap();
        assert_eq!(
            canonical.table_digest,
            Some(known.table_digest),
            "seed {seed}"
        );
    }
}

/// A table, as lines and as Arrow has it.
fn people(count: usize) -> (String, RecordBatch) {
    let mut lines = String::new();
    for n in 0..count {
        let tag = if n % 3 == 0 {
            "null".to_owned()
        } else {
            format!("[{n},{n}]")
        };
        writeln!(
            lines,
            "{{\"id\":{n},\"x\":{n}.5,\"name\":\"n{n}\",\"tags\":{tag},\"in\":{{\"b\":\"{n}\",\"a\":{}}}}}",
            n % 2 == 0
        )
        .unwrap();
    }
    let numbers = || (0..count).map(|n| i64::try_from(n).unwrap());
    let texts = |prefix: &str| {
        (0..count)
            .map(|n| format!("{prefix}{n}"))
            .collect::<Vec<_>>()
    };
    let inner = StructArray::from(vec![
        (
            Arc::new(Field::new("a", DataType::Boolean, true)),
            Arc::new(
                (0..count)
                    .map(|n| Some(n % 2 == 0))
                    .collect::<BooleanArray>(),
            ) as ArrayRef,
        ),
        (
            Arc::new(Field::new("b", DataType::Utf8, true)),
            Arc::new(StringArray::from(texts(""))) as ArrayRef,
        ),
    ]);
    let tags = numbers().map(|n| (n % 3 > 0).then(|| vec![Some(n); 2]));
    let halves = (0..count).map(|n| format!("{n}.5").parse::<f64>().unwrap());
    let batch = table([
        ("id", column(Int64Array::from_iter_values(numbers()))),
        ("x", column(Float64Array::from_iter_values(halves))),
        ("name", column(StringArray::from(texts("n")))),
        (
            "tags",
            column(ListArray::from_iter_primitive::<Int64Type, _, _>(tags)),
        ),
        ("in", column(inner)),
    ]);
    (lines, batch)
}

#[tokio::test]
async fn the_same_table_has_the_same_digests_in_every_format() {
    let (lines, batch) = people(20_000);
    let (datasets, node, manifest) = snapshot(&[("f.jsonl", lines.as_bytes())]).await.unwrap();
    assert!(batches(&datasets, &node).await.len() > 1);
    let lines = manifest.table.unwrap();
    let parquet = datasets
        .snapshot(rows("parquet", batch.clone()))
        .await
        .unwrap();
    assert_eq!(parquet.table_digest, Some(lines.table_digest));
    assert_eq!(parquet.rows_digest, Some(lines.rows_digest));

    let mut ipc = Vec::new();
    let mut writer = FileWriter::try_new(&mut ipc, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    let (.., manifest) = snapshot(&[("f.arrow", &ipc)]).await.unwrap();
    assert_eq!(manifest.table.unwrap().table_digest, lines.table_digest);
}

#[tokio::test]
async fn files_of_several_formats_make_one_table() {
    let (lines, batch) = people(10);
    let mut ipc = Vec::new();
    let mut writer = FileWriter::try_new(&mut ipc, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    let files = [("1.arrow", &ipc[..]), ("2.jsonl", lines.as_bytes())];
    let (datasets, node, manifest) = snapshot(&files).await.unwrap();
    assert_eq!(manifest.table.as_ref().unwrap().rows, 20);
    let read = batches(&datasets, &node).await;
    assert_eq!(read, [batch.clone(), batch]);

    let outcome = snapshot(&[("1.csv", b"n\n1\n"), ("2.jsonl", b"{\"n\":\"1\"}")]).await;
    check_error(
        outcome.map(|_| ()),
        ErrorKind::Invalid,
        &["2.jsonl", "column: n"],
    );
}

#[tokio::test]
async fn rows_of_versions_are_compared_by_key() {
    let datasets = datasets().await;
    let mut nodes = Vec::new();
    for lines in [
        "{\"id\":1,\"chat\":[{\"role\":\"user\",\"text\":\"a\"}]}\n{\"id\":2}\n",
        "{\"id\":2}\n{\"id\":1,\"chat\":[{\"text\":\"b\",\"role\":\"user\"}]}\n{\"id\":3}\n",
    ] {
        let files = directory(&[("chats.jsonl", lines.as_bytes())]);
        let report = datasets
            .snapshot(spec("d").with_path(files.path()))
            .await
            .unwrap();
        nodes.push(report.node);
    }
    let options = CompareOptions::default().with_rows(CompareRows::new(Identity::key(["id"])));
    let diff = datasets
        .compare_with(&nodes[0], &nodes[1], &options)
        .await
        .unwrap();
    let counts = diff.rows.compared.unwrap();
    assert_eq!((counts.added, counts.removed, counts.changed), (1, 0, 1));
}

#[tokio::test]
async fn parts_are_typed_when_they_are_joined() {
    let datasets = datasets().await;
    let (first, second) = (
        "{\"n\":1}\n{\"n\":null,\"w\":true}\n",
        "{\"w\":\"x\"}\n{\"n\":0.5}\n",
    );
    let mut parts = Vec::new();
    for (path, lines) in [("1.jsonl", first), ("2.jsonl", second)] {
        let files = directory(&[(path, lines.as_bytes())]);
        let part = PartSpec::new().with_path(files.path());
        parts.push(datasets.store_part(part.clone()).await.unwrap());
        let canonical = part.with_layout(FileLayout::Canonical);
        check_error(
            datasets.store_part(canonical).await,
            ErrorKind::Invalid,
            &[path, "types"],
        );
    }
    let joined = datasets.join(spec("joined"), &parts).await.unwrap();
    let files = directory(&[
        ("1.jsonl", first.as_bytes()),
        ("2.jsonl", second.as_bytes()),
    ]);
    let whole = datasets
        .snapshot(spec("whole").with_path(files.path()))
        .await
        .unwrap();
    assert_eq!(joined.snapshot, whole.snapshot);
    assert_eq!(joined.columns[1].logical_type, "utf8");
}

/// Earlier builds stored JSON lines and did not look into them.
#[tokio::test]
async fn lines_that_an_earlier_build_stored_stay_a_file() {
    let datasets = datasets().await;
    let files = directory(&[("log.jsonl", b"{\"n\":1}\n"), ("t.csv", b"a\n1\n")]);
    let part = PartSpec::new().with_path(files.path().join("log.jsonl"));
    let part = datasets.store_part(part).await.unwrap();
    let mut json: serde_json::Value = serde_json::from_slice(&part.to_bytes().unwrap()).unwrap();
    json["files"][0]["rows"] = serde_json::Value::Null;
    let bytes = mainstay_core::canon::to_vec(&json).unwrap();
    let earlier = SnapshotPart::from_slice(&bytes).unwrap();

    let beside = spec("d").with_path(files.path().join("t.csv"));
    let report = datasets.join(beside, &[earlier]).await.unwrap();
    assert_eq!(report.rows, Some(1));
    let manifest = datasets.manifest(&report.node).await.unwrap();
    assert_eq!(
        (manifest.format, types(&manifest)),
        (3, vec![("a", "int64")])
    );
    assert_eq!(manifest.files.listed().unwrap()[0].rows, None);
    assert_eq!(batches(&datasets, &report.node).await.len(), 1);
}

/// Logs beside a table, which are not of it.
#[tokio::test]
async fn files_that_are_stored_plain_are_no_tables() {
    let datasets = datasets().await;
    let files = directory(&[
        ("data/t.csv", b"a\n1\n"),
        ("logs/1.jsonl", b"{\"step\":1}\n"),
        ("logs/2.jsonl", b"not JSON"),
        ("logs/3.parquet", b"PAR1"),
    ]);
    let table = PartSpec::new()
        .with_path(files.path().join("data"))
        .below("data".parse().unwrap());
    let logs = PartSpec::new()
        .with_path(files.path().join("logs"))
        .with_layout(FileLayout::Plain)
        .below("logs".parse().unwrap());
    let parts = [
        datasets.store_part(table).await.unwrap(),
        datasets.store_part(logs).await.unwrap(),
    ];
    let report = datasets.join(spec("d"), &parts).await.unwrap();
    assert_eq!(report.rows, Some(1));
    let manifest = datasets.manifest(&report.node).await.unwrap();
    assert_eq!(types(&manifest), [("a", "int64")]);
    let rows = manifest
        .files
        .listed()
        .unwrap()
        .iter()
        .map(|file| file.rows);
    assert_eq!(rows.collect::<Vec<_>>(), [Some(1), None, None, None]);
    let out = tempfile::tempdir().unwrap();
    datasets.export(&report.node, out.path()).await.unwrap();
    assert_eq!(
        std::fs::read(out.path().join("logs/2.jsonl")).unwrap(),
        b"not JSON"
    );

    let plain = spec("d")
        .with_path(files.path())
        .with_layout(FileLayout::Plain);
    let batch = table_of_one();
    let plain = plain.with_batches("rows.parquet".parse().unwrap(), vec![batch]);
    let report = datasets.snapshot(plain).await.unwrap();
    assert_eq!((report.rows, report.files.len()), (Some(1), 5));
}

fn table_of_one() -> RecordBatch {
    table([("n", column(Int64Array::from(vec![1])))])
}

#[tokio::test]
async fn the_manifest_tells_a_text_from_a_json_text() {
    let lines = b"{\"a\":\"1\",\"b\":\"1\",\"c\":[{\"d\":1}]}\n{\"a\":\"x\",\"b\":2}\n";
    let (_, _, manifest) = snapshot(&[("f.jsonl", lines)]).await.unwrap();
    let bytes = mainstay_core::canon::to_vec(&manifest).unwrap();
    crate::golden::check("data-snapshot/v6/lines.manifest.json", &bytes);
    assert_eq!(Manifest::from_slice(&bytes).unwrap(), manifest);
    assert_eq!(manifest.format, 6);
    let column = |name| manifest.column(name).unwrap();
    assert_eq!(column("a").json, Some(JsonType::Utf8));
    assert_eq!(column("b").json, Some(JsonType::Json));
    assert_eq!(column("b").logical_type, "utf8");

    let changed = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        change(&mut json);
        Manifest::from_slice(&mainstay_core::canon::to_vec(&json).unwrap())
    };
    let older = changed(&|json| json["format"] = 3.into());
    check_error(older, ErrorKind::Corrupt, &["format 6"]);
    let other = changed(&|json| json["table"]["columns"][0]["json"] = "int64".into());
    check_error(other, ErrorKind::Corrupt, &["another type"]);
    let unknown = changed(&|json| json["table"]["columns"][0]["json"] = "date".into());
    check_error(unknown, ErrorKind::Corrupt, &["manifest"]);
    let deep = changed(&|json| {
        let mut of = serde_json::json!("json");
        for _ in 0..60 {
            of = serde_json::json!({ "list": of });
        }
        json["table"]["columns"][0]["json"] = of;
    });
    check_error(deep, ErrorKind::Corrupt, &["another type"]);
}

/// `"1"` is another value of either.
#[tokio::test]
async fn readers_of_texts_cannot_read_json_texts() {
    let texts = snapshot(&[("f.jsonl", b"{\"a\":\"1\"}\n{\"a\":\"2\"}\n")]);
    let json_texts = snapshot(&[("f.jsonl", b"{\"a\":\"1\"}\n{\"a\":2}\n")]);
    let ((.., before), (.., after)) = (texts.await.unwrap(), json_texts.await.unwrap());
    let found = Compatibility::between(before.columns(), after.columns());
    assert!(!found.backward && !found.forward);
    assert_eq!(found.reasons[0].reason, "utf8 does not fit into json");
    assert!(Compatibility::between(after.columns(), after.columns()).full);
}
