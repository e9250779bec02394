//! The Palmer penguins: reading the table, and keeping some rows aside as live requests.

use std::path::Path;

use mainstay::data::arrow::array::{AsArray as _, RecordBatch};
use mainstay::data::arrow::datatypes::Float64Type;
use mainstay::experiment::Split;
use mainstay::{Error, ErrorKind, Result};

/// The species, by label.
pub(crate) const SPECIES: [&str; 3] = ["Adelie", "Chinstrap", "Gentoo"];

/// One measured penguin.
#[derive(Debug, Clone)]
pub(crate) struct Penguin {
    /// Index into [`SPECIES`].
    pub(crate) label: usize,
    /// Bill length in millimeters.
    pub(crate) bill_length_mm: f64,
    /// Body mass in grams.
    pub(crate) body_mass_g: f64,
}

impl Penguin {
    /// The species it belongs to.
    pub(crate) fn species(&self) -> &'static str {
        SPECIES[self.label]
    }
}

/// The published table, row by row.
#[derive(Debug)]
pub(crate) struct Table {
    header: csv::StringRecord,
    rows: Vec<csv::StringRecord>,
}

/// Which rows of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Rows to learn from.
    Training,
    /// Rows no model has seen.
    HeldOut,
}

impl Table {
    /// Reads the CSV file.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let unreadable = |cause: csv::Error| {
            Error::new(ErrorKind::Invalid, "cannot read the penguins")
                .context("path", path.display())
                .with_source(cause)
        };
        let mut reader = csv::Reader::from_path(path).map_err(unreadable)?;
        let header = reader.headers().map_err(unreadable)?.clone();
        let rows = reader
            .records()
            .collect::<std::result::Result<_, _>>()
            .map_err(unreadable)?;
        Ok(Self { header, rows })
    }

    /// Selects rows of some years; every fourth row, by a stable hash of its number, is held out.
    pub(crate) fn select(&self, years: &[&str], part: Part) -> Result<Self> {
        let arms = [("training".parse()?, 3), ("held-out".parse()?, 1)];
        let split = Split::new("penguins", "held-out rows", arms)?;
        let year = self.column("year")?;
        let rows = self.rows.iter().enumerate().filter(|(number, row)| {
            let held_out = split.assign(&number.to_string()).arm == 1;
            years.contains(&&row[year]) && held_out == (part == Part::HeldOut)
        });
        Ok(Self {
            header: self.header.clone(),
            rows: rows.map(|(_, row)| row.clone()).collect(),
        })
    }

    /// The fault of this story: body mass arrives in kilograms under a name that says grams.
    pub(crate) fn with_mass_in_kilograms(mut self) -> Result<Self> {
        let mass = self.column("body_mass_g")?;
        for row in &mut self.rows {
            let cells = row.iter().enumerate().map(|(column, cell)| {
                let grams = (column == mass).then(|| cell.parse::<f64>().ok()).flatten();
                grams.map_or_else(|| cell.to_owned(), |grams| (grams / 1_000.0).to_string())
            });
            *row = cells.collect();
        }
        Ok(self)
    }

    /// Writes the rows as a CSV file.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let unwritable = |cause: csv::Error| {
            Error::new(ErrorKind::Unavailable, "cannot write the rows")
                .context("path", path.display())
                .with_source(cause)
        };
        let mut writer = csv::Writer::from_path(path).map_err(unwritable)?;
        writer.write_record(&self.header).map_err(unwritable)?;
        self.rows
            .iter()
            .try_for_each(|row| writer.write_record(row))
            .map_err(unwritable)?;
        Ok(writer.flush()?)
    }

    /// Reads the penguins that were measured.
    pub(crate) fn penguins(&self) -> Result<Vec<Penguin>> {
        let [species, bill, mass] =
            ["species", "bill_length_mm", "body_mass_g"].map(|c| self.column(c));
        let (species, bill, mass) = (species?, bill?, mass?);
        let measured = self
            .rows
            .iter()
            .filter(|row| !row[bill].is_empty() && !row[mass].is_empty());
        measured
            .map(|row| {
                let number = |cell: &str| {
                    cell.parse()
                        .map_err(|_| Error::invalid("not a number").context("cell", cell))
                };
                Ok(Penguin {
                    label: label(&row[species])?,
                    bill_length_mm: number(&row[bill])?,
                    body_mass_g: number(&row[mass])?,
                })
            })
            .collect()
    }

    fn column(&self, name: &str) -> Result<usize> {
        let found = self.header.iter().position(|column| column == name);
        found.ok_or_else(|| Error::not_found("column", name))
    }
}

/// Reads the penguins that were measured from batches with species, bill length and body mass.
pub(crate) fn from_batches(batches: &[RecordBatch]) -> Result<Vec<Penguin>> {
    let mut penguins = Vec::new();
    for batch in batches {
        let species = batch.column(0).as_string::<i32>();
        let bill = batch.column(1).as_primitive::<Float64Type>();
        let mass = batch.column(2).as_primitive::<Float64Type>();
        for ((species, bill), mass) in species.iter().zip(bill).zip(mass) {
            if let (Some(species), Some(bill_length_mm), Some(body_mass_g)) = (species, bill, mass)
            {
                penguins.push(Penguin {
                    label: label(species)?,
                    bill_length_mm,
                    body_mass_g,
                });
            }
        }
    }
    Ok(penguins)
}

fn label(species: &str) -> Result<usize> {
    let label = SPECIES.iter().position(|known| *known == species);
    label.ok_or_else(|| Error::not_found("species", species))
}
