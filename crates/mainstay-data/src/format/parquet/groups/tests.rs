use arrow::array::{ArrayRef, AsArray as _, Int64Array};
use arrow::datatypes::Int64Type;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::file::properties::WriterProperties;

use super::*;

/// Numbers from 0 on in row groups of 1,000.
fn numbers(rows: i64) -> Source {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
    let batch = RecordBatch::try_from_iter([("n", column)]).unwrap();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(1_000));
    let properties = Some(properties.build());
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), properties).unwrap();
    writer.write(&batch).unwrap();
    Source::memory(writer.into_inner().unwrap().into())
}

fn groups(source: &Source, selection: Option<RowSelection>, overflow_bytes: u64) -> Groups {
    let metadata = ArrowReaderMetadata::load(source, ArrowReaderOptions::new()).unwrap();
    let all = (0..metadata.metadata().num_row_groups()).collect();
    let wanted = (all, selection);
    let groups = Groups::new(source.clone(), metadata, ProjectionMask::all(), wanted);
    Groups {
        overflow_bytes,
        ..groups
    }
}

#[test]
fn what_is_left_of_a_group_is_read_in_smaller_batches() {
    let source = numbers(3_500);
    let some = || {
        let ranges = [10..20, 900..1_100, 1_500..1_501, 3_000..3_499];
        RowSelection::from_consecutive_ranges(ranges.into_iter(), 3_500)
    };
    let all: Vec<i64> = (0..3_500).collect();
    let selected = |row: &i64| {
        (10..20).contains(row)
            || (900..1_100).contains(row)
            || *row == 1_500
            || (3_000..3_499).contains(row)
    };
    let chosen: Vec<i64> = all.iter().copied().filter(selected).collect();
    for at_once in [8_192, 1_024, 300, 64, 7] {
        for (selection, expected) in [(None, &all), (Some(some()), &chosen)] {
            let mut groups = groups(&source, selection, 0);
            let mut found = Vec::new();
            let (group, selection) = groups.waiting.pop_front().unwrap();
            let current = groups.open(group, selection, Some(at_once)).unwrap();
            groups.current = Some(current);
            // Some rows before, the others behind.
            let first = groups.next().unwrap().unwrap();
            found.extend(first.column(0).as_primitive::<Int64Type>().values());
            let failed = groups.current.take().unwrap();
            groups.current = Some(groups.open_rest(failed).unwrap().unwrap());
            assert_eq!(
                groups.current.as_ref().unwrap().at_once,
                (at_once / 8).max(1)
            );
            found.extend(groups.flat_map(|batch| {
                let batch = batch.unwrap();
                batch
                    .column(0)
                    .as_primitive::<Int64Type>()
                    .values()
                    .to_vec()
            }));
            assert_eq!(&found, expected, "{at_once}");
        }
    }
}

#[test]
fn a_group_is_not_read_again_where_its_offsets_cannot_overflow() {
    let source = numbers(10);
    let mut groups = groups(&source, None, OVERFLOW_BYTES);
    drop(groups.next());
    let current = groups.current.take().unwrap();
    assert!(groups.open_rest(current).is_none());
}
