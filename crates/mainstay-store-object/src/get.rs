//! Reading, with ranges that stores refuse.

use std::ops::Range;

use bytes::Bytes;
use mainstay_store::{ByteRange, Object};
use object_store::path::Path;
use object_store::{Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt as _, Result};

use crate::StoreProfile;
use crate::error::{Report, is_absent};

/// Beyond the end of any object and within what every server can parse.
const FAR: u64 = 1 << 62;

/// How often an object may be replaced while its last bytes are looked for.
const MAX_REPLACED: usize = 8;

/// What to ask the store for.
#[derive(Debug, PartialEq)]
enum Question {
    /// The object, out of which the range is cut.
    Whole,
    Part(GetRange),
    /// The last bytes, of a store that must be told where they are.
    Tail,
    /// Only how large it is: no byte is wanted.
    Size,
}

impl Question {
    fn of(range: &ByteRange, profile: &StoreProfile) -> Self {
        match range {
            ByteRange::Offsets(Range { start, end }) if end <= start || *start >= FAR => Self::Size,
            ByteRange::Offsets(Range { start, end }) if *end >= FAR => {
                Self::Part(GetRange::Offset(*start))
            }
            ByteRange::Offsets(range) => Self::Part(GetRange::Bounded(range.clone())),
            ByteRange::Last(0) => Self::Size,
            ByteRange::Last(_) if !profile.suffix_ranges => Self::Tail,
            ByteRange::Last(count) => Self::Part(GetRange::Suffix((*count).min(FAR))),
            _ => Self::Whole,
        }
    }
}

pub(crate) async fn get(
    store: &dyn ObjectStore,
    path: &Path,
    range: &ByteRange,
    profile: &StoreProfile,
) -> Result<Option<Object>> {
    let found = match Question::of(range, profile) {
        Question::Whole => fetch(store, path, GetOptions::new())
            .await
            .map(|object| Object::cut(&object.bytes, range)),
        Question::Part(part) => fetch_part(store, path, part, range).await,
        Question::Tail => fetch_tail(store, path, range).await,
        Question::Size => store.head(path).await.map(|meta| nothing_of(meta.size)),
    };
    match found {
        Ok(object) => Ok(Some(object)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn fetch(store: &dyn ObjectStore, path: &Path, options: GetOptions) -> Result<Object> {
    let result = store.get_opts(path, options).await?;
    let size = result.meta.size;
    let promised = result.range.end - result.range.start;
    let bytes = result.bytes().await?;
    if bytes.len() as u64 != promised {
        return Err(Error::Generic {
            store: "body",
            source: std::io::Error::from(std::io::ErrorKind::ConnectionAborted).into(),
        });
    }
    Ok(Object { bytes, size })
}

/// Fetches a part; a store refuses one that lies beyond the end, and some parts of an empty object.
async fn fetch_part(
    store: &dyn ObjectStore,
    path: &Path,
    part: GetRange,
    range: &ByteRange,
) -> Result<Object> {
    match fetch(store, path, GetOptions::new().with_range(Some(part))).await {
        Err(error) if Report::of(&error).may_be_out_of_range() => {
            let size = store.head(path).await?.size;
            if range.within(size).is_empty() {
                Ok(nothing_of(size))
            } else {
                Err(error)
            }
        }
        fetched => fetched,
    }
}

/// Looks the size up and fetches the part then, of the same object.
async fn fetch_tail(store: &dyn ObjectStore, path: &Path, range: &ByteRange) -> Result<Object> {
    let mut replaced = 0;
    loop {
        let meta = store.head(path).await?;
        let part = range.within(meta.size);
        if part.is_empty() {
            return Ok(nothing_of(meta.size));
        }
        let options = GetOptions::new()
            .with_range(Some(part))
            .with_if_match(meta.e_tag);
        match fetch(store, path, options).await {
            Err(Error::Precondition { .. }) if replaced < MAX_REPLACED => replaced += 1,
            fetched => return fetched,
        }
    }
}

fn nothing_of(size: u64) -> Object {
    Object {
        bytes: Bytes::new(),
        size,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_stores_refuse_are_asked_for_otherwise() {
        let (s3, azure) = (StoreProfile::s3(), StoreProfile::azure());
        for (range, question) in [
            (ByteRange::Full, Question::Whole),
            (
                ByteRange::Offsets(2..5),
                Question::Part(GetRange::Bounded(2..5)),
            ),
            (
                ByteRange::Offsets(2..u64::MAX),
                Question::Part(GetRange::Offset(2)),
            ),
            (ByteRange::Offsets(2..2), Question::Size),
            (ByteRange::Offsets(u64::MAX - 1..u64::MAX), Question::Size),
            (ByteRange::Last(0), Question::Size),
            (ByteRange::Last(3), Question::Part(GetRange::Suffix(3))),
            (
                ByteRange::Last(u64::MAX),
                Question::Part(GetRange::Suffix(FAR)),
            ),
        ] {
            assert_eq!(Question::of(&range, &s3), question, "{range:?}");
        }
        assert_eq!(Question::of(&ByteRange::Last(3), &azure), Question::Tail);
        assert_eq!(Question::of(&ByteRange::Last(0), &azure), Question::Size);
    }
}
