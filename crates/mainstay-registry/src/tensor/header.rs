//! The header of safetensors: which tensors a file holds, and where.
//!
//! ```text
//! length of the header    8 bytes, little endian
//! header                  JSON: {name: {"dtype", "shape", "data_offsets": [begin, end]}, …, "__metadata__": {…}}
//! tensors                 one after the other; offsets count from here
//! ```

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use mainstay_core::{Error, FilePath, Result};
use mainstay_repo::Blob;
use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Tensor;
use super::element::ElementType;

/// The longest header that is read; one of about 100,000 tensors.
pub const MAX_HEADER_BYTES: u64 = 16 * 1024 * 1024;
/// The most dimensions of a tensor.
pub const MAX_RANK: usize = 64;
const LENGTH: u64 = 8;

/// Reads the tensors of a stored file, in order of their places.
pub(super) async fn read(blob: &Blob, file: &FilePath) -> Result<Vec<Tensor>> {
    let named = |error: Error| error.context("file", file);
    let length = blob.range(0..LENGTH).await?;
    let length = match length.first_chunk() {
        Some(length) => u64::from_le_bytes(*length),
        None => return Err(named(wrong("shorter than the length of a header"))),
    };
    if length > MAX_HEADER_BYTES {
        let error = Error::invalid(format!("a header of more than {MAX_HEADER_BYTES} bytes"));
        return Err(named(error.context("header_bytes", length)));
    }
    let start = LENGTH + length;
    if start > blob.size() {
        return Err(named(wrong("shorter than its header")));
    }
    let json = blob.range(LENGTH..start).await?;
    let file = Arc::new(file.clone());
    parse(&json, &file, start..blob.size()).map_err(named)
}

fn wrong(why: &str) -> Error {
    Error::invalid(format!("not safetensors: {why}"))
}

/// Reads a header, whose tensors fill `data`, a range of the file.
pub(super) fn parse(
    json: &[u8],
    file: &Arc<FilePath>,
    data: std::ops::Range<u64>,
) -> Result<Vec<Tensor>> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let entries = Entries
        .deserialize(&mut deserializer)
        .and_then(|entries| deserializer.end().map(|()| entries))
        .map_err(|error| wrong("its header is not the JSON it should be").with_source(error))?;
    let mut tensors = entries
        .into_iter()
        .map(|(name, entry)| tensor(name, entry, file, data.start))
        .collect::<Result<Vec<_>>>()?;
    tensors.sort_by(|a, b| (a.offset, a.bytes, &a.name).cmp(&(b.offset, b.bytes, &b.name)));
    let mut end = data.start;
    for tensor in &tensors {
        if tensor.offset != end {
            return Err(wrong("a hole before a tensor, or two in one place")
                .context("tensor", shown(&tensor.name)));
        }
        end = tensor.range().end;
    }
    if end != data.end {
        return Err(wrong("its tensors do not end where the file does"));
    }
    Ok(tensors)
}

fn tensor(name: String, entry: Entry, file: &Arc<FilePath>, start: u64) -> Result<Tensor> {
    let checked = || {
        let dtype: ElementType = entry.dtype.parse()?;
        let (begin, end) = entry.data_offsets;
        let bytes = dtype.bytes_of(&entry.shape);
        let place = begin
            .checked_add(start)
            .filter(|_| end.checked_add(start).is_some());
        match (bytes, place) {
            (Some(bytes), Some(offset)) if end.checked_sub(begin) == Some(bytes) => {
                Ok((dtype, offset, bytes))
            }
            _ => Err(wrong("the place of a tensor does not fit its shape")),
        }
    };
    let (dtype, offset, bytes) =
        checked().map_err(|error| error.context("tensor", shown(&name)))?;
    Ok(Tensor {
        name,
        dtype,
        shape: entry.shape,
        bytes,
        file: Arc::clone(file),
        offset,
    })
}

/// A name as messages show it: cut, control characters escaped.
pub(super) fn shown(name: &str) -> String {
    name.chars()
        .take(128)
        .flat_map(char::escape_debug)
        .collect()
}

#[derive(Deserialize)]
struct Entry {
    dtype: String,
    #[serde(deserialize_with = "shape")]
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

fn shape<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u64>, D::Error> {
    struct Shape;
    impl<'de> Visitor<'de> for Shape {
        type Value = Vec<u64>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "at most {MAX_RANK} lengths")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut lengths: A) -> Result<Vec<u64>, A::Error> {
            let mut shape = Vec::new();
            while let Some(length) = lengths.next_element()? {
                if shape.len() == MAX_RANK {
                    return Err(de::Error::custom("too many dimensions"));
                }
                shape.push(length);
            }
            Ok(shape)
        }
    }
    deserializer.deserialize_seq(Shape)
}

/// The members of a header, read one by one: a tree of them would take many times the memory.
struct Entries;

impl<'de> DeserializeSeed<'de> for Entries {
    type Value = Vec<(String, Entry)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Entries {
    type Value = Vec<(String, Entry)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tensors by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut entries: Vec<(String, Entry)> = Vec::new();
        while let Some(name) = members.next_key::<String>()? {
            if name == "__metadata__" {
                members.next_value::<IgnoredAny>()?;
            } else {
                entries.push((name, members.next_value()?));
            }
        }
        let mut names = HashSet::with_capacity(entries.len());
        if entries.iter().all(|(name, _)| names.insert(name.as_str())) {
            Ok(entries)
        } else {
            Err(de::Error::custom("a name is given twice"))
        }
    }
}
