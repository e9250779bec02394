//! Tables of twelve columns or one more, out of a seed: the same row of the same table always has the same values.

use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use mainstay_data::arrow::array::{
    ArrayRef, BooleanArray, Float32Array, Float64Array, Int32Array, Int64Array, RecordBatch,
    StringArray, TimestampMicrosecondArray,
};
use mainstay_data::parquet::arrow::ArrowWriter;
use mainstay_data::parquet::basic::{Compression, ZstdLevel};
use mainstay_data::parquet::file::properties::{CdcOptions, WriterProperties};

const SEED: u64 = 0x6d61_696e_7374_6179;
const BATCH_ROWS: u64 = 65_536;
const BATCH_STEP: usize = 65_536;
const GROUP_ROWS: usize = 1 << 20;

const WORDS: [&str; 20] = [
    "alpha", "bravo", "carbon", "delta", "ember", "falcon", "granite", "harbor", "island",
    "juniper", "kernel", "lantern", "meadow", "nickel", "orchid", "prairie", "quartz", "river",
    "summit", "tundra",
];

/// A version of a table.
#[derive(Clone)]
pub(crate) struct Version {
    /// The identities of its rows, in order.
    pub(crate) ids: Vec<Range<u64>>,
    /// Which of them have another price than at first.
    pub(crate) repriced: fn(rows: u64, id: u64) -> bool,
    /// How many rows the first version has.
    pub(crate) rows: u64,
    /// Whether it has a thirteenth column.
    pub(crate) wider: bool,
}

impl Version {
    /// The first version.
    pub(crate) fn first(rows: u64) -> Self {
        Self {
            ids: std::iter::once(0..rows).collect(),
            repriced: |_, _| false,
            rows,
            wider: false,
        }
    }

    /// Makes its rows, batch after batch.
    pub(crate) fn batches(self) -> impl Iterator<Item = RecordBatch> {
        let ids = self.ids.clone().into_iter().flat_map(pieces);
        ids.map(move |ids| self.batch(ids))
    }

    /// Writes it as Parquet, compressed with Zstandard, its pages cut by content.
    pub(crate) fn write(&self, path: &Path) {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_dictionary_enabled(false)
            .set_content_defined_chunking(Some(CdcOptions::default()))
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .build();
        let schema = self.batch(0..0).schema();
        let file = File::create(path).unwrap();
        let mut writer = ArrowWriter::try_new(file, schema, Some(properties)).unwrap();
        for batch in self.clone().batches() {
            writer.write(&batch).unwrap();
        }
        writer.into_inner().unwrap().sync_all().unwrap();
    }

    fn batch(&self, ids: Range<u64>) -> RecordBatch {
        let each = |seed: u64| ids.clone().map(move |id| mixed(seed, id));
        let float = |seed: u64| each(seed).map(normal);
        let texts = each(1).map(|bits| {
            let word = |at: u32| WORDS[index(bits >> (16 * at), WORDS.len())];
            format!("{} {} {} {}", word(0), word(1), word(2), word(3))
        });
        let categories = each(2).map(|bits| format!("category-{}", heavy(bits)));
        let price = |id: u64| {
            let seed = if (self.repriced)(self.rows, id) { 4 } else { 3 };
            ((3.0 + normal(mixed(seed, id))).exp() * 100.0).round() / 100.0
        };
        let times = ids.clone().zip(each(5)).map(|(id, bits)| {
            1_700_000_000_000_000 + (id * 1_000_000 + bits % 1_000_000).cast_signed()
        });
        let scores = float(6).zip(each(7));
        let mut columns: Vec<(&str, ArrayRef)> = vec![
            ("id", integers(ids.clone())),
            (
                "time",
                Arc::new(TimestampMicrosecondArray::from_iter_values(times)),
            ),
            ("user", integers(each(8).map(|bits| bits >> 24))),
            (
                "category",
                Arc::new(StringArray::from_iter_values(categories)),
            ),
            ("text", Arc::new(StringArray::from_iter_values(texts))),
            (
                "price",
                Arc::new(Float64Array::from_iter_values(ids.clone().map(price))),
            ),
            ("x", Arc::new(Float64Array::from_iter_values(float(9)))),
            ("y", narrow(float(10))),
            ("z", narrow(float(11))),
            (
                "count",
                Arc::new(Int32Array::from_iter_values(each(12).map(few))),
            ),
            (
                "flag",
                Arc::new(
                    each(13)
                        .map(|bits| Some(bits % 10 < 3))
                        .collect::<BooleanArray>(),
                ),
            ),
            (
                "score",
                Arc::new(
                    scores
                        .map(|(score, bits)| (bits % 20 > 0).then_some(score))
                        .collect::<Float64Array>(),
                ),
            ),
        ];
        if self.wider {
            let more = Float64Array::from_iter_values(float(14));
            columns.push(("more", Arc::new(more)));
        }
        let nullable = columns
            .into_iter()
            .map(|(name, values)| (name, values, name == "score"));
        RecordBatch::try_from_iter_with_nullable(nullable).unwrap()
    }
}

/// Cuts a range into those of batches.
fn pieces(ids: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let starts = ids.clone().step_by(BATCH_STEP);
    starts.map(move |start| start..ids.end.min(start + BATCH_ROWS))
}

fn integers(values: impl Iterator<Item = u64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values.map(u64::cast_signed)))
}

#[expect(clippy::cast_possible_truncation, reason = "rounds")]
fn narrow(values: impl Iterator<Item = f64>) -> ArrayRef {
    Arc::new(Float32Array::from_iter_values(
        values.map(|value| value as f32),
    ))
}

fn index(bits: u64, length: usize) -> usize {
    usize::try_from(bits & 0xffff).unwrap() % length
}

/// 0 to 63; each half as likely as the one before.
fn heavy(bits: u64) -> u32 {
    bits.leading_zeros().min(63)
}

/// 0 to 16, about a binomial distribution.
fn few(bits: u64) -> i32 {
    (bits & 0xffff).count_ones().cast_signed()
}

/// The finalizer of `SplitMix64`, of one number for each seed and row.
pub(crate) fn mixed(seed: u64, id: u64) -> u64 {
    let mut bits = (SEED ^ seed.wrapping_mul(0xd6e8_feb8_6659_fd93))
        .wrapping_add(id.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// Makes a number of the normal distribution out of 64 random bits: Box and Muller's transformation.
fn normal(bits: u64) -> f64 {
    let uniform =
        |bits: u64| (f64::from(u32::try_from(bits & 0xffff_ffff).unwrap()) + 0.5) / 4_294_967_296.0;
    let (radius, angle) = (uniform(bits), uniform(bits >> 32));
    (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}
