//! Search: MLflow's filter language and more, over versions, their tags, metrics and parameters.
//!
//! ```text
//! query      := [any] ["ORDER" "BY" order ("," order)*] ["AS" "OF" moment]
//! any        := all ("OR" all)*
//! all        := term ("AND" term)*
//! term       := "NOT" term | "(" any ")" | comparison | "EXISTS" lineage
//! comparison := path op literal | path ["NOT"] ("LIKE" | "ILIKE" | "RLIKE") text
//!             | path ["NOT"] "IN" "(" literal ("," literal)* ")"
//!             | path ["NOT"] "BETWEEN" literal "AND" literal
//!             | path "IS" ["NOT"] "NULL" | "version" "SATISFIES" text
//! lineage    := ("UPSTREAM" | "DOWNSTREAM") ["WITHIN" edges] "OF" 'reference' | "UPSTREAM" "HAS" node ["WHERE" any]
//! path       := attribute | kind "." key
//! kind       := attribute(s), attr, run | tag(s) | metric(s) | param(s), parameter(s) | seed(s)
//!             | gate(s) | dataset(s) | digest(s) | parent(s) | alias | stage | eval(s)
//!             | signature.inputs | signature.outputs
//! key        := word | `any text` | "any text"
//! op         := = | != | <> | < | <= | > | >= | CONTAINS
//! literal    := number | text
//! text       := 'text' | "text"
//! order      := path ["ASC" | "DESC"]
//! moment     := number of a log entry | RFC 3339 text
//! ```
//!
//! | attribute | compares as |
//! |---|---|
//! | `name` (what the model is called at the moment asked about), `stage`, `description`, `author` (who registered it), `owner`, `purpose`, `artifact`, `reproducibility`, `environment`, `code` (a commit), `repository` | text |
//! | `dirty` | text, `true` or `false`: whether the working tree of the code had changes |
//! | `run` | text: the run that made it, as `run:churn@1`; `step` is the number of the step that the run had reached |
//! | `actor` | another word for `author`, which only versions have that a Mainstay registered since format 3 of their record |
//! | `run_id`, `source_path` | text of the tags `mlflow.run_id`, `mlflow.source_path` |
//! | `version` | SemVer, against text; `SATISFIES` takes a requirement such as `^1.2` |
//! | `ordinal`, `version_number`, `bytes` (of all files) | number |
//! | `expires` | time; what does not expire has none |
//! | `created`, `creation_time`, `creation_timestamp` | time, against milliseconds since 1970 or RFC 3339 text |
//! | `updated`, `last_updated_timestamp`, `timestamp` | time of the last change of stage, tags, description or promoted metrics |
//! | `alias`, `data`, `parent` (as `model:base@1.0.0`), `file` (its path) | text, any of several |
//! | `served` | text, any of several: the [services](crate::serving) that serve it, as the log says; `served IS NOT NULL` finds what is served at all |
//!
//! | kind | compares as |
//! |---|---|
//! | `gate.SUBJECT` | text, `pass` or `fail`: what the gates about a metric, tag, document, check, or about `signature`, `role`, `approvals` said when the version entered its stage |
//! | `dataset.ROLE` | text, any of several: the data in a role, as `data:payments@3` |
//! | `dataset.name`, `dataset.digest`, `dataset.context` | text, any of several: names, record digests and roles of all data, as MLflow means them |
//! | `digest.ROLE` | text, any of several: the digests of the records of the data in a role |
//! | `parent.RELATION` | text, any of several: the models it was made from in this way, as `parent.fine_tune` |
//! | `seed.NAME` | text, in decimal |
//! | `eval.EVALUATION.METRIC` | number: the newest that [reports](crate::eval) of one evaluation say |
//! | `alias.NAME`, `stage.NAME` | time since when the alias points to the version, or it is in the stage |
//! | `signature.inputs.NAME`, `signature.outputs.NAME` | text: the type of a column, as `double`, or of a tensor's elements, as `float32` |
//!
//! Text takes `=`, `!=`, `LIKE` (case-sensitive; `%` any text, `_` any character), `ILIKE`, `RLIKE`
//! (a [regular expression](https://docs.rs/regex/#syntax) that matches a part of it), `CONTAINS` and `IN`; the others take the order operators and `BETWEEN` (both ends included) too, and not
//! `LIKE`. Tags are text; metrics are numbers, the newest of what registration, promotions and
//! [evaluation reports](crate::eval) say; a parameter compares as a number against a number, and
//! as its text against text. What a version does not have meets `IS NULL` only: `tags.x != 'a'` finds
//! no version without the tag `x`, and `NOT tags.x = 'a'` does. Of what there may be several of, `!=` and `NOT …`
//! mean that none is. Words are case-insensitive, keys and values are not.
//!
//! `EXISTS` asks about the lineage:
//!
//! | | finds versions |
//! |---|---|
//! | `EXISTS DOWNSTREAM OF 'data:payments@3'` | that came from it, however far, by edges of every kind: what was merely evaluated on it too |
//! | `EXISTS UPSTREAM WITHIN 2 OF 'unit:checkout@7'` | that it came from, by at most two edges |
//! | `EXISTS UPSTREAM HAS data WHERE name = 'payments'` | that came from something of this kind that meets the filter, or from any without one |
//!
//! A reference names its kind and exact version; one of a model may be anything that [finds a
//! version](crate::resolve_ever). `WHERE` takes all that follows to the end or the closing parenthesis. Of runs it
//! asks as a search for runs does; of other things that are no models `name`, `version` (as text) and `created` are known. What was deleted is walked through
//! downwards; upwards a walk ends there, because what it came from stands in the log only.
//!
//! A metric that is NaN or infinite never wins: of all comparisons with numbers it meets `!=` and
//! `NOT IN` only, and it comes after every finite one in both directions. `metrics.loss = 'NaN'`, `'Infinity'` and
//! `'-Infinity'` find it.
//!
//! Without `ORDER BY` the newest version comes first. Ties are broken by name, then by ordinal from
//! the highest; versions that lack the value come last.
//!
//! # Runs
//!
//! A [`RunQuery`] finds [runs](crate::run) in the same language. They have `tag`, `metric` (the latest point of a
//! series), `param`, `seed`, `dataset` and `digest` (of what they used, datasets or not), and the attributes
//!
//! | attribute | compares as |
//! |---|---|
//! | `name`, `experiment` | text: the experiment |
//! | `run_id`, `version` | text: the id within it |
//! | `status` | text: `running`, `finished`, `failed`, `killed`, in any case |
//! | `started`, `created`, `start_time`; `ended`, `end_time`; `updated` | time; what goes on has not ended |
//! | `description`, `environment`, `code`, `repository`, `dirty` | text, as of versions |
//! | `data`, `input` | text, any of several: what it used |
//! | `output` | text, any of several: what it made, as `model:churn@1.0.0` |
//! | `run_name`, `user_id` | text of the tags `mlflow.runName`, `mlflow.user` |
//!
//! Without `ORDER BY` the run that began last comes first; ties are broken by experiment and id.
//!
//! Written by hand: the grammar is small and regular, and errors must name the column.

