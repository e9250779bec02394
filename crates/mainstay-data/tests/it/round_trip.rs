//! No row is lost: random tables of every type, in random layouts and batches, come back as they were,
//! read and exported.

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema, SchemaRef, TimeUnit};
use arrow::ipc::CompressionType;
use arrow::ipc::reader::FileReader;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions};
use bytes::Bytes;
use futures::{TryStreamExt as _, stream};
use mainstay_core::{BulkDigest, ErrorKind};
use mainstay_data::parquet::arrow::ArrowWriter;
use mainstay_data::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use mainstay_data::parquet::basic::Compression;
use mainstay_data::parquet::file::properties::{WriterProperties, WriterVersion};
use mainstay_data::{Datasets, FileLayout, ReadOptions, SnapshotReport, SnapshotSpec};

use crate::model::build::{array, batch};
use crate::model::{
    Column, Random, Table, Type, Value, every_type, random_table, random_value, seeds,
};
use crate::support::{datasets, digests, directory, spec};

/// What tells rows apart: how many, in their order, and in any.
type Rows = (u64, BulkDigest, BulkDigest);

fn rows_of(schema: &SchemaRef, batches: &[RecordBatch]) -> Rows {
    let empty = [RecordBatch::new_empty(SchemaRef::clone(schema))];
    let found = digests(if batches.is_empty() { &empty } else { batches });
    (found.rows, found.table, found.unordered)
}

fn reported(report: &SnapshotReport) -> Rows {
    let digests = report.table_digest.zip(report.rows_digest);
    let (table, unordered) = digests.unwrap();
    (report.rows.unwrap(), table, unordered)
}

/// Cuts rows into up to four pieces, some of which may be empty.
fn pieces(whole: &RecordBatch, random: &mut Random) -> Vec<RecordBatch> {
    let mut cuts = vec![0, whole.num_rows()];
    cuts.extend((0..random.below(4)).map(|_| random.below(whole.num_rows() + 1)));
    cuts.sort_unstable();
    let pairs = cuts.windows(2);
    pairs
        .map(|cut| whole.slice(cut[0], cut[1] - cut[0]))
        .collect()
}

fn ipc(schema: &Schema, pieces: &[RecordBatch], random: &mut Random) -> Vec<u8> {
    let codecs = [
        None,
        Some(CompressionType::ZSTD),
        Some(CompressionType::LZ4_FRAME),
    ];
    let options = IpcWriteOptions::default();
    let options = options.try_with_compression(random.pick(&codecs)).unwrap();
    let mut writer = FileWriter::try_new_with_options(Vec::new(), schema, options).unwrap();
    for piece in pieces {
        writer.write(piece).unwrap();
    }
    writer.into_inner().unwrap()
}

/// Writes Parquet in some of the ways in which it is written; `None` where its writer does not hold these
/// rows.
fn parquet(schema: &SchemaRef, pieces: &[RecordBatch], random: &mut Random) -> Option<Vec<u8>> {
    let codecs = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::LZ4_RAW,
    ];
    let versions = [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0];
    let properties = WriterProperties::builder()
        .set_compression(random.pick(&codecs))
        .set_writer_version(random.pick(&versions))
        .set_dictionary_enabled(random.once_in(2))
        .set_data_page_row_count_limit(1 + random.below(8))
        .set_write_batch_size(1 + random.below(8))
        .set_max_row_group_row_count(Some(1 + random.below(20)))
        .build();
    let write = || {
        let schema = SchemaRef::clone(schema);
        let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties))?;
        for piece in pieces {
            writer.write(piece)?;
        }
        writer.into_inner()
    };
    catch_unwind(AssertUnwindSafe(write)).ok()?.ok()
}

/// What the reader of the Parquet crate finds in a file; `None` where it cannot read it.
fn parquet_rows(bytes: Vec<u8>) -> Option<Rows> {
    let read = || {
        let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).ok()?;
        let schema = SchemaRef::clone(builder.schema());
        let batches: Vec<RecordBatch> = builder.build().ok()?.collect::<Result<_, _>>().ok()?;
        Some(rows_of(&schema, &batches))
    };
    catch_unwind(AssertUnwindSafe(read)).ok()?
}

/// What the reader of the Arrow crate finds in a file; `None` where it cannot read it.
fn ipc_rows(bytes: &[u8]) -> Option<Rows> {
    let reader = FileReader::try_new(std::io::Cursor::new(bytes), None).ok()?;
    let schema = reader.schema();
    let batches: Vec<RecordBatch> = reader.collect::<Result<_, _>>().ok()?;
    Some(rows_of(&schema, &batches))
}

