//! The digest of a table's rows in any order.

use std::ops::Range;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use mainstay_core::{BulkDigest, Error, Result};

use super::Profile;
use super::layout::{Layout, write_text};
use super::rows_sum::{RowsSum, Sum};
use super::stream::ByteStream;
use super::sum::{Change, LaneSum};
use crate::slots::{Slots, write_cell};

/// How many rows are encoded together, column by column.
const BLOCK_ROWS: usize = 64;
/// Fewer where they might take more bytes than this; one that might is encoded as it is hashed.
const BLOCK_BYTES: usize = 256 * 1024;

/// Computes the digest of rows as a multiset: their order does not count, their number does.
///
/// Rows are added and removed in any order, and hashers are merged, so that the digest of a changed
/// table costs what the change costs. Collision resistant, also where rows repeat: the argument and
/// its numbers are in `docs/formats/table-digest.md`.
///
/// Memory: 40 KiB and the batch, and while it is added the bytes of up to 64 rows, 256 KiB mostly.
/// Complexity: 64 BLAKE3 compressions a row besides its bytes; those once for equal rows that follow each
/// other.
///
/// ```
/// use std::sync::Arc;
///
/// use mainstay_data::arrow::array::{ArrayRef, RecordBatch, StringArray};
/// use mainstay_data::digest::{Profile, RowsHasher};
///
/// let rows = |letters: &[&str]| {
///     let column: ArrayRef = Arc::new(StringArray::from(letters.to_vec()));
///     RecordBatch::try_from_iter([("letter", column)]).unwrap()
/// };
/// let schema = rows(&[]).schema();
/// let mut today = RowsHasher::new(&schema, Profile::Strict)?;
/// today.add(&rows(&["a", "b", "b"]))?;
/// let mut tomorrow = today.clone();
/// tomorrow.remove(&rows(&["b"]))?;
/// assert_ne!(tomorrow.finish()?, today.finish()?);
/// tomorrow.add(&rows(&["b"]))?;
/// assert_eq!(tomorrow.finish()?, today.finish()?);
/// # Ok::<(), mainstay_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct RowsHasher {
    layout: Layout,
    row: ByteStream,
    sum: LaneSum,
    /// Rows added less rows removed: below 0 for a change that is not yet merged.
    count: i128,
}

impl RowsHasher {
    /// Prepares to hash rows of `schema`.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](mainstay_core::ErrorKind::Unsupported) as
    /// [`TableHasher::new`](super::TableHasher::new).
    pub fn new(schema: &Schema, profile: Profile) -> Result<Self> {
        Ok(Self::with_layout(Layout::new(schema, profile)?))
    }

    pub(crate) fn with_layout(layout: Layout) -> Self {
        let hasher = blake3::Hasher::new_derive_key(layout.profile().row_context());
        Self {
            layout,
            row: ByteStream::with_hasher(hasher),
            sum: LaneSum::new(),
            count: 0,
        }
    }

