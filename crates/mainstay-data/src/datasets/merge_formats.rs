//! Files of merged rows, in the formats whose bytes are not made by the writer profile.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions};
use mainstay_core::{Error, ErrorKind, Result, Telling};

use super::merge_write::Merging;
use crate::CsvOptions;
use crate::format::{TableFormat, write_spelled};
use crate::passing::ROWS;

/// Writes merged rows, and tells how many.
pub(super) fn write(path: &Path, merging: Merging, telling: &Telling) -> Result<()> {
    let told = |batch: &RecordBatch| telling.add(ROWS, batch.num_rows() as u64);
    match merging.sides.format() {
        Some(TableFormat::Ipc) => ipc(path, merging, told),
        Some(TableFormat::Csv { delimiter }) => csv(path, delimiter, merging, told),
        Some(TableFormat::JsonLines) => json_lines(path, merging, told),
        Some(TableFormat::Parquet) | None => Err(Error::new(
            ErrorKind::Internal,
            "merged rows of a format that is not written so",
        )),
    }
}

fn ipc(path: &Path, merging: Merging, told: impl Fn(&RecordBatch)) -> Result<()> {
    let file = File::create(path)?;
    let options = IpcWriteOptions::default().try_with_compression(merging.compression()?);
    let options = options.map_err(unwritable)?;
    let begin = |schema: &Schema| {
        let file = BufWriter::new(&file);
        FileWriter::try_new_with_options(file, schema, options.clone()).map_err(unwritable)
    };
    let mut writer = None;
    merging.each(|batch| {
        let writer = match &mut writer {
            Some(writer) => writer,
            None => writer.insert(begin(&batch.schema())?),
        };
        writer.write(&batch).map_err(unwritable)?;
        told(&batch);
        Ok(())
    })?;
    match writer {
        Some(mut writer) => writer.finish().map_err(unwritable),
        None => Ok(()),
    }
}

fn json_lines(path: &Path, merging: Merging, told: impl Fn(&RecordBatch)) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    merging.each(|batch| {
        write_spelled(&batch, &mut file)?;
        told(&batch);
        Ok(())
    })?;
    file.flush().map_err(Error::from)
}

fn csv(path: &Path, delimiter: u8, merging: Merging, told: impl Fn(&RecordBatch)) -> Result<()> {
    let options = merging.sides.csv_options();
    let writer = options.writer(delimiter).from_path(path);
    let mut writer = writer.map_err(unwritten)?;
    let mut has_header = options.headerless;
    merging.each(|batch| {
        if !has_header {
            let schema = batch.schema();
            let names = schema.fields().iter().map(|field| field.name());
            writer.write_record(names).map_err(unwritten)?;
            has_header = true;
        }
        records(&batch, &options, &mut writer)?;
        told(&batch);
        Ok(())
    })?;
    writer.flush().map_err(Error::from)
}

/// Writes the fields of CSV as they are spelled, those that are null too.
fn records(
    batch: &RecordBatch,
    options: &CsvOptions,
    writer: &mut ::csv::Writer<File>,
) -> Result<()> {
    let columns = batch.columns().iter();
    let columns: Vec<_> = columns
        .map(|column| column.as_string_opt::<i32>())
        .collect::<Option<_>>()
        .ok_or_else(|| Error::new(ErrorKind::Internal, "a field that is no text"))?;
    for row in 0..batch.num_rows() {
        let fields = columns.iter().map(|column| column.value(row));
        if columns.len() == 1 && columns[0].value(row).is_empty() && !options.has_empty_rows() {
            let message = "a row of one null has no spelling in CSV without quotes";
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        writer.write_record(fields).map_err(unwritten)?;
    }
    Ok(())
}

fn unwritable(error: ArrowError) -> Error {
    let message = "cannot write these rows as Arrow IPC";
    Error::new(ErrorKind::Unsupported, message).with_source(error)
}

fn unwritten(error: ::csv::Error) -> Error {
    Error::new(ErrorKind::Internal, "cannot write CSV").with_source(error)
}
