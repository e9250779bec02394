//! Looks at the footer of a Parquet file before the decoder does.
//!
//! The decoder descends into the schema as deep as the footer says and reserves as many children as
//! it claims. A hostile footer could overflow the stack or exhaust memory, which no caller can catch,
//! so the schema tree is measured here first. Only the beginning of the footer is read: the format
//! puts the version and the schema before everything else.
//!
//! Source: Apache Parquet, `parquet.thrift`.

use std::ops::Range;

use bytes::Bytes;
use mainstay_core::{Error, Result};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};

use super::thrift::{Cursor, I32, LIST, STOP, STRUCT, Shape};

/// The magic at the beginning, the length of the footer and the magic at the end.
const MAGIC_AND_TAIL: u64 = 12;
/// The largest footer that is read.
const MAX_FOOTER_BYTES: u64 = 256 * 1024 * 1024;
/// The deepest schema; every list and map takes two or three levels.
const MAX_DEPTH: usize = 128;
/// More rows to a byte than any writer reaches, run-length encoding included.
const MAX_ROWS_PER_BYTE: u64 = 1 << 16;

/// Checks that a file of `size` bytes, which `read` reads, ends in a Parquet footer whose schema is a tree of
/// reasonable depth.
///
/// # Errors
/// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) saying what was found instead.
pub(crate) fn check(size: u64, read: impl Fn(Range<u64>) -> Result<Bytes>) -> Result<()> {
    if size < MAGIC_AND_TAIL {
        return Err(not_parquet(format!("found {size} bytes")));
    }
    let length = length(size, &read(size - 8..size)?)?;
    let footer = read(size - 8 - length..size - 8)?;
    check_schema(&footer).ok_or_else(|| not_parquet("the footer's schema is malformed"))
}

/// Returns how long the footer of a file of `size` bytes is, whose last eight are `tail`.
///
/// # Errors
/// As [`check`].
pub(crate) fn length(size: u64, tail: &[u8]) -> Result<u64> {
    let (length, magic) = tail
        .split_at_checked(4)
        .filter(|_| size >= MAGIC_AND_TAIL)
        .ok_or_else(|| not_parquet(format!("found {size} bytes")))?;
    match magic {
        b"PAR1" => {}
        b"PARE" => return Err(not_parquet("found an encrypted footer")),
        other => {
            return Err(not_parquet(format!(
                "found {} instead of PAR1 at the end",
                other.escape_ascii()
            )));
        }
    }
    let length = length
        .iter()
        .rev()
        .fold(0_u64, |n, b| n << 8 | u64::from(*b));
    if length > size - MAGIC_AND_TAIL {
        return Err(not_parquet(format!(
            "the footer claims {length} bytes of a file of {size}"
        )));
    }
    if length > MAX_FOOTER_BYTES {
        return Err(not_parquet(format!(
            "the footer of {length} bytes is larger than {MAX_FOOTER_BYTES}"
        )));
    }
    Ok(length)
}

/// Checks what a decoded footer of a file of `size` bytes claims: where its column chunks are, and how many
/// rows there are.
///
/// # Errors
/// As [`check`].
pub(crate) fn check_claims(metadata: &ParquetMetaData, size: u64) -> Result<()> {
    let groups = metadata.row_groups();
    for chunk in groups.iter().flat_map(RowGroupMetaData::columns) {
        let start = chunk.dictionary_page_offset();
        let start = start.unwrap_or_else(|| chunk.data_page_offset());
        let [start, length] = [start, chunk.compressed_size()].map(u64::try_from);
        let (Ok(start), Ok(length)) = (start, length) else {
            return Err(Error::invalid("a column chunk has a negative place"));
        };
        // Of another file, when it has a path.
        if chunk.file_path().is_none() && length > size.saturating_sub(start) {
            return Err(Error::invalid(format!(
                "a column chunk of {length} bytes at {start} is beyond the end of the file of {size}"
            )));
        }
    }
    let of_groups = groups.iter().map(RowGroupMetaData::num_rows);
    let rows = of_groups
        .clone()
        .fold(0, i64::saturating_add)
        .max(metadata.file_metadata().num_rows());
    if of_groups.clone().any(|rows| rows < 0) || metadata.file_metadata().num_rows() < 0 {
        return Err(Error::invalid("the footer claims a negative count of rows"));
    }
    if rows.cast_unsigned() / MAX_ROWS_PER_BYTE > size {
        return Err(Error::invalid(format!(
            "the footer claims {rows} rows in {size} bytes"
        )));
    }
    Ok(())
}

fn not_parquet(found: impl std::fmt::Display) -> Error {
    Error::invalid(format!("not a Parquet file: {found}"))
}