    /// Adds the rows of `batch`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when names or types of the columns
    /// differ from the schema's.
    pub fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        self.layout.check(batch)?;
        self.add_known(batch)
    }

    /// Adds the rows of a batch that is known to have the columns of the schema, of the same logical types.
    pub(crate) fn add_known(&mut self, batch: &RecordBatch) -> Result<()> {
        self.each(batch, Change::Add)?;
        self.count += batch.num_rows() as i128;
        Ok(())
    }

    /// Removes the rows of `batch`, whether they were added before or will be.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn remove(&mut self, batch: &RecordBatch) -> Result<()> {
        self.layout.check(batch)?;
        self.each(batch, Change::Remove)?;
        self.count -= batch.num_rows() as i128;
        Ok(())
    }

    /// Adds what another hasher was given, of the same names and logical types in any order and
    /// encoding.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when they or the profile differ.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        let same = self.layout.profile() == other.layout.profile()
            && self.layout.columns().eq(other.layout.columns());
        if !same {
            return Err(Error::invalid("rows of another schema or profile"));
        }
        self.sum.merge(&other.sum);
        self.count += other.count;
        Ok(())
    }

    /// Adds what another hasher gathered, maybe in another process.
    ///
    /// # Errors
    /// As [`merge`](Self::merge).
    pub fn merge_sum(&mut self, other: &RowsSum) -> Result<()> {
        if !other.is_of(&self.layout) {
            return Err(Error::invalid("rows of another schema or profile"));
        }
        self.sum.merge(&other.sum.0);
        self.count += i128::from(other.rows);
        Ok(())
    }

    /// Returns what was gathered.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub fn to_sum(&self) -> Result<RowsSum> {
        let columns = self.layout.columns();
        let columns = columns.map(|(name, text)| (name.to_owned(), text.to_owned()));
        Ok(RowsSum {
            profile: self.layout.profile().name().to_owned(),
            columns: columns.collect(),
            rows: self.rows()?,
            sum: Sum(self.sum.clone()),
        })
    }

    fn rows(&self) -> Result<u64> {
        u64::try_from(self.count)
            .map_err(|cause| Error::invalid("more rows removed than added").with_source(cause))
    }

    /// Returns the digest of the rows.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when more rows were removed than added.
    pub fn finish(&self) -> Result<BulkDigest> {
        let count = self.rows()?;
        let mut hasher = blake3::Hasher::new_derive_key(self.layout.profile().rows_context());
        hasher.update(&count.to_le_bytes());
        hasher.update(&(self.layout.types().len() as u64).to_le_bytes());
        for (name, logical_type) in self.layout.columns() {
            write_text(&mut hasher, name);
            write_text(&mut hasher, logical_type);
        }
        hasher.update(&self.sum.to_bytes());
        Ok(BulkDigest::from_bytes(hasher.finalize().into()))
    }

    fn each(&mut self, batch: &RecordBatch, change: Change) -> Result<()> {
        let columns = self.layout.open(batch)?;
        let mut block = vec![Vec::new(); BLOCK_ROWS];
        let (mut first, mut most) = (0, BLOCK_ROWS);
        while first < batch.num_rows() {
            let end = batch.num_rows().min(first + most);
            let rows = fitting(&columns, first..end);
            if rows == 0 {
                self.row_alone(&columns, first, change);
            } else {
                let block = &mut block[..rows];
                block.iter_mut().for_each(Vec::clear);
                for column in &columns {
                    column.write_rows(first, block);
                }
                self.sum.change(change, block, &mut self.row);
            }
            first += rows.max(1);
            most = (2 * rows).clamp(1, BLOCK_ROWS);
        }
        Ok(())
    }

    fn row_alone(&mut self, columns: &[Box<dyn Slots + '_>], row: usize, change: Change) {
        for column in columns {
            write_cell(column.as_ref(), row, &mut self.row);
        }
        self.sum.change(change, &[Vec::new()], &mut self.row);
    }
}

impl RowsSum {
    /// Reports whether it is one of rows of these columns.
    pub(crate) fn is_of(&self, layout: &Layout) -> bool {
        let columns = self.columns.iter();
        let columns = columns.map(|(name, text)| (name.as_str(), text.as_str()));
        self.profile == layout.profile().name() && columns.eq(layout.columns())
    }
}

