//! One pass over the table files of a snapshot: digests, statistics and row counts.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::available_parallelism;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use mainstay_core::{BulkDigest, Error, ErrorKind, FilePath, Result, Telling};

use crate::digest::{ColumnHasher, Layout, PROFILE, Profile, RowsHasher, RowsSum, table_digest};
use crate::format::{Inference, TableFormat, TableReader, TextTypes};
use crate::input::{InputFile, Origin};
use crate::logical::{check_names, logical_types};
use crate::one_type::has_widest;
use crate::passing::{Passing, ROWS};
use crate::report::NullLike;
use crate::slots::slots;
use crate::stats::{ColumnCollector, ColumnStats};
use crate::stored::{self, StoredTable};
use crate::workers::Workers;
use crate::{Column, CsvOptions, Table};

/// Tables in files of fewer bytes are scanned on one thread.
const PARALLEL_BYTES: u64 = 1024 * 1024;

/// The most threads that a scan divides its columns and rows among.
const MAX_THREADS: usize = 8;

/// A table file to scan.
pub(crate) struct TableFile<'a> {
    pub(crate) path: &'a FilePath,
    pub(crate) format: TableFormat,
    pub(crate) origin: &'a Origin,
}

impl<'a> TableFile<'a> {
    /// A file, if it is read as a table.
    pub(crate) fn of(file: &'a InputFile) -> Option<Self> {
        file.table_format().map(|format| Self {
            path: &file.path,
            format,
            origin: &file.origin,
        })
    }

    /// Returns the rows of all table files that came with it, if they were summed up.
    fn sum(&self) -> Option<&'a Arc<RowsSum>> {
        match self.origin {
            Origin::Stored(file) => file.sum.as_ref(),
            Origin::Disk { .. } | Origin::Spooled(_) => None,
        }
    }

    /// Opens its rows, patches applied: of the columns in `wanted`, when given.
    pub(crate) fn table(
        &self,
        types: &TextTypes,
        wanted: Option<&[String]>,
    ) -> Result<StoredTable> {
        if let Origin::Stored(file) = self.origin {
            return stored::open(&file.repo, &file.runtime, &file.entry, types, wanted);
        }
        let reader = TableReader::open(self.origin.open()?, self.format, types, wanted)?;
        Ok(StoredTable {
            schema: SchemaRef::clone(reader.schema()),
            batches: Box::new(reader),
        })
    }
}

/// What a scan of files finds.
pub(crate) struct Scanned {
    pub(crate) table: Table,
    /// The rows of each file.
    pub(crate) rows: Vec<u64>,
    pub(crate) null_like: Vec<NullLike>,
}

