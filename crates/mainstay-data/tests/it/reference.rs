//! The digests against an implementation in another language, written from the document alone.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use mainstay_data::digest::Profile;
use serde_json::Value as Json;

use crate::model::build::batch;
use crate::model::{Random, Table, random_table, sample_tables, seeds};
use crate::support::digests_of;

/// Hashes tables with `tests/reference/table_digest.py`; `None` without Python.
fn by_reference(tables: &[Table]) -> Option<Vec<Json>> {
    let script =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/reference/table_digest.py");
    let mut python = Command::new("python3");
    let spawned = python
        .arg("-B")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut process = match spawned {
        Ok(process) => process,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => panic!("python3 does not start: {error}"),
    };
    let lines: Vec<String> = tables
        .iter()
        .map(|table| format!("{}\n", table.to_json()))
        .collect();
    let mut stdin = process.stdin.take().unwrap();
    // The answers may fill the pipe before the questions are written.
    let writer = std::thread::spawn(move || {
        lines
            .iter()
            .try_for_each(|line| stdin.write_all(line.as_bytes()))
    });
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success(), "the reference fails");
    writer.join().unwrap().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    Some(
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
    )
}

#[test]
fn the_reference_implementation_agrees_on_random_tables() {
    let mut tables = sample_tables();
    for seed in seeds(25) {
        let mut random = Random(seed);
        let rows = random.below(5);
        tables.push(random_table(&mut random, rows));
    }
    let Some(expected) = by_reference(&tables) else {
        #[expect(clippy::print_stderr, reason = "a skipped test says so")]
        {
            eprintln!("SKIPPED: no python3");
        }
        return;
    };
    assert_eq!(expected.len(), tables.len());
    for (number, (table, expected)) in tables.iter().zip(&expected).enumerate() {
        let batch = batch(table, &mut Random(number as u64));
        for (profile, name) in [(Profile::Strict, "strict"), (Profile::Semantic, "semantic")] {
            let found = digests_of(std::slice::from_ref(&batch), profile);
            let expected = &expected[name];
            let hex = |digest: &mainstay_core::BulkDigest| {
                digest.to_string().trim_start_matches("blake3:").to_owned()
            };
            for (index, column) in table.columns.iter().enumerate() {
                let place = batch.schema().index_of(&column.name).unwrap();
                assert_eq!(
                    hex(&found.columns[place]),
                    expected["columns"][index],
                    "table {number}, {name}, column {:?}: {:?}",
                    column.of,
                    column.values
                );
            }
            assert_eq!(
                hex(&found.table),
                expected["table"],
                "table {number}, {name}"
            );
            assert_eq!(
                hex(&found.unordered),
                expected["rows"],
                "table {number}, {name}"
            );
        }
    }
}
