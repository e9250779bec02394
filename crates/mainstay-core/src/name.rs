//! Names people give to things, and the ref paths made of them.

use std::borrow::Borrow;

use serde::{Deserialize, Serialize, Serializer};
use unicode_normalization::UnicodeNormalization;

use crate::text::{printable, text_common};
use crate::{Error, Result};

/// The longest [`Name`] in bytes of UTF-8.
pub const MAX_NAME_BYTES: usize = 128;

/// The name of a model, dataset, prompt, tag, label, version: one path segment.
///
/// Rules, chosen so that a name is safe in a path, a URL, a shell and a sentence:
/// * 1 to 128 bytes of UTF-8, case-sensitive;
/// * letters, digits and combining marks of any script, and `-`, `_`, `.`, `+`;
/// * begins with a letter, a digit or `_`, and does not end with `.`;
/// * normalized to NFC when parsed, so both spellings of `é` are one name;
/// * characters that compatibility normalization (NFKC) would replace are refused: `ﬁ`, `Ａ` and `²`
///   look like others.
///
/// Hence no separators (`/`, `\`, `@`, `:`), no `..`, no white space, no control or direction marks.
///
/// ```
/// use mainstay_core::Name;
///
/// assert_eq!("pingüinos".parse::<Name>()?, "pingu\u{308}inos".parse()?);
/// assert!("../etc".parse::<Name>().is_err());
/// # Ok::<(), mainstay_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(Box<str>);

impl Name {
    /// Parses a name; the same as [`str::parse`].
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) naming the rule that is broken.
    pub fn new(text: &str) -> Result<Self> {
        let refuse = |why: &str| {
            Err(Error::invalid(format!("bad name: {why}")).context("name", printable(text)))
        };
        // Refused before normalizing, so that hostile input costs nothing.
        if text.len() > 4 * MAX_NAME_BYTES {
            return refuse("longer than 128 bytes");
        }
        let name: String = if text.is_ascii() {
            text.to_owned()
        } else {
            text.nfc().collect()
        };
        if name.is_empty() {
            return refuse("empty");
        }
        if name.len() > MAX_NAME_BYTES {
            return refuse("longer than 128 bytes");
        }
        if !name.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
            return refuse("must begin with a letter, a digit or '_'");
        }
        if name.ends_with('.') {
            return refuse("must not end with '.'");
        }
        if let Some(bad) = name.chars().find(|&c| !is_name_char(c)) {
            return refuse(&format!(
                "character {bad:?} is not allowed (letters, digits, '-', '_', '.', '+')"
            ));
        }
        if name.contains("..") {
            return refuse("must not contain '..'");
        }
        if !name.is_ascii() && name.nfkc().ne(name.chars()) {
            return refuse("holds a character that looks like another one");
        }
        Ok(Self(name.into()))
    }

    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric()
        || matches!(c, '-' | '_' | '.' | '+')
        || unicode_normalization::char::is_combining_mark(c)
}

/// The path of a ref: two or more [`Name`]s joined by `/`, as `model/fraud/version/1.2.0`.
///
/// At most 12 segments and 1,024 bytes. Ordered segment by segment, so the refs below one prefix
/// are neighbours.
#[derive(Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct RefPath(Box<str>);

impl RefPath {
    /// Parses a path; the same as [`str::parse`].
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) when a segment is not a [`Name`], or there
    /// are fewer than 2 or more than 12.
    pub fn new(text: &str) -> Result<Self> {
        if text.len() > 1_024 {
            return Err(
                Error::invalid("ref path longer than 1,024 bytes").context("ref", printable(text))
            );
        }
        if is_plain_path(text) {
            return Ok(Self(text.into()));
        }
        let segments = text
            .split('/')
            .map(Name::new)
            .collect::<Result<Vec<_>>>()
            .map_err(|error| error.context("ref", printable(text)))?;
        Self::from_names(&segments)
    }

    /// Joins `names`.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn from_names(names: &[Name]) -> Result<Self> {
        if !(2..=12).contains(&names.len()) {
            return Err(
                Error::invalid("a ref path has 2 to 12 segments").context("segments", names.len())
            );
        }
        let joined = names.iter().map(Name::as_str).collect::<Vec<_>>().join("/");
        if joined.len() > 1_024 {
            return Err(Error::invalid("ref path longer than 1,024 bytes"));
        }
        Ok(Self(joined.into()))
    }

    /// Wraps a path built of names within the limits: 4 names make at most 515 bytes.
    pub(crate) fn from_trusted(path: String) -> Self {
        Self(path.into())
    }

    /// Returns the path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Iterates over the segments.
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// Reports whether this path lies below `prefix`, a path or the first segments of one.
    #[must_use]
    pub fn is_below(&self, prefix: &str) -> bool {
        prefix.is_empty()
            || self
                .0
                .strip_prefix(prefix)
                .is_some_and(|rest| rest.starts_with('/') || prefix.ends_with('/'))
    }
}

