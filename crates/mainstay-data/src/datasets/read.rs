//! Reading a stored table.

use std::future::ready;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Schema, SchemaRef};
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use mainstay_core::{Error, ErrorKind, NodeRef, Result, Telling};
use mainstay_repo::Repo;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::ReadOptions;
use crate::format::TextTypes;
use crate::one_type;
use crate::passing::ROWS;
use crate::{Column, FileEntry, Manifest, Predicate, blocking, stored};

/// How many decoded batches wait for the reader.
const WAITING_BATCHES: usize = 2;

/// Streams the rows of a table, and tells how many it has gone through when they are taken.
pub(super) fn read(
    (repo, telling): (&Repo, Telling),
    node: &NodeRef,
    manifest: &Manifest,
    options: ReadOptions,
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let names: Vec<&str> = manifest.columns().iter().map(|c| c.name.as_str()).collect();
    if names.is_empty() {
        return Err(Error::invalid("the snapshot has no table").context("data", node));
    }
    check_columns(&names, options.columns.as_deref())?;
    let filtered = options.filter.as_ref().map(Predicate::columns);
    let filtered = filtered.unwrap_or_default();
    if let Some(unknown) = filtered.iter().find(|name| !names.contains(name)) {
        return Err(Error::not_found("column", unknown.escape_debug()));
    }
    let handed_out = options.columns.as_ref().map(Vec::len);
    let wanted = options.columns.clone().map(|mut wanted| {
        for name in filtered {
            if !wanted.iter().any(|known| known == name) {
                wanted.push(name.to_owned());
            }
        }
        wanted
    });
    let files = manifest.files.entries()?.iter();
    let files = files
        .filter(|entry| entry.rows.is_some())
        .cloned()
        .collect();
    let decoder = Decoder {
        types: TextTypes::recall(manifest),
        columns: manifest.columns().to_vec(),
        wanted,
        handed_out,
        filter: options.filter,
        schema: None,
        repo: repo.clone(),
        runtime: Handle::current(),
    };
    Ok(decoder.stream(files, telling))
}

fn check_columns(names: &[&str], wanted: Option<&[String]>) -> Result<()> {
    let wanted = wanted.unwrap_or_default();
    for (index, name) in wanted.iter().enumerate() {
        if !names.contains(&name.as_str()) {
            return Err(Error::not_found("column", name.escape_debug()));
        }
        if wanted[..index].contains(name) {
            return Err(Error::invalid("a column is asked for twice")
                .context("column", name.escape_debug()));
        }
    }
    Ok(())
}

/// Decodes the files of a table into batches of one schema.
struct Decoder {
    types: TextTypes,
    /// Those of the table.
    columns: Vec<Column>,
    /// The columns to read, those that are only filtered by at the end; all when `None`.
    wanted: Option<Vec<String>>,
    /// How many of them are handed out.
    handed_out: Option<usize>,
    filter: Option<Predicate>,
    /// The schema of the batches, found in the first file.
    schema: Option<SchemaRef>,
    repo: Repo,
    runtime: Handle,
}

impl Decoder {
    fn stream(
        mut self,
        files: Vec<FileEntry>,
        telling: Telling,
    ) -> BoxStream<'static, Result<RecordBatch>> {
        let decoded = blocking::produce(WAITING_BATCHES, move |sender| {
            for file in files {
                if self.decode(&file, &sender)? == Reader::Gone {
                    break;
                }
            }
            Ok(())
        });
        let told = move |decoded: Decoded| {
            telling.add(ROWS, decoded.rows);
            ready(Ok(decoded.batch))
        };
        decoded.try_filter_map(told).boxed()
    }

    /// Sends the batches of one file.
    fn decode(
        &mut self,
        file: &FileEntry,
        sender: &mpsc::Sender<Result<Decoded>>,
    ) -> Result<Reader> {
        let wanted = self.wanted.as_deref();
        let (repo, runtime, filter) = (&self.repo, &self.runtime, self.filter.as_ref());
        let table = stored::open_where(repo, runtime, file, &self.types, wanted, filter)?;
        let unfit = |error: Error| {
            Error::corrupt(
                format!("blob {}", file.digest),
                "a stored table of other columns",
            )
            .context("file", &file.path)
            .with_source(error)
        };
        let schema = self.schema_of(&table.schema).map_err(unfit)?;
        let mut left = file.rows.unwrap_or(0);
        for batch in table.batches {
            for batch in one_type::as_of_table(&batch?, &schema).map_err(unfit)? {
                let batch = batch.map_err(unfit)?;
                let rows = left.min(batch.num_rows() as u64);
                left -= rows;
                let batch = self.filtered(batch)?;
                let batch = (batch.num_rows() > 0).then_some(batch);
                if sender.blocking_send(Ok(Decoded { rows, batch })).is_err() {
                    return Ok(Reader::Gone);
                }
            }
        }
        // Those that the filter spared.
        let rest = Decoded {
            rows: left,
            batch: None,
        };
        let sent = sender.blocking_send(Ok(rest));
        Ok(sent.map_or(Reader::Gone, |()| Reader::Waiting))
    }

    /// Returns the rows that are wanted, without the columns that are not.
    fn filtered(&self, batch: RecordBatch) -> Result<RecordBatch> {
        let Some(filter) = &self.filter else {
            return Ok(batch);
        };
        let unfiltered = |error| {
            Error::new(ErrorKind::Unsupported, "rows of this type cannot be picked")
                .with_source(error)
        };
        let batch = filter_record_batch(&batch, &filter.mask(&batch)?).map_err(unfiltered)?;
        match self.handed_out {
            Some(columns) => {
                let columns: Vec<usize> = (0..columns).collect();
                batch.project(&columns).map_err(unfiltered)
            }
            None => Ok(batch),
        }
    }

    /// Returns the schema of all batches, which the first file decides.
    fn schema_of(&mut self, file: &SchemaRef) -> Result<SchemaRef> {
        if let Some(schema) = &self.schema {
            return Ok(Arc::clone(schema));
        }
        let names: Vec<&str> = match &self.wanted {
            Some(wanted) => wanted.iter().map(String::as_str).collect(),
            None => file.fields().iter().map(|f| f.name().as_str()).collect(),
        };
        let file = one_type::of_table(file, &self.columns);
        let fields = names
            .into_iter()
            .map(|name| {
                file.field_with_name(name).cloned().map_err(|error| {
                    Error::invalid("a column is missing from the file").with_source(error)
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let schema = Arc::new(Schema::new_with_metadata(fields, file.metadata().clone()));
        Ok(Arc::clone(self.schema.insert(schema)))
    }
}

/// How many rows of a file were gone through, and those of them that are wanted, if any.
struct Decoded {
    rows: u64,
    batch: Option<RecordBatch>,
}

#[derive(PartialEq, Eq)]
enum Reader {
    Waiting,
    Gone,
}
