use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, Int64Array, RecordBatch};
use parquet::arrow::ArrowWriter;
use parquet::basic::ZstdLevel;
use parquet::file::metadata::PageIndexPolicy;
use parquet::file::properties::WriterProperties;
use proptest::prelude::*;

use parquet::file::metadata::ParquetMetaDataReader;

use super::*;

/// Rows of numbers that compress to small pages and of bytes that do not compress.
fn file(rows: i64, compression: Compression) -> Vec<u8> {
    let noise = |row: i64| {
        let mut bytes = [0; 256];
        let mut hasher = blake3::Hasher::new();
        hasher
            .update(&row.to_le_bytes())
            .finalize_xof()
            .fill(&mut bytes);
        bytes
    };
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
    let noises: ArrayRef = Arc::new(BinaryArray::from_iter_values((0..rows).map(noise)));
    let batch = RecordBatch::try_from_iter([("n", numbers), ("noise", noises)]).unwrap();
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .set_dictionary_enabled(false)
        .set_data_page_size_limit(32 * 1024)
        .set_write_batch_size(32)
        .set_max_row_group_row_count(Some(700))
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

fn zstd() -> Compression {
    Compression::ZSTD(ZstdLevel::default())
}

fn source(bytes: Vec<u8>) -> Source {
    Source::memory(bytes.into())
}

/// Where sections begin, and how they are cut.
fn starts(sections: &[Section]) -> Vec<(u64, Cut)> {
    let mut end = 0;
    let start = |(bytes, cut): &Section| {
        end += bytes;
        (end - bytes, *cut)
    };
    sections.iter().map(start).collect()
}

#[test]
fn every_page_is_a_section_but_for_small_ones_of_a_column() {
    let source = source(file(2_000, zstd()));
    let found = starts(&sections(&source).unwrap());
    let metadata = ParquetMetaDataReader::new()
        .with_page_index_policy(PageIndexPolicy::Required)
        .parse_and_finish(&source)
        .unwrap();
    let mut large = 0;
    let index = |group, column| {
        let index = metadata.page_index_for_row_group(group);
        index.offset_index(column).unwrap().page_locations().clone()
    };
    for group in 0..metadata.num_row_groups() {
        for page in index(group, 0).into_iter().chain(index(group, 1)) {
            let start = u64::try_from(page.offset).unwrap();
            if u64::try_from(page.compressed_page_size).unwrap() >= MIN_PAGE {
                large += 1;
                assert!(
                    found.contains(&(start, Cut::Blocks)),
                    "{start} in {found:?}"
                );
            } else {
                assert!(!found.contains(&(start, Cut::Blocks)));
            }
        }
    }
    assert!(large > 10);
    assert_eq!(
        found.iter().filter(|(_, cut)| *cut == Cut::Blocks).count(),
        large
    );
}

#[test]
fn columns_that_are_not_compressed_are_cut_by_content() {
    let found = sections(&source(file(2_000, Compression::UNCOMPRESSED))).unwrap();
    assert!(found.iter().all(|(_, cut)| *cut == Cut::Content));
    // Two columns of three row groups, and the magic before.
    assert_eq!(found.len(), 7);
}

#[test]
fn what_is_no_parquet_file_has_no_sections() {
    let mut bytes = file(10, zstd());
    bytes.pop();
    assert_eq!(sections(&source(bytes)), None);
    assert_eq!(sections(&source(vec![])), None);
}

#[test]
fn the_pages_of_other_writers_are_found() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop");
    let entries = std::fs::read_dir(directory).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let parquet = paths.filter(|path| path.extension().is_some_and(|e| e == "parquet"));
    let found = parquet.map(|path| {
        let bytes = std::fs::read(&path).unwrap();
        assert!(sections(&source(bytes)).is_some(), "{}", path.display());
    });
    assert!(found.count() > 10);
}

/// A damaged file has sections within it or none; the decoder's panics are caught by the caller.
fn check_damaged(bytes: Vec<u8>) {
    let source = source(bytes);
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| sections(&source)));
    if let Ok(Some(found)) = caught {
        assert!(found.len() <= MAX_PAGES);
        assert!(found.iter().map(|(bytes, _)| bytes).sum::<u64>() <= source.size());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn damage_is_cut_within_the_file_or_not_at_all(
        at: prop::sample::Index,
        byte: u8,
        in_footer: bool,
    ) {
        let mut bytes = file(100, zstd());
        let from = if in_footer { bytes.len() - 600 } else { 0 };
        let at = from + at.index(bytes.len() - from);
        bytes[at] = byte;
        check_damaged(bytes);
    }

    #[test]
    fn any_bytes_are_a_header_within_them_or_none(bytes: Vec<u8>) {
        if let Some(PageHeader { length, .. }) = PageHeader::parse(&bytes) {
            prop_assert!(length <= bytes.len() as u64);
        }
    }
}