mod cursor;
mod eval;
mod exists;
mod facts;
mod find;
mod like;
mod lineage;
mod names;
mod operand;
mod outline;
mod pages;
mod paging;
mod parse;
mod pattern;
mod print;
mod query;
mod recorded;
mod rows;
mod run;
mod runs;
mod token;
mod told;

use mainstay_core::{Name, Result};
use mainstay_repo::View;
use semver::Version;
use serde::Serialize;
use std::collections::BTreeMap;

use crate::metric::Metric;

pub(crate) use pages::Pages;
pub use query::{Moment, Query};
pub use runs::{RunPage, RunQuery};

/// The longest query in bytes.
pub const MAX_QUERY_BYTES: usize = 16_384;
/// The most comparisons and `EXISTS` of one query, and the most values of one list.
pub const MAX_TERMS: usize = 256;
/// How many parentheses, `NOT` and `WHERE` lie within each other at most.
pub const MAX_DEPTH: usize = 32;
/// The most results of one page.
pub const MAX_PAGE: usize = 10_000;

/// Which results to return.
///
/// All pages of a search are of one moment, that of the first: [`Registry::search`](crate::Registry::search) looks
/// at the view of then, whatever was registered, deleted, moved, tagged or renamed since, so that together they are
/// what one page without a limit would have been. [`search`] is given a view, and refuses to go on in another.
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
    /// Where the next page begins; `None` when this is the last. It names the log entry that this page is of and
    /// the last result by the values it is ordered by: see [`Page`].
    pub next: Option<String>,
}

/// A version found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SearchHit {
    /// What the model is called.
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
/// wrong, when the page does not belong to the query, or when the query says `AS OF`: `view` is of one
/// moment already, and [`Registry::search`](crate::Registry::search) finds the one that is asked about.
///
/// # Complexity
/// O(n) in the versions of all models, or of one when the query says `name = '…'`. [Warm](mainstay_repo::View::project)
/// these are looked at in memory, and only those of the page and those of which too little is known there are read:
/// it knows `name`, `version`, `ordinal`, `created`, `stage`, `alias`, `served`, metrics of versions without evaluation
/// reports, tags, parameters, seeds, data and parents, and of the other attributes all that is neither a digest nor a
/// file; texts of at most 256 bytes. It takes 0.4 KB a version for searches by name, stage, alias and metrics, and about
/// 1.3 KB more once one asks for what records say. Where more than one version in four would have to be read, all are. Each `EXISTS` adds one walk, linear in what it
/// reaches, and in the things of the kind that it looks for.
pub fn search(view: &View, query: &str, page: &Page) -> Result<SearchPage> {
    Query::parse(query)?.run(view, page)
}

#[cfg(test)]
mod tests;