/// Checks that a version has these rows, however it is read.
async fn check_read(datasets: &Datasets, report: &SnapshotReport, expected: Rows, of: &str) {
    assert_eq!(reported(report), expected, "{of}: reported");
    let read = datasets.read(&report.node, ReadOptions::default()).await;
    let read: Vec<RecordBatch> = read.unwrap().try_collect().await.unwrap();
    if let Some(first) = read.first() {
        assert_eq!(rows_of(&first.schema(), &read), expected, "{of}: read");
    } else {
        assert_eq!(expected.0, 0, "{of}: read");
    }
}

async fn export(datasets: &Datasets, report: &SnapshotReport) -> tempfile::TempDir {
    let out = tempfile::tempdir().unwrap();
    datasets.export(&report.node, out.path()).await.unwrap();
    out
}

fn files(of: &Path) -> Vec<(String, Vec<u8>)> {
    let files = std::fs::read_dir(of)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

/// Reports whether Parquet, or its encoder, does not hold a type.
fn is_beyond_parquet(of: &DataType) -> bool {
    use arrow::datatypes::IntervalUnit::MonthDayNano;
    match of {
        // What the encoder makes of the last four depends on what they hold.
        DataType::Union(..)
        | DataType::Interval(MonthDayNano)
        | DataType::RunEndEncoded(..)
        | DataType::Dictionary(..)
        | DataType::ListView(_)
        | DataType::LargeListView(_) => true,
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => *scale < 0,
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => {
            matches!(of, DataType::FixedSizeList(..)) || is_beyond_parquet(item.data_type())
        }
        DataType::Struct(fields) => {
            fields.is_empty()
                || fields
                    .iter()
                    .any(|field| is_beyond_parquet(field.data_type()))
        }
        _ => false,
    }
}

/// Snapshots rows canonically; where they are refused, that is said and because of a type.
async fn check_canonical(datasets: &Datasets, spec: SnapshotSpec, batch: &RecordBatch, of: &str) {
    let schema = batch.schema();
    let report = match datasets
        .snapshot(spec.with_layout(FileLayout::Canonical))
        .await
    {
        Ok(report) => report,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{of}: {error:?}");
            let mut fields = schema.fields().iter();
            let is_odd = fields.any(|field| is_beyond_parquet(field.data_type()));
            assert!(is_odd, "{of}: {error} of {schema}");
            return;
        }
    };
    let expected = rows_of(&schema, std::slice::from_ref(batch));
    check_read(datasets, &report, expected, of).await;
    let out = export(datasets, &report).await;
    let [(_, bytes)] = files(out.path()).try_into().unwrap();
    assert_eq!(parquet_rows(bytes), Some(expected), "{of}: exported");
}

/// Snapshots files verbatim, of which a table has those rows; they come back byte by byte.
async fn check_verbatim(
    datasets: &Datasets,
    written: Vec<(String, Vec<u8>)>,
    expected: Rows,
    of: &str,
) {
    let borrowed = written.iter();
    let borrowed: Vec<_> = borrowed
        .map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
        .collect();
    let of_files = directory(&borrowed);
    let report = datasets
        .snapshot(spec("verbatim").with_path(of_files.path()))
        .await;
    let report = report.unwrap_or_else(|error| panic!("{of}: {error:?}"));
    check_read(datasets, &report, expected, of).await;
    let out = export(datasets, &report).await;
    assert!(files(out.path()) == written, "{of}: exported");
}

/// Divides batches among one to three files.
fn shared(pieces: Vec<RecordBatch>, random: &mut Random) -> Vec<Vec<RecordBatch>> {
    let mut shares = vec![Vec::new()];
    for piece in pieces {
        if shares.len() < 3 && random.once_in(3) {
            shares.push(Vec::new());
        }
        shares.last_mut().unwrap().push(piece);
    }
    shares
}

