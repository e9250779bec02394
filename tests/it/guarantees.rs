//! docs/guarantees.md: every test that it names exists, and every mark that needs one has one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const PAGE: &str = include_str!("../../docs/guarantees.md");

/// Promises, in the order of the page, and what the matrix says of each backend.
fn matrix() -> Vec<(String, BTreeMap<String, String>)> {
    let mut rows = PAGE
        .lines()
        .skip_while(|line| !line.starts_with("| promise |"));
    let backends = cells(rows.next().unwrap());
    let rows = rows.skip(1).take_while(|line| line.starts_with('|'));
    let marks = |row: &str| {
        let cells = cells(row);
        let marks = backends.iter().cloned().zip(cells.iter().cloned()).skip(1);
        let promise = cells[0].trim_start_matches('[').split(']').next().unwrap();
        (promise.to_owned(), marks.collect())
    };
    rows.map(marks).collect()
}

fn cells(row: &str) -> Vec<String> {
    let inner = row.trim().trim_matches('|').split('|');
    inner.map(|cell| cell.trim().to_owned()).collect()
}

/// The backends that a promise's section names tests for.
fn shown(promise: &str) -> BTreeSet<String> {
    let (_, section) = PAGE.split_once(&format!("\n## {promise}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let mut shown = BTreeSet::new();
    for row in section.lines().filter(|line| line.starts_with('|')).skip(2) {
        let cells = cells(row);
        assert!(!links(&cells[1]).is_empty(), "{promise}: no test in {row}");
        shown.extend(cells[0].split(", ").map(str::to_owned));
    }
    shown
}

/// The tests that are named, and the files they are to be in.
fn links(text: &str) -> Vec<(&str, &str)> {
    let starts = text.split("[`").skip(1);
    starts
        .filter_map(|rest| {
            let (name, rest) = rest.split_once("`](")?;
            Some((name, rest.split_once(')')?.0))
        })
        .collect()
}

#[test]
fn every_test_that_is_named_exists() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let links = links(PAGE);
    assert!(links.len() > 40, "{links:?}");
    for (name, file) in links {
        let source = std::fs::read_to_string(docs.join(file));
        let source = source.unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(
            source.contains(&format!("fn {name}(")),
            "no test {name} in {file}"
        );
    }
}

#[test]
fn what_is_marked_as_shown_is_shown_and_nothing_else() {
    let matrix = matrix();
    assert!(matrix.len() > 10);
    for (promise, marks) in matrix {
        if promise == "Largest object" {
            continue;
        }
        let marked = marks
            .iter()
            .filter(|(_, mark)| ["yes", "wire"].contains(&mark.as_str()));
        let marked: BTreeSet<String> = marked.map(|(backend, _)| backend.clone()).collect();
        assert_eq!(marked, shown(&promise), "{promise}");
    }
}
