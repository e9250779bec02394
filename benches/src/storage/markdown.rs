//! The report as a page of Markdown, which is also a table to read in a terminal.

use std::fmt::Write as _;

use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{CellAlignment, ColumnConstraint, Table};

use super::number::{signed, text};
use super::report::{BackendFacts, Report};
use super::{Bar, EncryptionRow, Failure, ResultRow, WrapperRow};

pub(super) fn page(report: &Report) -> String {
    let mut page = String::new();
    let scale = &report.scale;
    let machine = &report.machine;
    // Writing to a string cannot fail, here and below.
    let _ = writeln!(
        page,
        "# Storage\n\n`mainstay-bench storage`, {} build, seed {}, {}. Medians of {} repetitions after one \
         to warm up; backends take turns.",
        report.build, report.seed, report.date, scale.repetitions
    );
    let memory = machine.memory_bytes.map_or_else(String::new, |bytes| {
        format!(", {} MiB of memory", bytes >> 20)
    });
    let cpu = machine.cpu.as_deref().unwrap_or("unknown processor");
    let _ = writeln!(
        page,
        "{cpu}, {} cores{memory}, {}.",
        machine.cores, machine.os
    );
    let sections = [
        ("Backends", backends(&report.backends)),
        (
            "Same work on every backend",
            results(&report.backends, &report.results),
        ),
        ("Wrappers, get and put of 4 KiB", wrappers(&report.wrappers)),
        ("Encryption around memory", encryption(&report.encryption)),
        ("Bars", bars(&report.bars)),
        ("Failures", failures(&report.failures)),
    ];
    for (title, table) in sections {
        if table.row_count() > 0 {
            let _ = writeln!(page, "\n## {title}\n\n{table}");
        }
    }
    page
}

/// Makes a table whose columns from `numbers` on are aligned to the right.
fn table(header: Vec<String>, numbers: usize) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(header);
    for column in table.column_iter_mut() {
        column.set_constraint(ColumnConstraint::ContentWidth);
        if column.index >= numbers {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn header(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| cell(name)).collect()
}

/// What stands between bars must not look like one.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn backends(backends: &[BackendFacts]) -> Table {
    let names = [
        "name",
        "is",
        "where",
        "survives a crash of the machine",
        "file system",
    ];
    let mut table = table(header(&names), names.len());
    for facts in backends {
        table.add_row([
            cell(&facts.name),
            facts.backend.into(),
            cell(&facts.url),
            if facts.durable { "yes" } else { "no" }.into(),
            facts.file_system.unwrap_or_default().into(),
        ]);
    }
    table
}

fn results(backends: &[BackendFacts], rows: &[ResultRow]) -> Table {
    let names = ["what", "unit"].into_iter().map(String::from);
    let names = names.chain(backends.iter().map(|facts| cell(&facts.name)));
    let mut table = table(names.collect(), 2);
    for row in rows {
        let values = backends
            .iter()
            .map(|facts| row.of(&facts.name).map_or("–".into(), text));
        let what = [row.metric.title.clone(), row.metric.unit.symbol().into()];
        table.add_row(what.into_iter().chain(values));
    }
    table
}

fn wrappers(rows: &[WrapperRow]) -> Table {
    let kinds = [
        ("memory", "get"),
        ("memory", "put"),
        ("local", "get"),
        ("local", "put"),
    ];
    let names = kinds.map(|(backend, operation)| match backend {
        "memory" => format!("{operation} on {backend}, ns"),
        _ => format!("{operation} on {backend}, %"),
    });
    let names = std::iter::once("wrapper adds".to_owned()).chain(names);
    let mut table = table(names.collect(), 1);
    let find = |wrapper: &str, (backend, operation)| {
        rows.iter()
            .find(|row| (row.wrapper, row.backend, row.operation) == (wrapper, backend, operation))
    };
    let wrappers = rows
        .iter()
        .filter(|row| (row.backend, row.operation) == kinds[0]);
    for wrapper in wrappers.map(|row| row.wrapper) {
        let values = kinds.map(|kind| match find(wrapper, kind) {
            None => "–".into(),
            Some(row) if kind.0 == "memory" => signed(row.overhead_ns),
            Some(row) => signed(row.overhead_percent),
        });
        table.add_row(std::iter::once(wrapper.to_owned()).chain(values));
    }
    if let Some(first) = rows.first() {
        let raw = kinds.map(|kind| {
            let row = find(first.wrapper, kind);
            let row = row.or_else(|| rows.iter().find(|row| (row.backend, row.operation) == kind));
            row.map_or("–".into(), |row| format!("{} ns", text(row.raw_ns)))
        });
        table.add_row(std::iter::once("(raw)".to_owned()).chain(raw));
    }
    table
}

fn encryption(rows: &[EncryptionRow]) -> Table {
    let mut table = table(header(&["what", "MiB/s"]), 1);
    for row in rows {
        let what = format!("{} of {} MiB", row.operation, row.bytes >> 20);
        table.add_row([what, text(row.mib_per_second)]);
    }
    table
}

fn bars(bars: &[Bar]) -> Table {
    let mut table = table(header(&["bar", "wanted", "found", "met"]), 1);
    for bar in bars {
        let met = if bar.met { "yes" } else { "no" };
        table.add_row([cell(&bar.name), wanted(bar), text(bar.found), met.into()]);
    }
    table
}

fn wanted(bar: &Bar) -> String {
    let sign = if bar.at_most { '≤' } else { '≥' };
    format!("{sign} {}", text(bar.wanted))
}

fn failures(failures: &[Failure]) -> Table {
    let mut table = table(header(&["backend", "while", "why"]), 3);
    for failure in failures {
        table.add_row([
            cell(&failure.backend),
            failure.workload.into(),
            cell(&failure.error),
        ]);
    }
    table
}