async fn check_every_layout(table: &Table, random: &mut Random, seed: u64) {
    let datasets = datasets().await;
    let whole = batch(table, random);
    let schema = whole.schema();
    let expected = rows_of(&schema, std::slice::from_ref(&whole));
    let of = |layout: &str| format!("seed {seed}, {layout}, {schema}");

    let given = pieces(&whole, random);
    let file = || "rows.parquet".parse().unwrap();
    let spec_of = spec("rows").with_batches(file(), given.clone());
    check_canonical(&datasets, spec_of, &whole, &of("rows")).await;
    let streamed = stream::iter(given.into_iter().map(Ok));
    let spec_of = spec("stream").with_stream(file(), streamed);
    check_canonical(&datasets, spec_of, &whole, &of("stream")).await;

    let shares = shared(pieces(&whole, random), random);
    let written = shares.iter().enumerate();
    let arrows: Vec<_> = written
        .map(|(n, share)| (format!("{n}.arrow"), ipc(&schema, share, random)))
        .collect();
    // Its writer and reader do not always agree on what runs of views hold.
    let mut read = arrows.iter().map(|(_, bytes)| ipc_rows(bytes));
    if read.all(|rows| rows.is_some()) {
        if let [(_, bytes)] = arrows.as_slice() {
            assert_eq!(ipc_rows(bytes), Some(expected), "{}", of("written"));
            let one = directory(&[("rows.arrow", bytes)]);
            let spec_of = spec("anew").with_path(one.path());
            check_canonical(&datasets, spec_of, &whole, &of("IPC, written anew")).await;
        }
        check_verbatim(&datasets, arrows, expected, &of("IPC")).await;
    } else {
        assert!(of("").contains("RunEndEncoded"), "{}", of("written"));
    }

    let given = pieces(&whole, random);
    if let Some(bytes) = parquet(&schema, &given, random)
        && parquet_rows(bytes.clone()) == Some(expected)
    {
        let one = directory(&[("rows.parquet", &bytes)]);
        let spec_of = spec("anew").with_path(one.path());
        check_canonical(&datasets, spec_of, &whole, &of("Parquet, written anew")).await;
        let written = vec![("rows.parquet".to_owned(), bytes)];
        check_verbatim(&datasets, written, expected, &of("Parquet")).await;
    }
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.build().unwrap()
}

#[test]
fn random_tables_come_back_from_every_layout() {
    for seed in seeds(12) {
        let mut random = Random(seed);
        let rows = random.below(24);
        let table = random_table(&mut random, rows);
        runtime().block_on(check_every_layout(&table, &mut random, seed));
    }
}

#[test]
fn every_type_comes_back_from_every_layout() {
    for (seed, of) in (0..).zip(every_type()) {
        let mut random = Random(seed);
        let values = (0..9).map(|_| random_value(&of, &mut random)).collect();
        let name = "c".to_owned();
        let columns = vec![Column { name, of, values }];
        let table = Table { rows: 9, columns };
        runtime().block_on(check_every_layout(&table, &mut random, seed));
    }
}

/// What CSV tells of types, and JSON lines of the first four.
fn told() -> [Type; 9] {
    let utc = || Some("UTC".to_owned());
    [
        Type::Bool,
        Type::Int {
            bits: 64,
            signed: true,
        },
        Type::Float { bits: 64 },
        Type::Utf8,
        Type::Date32,
        Type::Timestamp(TimeUnit::Microsecond, None),
        Type::Timestamp(TimeUnit::Microsecond, utc()),
        Type::Timestamp(TimeUnit::Nanosecond, None),
        Type::Timestamp(TimeUnit::Nanosecond, utc()),
    ]
}

/// A value that a text file can spell, and that tells its type.
fn spellable(of: &Type, random: &mut Random) -> Value {
    match of {
        Type::Float { .. } => {
            let whole = i32::try_from(random.below(2_000)).unwrap() - 1_000;
            let number = (f64::from(whole) + 0.5)
                * 10_f64.powi(i32::try_from(random.below(30)).unwrap() - 15);
            Value::Float(number.to_bits())
        }
        Type::Utf8 => {
            let letters = ['a', 'é', '"', ',', '\n', '\\', '\u{1}', ' '];
            let rest = (0..random.below(6)).map(|_| random.pick(&letters));
            Value::Text(std::iter::once('x').chain(rest).collect())
        }
        Type::Date32 => Value::Int(i128::from(random.next() % 2_000_000) - 700_000),
        // A fraction that its unit alone spells.
        Type::Timestamp(unit, _) => {
            let step = if *unit == TimeUnit::Nanosecond {
                1_000
            } else {
                1
            };
            let ticks = i128::from(random.next() % (1 << 50)) - (1 << 49);
            Value::Int(ticks * step + (step - 1))
        }
        of => crate::model::some_value(of, random),
    }
}

