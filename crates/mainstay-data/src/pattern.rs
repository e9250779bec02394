//! Patterns of paths inside a snapshot.

use std::fmt;
use std::str::FromStr;

use globset::{GlobBuilder, GlobSet};
use mainstay_core::{Error, FilePath, Result};
use serde::{Deserialize, Serialize};

/// The most bytes of a pattern.
const MAX_BYTES: usize = 1_024;

/// Names files of a snapshot by their paths: `*.csv`, `labels/**`, `part-[0-9].parquet`.
///
/// `*` and `?` stand for anything within a name, `**` for any directories, `[…]` for one character of
/// several, `{a,b}` for one of several texts, `\` takes the meaning from what follows. A pattern without `/`
/// names files by their names, in any directory; one with `/` by their paths from the root of the snapshot.
/// It has 1 to 1,024 bytes. Upper and lower case differ.
///
/// ```
/// use mainstay_data::PathPattern;
///
/// let labels: PathPattern = "labels/*.csv".parse()?;
/// assert!(labels.matches(&"labels/2026.csv".parse()?));
/// assert!(!labels.matches(&"labels/old/2025.csv".parse()?));
/// # Ok::<(), mainstay_core::Error>(())
/// ```
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PathPattern {
    text: String,
    compiled: GlobSet,
}

impl PathPattern {
    /// Reports whether it names the file of this path, in time linear in the length of the path.
    #[must_use]
    pub fn matches(&self, path: &FilePath) -> bool {
        let path = path.as_str();
        let name = path.rsplit('/').next().unwrap_or(path);
        let by_name = !self.text.contains('/');
        self.compiled.is_match(if by_name { name } else { path })
    }

    /// Returns it as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for PathPattern {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.is_empty() || text.len() > MAX_BYTES {
            return Err(Error::invalid("a pattern of paths has 1 to 1,024 bytes")
                .context("bytes", text.len()));
        }
        let glob = GlobBuilder::new(text)
            .literal_separator(true)
            .backslash_escape(true)
            .build();
        let compiled = glob.and_then(|glob| GlobSet::builder().add(glob).build());
        Ok(Self {
            text: text.to_owned(),
            compiled: compiled.map_err(|error| {
                Error::invalid("not a pattern of paths")
                    .context("pattern", text.escape_debug())
                    .with_source(error)
            })?,
        })
    }
}

impl TryFrom<String> for PathPattern {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<PathPattern> for String {
    fn from(pattern: PathPattern) -> Self {
        pattern.text
    }
}

impl PartialEq for PathPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for PathPattern {}

impl fmt::Debug for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_name_what_they_say() {
        for (pattern, named, others) in [
            (
                "*.csv",
                &["a.csv", "x/y/a.csv"][..],
                &["a.csv.gz", "A.CSV"][..],
            ),
            (
                "labels.csv",
                &["labels.csv", "x/labels.csv"],
                &["xlabels.csv"],
            ),
            (
                "labels/*.csv",
                &["labels/a.csv"],
                &["labels/x/a.csv", "x/labels/a.csv"],
            ),
            (
                "labels/**",
                &["labels/a.csv", "labels/x/a.csv"],
                &["labels", "other/a.csv"],
            ),
            ("**/x/*", &["x/a", "a/b/x/c"], &["x/y/a"]),
            ("**", &["a", "a/b/c.csv"], &[]),
            (
                "part-[0-9].{csv,tsv}",
                &["part-1.csv", "d/part-2.tsv"],
                &["part-x.csv"],
            ),
            (r"\[1\].csv", &["[1].csv"], &["1.csv"]),
        ] {
            let parsed: PathPattern = pattern.parse().unwrap();
            assert_eq!(parsed.to_string(), pattern);
            for path in named {
                assert!(parsed.matches(&path.parse().unwrap()), "{pattern} {path}");
            }
            for path in others {
                assert!(!parsed.matches(&path.parse().unwrap()), "{pattern} {path}");
            }
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused_by_name() {
        let long = "a".repeat(1_025);
        let deep = format!("{}{}", "{".repeat(400), "}".repeat(400));
        for text in ["", "[a", "{a", &long, &deep] {
            assert!(text.parse::<PathPattern>().is_err(), "{text}");
        }
        let error = "[a".parse::<PathPattern>().unwrap_err();
        assert!(error.to_string().contains("[a"), "{error}");
        assert!(serde_json::from_str::<PathPattern>("\"{a\"").is_err());
    }
}