/// Returns how many of the rows from the first on surely fit a block.
fn fitting(columns: &[Box<dyn Slots + '_>], rows: Range<usize>) -> usize {
    let mut count = rows.len();
    let bytes = |count| {
        let columns = columns.iter();
        let bytes = columns.map(|column| column.most_bytes(rows.start..rows.start + count));
        bytes.fold(0, usize::saturating_add)
    };
    while count > 0 && bytes(count) > BLOCK_BYTES {
        count /= 2;
    }
    count
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Array as _, ArrayRef, Int64Array, StringArray};
    use arrow::compute::cast;
    use arrow::datatypes::DataType;
    use proptest::prelude::*;

    use super::*;

    /// The rows digest of a number and a text, spelled out as the specification says.
    fn expected(rows: &[(i64, String)]) -> BulkDigest {
        let mut sum = [0_u64; 512];
        for (number, text) in rows {
            let mut row = blake3::Hasher::new_derive_key("mainstay table-digest v2 row");
            row.update(&[1]).update(&number.to_le_bytes()).update(&[1]);
            let mut length = text.len();
            while length > 0x7f {
                row.update(&[u8::try_from(length & 0x7f).unwrap() | 0x80]);
                length >>= 7;
            }
            row.update(&[u8::try_from(length).unwrap()]);
            row.update(text.as_bytes());
            let mut hash = [0; 4_096];
            row.finalize_xof().fill(&mut hash);
            for (lane, word) in sum.iter_mut().zip(hash.as_chunks().0) {
                *lane = lane.wrapping_add(u64::from_le_bytes(*word));
            }
        }
        let mut hasher = blake3::Hasher::new_derive_key("mainstay table-digest v2 rows");
        hasher.update(&(rows.len() as u64).to_le_bytes());
        hasher.update(&2_u64.to_le_bytes());
        for text in ["n", "int64", "t", "utf8"] {
            write_text(&mut hasher, text);
        }
        for lane in sum {
            hasher.update(&lane.to_le_bytes());
        }
        BulkDigest::from_bytes(hasher.finalize().into())
    }

    fn batch(rows: &[(i64, String)], text: &DataType) -> RecordBatch {
        let numbers = rows.iter().map(|(number, _)| *number);
        let numbers: ArrayRef = Arc::new(numbers.collect::<Int64Array>());
        let texts = StringArray::from_iter_values(rows.iter().map(|(_, text)| text));
        let texts = cast(&texts, text).unwrap();
        assert_eq!(texts.len(), rows.len());
        RecordBatch::try_from_iter([("n", numbers), ("t", texts)]).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Rows that repeat, rows that fit no block, and rows that are encoded by their values' dictionary.
        #[test]
        fn blocks_of_rows_add_up_to_what_the_specification_says(
            runs in proptest::collection::vec(
                (0_i64..3, prop_oneof![8 => 0_usize..40, 1 => Just(9_000), 1 => Just(300_000)], 1_usize..12),
                0..30,
            ),
        ) {
            let rows: Vec<(i64, String)> = runs
                .iter()
                .flat_map(|&(number, length, times)| vec![(number, "a".repeat(length)); times.min(1 + 60_000 / (length + 1))])
                .collect();
            let whole = expected(&rows);
            let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
            for text in [DataType::Utf8, DataType::Utf8View, dictionary] {
                let batch = batch(&rows, &text);
                let mut hasher = RowsHasher::new(&batch.schema(), Profile::Strict).unwrap();
                hasher.add(&batch).unwrap();
                prop_assert_eq!(hasher.finish().unwrap(), whole);
                let half = batch.slice(0, rows.len() / 2);
                let rest = batch.slice(half.num_rows(), rows.len() - half.num_rows());
                let mut joined = RowsHasher::new(&batch.schema(), Profile::Strict).unwrap();
                for part in [&rest, &half] {
                    let mut hasher = RowsHasher::new(&batch.schema(), Profile::Strict).unwrap();
                    hasher.add(part).unwrap();
                    let sent = serde_json::to_string(&hasher.to_sum().unwrap()).unwrap();
                    joined.merge_sum(&serde_json::from_str(&sent).unwrap()).unwrap();
                }
                prop_assert_eq!(joined.finish().unwrap(), whole);
                hasher.remove(&half).unwrap();
                prop_assert_eq!(hasher.finish().unwrap(), expected(&rows[rows.len() / 2..]));
            }
        }
    }
}
