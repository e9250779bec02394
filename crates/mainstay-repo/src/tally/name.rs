//! What subjects and registers are called.

use std::fmt;
use std::str::FromStr;

use mainstay_core::{Digest, Error, Name, RefPath, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

const MAX_NAMES: usize = 8;
const MAX_BYTES: usize = 256;
/// The longest subject that is spelled out in a key.
const MAX_SPELLED: usize = 128;

/// The subject of tallies, or one of their registers: one to eight [`Name`]s joined by `/`, as
/// `experiment/checkout` or `control/exposures`; at most 256 bytes.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TallyName(Box<str>);

impl TallyName {
    /// Parses a name; the same as [`str::parse`].
    ///
    /// # Errors
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) naming the rule that is broken.
    pub fn new(text: &str) -> Result<Self> {
        let refuse = || {
            Error::invalid(
                "a subject or register is one to eight names joined by '/', at most 256 bytes",
            )
        };
        // Refused before it is taken apart, so that hostile input costs nothing.
        if text.len() > 4 * MAX_BYTES {
            return Err(refuse());
        }
        let names = text
            .split('/')
            .map(Name::new)
            .collect::<Result<Vec<_>>>()
            .map_err(|error| refuse().with_source(error))?;
        let joined = names.iter().map(Name::as_str).collect::<Vec<_>>().join("/");
        if names.len() > MAX_NAMES || joined.len() > MAX_BYTES {
            return Err(refuse().context("name", joined));
        }
        Ok(Self(joined.into()))
    }

    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The ref that tells how far this subject's tallies are compacted.
    pub(crate) fn ref_path(&self) -> Result<RefPath> {
        RefPath::new(&format!("tally/{self}"))
    }

    /// The segment of keys that stands for this subject: its text percent-encoded or, when that is
    /// long, `-` and its SHA-256. No text begins with `-`.
    pub(super) fn segment(&self) -> String {
        let spelled = utf8_percent_encode(&self.0, ENCODED).to_string();
        if spelled.len() <= MAX_SPELLED {
            // Keys have no upper case; the text has none left either.
            spelled.to_ascii_lowercase()
        } else {
            format!("-{}", Digest::of(self.0.as_bytes()).to_hex())
        }
    }
}

/// Everything that keys do not allow, `%` and upper case.
const ENCODED: &AsciiSet =
    &lower_case_only(NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.'));

const fn lower_case_only(set: AsciiSet) -> AsciiSet {
    let mut set = set;
    let mut letter = b'A';
    while letter <= b'Z' {
        set = set.add(letter);
        letter += 1;
    }
    set
}

impl fmt::Display for TallyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TallyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl FromStr for TallyName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::new(text)
    }
}

impl TryFrom<String> for TallyName {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        Self::new(&text)
    }
}

impl From<TallyName> for String {
    fn from(name: TallyName) -> Self {
        name.0.into()
    }
}

#[cfg(test)]
mod tests {
    use mainstay_store::Key;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn segments_are_what_people_recognize() {
        for (subject, segment) in [
            ("experiment/checkout-2", "experiment%2fcheckout-2"),
            ("Größe", "%47r%c3%b6%c3%9fe"),
            ("a+b_c.d", "a%2bb_c.d"),
        ] {
            assert_eq!(TallyName::new(subject).unwrap().segment(), segment);
        }
        let long = TallyName::new(&"企".repeat(20)).unwrap();
        assert!(long.segment().starts_with('-') && long.segment().len() == 65);
    }

    #[test]
    fn what_is_no_path_of_names_is_refused() {
        for bad in [
            "",
            "/",
            "a//b",
            "a/",
            "../a",
            "a b",
            "1/2/3/4/5/6/7/8/9",
            &"a/".repeat(1 << 20),
        ] {
            assert!(TallyName::new(bad).is_err(), "{bad:.20}");
        }
        let long = [&*"a".repeat(128), &"b".repeat(128)].join("/");
        assert!(TallyName::new(&long).is_err() && TallyName::new(&long[1..]).is_ok());
    }

    proptest! {
        #[test]
        fn subjects_that_differ_have_segments_that_differ_also_in_case(
            a in "[a-bA-B企é%/_-]{1,60}", b in "[a-bA-B企é%/_-]{1,60}"
        ) {
            if let (Ok(a), Ok(b)) = (TallyName::new(&a), TallyName::new(&b)) {
                prop_assert_eq!(a.segment() == b.segment(), a == b);
                let key = Key::new(["tally", &a.segment(), "x"].join("/"));
                prop_assert!(key.is_ok());
                prop_assert!(a.ref_path().is_ok());
            }
        }
    }
}
