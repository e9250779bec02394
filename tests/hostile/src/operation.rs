//! What a request asks for, whatever the dialect.

use std::collections::BTreeMap;
use std::ops::Range;

use hyper::header::{HeaderMap, IF_MATCH, RANGE};
use percent_encoding::percent_decode_str;

use crate::Verb;
use crate::objects::Condition;

#[derive(Debug, Clone)]
pub(crate) enum Operation {
    Put {
        key: String,
        condition: Condition,
    },
    Get {
        key: String,
        range: Option<Asked>,
        /// The tag that the object must have.
        tag: Option<String>,
        head: bool,
    },
    Delete {
        key: String,
    },
    /// Keys in a multipart body with this boundary.
    DeleteBatch {
        boundary: String,
    },
    List(Listing),
    /// The dialect does not have it.
    Unknown,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Listing {
    pub(crate) prefix: String,
    /// Where the page before ended.
    pub(crate) token: Option<String>,
    /// Where the client wants the listing to begin: behind a key, or at one.
    pub(crate) after: String,
    pub(crate) from: String,
    /// How many at most, if the client says so.
    pub(crate) max: Option<usize>,
}

impl Operation {
    pub(crate) fn get(key: String, headers: &HeaderMap, head: bool) -> Self {
        Self::Get {
            key,
            range: header(headers, RANGE.as_str()).and_then(Asked::parse),
            tag: header(headers, IF_MATCH.as_str()).map(str::to_owned),
            head,
        }
    }

    pub(crate) fn verb(&self) -> Verb {
        match self {
            Self::Put { .. } => Verb::Put,
            Self::Get { head: false, .. } => Verb::Get,
            Self::Get { head: true, .. } => Verb::Head,
            Self::Delete { .. } | Self::DeleteBatch { .. } => Verb::Delete,
            Self::List(_) => Verb::List,
            Self::Unknown => Verb::Other,
        }
    }

    pub(crate) fn key(&self) -> &str {
        match self {
            Self::Put { key, .. } | Self::Get { key, .. } | Self::Delete { key } => key,
            Self::List(listing) => &listing.prefix,
            Self::DeleteBatch { .. } | Self::Unknown => "",
        }
    }

    pub(crate) fn is_conditional(&self) -> bool {
        matches!(self, Self::Put { condition, .. } if *condition != Condition::None)
    }
}

/// A range as it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    From(u64),
    Between(u64, u64),
    Last(u64),
}

impl Asked {
    /// Reads one range in bytes; anything else is as if nothing was asked.
    fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
        match (first.is_empty(), last.is_empty()) {
            (true, false) => last.parse().ok().map(Self::Last),
            (false, true) => first.parse().ok().map(Self::From),
            (false, false) => {
                let (first, last) = (first.parse().ok()?, last.parse().ok()?);
                (first <= last).then_some(Self::Between(first, last))
            }
            (true, true) => None,
        }
    }

    /// Cuts the range to an object of `size` bytes; `None` if nothing is left.
    pub(crate) fn within(self, size: u64) -> Option<Range<u64>> {
        let range = match self {
            Self::From(first) => first..size,
            Self::Between(first, last) => first..size.min(last.saturating_add(1)),
            Self::Last(count) => size.saturating_sub(count)..size,
        };
        (range.start < range.end).then_some(range)
    }
}

pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Splits `/container/key` and decodes the key; the key is empty if there is none.
pub(crate) fn key_below(path: &str, container: &str) -> Option<String> {
    let rest = path.strip_prefix('/')?.strip_prefix(container)?;
    let key = match rest.strip_prefix('/') {
        Some(key) => key,
        None if rest.is_empty() => "",
        None => return None,
    };
    decoded(key)
}

pub(crate) fn decoded(path: &str) -> Option<String> {
    let key = percent_decode_str(path).decode_utf8().ok()?;
    Some(key.into_owned())
}

pub(crate) fn parameters(query: Option<&str>) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .into_owned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_and_cut() {
        for (text, asked) in [
            ("bytes=2-", Some(Asked::From(2))),
            ("bytes=2-4", Some(Asked::Between(2, 4))),
            ("bytes=-4", Some(Asked::Last(4))),
            ("bytes=4-2", None),
            ("bytes=-", None),
            ("bytes=a-b", None),
            ("chars=1-2", None),
        ] {
            assert_eq!(Asked::parse(text), asked, "{text}");
        }
        assert_eq!(Asked::Between(2, 9).within(5), Some(2..5));
        assert_eq!(Asked::Between(2, u64::MAX).within(5), Some(2..5));
        assert_eq!(Asked::Last(9).within(5), Some(0..5));
        assert_eq!(Asked::From(5).within(5), None);
    }

    #[test]
    fn keys_are_below_their_container_only() {
        assert_eq!(key_below("/bucket/a%20b/c", "bucket").unwrap(), "a b/c");
        assert_eq!(key_below("/bucket", "bucket").unwrap(), "");
        assert_eq!(key_below("/buckets/a", "bucket"), None);
        assert_eq!(key_below("/bucket/%ff", "bucket"), None);
    }
}
