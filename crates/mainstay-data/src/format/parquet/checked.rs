//! Pages, their headers looked at before the decoder reserves what they claim.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::buf::Reader;
use bytes::{Buf as _, Bytes};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::reader::{ChunkReader, Length};

use super::page_header::PageHeader;
use super::window::Window;
use crate::source::{Source, SourceReader};

/// A page may become so large whatever its size.
const FREE_BYTES: u64 = 256 * 1024 * 1024;
/// A larger one becomes so many times its size at most.
const MAX_RATIO: u64 = 64;
/// How much more than the footer says the pages of a column chunk may become: this many times, and a few bytes.
const MAX_EXCESS: u64 = 4;
const FREE_EXCESS: u64 = 64 * 1024;
/// Repeated values that a column chunk may claim whatever its size: runs of levels take no bytes.
const FREE_VALUES: u64 = 1 << 26;
/// How many values a byte of a larger claim stands for at most.
const VALUES_PER_BYTE: u64 = 1 << 12;
/// The longest header of a page.
const MAX_HEADER_BYTES: u64 = 1024 * 1024;

/// What the footer says of the pages of a column chunk.
#[derive(Debug, Clone)]
pub(crate) struct Claims {
    bytes: Range<u64>,
    uncompressed: u64,
    /// Of a column that repeats; `None` of others, whose values are as many as their rows.
    values: Option<u64>,
    /// Whether pages are found by the index of the file.
    is_indexed: bool,
}

/// What the headers of the pages of a column chunk have said so far, read in order.
#[derive(Debug, Default)]
struct Seen {
    /// Behind the last header that was counted: none is counted twice.
    end: u64,
    uncompressed: u64,
    values: u64,
    /// Where the page behind the last header begins; `None` when it is empty and not the last.
    body: Option<u64>,
}

impl Claims {
    /// The claims of the column chunks of some row groups, in file order.
    ///
    /// # Errors
    /// A [`ParquetError`] saying what cannot be.
    pub(crate) fn of_groups(metadata: &ParquetMetaData, groups: Range<usize>) -> Result<Vec<Self>> {
        let mut claims = Vec::new();
        for group in groups {
            for (leaf, chunk) in metadata.row_group(group).columns().iter().enumerate() {
                let index = metadata.page_index();
                let pages = index.and_then(|index| index.page_locations(group, leaf));
                claims.push(Self::of(chunk, pages.is_some())?);
            }
        }
        claims.retain(|chunk| !chunk.bytes.is_empty());
        claims.sort_by_key(|chunk| chunk.bytes.start);
        let overlap = |pair: &[Self]| pair[0].bytes.end > pair[1].bytes.start;
        if claims.windows(2).any(overlap) {
            return Err(refused("column chunks that overlap"));
        }
        Ok(claims)
    }

    fn of(chunk: &ColumnChunkMetaData, is_indexed: bool) -> Result<Self> {
        let (start, length) = chunk.byte_range();
        let end = start
            .checked_add(length)
            .ok_or_else(|| refused("a column chunk of no place"))?;
        let repeats = chunk.column_descr().max_rep_level() > 0;
        let values = u64::try_from(chunk.num_values()).unwrap_or(u64::MAX);
        if repeats && values > FREE_VALUES.max(length.saturating_mul(VALUES_PER_BYTE)) {
            let claim = format!("a column chunk claims {values} values in {length} bytes");
            return Err(refused(&claim));
        }
        Ok(Self {
            bytes: start..end,
            uncompressed: uncompressed_bytes(chunk),
            values: repeats.then_some(values),
            is_indexed,
        })
    }

    /// Finds the column chunk that `place` is in.
    fn position(claims: &[Self], place: u64) -> Option<usize> {
        let after = claims.partition_point(|chunk| chunk.bytes.start <= place);
        let index = after.checked_sub(1)?;
        claims[index].bytes.contains(&place).then_some(index)
    }

    /// Looks at the header of the page at `place`.
    fn check(&self, seen: &mut Seen, place: u64, header: &PageHeader) -> Result<()> {
        let PageHeader {
            length,
            compressed,
            uncompressed,
            values,
            ..
        } = *header;
        let body = place.saturating_add(length);
        if compressed > self.bytes.end.saturating_sub(body) || body > self.bytes.end {
            return Err(refused("a page that does not end within its column chunk"));
        }
        if uncompressed > FREE_BYTES.max(compressed.saturating_mul(MAX_RATIO)) {
            let claim = format!("a page of {compressed} bytes claims to hold {uncompressed}");
            return Err(refused(&claim));
        }
        seen.body = (compressed > 0 || body == self.bytes.end).then_some(body);
        if place < seen.end {
            return Ok(());
        }
        seen.end = body;
        seen.uncompressed = seen.uncompressed.saturating_add(uncompressed + length);
        let most = self.uncompressed.saturating_mul(MAX_EXCESS);
        if seen.uncompressed > most.saturating_add(FREE_EXCESS) {
            let claim = self.uncompressed;
            return Err(refused(&format!(
                "the pages of a column chunk hold more than the {claim} bytes that it claims"
            )));
        }
        seen.values = seen.values.saturating_add(values);
        match self.values {
            Some(claim) if seen.values > claim => Err(refused(&format!(
                "the pages of a column chunk hold more than the {claim} values that it claims"
            ))),
            _ => Ok(()),
        }
    }

