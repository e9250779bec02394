//! Batches that are cut, against those that Arrow's own reader reads whole.

use std::io::Cursor;
use std::panic::catch_unwind;
use std::slice;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, StringViewArray};
use arrow::compute::concat_batches;
use arrow::ipc::reader::FileReader;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions};
use arrow::ipc::{CompressionType, MetadataVersion};
use bytes::Bytes;
use mainstay_core::ErrorKind;

use super::{Limits, open_with};
use crate::digest::{Profile, TableHasher};
use crate::source::Source;

#[path = "../../../tests/it/model/mod.rs"]
#[expect(dead_code, reason = "what only other tests use")]
mod model;

use model::build::batch;
use model::{Column, Random, Table, every_type, random_table, random_value, seeds};

/// Every batch is cut, by few bytes.
const SMALL: Limits = Limits {
    whole_bytes: 0,
    cut_bytes: 700,
    rows: 7,
};

fn written(batches: &[RecordBatch], options: IpcWriteOptions) -> Bytes {
    let mut bytes = Vec::new();
    let schema = batches[0].schema();
    let mut writer = FileWriter::try_new_with_options(&mut bytes, &schema, options).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.finish().unwrap();
    drop(writer);
    bytes.into()
}

fn read(
    bytes: &Bytes,
    wanted: Option<&[String]>,
    limits: Limits,
) -> mainstay_core::Result<Vec<RecordBatch>> {
    open_with(&Source::memory(bytes.clone()), wanted, limits)?
        .batches
        .collect()
}

fn options(batch: &RecordBatch, random: &mut Random) -> IpcWriteOptions {
    // Arrow does not write unions of version 4 as it reads them.
    let has_union = format!("{:?}", batch.schema()).contains("Union");
    let options = if !has_union && random.once_in(4) {
        IpcWriteOptions::try_new(8, false, MetadataVersion::V4).unwrap()
    } else {
        IpcWriteOptions::default()
    };
    let codec = random.pick(&[
        None,
        Some(CompressionType::LZ4_FRAME),
        Some(CompressionType::ZSTD),
    ]);
    // Version 4 has no compression.
    options
        .clone()
        .try_with_compression(codec)
        .unwrap_or(options)
}

/// Reads a file by Arrow; `None` where Arrow does not read, or not join, what it has written.
fn read_whole(bytes: &Bytes) -> Option<RecordBatch> {
    let read = catch_unwind(|| {
        let reader = FileReader::try_new(Cursor::new(bytes.clone()), None)?;
        let batches = reader.collect::<Result<Vec<_>, _>>()?;
        concat_batches(&batches[0].schema(), &batches)
    });
    read.ok()?.ok()
}

fn check(table: &Table, seed: u64, random: &mut Random) -> bool {
    let whole = batch(table, random);
    let first = random.below(table.rows + 1);
    let parts = [
        whole.slice(0, first),
        whole.slice(first, table.rows - first),
    ];
    let bytes = written(&parts, options(&whole, random));
    let Some(expected) = read_whole(&bytes) else {
        return false;
    };
    let schema = expected.schema();

    let names: Vec<String> = schema
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    let wanted: Vec<String> = names
        .iter()
        .filter(|_| random.once_in(2))
        .cloned()
        .collect();
    for wanted in [None, Some(wanted.as_slice())] {
        let found = read(&bytes, wanted, SMALL).unwrap();
        assert!(
            found.iter().all(|batch| batch.num_rows() <= SMALL.rows),
            "seed {seed}"
        );
        let rows: usize = found.iter().map(RecordBatch::num_rows).sum();
        assert_eq!(rows, table.rows, "seed {seed}");
        let indices = names
            .iter()
            .enumerate()
            .filter(|(_, name)| wanted.is_none_or(|wanted| wanted.contains(name)));
        let indices: Vec<usize> = indices.map(|(index, _)| index).collect();
        let expected = expected.project(&indices).unwrap();
        let mut hashers =
            [(); 2].map(|()| TableHasher::new(&expected.schema(), Profile::Strict).unwrap());
        hashers[0].update(&expected).unwrap();
        for batch in &found {
            hashers[1].update(batch).unwrap();
        }
        let [expected, found] = hashers.map(|hasher| hasher.finish().unwrap());
        assert_eq!(found, expected, "seed {seed}: {schema:?}");
    }
    true
}

#[test]
fn batches_that_are_cut_say_what_whole_ones_say() {
    let mut checked = 0;
    for seed in seeds(120) {
        let mut random = Random(seed);
        let rows = random.below(60);
        checked += usize::from(check(&random_table(&mut random, rows), seed, &mut random));
    }
    assert!(checked * 4 > seeds(120).count() * 3, "{checked}");
}

#[test]
fn every_type_is_cut() {
    let mut checked = 0;
    for (seed, of) in (0..).zip(every_type()) {
        let mut random = Random(seed);
        let values = (0..50).map(|_| random_value(&of, &mut random)).collect();
        let name = "c".to_owned();
        let columns = vec![Column { name, of, values }];
        checked += usize::from(check(&Table { rows: 50, columns }, seed, &mut random));
    }
    assert!(checked * 10 > every_type().len() * 9, "{checked}");
}

/// What is read twice is what was read for cuts of too many rows.
#[test]
fn hardly_more_is_read_than_there_is() {
    let random = &mut Random(1);
    let texts = (0..4_000).map(|row| format!("{row}").repeat(1 + random.below(100)));
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
    let views: ArrayRef = Arc::new(StringViewArray::from_iter_values(
        (0..4_000).map(|row| format!("text number {row}")),
    ));
    let batch = RecordBatch::try_from_iter([("texts", texts), ("views", views)]).unwrap();
    let bytes = written(slice::from_ref(&batch), IpcWriteOptions::default());
    let source = Source::memory(bytes.clone());
    let limits = Limits {
        whole_bytes: 0,
        cut_bytes: 16 * 1024,
        rows: 1_024,
    };
    let batches = open_with(&source, None, limits).unwrap().batches;
    let cuts: Vec<RecordBatch> = batches.collect::<mainstay_core::Result<_>>().unwrap();
    assert!((10..100).contains(&cuts.len()), "{} cuts", cuts.len());
    let (read, all) = (source.bytes_read(), bytes.len() as u64);
    assert!(read * 4 < all * 5, "{read} of {all} bytes");
}

#[test]
fn damaged_batches_are_read_or_refused() {
    let mut refused = 0;
    for seed in seeds(300) {
        let mut random = Random(seed);
        let table = random_table(&mut random, 12);
        let batch = batch(&table, &mut random);
        let options = options(&batch, &mut random);
        let mut bytes = written(&[batch], options).to_vec();
        for _ in 0..=random.below(4) {
            let place = random.below(bytes.len());
            bytes[place] = random.pick(&[0, 1, 0x7f, 0x80, 0xff, bytes[place] ^ 0x10]);
        }
        let bytes = Bytes::from(bytes);
        let outcome =
            super::super::guarded(&Source::memory(bytes.clone()), || read(&bytes, None, SMALL));
        if let Err(error) = outcome {
            refused += 1;
            let kind = error.kind();
            assert!(
                matches!(kind, ErrorKind::Invalid | ErrorKind::Unsupported),
                "seed {seed}: {error:?}"
            );
        }
    }
    assert!(refused > 30, "{refused}");
}
