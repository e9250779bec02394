//! Search: MLflow's filter language over versions, their tags, metrics and parameters.
//!
//! ```text
//! query      := [filter] ["ORDER" "BY" order ("," order)*]
//! filter     := comparison ("AND" comparison)*
//! comparison := path op literal | path ["NOT"] "IN" "(" literal ("," literal)* ")"
//!             | path "IS" ["NOT"] "NULL"
//! path       := attribute | kind "." key
//! kind       := attribute(s), attr | tag(s) | metric(s) | param(s), parameter(s)
//! key        := word | `any text` | "any text"
//! op         := = | != | <> | < | <= | > | >= | LIKE | ILIKE
//! literal    := number | 'text' | "text"
//! order      := path ["ASC" | "DESC"]
//! ```
//!
//! | attribute | compares as |
//! |---|---|
//! | `name`, `stage`, `description`, `artifact`, `reproducibility`, `environment`, `code` (a commit) | text |
//! | `version` | SemVer, against text |
//! | `ordinal`, `version_number` | number |
//! | `created`, `creation_time`, `creation_timestamp` | time, against milliseconds since 1970 or RFC 3339 text |
//! | `alias`, `data` | text, any of several |
//!
//! Text takes `=`, `!=`, `LIKE` (case-sensitive; `%` any text, `_` any character), `ILIKE` and `IN`;
//! the others take the order operators too, and not `LIKE`. Tags are text; metrics are numbers; a
//! parameter compares as a number against a number, and as its text against text. What a version
//! does not have meets `IS NULL` only: `tags.x != 'a'` finds no version without the tag `x`. Of
//! aliases and data, `!=` and `NOT IN` mean that none is equal. Words are case-insensitive, keys and
//! values are not.
//!
//! Without `ORDER BY` the newest version comes first. Ties are broken by name, then by ordinal from
//! the highest; versions that lack the value come last.
//!
//! Written by hand: the grammar is small and regular, it needs no recursion, and errors must name the
//! column.

mod cursor;
mod eval;
mod like;
mod parse;
mod query;
mod rows;
mod run;
mod token;

use mainstay_core::{Name, Result};
use mainstay_repo::View;
use semver::Version;
use serde::Serialize;
use std::collections::BTreeMap;

use crate::metric::Metric;

pub use query::Query;

/// The longest query in bytes.
pub const MAX_QUERY_BYTES: usize = 16_384;
/// The most comparisons of one query, and the most values of one list.
pub const MAX_TERMS: usize = 256;
/// The most results of one page.
pub const MAX_PAGE: usize = 10_000;

/// Which results to return.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page {
    /// How many at most: 1 to [`MAX_PAGE`].
    pub limit: usize,
    /// The [`next`](SearchPage::next) of the page before; `None` for the first.
    pub after: Option<String>,
}

impl Default for Page {
    fn default() -> Self {
        Self {
            limit: 100,
            after: None,
        }
    }
}

impl Page {
    /// Sets how many results at most.
    #[must_use]
    pub fn with_limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Continues after a page.
    #[must_use]
    pub fn with_after(mut self, after: impl Into<String>) -> Self {
        self.after = Some(after.into());
        self
    }
}

/// Results in order.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SearchPage {
    /// The versions found.
    pub results: Vec<SearchHit>,
    /// Where the next page begins; `None` when this is the last. It names the last result by the
    /// values it is ordered by, so that what is registered meanwhile neither repeats nor hides one.
    pub next: Option<String>,
}

/// A version found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SearchHit {
    /// The model.
    pub model: Name,
    /// The version.
    pub version: Version,
    /// The stage it is in.
    pub stage: Name,
    /// The aliases that point to it.
    pub aliases: Vec<Name>,
    /// Its metrics.
    pub metrics: BTreeMap<String, Metric>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// Finds versions.
///
/// # Errors
/// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) naming the column where the query is
/// wrong, or when the page does not belong to the query.
///
/// # Complexity
/// O(n log n) in the versions of all models, or of one when the query says `name = '…'`.
pub fn search(view: &View, query: &str, page: &Page) -> Result<SearchPage> {
    let query = Query::parse(query)?;
    query.run(view, page)
}

#[cfg(test)]
mod tests;
