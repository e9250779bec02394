//! `mainstay data rows`

use std::collections::BTreeMap;
use std::io::{self, Write};

use clap::Args;
use futures::TryStreamExt as _;
use mainstay::data::rows::{CellValue, cells_of};
use mainstay::data::stats::ScalarValue;
use mainstay::data::{Predicate, ReadOptions};
use mainstay::{Locator, NodeRef, Result};
use serde::Serialize;

use super::moment::At;
use crate::args;
use crate::cli::Global;
use crate::output::Answer;
use crate::text::{BOLD, Cell, DIM, PLAIN, aligned};

/// So many characters of a cell are shown to people.
const MAX_CHARACTERS: usize = 60;

/// Show the first rows of a version, or of those that meet a condition
///
/// A condition compares columns with numbers, 'text', true and false: by = <> < <= > >=, by in (…), between
/// … and …, and is null; with and, or, not and parentheses between. Dates and times are text as in ISO 8601.
/// A column whose name is no plain word stands in double quotes. What is null meets no comparison.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay data rows penguins --limit 5
  mainstay data rows penguins --where \"body_mass_g >= 4000 and species = 'Adelie'\"
  mainstay data rows payments@v1 --where 'country is null or not amount > 0' --columns id,amount")]
pub(crate) struct Rows {
    /// The dataset version, as name@selector
    #[arg(value_name = "REF", value_parser = args::data)]
    reference: Locator,
    /// Which rows
    #[arg(long = "where", value_name = "CONDITION")]
    filter: Option<Predicate>,
    /// Which columns, in this order [default: all]
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    columns: Vec<String>,
    /// At most so many rows
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    #[command(flatten)]
    moment: At,
}

#[derive(Serialize)]
struct Document {
    version: NodeRef,
    /// In order.
    columns: Vec<String>,
    rows: Vec<BTreeMap<String, CellValue>>,
    /// Whether there are more.
    more: bool,
}

impl Rows {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let datasets = self.moment.datasets(&workspace).await?;
        let version = datasets.resolve(&self.reference).await?;
        let mut options = ReadOptions::default();
        options.filter = self.filter;
        let columns = if self.columns.is_empty() {
            let manifest = datasets.manifest(&version).await?;
            let columns = manifest.columns().iter();
            columns.map(|column| column.name.clone()).collect()
        } else {
            options = options.with_columns(&self.columns);
            self.columns
        };
        let mut batches = datasets.read(&version, options).await?;
        let mut document = Document {
            version,
            columns,
            rows: Vec::new(),
            more: false,
        };
        while let Some(batch) = batches.try_next().await?
            && !document.more
        {
            let left = self.limit - document.rows.len();
            for row in 0..batch.num_rows().min(left) {
                let cells = cells_of(&batch, row)?;
                document.rows.push(cells.into_iter().collect());
            }
            document.more = batch.num_rows() > left;
        }
        global
            .output()
            .result(&document, |out| document.write(out))?;
        Ok(Answer::Yes)
    }
}

impl Document {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let head = self.columns.iter().map(|column| Cell::new(column, BOLD));
        let mut table: Vec<Vec<Cell>> = vec![head.collect()];
        for row in &self.rows {
            let cells = self.columns.iter().map(|column| cell(row.get(column)));
            table.push(cells.collect());
        }
        aligned(&table, &self.numbers(), out)?;
        if self.more {
            writeln!(out, "and more; see --limit")?;
        }
        Ok(())
    }

    /// The places of columns of numbers.
    fn numbers(&self) -> Vec<usize> {
        let is_number = |row: &BTreeMap<String, CellValue>, column: &str| {
            let value = row.get(column).and_then(Option::as_ref);
            value.is_none_or(|value| matches!(value, ScalarValue::Number(_)))
        };
        let columns = self.columns.iter().enumerate();
        columns
            .filter(|(_, column)| self.rows.iter().all(|row| is_number(row, column)))
            .map(|(place, _)| place)
            .collect()
    }
}

fn cell(value: Option<&CellValue>) -> Cell {
    let Some(Some(value)) = value else {
        return Cell::new("null", DIM);
    };
    let text = value.to_string();
    match text.char_indices().nth(MAX_CHARACTERS) {
        Some((end, _)) => Cell::new(format!("{}…", text.split_at(end).0), PLAIN),
        None => Cell::new(text, PLAIN),
    }
}