/// Scans files, in order, as one table, CSV spelled as `csv` says; `None` without files.
///
/// Blocks; memory is bounded by some batches and the number of columns. Large tables are scanned by
/// several threads.
///
/// # Errors
/// [`ErrorKind::Invalid`] naming the file when it cannot be decoded, when its columns differ from the
/// first file's in names or logical types; [`ErrorKind::Unsupported`] naming file and column whose type has no logical form.
pub(crate) fn scan(
    files: &[TableFile<'_>],
    csv: &CsvOptions,
    telling: &Telling,
) -> Result<Option<Scanned>> {
    let (types, null_like) = infer(files, csv, (telling, 2))?;
    let work = Work {
        threads: threads(files),
        columns: true,
    };
    let mut scan: Option<Scan> = None;
    let mut rows = Vec::with_capacity(files.len());
    for file in files {
        let feed = |scan: &mut Scan, batch: RecordBatch, summed| {
            telling.add(ROWS, batch.num_rows() as u64);
            scan.workers.feed(&(batch, summed))
        };
        rows.push(each_batch(file, &types, work, &mut scan, feed)?);
    }
    let table = scan.map(|scan| scan.finish(&types)).transpose()?;
    Ok(table.map(|table| Scanned {
        table,
        rows,
        null_like,
    }))
}

/// On how many threads files are scanned.
fn threads(files: &[TableFile<'_>]) -> usize {
    let bytes: u64 = files.iter().map(|file| file.origin.bytes()).sum();
    if bytes < PARALLEL_BYTES {
        1
    } else {
        available_parallelism().map_or(1, NonZeroUsize::get)
    }
}

/// Decodes the table files of a part of a table; returns the number of rows of each, and the rows of all
/// summed up, unless a file is text, whose types are those of all parts together.
///
/// Blocks.
///
/// # Errors
/// As [`scan`].
pub(crate) fn check(
    files: &[TableFile<'_>],
    csv: &CsvOptions,
    telling: &Telling,
) -> Result<(Vec<u64>, Option<RowsSum>)> {
    let (types, _) = infer(files, csv, (telling, 2))?;
    let has_text = files.iter().any(|file| file.format.is_text());
    let work = Work {
        threads: if has_text { 1 } else { threads(files) },
        columns: false,
    };
    let mut scan: Option<Scan> = None;
    let take = |scan: &mut Scan, batch: RecordBatch, _| {
        telling.add(ROWS, batch.num_rows() as u64);
        if has_text {
            return Ok(());
        }
        scan.workers.feed(&(batch, true))
    };
    let rows = files
        .iter()
        .map(|file| each_batch(file, &types, work, &mut scan, take));
    let rows = rows.collect::<Result<_>>()?;
    let sum = scan.filter(|_| !has_text).map(|scan| {
        let (_, multiset) = scan.finish_rows()?;
        multiset.to_sum()
    });
    Ok((rows, sum.transpose()?))
}

/// Finds the types of the columns of all text files together, and which are text for the sake of a few fields.
/// Tells of their rows, which are gone through so
/// many times in all.
pub(crate) fn infer(
    files: &[TableFile<'_>],
    csv: &CsvOptions,
    (telling, times): (&Telling, u64),
) -> Result<(TextTypes, Vec<NullLike>)> {
    let (mut inference, mut rows) = (Inference::new(csv), Passing::new(telling));
    for file in files {
        inference
            .add(file.format, || file.origin.open(), &mut rows)
            .map_err(|error| error.context("file", file.path))?;
    }
    telling.expect(ROWS, rows.finish().saturating_mul(times));
    let null_like = inference.null_like();
    Ok((inference.finish(), null_like))
}

/// What a scan does, besides decoding.
#[derive(Clone, Copy)]
struct Work {
    threads: usize,
    /// Whether columns are hashed and described.
    columns: bool,
}

/// Decodes a file, whose columns must be those of the files before; returns how many rows it has.
fn each_batch(
    file: &TableFile<'_>,
    types: &TextTypes,
    work: Work,
    scan: &mut Option<Scan>,
    take: impl FnMut(&mut Scan, RecordBatch, bool) -> Result<()>,
) -> Result<u64> {
    decode(file, types, work, scan, take).map_err(|error| error.context("file", file.path))
}

fn decode(
    file: &TableFile<'_>,
    types: &TextTypes,
    work: Work,
    scan: &mut Option<Scan>,
    mut take: impl FnMut(&mut Scan, RecordBatch, bool) -> Result<()>,
) -> Result<u64> {
    let table = file.table(types, None)?;
    let scan = match scan {
        Some(scan) => {
            scan.admit(&table.schema)?;
            scan
        }
        None => scan.insert(Scan::new(&table.schema, work)?),
    };
    let known = file.sum().and_then(|sum| scan.known(sum));
    let mut rows = 0;
    for batch in table.batches {
        let batch = in_order(&batch?, &scan.schema)?;
        rows += batch.num_rows() as u64;
        take(scan, batch, known.is_none())?;
    }
    if let Some(known) = known {
        scan.known[known].1 += rows;
    }
    Ok(rows)
}

/// Puts the columns of a batch into the order of `schema`, which has the same names.
pub(crate) fn in_order(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let found = batch.schema();
    let fields = found.fields().iter().zip(schema.fields());
    let in_place = fields.filter(|(a, b)| a.name() == b.name()).count();
    if in_place == schema.fields().len() && in_place == found.fields().len() {
        return Ok(batch.clone());
    }
    let internal = |error| {
        Error::new(
            ErrorKind::Internal,
            "a batch without the columns of its file",
        )
        .with_source(error)
    };
    let indices = schema
        .fields()
        .iter()
        .map(|field| found.index_of(field.name()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(internal)?;
    batch.project(&indices).map_err(internal)
}

struct Scan {
    schema: SchemaRef,
    layout: Layout,
    /// Whether any file allows nulls, by column.
    nullable: Vec<bool>,
    /// Whether any file has another Arrow type, by column.
    mixed: Vec<bool>,
    workers: Workers<Share, (RecordBatch, bool)>,
    /// Rows that are summed up already, and how many their files have.
    known: Vec<(Arc<RowsSum>, u64)>,
}

/// What one thread does: every so-manieth column, and its part of the rows of each batch.
struct Share {
    number: usize,
    of: usize,
    /// By place in the schema.
    columns: Vec<(usize, ColumnHasher, ColumnCollector)>,
    rows: RowsHasher,
    count: u64,
}

impl Share {
    /// Looks at a batch; sums up its rows where nobody has.
    fn update(&mut self, (batch, summed): &(RecordBatch, bool)) -> Result<()> {
        let rows = batch.num_rows();
        for (index, hasher, collector) in &mut self.columns {
            let column = slots(batch.column(*index).as_ref(), Profile::Strict)?;
            hasher.update(column.as_ref(), rows);
            column.collect(rows, collector);
        }
        self.count += rows as u64;
        if !summed {
            return Ok(());
        }
        let (start, end) = (
            rows * self.number / self.of,
            rows * (self.number + 1) / self.of,
        );
        self.rows.add_known(&batch.slice(start, end - start))
    }
}

impl Scan {
    fn new(schema: &SchemaRef, work: Work) -> Result<Self> {
        let threads = work.threads.min(MAX_THREADS);
        check_names(schema)?;
        let fields = schema.fields();
        let layout = Layout::new(schema, Profile::Strict)?;
        let share = |number| Share {
            number,
            of: threads,
            columns: Vec::new(),
            rows: RowsHasher::with_layout(layout.clone()),
            count: 0,
        };
        let mut shares: Vec<Share> = (0..threads).map(share).collect();
        let columns = fields.iter().zip(layout.types()).enumerate();
        for (index, (field, logical_type)) in columns.filter(|_| work.columns) {
            shares[index % threads].columns.push((
                index,
                ColumnHasher::new(logical_type.clone(), Profile::Strict),
                ColumnCollector::new(field.data_type()),
            ));
        }
        Ok(Self {
            nullable: fields.iter().map(|field| field.is_nullable()).collect(),
            mixed: vec![false; fields.len()],
            workers: Workers::start(shares, Share::update)?,
            schema: SchemaRef::clone(schema),
            layout,
            known: Vec::new(),
        })
    }

    /// Finds a sum among those that are taken for the rows of their files; `None` when it holds rows of
    /// other columns.
    fn known(&mut self, sum: &Arc<RowsSum>) -> Option<usize> {
        let mut known = self.known.iter();
        let place = known.position(|(known, _)| Arc::ptr_eq(known, sum));
        if place.is_none() && sum.is_of(&self.layout) {
            self.known.push((Arc::clone(sum), 0));
            return Some(self.known.len() - 1);
        }
        place
    }

    /// Checks that a further file has the same columns, in any order, of the same logical types.
    fn admit(&mut self, schema: &SchemaRef) -> Result<()> {
        let differs = |name: &str, how: &str| {
            Err(Error::invalid(format!(
                "columns differ from those of the first table file: {how}"
            ))
            .context("column", name.escape_debug()))
        };
        let types = logical_types(schema, Profile::Strict)?;
        for (index, field) in self.schema.fields().iter().enumerate() {
            let Ok(place) = schema.index_of(field.name()) else {
                return differs(field.name(), "one is missing");
            };
            let theirs = schema.field(place);
            let is_other = theirs.data_type() != field.data_type();
            let is_one =
                types[place] == self.layout.types()[index] && has_widest(field.data_type());
            if is_other && !is_one {
                return differs(
                    field.name(),
                    &format!("{} instead of {}", theirs.data_type(), field.data_type()),
                );
            }
            self.nullable[index] |= theirs.is_nullable();
            self.mixed[index] |= is_other;
        }
        let mut fields = schema.fields().iter();
        match fields.find(|field| self.schema.field_with_name(field.name()).is_err()) {
            Some(field) => differs(field.name(), "one is new"),
            // Every name is known and none is missing, so a surplus is a repetition.
            None if schema.fields().len() > self.schema.fields().len() => {
                Err(Error::invalid("two columns of one name"))
            }
            None => Ok(()),
        }
    }

    /// Sums up the rows.
    fn finish_rows(self) -> Result<(Vec<Share>, RowsHasher)> {
        let shares = self.workers.finish()?;
        let mut multiset = RowsHasher::with_layout(self.layout);
        for share in &shares {
            multiset.merge(&share.rows)?;
        }
        for (sum, found) in self.known {
            if sum.rows != found {
                let why = "the sum of a part is of other rows than its files have";
                return Err(Error::invalid(why)
                    .context("summed", sum.rows)
                    .context("found", found));
            }
            multiset.merge_sum(&sum)?;
        }
        Ok((shares, multiset))
    }

    fn finish(self, types: &TextTypes) -> Result<Table> {
        let (schema, layout) = (SchemaRef::clone(&self.schema), self.layout.clone());
        let (nullable, mixed) = (self.nullable.clone(), self.mixed.clone());
        let (shares, multiset) = self.finish_rows()?;
        // Every share saw every batch.
        let rows = shares.first().map_or(0, |share| share.count);
        let mut columns: Vec<(usize, BulkDigest, ColumnStats)> = Vec::new();
        for share in shares {
            let finished = share.columns.into_iter();
            columns.extend(finished.map(|(i, hasher, c)| (i, hasher.finish(), c.finish())));
        }
        columns.sort_by_key(|(index, ..)| *index);
        let digests: Vec<BulkDigest> = columns.iter().map(|(_, digest, _)| *digest).collect();
        Ok(Table {
            profile: PROFILE.to_owned(),
            rows,
            table_digest: table_digest(&layout, rows, &digests)?,
            rows_digest: multiset.finish()?,
            csv: types.csv_options().cloned(),
            columns: columns
                .into_iter()
                .map(|(index, digest, stats)| {
                    let name = schema.field(index).name().clone();
                    Column {
                        json: types.json(&name).cloned(),
                        name,
                        logical_type: layout.types()[index].clone(),
                        nullable: nullable[index],
                        mixed: mixed[index],
                        digest,
                        stats,
                    }
                })
                .collect(),
        })
    }
}