const EMPTY: Shape = Shape::Struct(&[]);
const UNIT: Shape = Shape::Struct(&[(1, EMPTY), (2, EMPTY), (3, EMPTY)]);
const TIME: Shape = Shape::Struct(&[(1, Shape::Bool), (2, UNIT)]);
const LOGICAL_TYPE: Shape = Shape::Struct(&[
    (1, EMPTY),
    (2, EMPTY),
    (3, EMPTY),
    (4, EMPTY),
    (5, Shape::Struct(&[(1, Shape::I32), (2, Shape::I32)])),
    (6, EMPTY),
    (7, TIME),
    (8, TIME),
    (10, Shape::Struct(&[(1, Shape::Byte), (2, Shape::Bool)])),
    (11, EMPTY),
    (12, EMPTY),
    (13, EMPTY),
    (14, EMPTY),
    (15, EMPTY),
    (16, Shape::Struct(&[(1, Shape::Byte)])),
    (17, Shape::Struct(&[(1, Shape::Text)])),
    (18, Shape::Struct(&[(1, Shape::Text), (2, Shape::I32)])),
]);
const NUM_CHILDREN: i16 = 5;
const SCHEMA_ELEMENT: &[(i16, Shape)] = &[
    (1, Shape::I32),
    (2, Shape::I32),
    (3, Shape::I32),
    (4, Shape::Text),
    (NUM_CHILDREN, Shape::I32),
    (6, Shape::I32),
    (7, Shape::I32),
    (8, Shape::I32),
    (9, Shape::I32),
    (10, LOGICAL_TYPE),
];

/// Walks `version` and `schema`, the first two fields of a footer; `None` when they are malformed.
///
/// Declared types must be those of the format: a decoder that trusts field numbers alone then reads
/// exactly what is read here.
fn check_schema(footer: &[u8]) -> Option<()> {
    let mut cursor = Cursor::new(footer);
    let version = cursor.field(0)?;
    if version != (1, I32) {
        return None;
    }
    cursor.varint()?;
    if cursor.field(version.0)? != (2, LIST) {
        return None;
    }
    let (count, element) = cursor.list()?;
    if element != STRUCT {
        return None;
    }
    check_tree(&mut cursor, count)
}

/// Walks the schema elements, which list a tree depth first.
fn check_tree(cursor: &mut Cursor<'_>, count: usize) -> Option<()> {
    // How many children each open node still waits for.
    let mut open: Vec<usize> = Vec::new();
    for index in 0..count {
        let children = schema_element(cursor)?;
        if children > count - index - 1 {
            return None;
        }
        if let Some(waiting) = open.last_mut() {
            *waiting -= 1;
        } else if index > 0 {
            return None;
        }
        open.push(children);
        while open.last() == Some(&0) {
            open.pop();
        }
        if open.len() > MAX_DEPTH {
            return None;
        }
    }
    open.is_empty().then_some(())
}

/// Walks one schema element and returns how many children it claims.
fn schema_element(cursor: &mut Cursor<'_>) -> Option<usize> {
    let (mut children, mut previous) = (0, 0);
    loop {
        let (id, kind) = cursor.field(previous)?;
        if kind == STOP {
            return Some(children);
        }
        if id == NUM_CHILDREN && kind == I32 {
            children = usize::try_from(cursor.zigzag()?).ok()?;
        } else {
            cursor.known_or_skipped(SCHEMA_ELEMENT, id, kind)?;
        }
        previous = id;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A footer whose schema is a chain of groups, each the only child of the one before.
    fn chain(length: usize, children: u8) -> Vec<u8> {
        let mut footer = vec![0x15, 0x02, 0x19, 0xfc];
        let mut count = length;
        while count >= 0x80 {
            footer.push(u8::try_from(count & 0x7f).unwrap() | 0x80);
            count >>= 7;
        }
        footer.push(u8::try_from(count).unwrap());
        for index in 0..length {
            let claimed = if index + 1 < length { children } else { 0 };
            // 4: name "a", 5: children, stop.
            footer.extend_from_slice(&[0x48, 1, b'a', 0x15, claimed << 1, 0]);
        }
        footer
    }

    #[test]
    fn a_schema_of_reasonable_depth_passes_and_a_deep_one_does_not() {
        assert!(check_schema(&chain(1, 0)).is_some());
        assert!(check_schema(&chain(100, 1)).is_some());
        assert!(check_schema(&chain(100_000, 1)).is_none());
    }

    #[test]
    fn a_node_with_more_children_than_elements_is_refused() {
        assert!(check_schema(&chain(3, 60)).is_none());
    }

    #[test]
    fn a_field_of_another_type_than_the_format_says_is_refused() {
        let mut footer = chain(2, 1);
        // The version declared as a string.
        footer[0] = 0x18;
        assert!(check_schema(&footer).is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_are_walked_or_refused(bytes: Vec<u8>) {
            let _outcome = check_schema(&bytes);
        }

        #[test]
        fn any_mutation_is_walked_or_refused(at in 0_usize..60, byte: u8) {
            let mut footer = chain(10, 1);
            footer[at] = byte;
            let _outcome = check_schema(&footer);
        }
    }
}