fn text_table(random: &mut Random, types: &[Type]) -> Table {
    let rows = 1 + random.below(20);
    let columns = (0..=random.below(5)).map(|number| {
        let of = random.pick(types);
        let values = (0..rows).map(|row| {
            // The first value tells the type of its column.
            if row > 0 && random.once_in(4) {
                Value::Null
            } else {
                spellable(&of, random)
            }
        });
        Column {
            name: format!("c{number}"),
            values: values.collect(),
            of,
        }
    });
    let columns: Vec<Column> = columns.collect();
    Table { rows, columns }
}

/// The rows as the types that the file tells.
fn told_rows(table: &Table) -> Rows {
    let columns = table.columns.iter().map(|column| {
        // Plain arrays of the type: how they are encoded leaves no trace.
        let array = array(&column.of, &column.values, &mut Random(0));
        (column.name.clone(), array, true)
    });
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    rows_of(&batch.schema(), &[batch])
}

fn csv(table: &Table) -> String {
    let names: Vec<&str> = table
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    let mut out = names.join(",") + "\n";
    for row in 0..table.rows {
        let fields = table
            .columns
            .iter()
            .map(|column| csv_field(&column.of, &column.values[row]));
        // A row of one null would be a blank line without the quotes.
        let fields: Vec<String> = fields
            .map(|field| {
                if field.is_empty() {
                    "\"\"".to_owned()
                } else {
                    field
                }
            })
            .collect();
        writeln!(out, "{}", fields.join(",")).unwrap();
    }
    out
}

fn csv_field(of: &Type, value: &Value) -> String {
    match (of, value) {
        (_, Value::Null) => String::new(),
        (_, Value::Bool(value)) => value.to_string(),
        (_, Value::Float(bits)) => format!("{:?}", f64::from_bits(*bits)),
        (_, Value::Text(text)) => format!("\"{}\"", text.replace('"', "\"\"")),
        (Type::Date32, Value::Int(days)) => moment(days * 86_400_000_000_000, 0)[..10].to_owned(),
        (Type::Timestamp(unit, zone), Value::Int(ticks)) => {
            let (step, digits) = match unit {
                TimeUnit::Microsecond => (1_000, 6),
                _ => (1, 9),
            };
            moment(ticks * step, digits) + if zone.is_some() { "Z" } else { "" }
        }
        (_, Value::Int(number)) => number.to_string(),
        (of, value) => panic!("{value:?} of {of:?} in CSV"),
    }
}

/// Spells nanoseconds since 1970. Days by *`chrono`-Compatible Low-Level Date Algorithms*, Howard Hinnant.
fn moment(nanos: i128, digits: usize) -> String {
    let (days, nanos) = (
        nanos.div_euclid(86_400_000_000_000),
        nanos.rem_euclid(86_400_000_000_000),
    );
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i128::from(month <= 2);
    let seconds = nanos / 1_000_000_000;
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let fraction = format!("{:09}", nanos % 1_000_000_000);
    let fraction = if digits == 0 {
        String::new()
    } else {
        format!(".{}", &fraction[..digits])
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}")
}

fn json_lines(table: &Table) -> String {
    let mut out = String::new();
    for row in 0..table.rows {
        let fields = table.columns.iter().map(|column| {
            let value = match &column.values[row] {
                Value::Null => serde_json::Value::Null,
                Value::Bool(value) => (*value).into(),
                Value::Int(number) => i64::try_from(*number).unwrap().into(),
                Value::Float(bits) => f64::from_bits(*bits).into(),
                Value::Text(text) => text.as_str().into(),
                other => panic!("{other:?} in JSON"),
            };
            format!("\"{}\":{value}", column.name)
        });
        writeln!(out, "{{{}}}", fields.collect::<Vec<_>>().join(",")).unwrap();
    }
    out
}

#[test]
fn what_text_files_tell_comes_back() {
    for seed in seeds(24) {
        let mut random = Random(seed);
        let types = told();
        for (name, text_of, types) in [
            ("t.csv", csv as fn(&Table) -> String, &types[..]),
            ("t.jsonl", json_lines, &types[..4]),
        ] {
            let table = text_table(&mut random, types);
            let (text, expected) = (text_of(&table), told_rows(&table));
            let of = format!("seed {seed}, {name}: {text}");
            runtime().block_on(async {
                let datasets = datasets().await;
                let written = vec![(name.to_owned(), text.clone().into_bytes())];
                check_verbatim(&datasets, written, expected, &of).await;
                let files = directory(&[(name, text.as_bytes())]);
                let anew = spec("anew").with_path(files.path());
                let report = datasets
                    .snapshot(anew.with_layout(FileLayout::Canonical))
                    .await;
                check_read(&datasets, &report.unwrap(), expected, &of).await;
            });
        }
    }
}