/// Reports whether a text is, as it stands, a path of ASCII names: most are, and need no normalizing.
fn is_plain_path(text: &str) -> bool {
    let is_plain = |name: &str| {
        let bytes = name.as_bytes();
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.+".contains(byte);
        (1..=MAX_NAME_BYTES).contains(&name.len())
            && (bytes[0].is_ascii_alphanumeric() || bytes[0] == b'_')
            && bytes.iter().all(plain)
            && !name.ends_with('.')
            && !name.contains("..")
    };
    (2..=12).contains(&text.split('/').count()) && text.split('/').all(is_plain)
}

impl Serialize for RefPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl Ord for RefPath {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        // A segment ends before any that goes on: '/' counts as less than every character of names.
        let (a, b) = (self.0.as_bytes(), other.0.as_bytes());
        let same = common_prefix(a, b);
        let next = |text: &[u8]| text.get(same).map(|byte| (*byte != b'/', *byte));
        next(a).cmp(&next(b))
    }
}

/// How many bytes two texts begin with alike.
fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    const WORD: usize = 8;
    let words = a.as_chunks::<WORD>().0.iter().zip(b.as_chunks::<WORD>().0);
    let words = words.take_while(|(a, b)| a == b).count() * WORD;
    let rest = a[words..].iter().zip(&b[words..]);
    words + rest.take_while(|(a, b)| a == b).count()
}

impl PartialOrd for RefPath {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

text_common!(Name);
text_common!(RefPath);

// Not for RefPath: its order is by segments, which differs from that of its text.
impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_any_script_are_accepted() {
        for good in [
            "a",
            "fraud-v2",
            "1.2.0-rc.1+b5",
            "_x",
            "pingüinos",
            "企鹅",
            "पेंगुइन",
            "Ω",
        ] {
            assert_eq!(Name::new(good).unwrap().as_str(), good);
        }
    }

    #[test]
    fn hostile_names_are_refused() {
        let long = "a".repeat(129);
        for bad in [
            "",
            ".",
            "..",
            ".hidden",
            "a..b",
            "a.",
            "-rf",
            "+x",
            "a/b",
            "a\\b",
            "a b",
            "a\0",
            "a\nb",
            "C:",
            "a@b",
            "a:b",
            "%2e%2e",
            "~",
            "$HOME",
            "ﬁ",
            "Ａ",
            "x²",
            "a\u{202e}b",
            "a\u{200b}b",
            "\u{301}a",
            "🐧",
            "a*",
            "a?",
            "a#1",
            &long,
        ] {
            assert!(Name::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_error_names_the_rule_and_hides_control_characters() {
        let error = Name::new("a\u{1b}[31m").unwrap_err().to_string();
        assert!(
            error.contains("not allowed") && !error.contains('\u{1b}'),
            "{error}"
        );
    }

    #[test]
    fn ref_paths_sort_by_segment_so_that_prefixes_stay_together() {
        let mut paths: Vec<RefPath> = ["a/b-c", "a/b/d", "a/b/c", "a/bc"]
            .iter()
            .map(|p| p.parse().unwrap())
            .collect();
        paths.sort();
        assert_eq!(
            paths.iter().map(RefPath::as_str).collect::<Vec<_>>(),
            ["a/b/c", "a/b/d", "a/b-c", "a/bc"]
        );
    }

    #[test]
    fn is_below_respects_segment_borders() {
        let path: RefPath = "model/fraud/version/1.0.0".parse().unwrap();
        assert!(path.is_below("") && path.is_below("model") && path.is_below("model/fraud/"));
        assert!(!path.is_below("model/fra") && !path.is_below("model/fraud/version/1.0.0"));
    }

    proptest! {
        #[test]
        fn any_text_parses_to_a_stable_name_or_is_refused(text in ".*") {
            if let Ok(name) = Name::new(&text) {
                prop_assert_eq!(&Name::new(name.as_str()).unwrap(), &name);
                prop_assert!(!name.as_str().contains(['/', '\\', '@', ':', '\0']));
            }
        }

        #[test]
        fn paths_are_ordered_by_their_segments_and_parsed_by_them(
            a in "[a-c.+é/-]{1,24}", b in "[a-c.+é/-]{1,24}", shared in "[a-c/]{0,20}",
        ) {
            let texts = [format!("{shared}{a}"), format!("{shared}{b}")];
            for text in &texts {
                let names: Result<Vec<Name>> = text.split('/').map(Name::new).collect();
                let joined = names.and_then(|names| RefPath::from_names(&names));
                prop_assert_eq!(RefPath::new(text).ok(), joined.ok());
            }
            if let [Ok(a), Ok(b)] = texts.map(|text| RefPath::new(&text)) {
                prop_assert_eq!(a.cmp(&b), a.segments().cmp(b.segments()));
            }
        }
    }
}
