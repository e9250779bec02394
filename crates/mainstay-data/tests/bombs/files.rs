//! Parquet files, put together by the page of their format.

use std::sync::Arc;

use mainstay_data::arrow::array::{
    ArrayRef, DictionaryArray, Int32Array, RecordBatch, StringArray,
};
use mainstay_data::parquet::arrow::ArrowWriter;
use mainstay_data::parquet::arrow::arrow_writer::ArrowWriterOptions;
use mainstay_data::parquet::basic::{Compression, ZstdLevel};
use mainstay_data::parquet::file::properties::WriterProperties;

/// A name, whether it is a table, a file and one that is nearly it.
type Bomb = (&'static str, bool, Vec<u8>, Vec<u8>);

pub(crate) fn all() -> Vec<Bomb> {
    let twice = |file: Vec<u8>| (file.clone(), file);
    let refused = |name, file: File| {
        let (file, other) = twice(file.bytes());
        (name, false, file, other)
    };
    let index = |last| File::of_numbers([1, 2, last]).with_index_of(i32::MAX);
    let read = |name, of: fn(u8) -> Vec<u8>| (name, true, of(1), of(2));
    vec![
        (
            "nothing special",
            true,
            File::default().bytes(),
            File::of_numbers([1, 2, 4]).bytes(),
        ),
        refused(
            "rows",
            File {
                rows: i64::MAX / 2,
                ..File::default()
            },
        ),
        refused(
            "row groups",
            File {
                groups: u32::MAX >> 1,
                ..File::default()
            },
        ),
        refused(
            "nesting",
            File {
                depth: 50_000,
                ..File::default()
            },
        ),
        refused(
            "a page behind the end",
            File {
                offset: 1 << 40,
                ..File::default()
            },
        ),
        refused(
            "a page before the beginning",
            File {
                offset: -5,
                ..File::default()
            },
        ),
        refused("a page of no end", File::of_page(12, i32::MAX)),
        refused("a large page", File::of_compressed_page(100, i32::MAX)),
        refused("values", File::of_repeated_values(i32::MAX)),
        refused(
            "column chunks that overlap",
            File {
                other: Some(Place::Same),
                ..File::default()
            },
        ),
        (
            "two columns",
            true,
            File::of_numbers([1, 2, 3]).and_another().bytes(),
            File::of_numbers([1, 2, 4]).and_another().bytes(),
        ),
        // The index is not used then.
        (
            "a page outside of its column chunk",
            true,
            File::of_numbers([1, 2, 3]).with_page_outside().bytes(),
            File::of_numbers([1, 2, 4]).with_page_outside().bytes(),
        ),
        (
            "an index of pages",
            true,
            index(3).bytes(),
            index(4).bytes(),
        ),
        read("a long value that many rows refer to", long_value),
        read("much of the same", much_of_the_same),
    ]
}

/// 200 rows of one text of 1 MiB, which is stored once.
fn long_value(last: u8) -> Vec<u8> {
    let texts = ["x".repeat(1 << 20), last.to_string()];
    let keys = (0..200).map(|row| i32::from(row == 199));
    let values: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
    let column = DictionaryArray::new(Int32Array::from_iter_values(keys), values);
    // Written without its Arrow schema, it is a column of texts.
    let properties = WriterProperties::builder().set_compression(zstd()).build();
    write(Arc::new(column), properties)
}

/// 64 MiB of the same letter.
fn much_of_the_same(last: u8) -> Vec<u8> {
    let text = "x".repeat(1 << 10);
    let texts = (0..1 << 16).map(|_| text.as_str());
    let last = last.to_string();
    let column = StringArray::from_iter_values(texts.chain([last.as_str()]));
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_compression(zstd());
    write(Arc::new(column), properties.build())
}

/// 72 rows of 1 MiB.
pub(crate) fn wide_rows() -> Vec<u8> {
    let rows = |rows: std::ops::Range<u32>| {
        let texts = rows.map(|row| row.to_string() + &"x".repeat(1 << 20));
        Arc::new(StringArray::from_iter_values(texts)) as ArrayRef
    };
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_compression(zstd())
        .build();
    let batches = (0..72).step_by(8).map(|row| rows(row..row + 8));
    write_all(batches, properties)
}

fn zstd() -> Compression {
    Compression::ZSTD(ZstdLevel::default())
}

fn write(column: ArrayRef, properties: WriterProperties) -> Vec<u8> {
    write_all([column].into_iter(), properties)
}

fn write_all(columns: impl Iterator<Item = ArrayRef>, properties: WriterProperties) -> Vec<u8> {
    let options = ArrowWriterOptions::new()
        .with_properties(properties)
        .with_skip_arrow_metadata(true);
    let mut batches = columns.map(|column| RecordBatch::try_from_iter([("text", column)]).unwrap());
    let first = batches.next().unwrap();
    let mut writer =
        ArrowWriter::try_new_with_options(Vec::new(), first.schema(), options).unwrap();
    for batch in [first].into_iter().chain(batches) {
        writer.write(&batch).unwrap();
    }
    writer.into_inner().unwrap()
}

const REQUIRED: i32 = 0;
const REPEATED: i32 = 2;
const UNCOMPRESSED: i32 = 0;
const ZSTD: i32 = 6;

/// A file of one column of 32-bit numbers in one page, and what it says of itself.
struct File {
    /// The page and its header.
    page: Vec<u8>,
    repetition: i32,
    codec: i32,
    rows: i64,
    values: i64,
    groups: u32,
    /// How many groups of columns there are within each other.
    depth: usize,
    /// Where the page is.
    offset: i64,
    /// A second column, and where it says that it is.
    other: Option<Place>,
    /// What lies behind the pages of the columns.
    beyond: Vec<u8>,
    /// The index of pages, empty when there is none.
    index: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Behind,
    /// Where the first one is.
    Same,
}

impl Default for File {
    fn default() -> Self {
        Self::of_numbers([1, 2, 3])
    }
}

impl File {
    fn of_numbers(numbers: [i32; 3]) -> Self {
        let body = numbers.map(i32::to_le_bytes).concat();
        Self {
            page: page([12, 12], 3, &body),
            repetition: REQUIRED,
            codec: UNCOMPRESSED,
            rows: 3,
            values: 3,
            groups: 1,
            depth: 0,
            offset: 4,
            other: None,
            beyond: Vec::new(),
            index: Vec::new(),
        }
    }

    /// A page that says it has so many bytes, and so many behind compression.
    fn of_page(uncompressed: i32, compressed: i32) -> Self {
        let page = page([uncompressed, compressed], 3, &[0; 12]);
        Self {
            page,
            ..Self::default()
        }
    }

    fn of_compressed_page(compressed: u8, uncompressed: i32) -> Self {
        let body = vec![0; compressed.into()];
        Self {
            page: page([uncompressed, compressed.into()], 3, &body),
            codec: ZSTD,
            ..Self::default()
        }
    }

    /// One row of so many values, all of them absent: a run of levels.
    fn of_repeated_values(values: i32) -> Self {
        let run = |level: u8| {
            let mut run = varint(u64::from(values.unsigned_abs()) << 1);
            run.push(level);
            let length = u32::try_from(run.len()).unwrap().to_le_bytes();
            [length.as_slice(), &run].concat()
        };
        let body = [run(1), run(1)].concat();
        let length = i32::try_from(body.len()).unwrap();
        Self {
            page: page([length, length], values, &body),
            repetition: REPEATED,
            rows: 1,
            values: values.into(),
            ..Self::default()
        }
    }

    /// Adds an index that says it has so many pages.
    fn with_index_of(mut self, pages: i32) -> Self {
        self.index = vec![0x19, 0xfc];
        self.index.extend(varint(u64::from(pages.unsigned_abs())));
        self.index.extend([0; 16]);
        self
    }

    fn and_another(self) -> Self {
        Self {
            other: Some(Place::Behind),
            ..self
        }
    }

    /// Adds an index whose one page is no page of the column, and says that it becomes large.
    fn with_page_outside(mut self) -> Self {
        self.beyond = page([i32::MAX, 12], 3, &[0; 12]);
        let mut index = Thrift::default();
        index.list(1, 1, STRUCT);
        index.i64(1, i64::try_from(4 + self.page.len()).unwrap());
        index.i32(1, i32::try_from(self.beyond.len()).unwrap());
        index.i64(1, 0);
        index.stop();
        index.stop();
        self.index = index.0;
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut file = b"PAR1".to_vec();
        file.extend(&self.page);
        if self.other == Some(Place::Behind) {
            file.extend(&self.page);
        }
        file.extend(&self.beyond);
        let index = i64::try_from(file.len()).unwrap();
        file.extend(&self.index);
        let footer = self.footer(index).0;
        file.extend(&footer);
        file.extend(u32::try_from(footer.len()).unwrap().to_le_bytes());
        file.extend(b"PAR1");
        file
    }

    fn footer(&self, index: i64) -> Thrift {
        let mut footer = Thrift::default();
        footer.i32(1, 2);
        let columns = if self.other.is_some() { 2 } else { 1 };
        let elements = u32::try_from(self.depth + 1).unwrap() + columns;
        footer.list(1, elements, STRUCT);
        for level in 0..=self.depth {
            if level > 0 {
                footer.i32(3, REQUIRED);
                footer.text(1, "group");
            } else {
                footer.text(4, "schema");
            }
            let children = if level == self.depth { columns } else { 1 };
            footer.i32(1, i32::try_from(children).unwrap());
            footer.stop();
        }
        for name in ["v", "w"].iter().take(columns as usize) {
            footer.i32(1, 1);
            footer.i32(2, self.repetition);
            footer.text(1, name);
            footer.stop();
        }
        footer.i64(1, self.rows);
        footer.list(1, self.groups, STRUCT);
        footer.list(1, columns, STRUCT);
        let length = i64::try_from(self.page.len()).unwrap();
        self.chunk("v", self.offset, index, &mut footer);
        if let Some(place) = self.other {
            let behind = if place == Place::Same { 0 } else { length };
            self.chunk("w", self.offset + behind, index, &mut footer);
        }
        footer.i64(1, length);
        footer.i64(1, self.rows);
        footer.stop();
        footer.stop();
        footer
    }

    fn chunk(&self, name: &str, offset: i64, index: i64, footer: &mut Thrift) {
        let length = i64::try_from(self.page.len()).unwrap();
        footer.i64(2, offset);
        footer.field(1, STRUCT);
        footer.i32(1, 1);
        footer.list(1, 1, I32);
        footer.0.push(0);
        footer.list(1, u32::try_from(self.depth + 1).unwrap(), BINARY);
        for name in std::iter::repeat_n("group", self.depth).chain([name]) {
            footer.bytes(name);
        }
        footer.i32(1, self.codec);
        footer.i64(1, self.values);
        footer.i64(1, length);
        footer.i64(1, length);
        footer.i64(2, offset);
        footer.stop();
        if !self.index.is_empty() {
            footer.i64(1, index);
            footer.i32(1, i32::try_from(self.index.len()).unwrap());
        }
        footer.stop();
    }
}

/// A data page of so many values that says how large it is, uncompressed and compressed.
fn page([uncompressed, compressed]: [i32; 2], values: i32, body: &[u8]) -> Vec<u8> {
    let mut header = Thrift::default();
    header.i32(1, 0);
    header.i32(1, uncompressed);
    header.i32(1, compressed);
    header.field(2, STRUCT);
    header.i32(1, values);
    // Values are plain, levels runs.
    for encoding in [0, 3, 3] {
        header.i32(1, encoding);
    }
    header.stop();
    header.stop();
    [header.0.as_slice(), body].concat()
}

const I32: u8 = 5;
const I64: u8 = 6;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

/// Writes the Thrift compact protocol; fields are numbered by how far behind the one before they are.
#[derive(Default)]
struct Thrift(Vec<u8>);

impl Thrift {
    fn field(&mut self, ahead: u8, kind: u8) {
        self.0.push(ahead << 4 | kind);
    }

    fn i32(&mut self, ahead: u8, number: i32) {
        self.field(ahead, I32);
        self.0.extend(zigzag(number.into()));
    }

    fn i64(&mut self, ahead: u8, number: i64) {
        self.field(ahead, I64);
        self.0.extend(zigzag(number));
    }

    fn text(&mut self, ahead: u8, text: &str) {
        self.field(ahead, BINARY);
        self.bytes(text);
    }

    fn bytes(&mut self, text: &str) {
        self.0.extend(varint(text.len() as u64));
        self.0.extend(text.as_bytes());
    }

    fn list(&mut self, ahead: u8, count: u32, kind: u8) {
        self.field(ahead, LIST);
        self.0.push(0xf0 | kind);
        self.0.extend(varint(count.into()));
    }

    fn stop(&mut self) {
        self.0.push(0);
    }
}

fn zigzag(number: i64) -> Vec<u8> {
    varint((number << 1 ^ number >> 63).cast_unsigned())
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            bytes.push(low & 0x7f);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}