    /// Looks at the headers of all pages in `bytes`, which begin with one, at `start`, if that is in one of
    /// these column chunks.
    pub(crate) fn check_all(claims: &[Self], start: u64, bytes: &[u8]) -> Result<()> {
        let Some(chunk) = Self::position(claims, start) else {
            return Ok(());
        };
        let (chunk, mut seen, mut at) = (&claims[chunk], Seen::default(), 0);
        while at < bytes.len() {
            let header = PageHeader::parse(&bytes[at..]).ok_or_else(malformed)?;
            chunk.check(&mut seen, start + at as u64, &header)?;
            let next = usize::try_from(header.length + header.compressed).ok();
            at = next
                .and_then(|next| at.checked_add(next))
                .ok_or_else(malformed)?;
        }
        Ok(())
    }
}

/// Returns how many bytes a column chunk becomes, as its footer says.
pub(super) fn uncompressed_bytes(chunk: &ColumnChunkMetaData) -> u64 {
    let sizes = [chunk.uncompressed_size(), chunk.compressed_size()];
    let sizes = sizes.map(|size| u64::try_from(size).unwrap_or(0));
    sizes[0].max(sizes[1])
}

/// A file of which the pages of some column chunks are read.
pub(super) struct CheckedPages {
    source: Source,
    claims: Vec<Claims>,
    /// By column chunks.
    seen: Vec<Mutex<Seen>>,
    /// What was read before the decoder asks for it.
    held: Vec<Window>,
}

impl CheckedPages {
    pub(super) fn new(source: Source, claims: Vec<Claims>) -> Self {
        Self {
            source,
            seen: claims.iter().map(|_| Mutex::default()).collect(),
            claims,
            held: Vec::new(),
        }
    }

    /// Reads and keeps the first page of a column chunk where it is a dictionary, and returns it; else, and
    /// else `None`, keeps its header.
    pub(super) fn hold_dictionary(&mut self, start: u64) -> Result<Option<Window>> {
        let (bytes, header) = self.header(start)?;
        let whole = header.length.saturating_add(header.compressed);
        let bytes = if header.is_dictionary && whole > bytes.len() as u64 {
            let whole = usize::try_from(whole).map_err(|_| malformed())?;
            self.source.get_bytes(start, whole)?
        } else {
            bytes
        };
        let held = Window::new(self.source.size(), start, bytes);
        self.held.push(held.clone());
        Ok(header.is_dictionary.then_some(held))
    }

    /// Reads the header at `place`, which is checked, and what is behind it of the first bytes.
    fn header(&self, place: u64) -> Result<(Bytes, PageHeader)> {
        let index = Claims::position(&self.claims, place).ok_or_else(malformed)?;
        let end = self.claims[index].bytes.end.min(self.source.size());
        let left = end.checked_sub(place).ok_or_else(malformed)?;
        for window in [SourceReader::FIRST_BYTES, MAX_HEADER_BYTES] {
            let length = usize::try_from(window.min(left)).map_err(|_| malformed())?;
            let bytes = self.source.get_bytes(place, length)?;
            if let Some(header) = PageHeader::parse(&bytes) {
                self.check(index, place, &header)?;
                return Ok((bytes, header));
            }
        }
        Err(malformed())
    }

    fn check(&self, chunk: usize, place: u64, header: &PageHeader) -> Result<()> {
        self.claims[chunk].check(&mut self.seen(chunk), place, header)
    }

    fn seen(&self, chunk: usize) -> MutexGuard<'_, Seen> {
        let seen = self.seen[chunk].lock();
        seen.unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports whether the page behind the last header of a column chunk begins at `place`.
    fn is_body(&self, place: u64) -> bool {
        let after = self
            .claims
            .partition_point(|chunk| chunk.bytes.start < place);
        let before = after.checked_sub(1);
        before.is_some_and(|chunk| self.seen(chunk).body == Some(place))
    }
}

impl Length for CheckedPages {
    fn len(&self) -> u64 {
        self.source.size()
    }
}

impl ChunkReader for CheckedPages {
    type T = Reader<Bytes>;

    /// Reads from the header of a page on, which is what the decoder asks for by this; also where it knows the
    /// header already, and then reads nothing.
    fn get_read(&self, start: u64) -> Result<Self::T> {
        if self.is_body(start) {
            return Ok(Bytes::new().reader());
        }
        let held = self
            .held
            .iter()
            .find_map(|window| window.beginning_at(start));
        match held {
            Some(held) => Ok(held.reader()),
            None => Ok(self.header(start)?.0.reader()),
        }
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let end = start.checked_add(length as u64).ok_or_else(malformed)?;
        let held = self
            .held
            .iter()
            .find_map(|window| window.get(&(start..end)));
        let bytes = match held {
            Some(held) => held,
            None => self.source.get_bytes(start, length)?,
        };
        match Claims::position(&self.claims, start) {
            // Whole pages, which the decoder finds by their index.
            Some(chunk) if self.claims[chunk].is_indexed => {
                let header = PageHeader::parse(&bytes).ok_or_else(malformed)?;
                self.check(chunk, start, &header)?;
            }
            _ => {}
        }
        Ok(bytes)
    }
}

fn refused(what: &str) -> ParquetError {
    ParquetError::General(what.to_owned())
}

fn malformed() -> ParquetError {
    refused("a page without a header")
}
