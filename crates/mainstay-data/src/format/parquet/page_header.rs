//! The header of a page, as far as whoever reads the page must know it before.
//!
//! Source: Apache Parquet, `parquet.thrift`.

use super::thrift::{Cursor, I32, STOP, STRUCT};

const UNCOMPRESSED_PAGE_SIZE: i16 = 2;
const COMPRESSED_PAGE_SIZE: i16 = 3;
const DATA_PAGE_HEADER: i16 = 5;
const DICTIONARY_PAGE_HEADER: i16 = 7;
const DATA_PAGE_HEADER_V2: i16 = 8;
/// The first field of each of the three.
const NUM_VALUES: i16 = 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PageHeader {
    /// Its own length in bytes.
    pub(super) length: u64,
    /// Bytes of the page behind it.
    pub(super) compressed: u64,
    /// What those become.
    pub(super) uncompressed: u64,
    /// Values of a data page.
    pub(super) values: u64,
    pub(super) is_dictionary: bool,
}

impl PageHeader {
    /// Walks the header that `bytes` begin with; `None` when it is none or goes on behind them.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        let (mut compressed, mut uncompressed) = (None, None);
        let (mut values, mut is_dictionary, mut previous) = (0, false, 0);
        loop {
            let (id, kind) = cursor.field(previous)?;
            match (id, kind) {
                (_, STOP) => break,
                (COMPRESSED_PAGE_SIZE, I32) => compressed = Some(count(&mut cursor)?),
                (UNCOMPRESSED_PAGE_SIZE, I32) => uncompressed = Some(count(&mut cursor)?),
                (DATA_PAGE_HEADER | DATA_PAGE_HEADER_V2, STRUCT) => {
                    values = values_of(&mut cursor)?;
                }
                (DICTIONARY_PAGE_HEADER, STRUCT) => {
                    values_of(&mut cursor)?;
                    is_dictionary = true;
                }
                _ => cursor.skip_field(kind)?,
            }
            previous = id;
        }
        Some(Self {
            length: (bytes.len() - cursor.left()) as u64,
            compressed: compressed?,
            uncompressed: uncompressed?,
            values,
            is_dictionary,
        })
    }
}

fn count(cursor: &mut Cursor<'_>) -> Option<u64> {
    u64::try_from(cursor.zigzag()?).ok()
}

/// Walks the header of one kind of page; returns how many values it has.
fn values_of(cursor: &mut Cursor<'_>) -> Option<u64> {
    let (mut values, mut previous) = (None, 0);
    loop {
        let (id, kind) = cursor.field(previous)?;
        match (id, kind) {
            (_, STOP) => return values,
            (NUM_VALUES, I32) => values = Some(count(cursor)?),
            _ => cursor.skip_field(kind)?,
        }
        previous = id;
    }
}
