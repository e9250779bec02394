use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, Int64Array, LargeListViewArray};
use arrow::datatypes::Field;
use parquet::file::metadata::{
    PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData,
};

use super::*;

fn metadata(file: &Spooled) -> ParquetMetaData {
    let source = file.open().unwrap();
    let mut reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Required);
    reader.try_parse(&source).unwrap();
    reader.finish().unwrap()
}

fn bytes(file: &Spooled) -> Vec<u8> {
    let source = file.open().unwrap();
    let length = usize::try_from(source.size()).unwrap();
    source.read_at(0, length).unwrap().to_vec()
}

fn batch(column: ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter([("c", column)]).unwrap()
}

#[test]
fn row_groups_end_with_the_piece_that_makes_them_large_enough() {
    let numbers = Int64Array::from_iter_values(0..40_000);
    let batch = batch(Arc::new(numbers));
    let of_groups = |group_bytes| {
        let mut encoder = Encoder::new(batch.schema()).unwrap();
        encoder.group_bytes = group_bytes;
        encoder.write(&batch).unwrap();
        let file = encoder.finish().unwrap();
        let groups = metadata(&file).row_groups().to_vec();
        groups
            .iter()
            .map(RowGroupMetaData::num_rows)
            .collect::<Vec<_>>()
    };
    assert_eq!(of_groups(GROUP_BYTES), [40_000]);
    // A piece takes 65,536 bytes.
    assert_eq!(of_groups(65_537), [16_384, 16_384, 7_232]);
    assert_eq!(of_groups(65_536), [8_192, 8_192, 8_192, 8_192, 7_232]);
}

/// In list views no pages are found by content.
#[test]
fn pages_of_wide_list_views_stay_small_however_the_rows_come() {
    let item = Arc::new(Field::new_list_field(DataType::Binary, true));
    let values = (0..18_u8).map(|row| vec![row; 1024 * 1024]);
    let values: ArrayRef = Arc::new(BinaryArray::from_iter_values(values));
    let (offsets, sizes): (Vec<i64>, Vec<i64>) = (0..18).map(|row| (row, 1)).unzip();
    let views = LargeListViewArray::new(item, offsets.into(), sizes.into(), values, None);
    let whole = batch(Arc::new(views));
    let parts = [whole.slice(0, 1), whole.slice(1, 14), whole.slice(15, 3)];
    let at_once = encode([Ok(whole)].into_iter()).unwrap();
    let in_parts = encode(parts.into_iter().map(Ok)).unwrap();
    assert!(bytes(&at_once) == bytes(&in_parts));
    let metadata = metadata(&at_once);
    let index = metadata.page_index_for_row_group(0);
    let pages = index.offset_index(0).unwrap();
    let sizes = pages.unencoded_byte_array_data_bytes().unwrap();
    assert!(
        sizes.iter().all(|bytes| *bytes <= 2 * 1024 * 1024),
        "{sizes:?}"
    );
}
