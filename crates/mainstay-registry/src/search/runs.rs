//! Runs in the language of queries.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use mainstay_core::{Error, Name, NodeKind, NodeRef, Result};
use mainstay_repo::{RefState, View};
use serde::Serialize;

use super::Page;
use super::cursor::{Key, Position};
use super::eval::{Datum, Subject, key, text, time};
use super::lineage::Nearby;
use super::query::{Attribute, Exists, Expr, Field, Moment, Query};
use super::recorded::recorded;
use crate::refs::held;
use crate::run::{self, RunInfo};

/// What the pages of a query belong to.
const THINGS: &str = "runs";

/// A parsed query about runs.
///
/// ```
/// use mainstay_registry::search::RunQuery;
///
/// // As MLflow spells it.
/// let query = RunQuery::parse("attributes.status = 'FINISHED' AND metrics.auc > 0.9 AND params.depth = '6'")?;
/// let printed = "status = 'finished' AND metrics.`auc` > 0.9 AND params.`depth` = '6'";
/// assert_eq!(query.to_string(), printed);
/// # Ok::<(), mainstay_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunQuery(Query);

/// Runs in order.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RunPage {
    /// The runs found.
    pub results: Vec<RunInfo>,
    /// Where the next page begins; `None` when this is the last. See [`Page`].
    pub next: Option<String>,
}

impl RunQuery {
    /// Parses a query; the same as [`FromStr`]. An empty one finds every run.
    ///
    /// # Errors
    /// As [`Query::parse`].
    pub fn parse(text: &str) -> Result<Self> {
        Query::parse_about(text, Some(NodeKind::Run)).map(Self)
    }

    /// Returns when the query is about; `None` for now.
    #[must_use]
    pub fn moment(&self) -> Option<Moment> {
        self.0.moment()
    }

    /// Finds runs; without `ORDER BY` the one that began last first.
    ///
    /// # Errors
    /// As [`Query::run`].
    ///
    /// # Complexity
    /// O(n log n) in the refs of all runs, or of those of one experiment when the query says `name = '…'`.
    pub fn run(&self, view: &View, page: &Page) -> Result<RunPage> {
        self.0.check_moment()?;
        self.run_on(view, page)
    }

    /// Counts the runs that it finds.
    ///
    /// # Errors
    /// As [`Query::run`].
    pub fn count(&self, view: &View) -> Result<u64> {
        self.0.check_moment()?;
        self.count_on(view)
    }

    pub(crate) fn run_on(&self, view: &View, page: &Page) -> Result<RunPage> {
        let paging = self.0.paging(THINGS, view, page)?;
        let (found, next) = paging.cut(self.find(view)?, |found| &found.0)?;
        let show = |(_, node): (Position, NodeRef)| run::show(view, &node.into());
        let results = found.into_iter().map(show).collect::<Result<_>>()?;
        Ok(RunPage { results, next })
    }

    pub(crate) fn count_on(&self, view: &View) -> Result<u64> {
        Ok(self.find(view)?.len() as u64)
    }

    /// Returns the log entry that the pages before were of; `None` when there were none.
    pub(crate) fn seq(&self, page: &Page) -> Result<Option<u64>> {
        self.0.continued(THINGS, page)
    }

    fn find(&self, view: &View) -> Result<Vec<(Position, NodeRef)>> {
        let filter = self.0.filter.as_ref();
        let prefix = match filter.and_then(Expr::model).map(str::parse::<Name>) {
            Some(Ok(experiment)) => format!("{}/{experiment}", NodeKind::Run),
            // What is no name no experiment has.
            Some(Err(_)) => return Ok(Vec::new()),
            None => NodeKind::Run.as_str().to_owned(),
        };
        let nearby = Nearby::of(view, filter)?;
        let mut found = Vec::new();
        for (path, state) in view.below(&prefix)? {
            let Some(node) = NodeRef::from_ref_path(path) else {
                continue;
            };
            run::Run::check_value(held(path, state)?)?;
            let row = RunRow {
                view,
                node: &node,
                state,
                nearby: &nearby,
            };
            if filter.map_or(Ok(true), |filter| filter.holds(&row))? {
                let position = self.position(&row)?;
                found.push((position, node));
            }
        }
        Ok(found)
    }

    fn position(&self, row: &RunRow<'_>) -> Result<Position> {
        let began = [Field::Attribute(Attribute::Created)];
        let ordered: Vec<&Field> = match &self.0.order[..] {
            [] => began.iter().collect(),
            order => order.iter().map(|order| &order.field).collect(),
        };
        let keys = ordered.into_iter().map(|field| Ok(key(row.datum(field)?)));
        Ok(Position {
            keys: keys.collect::<Result<Vec<Key>>>()?,
            name: row.node.to_string(),
            ordinal: 0,
        })
    }
}

impl FromStr for RunQuery {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

impl Display for RunQuery {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A run, read as far as a filter needs it.
pub(super) struct RunRow<'r> {
    pub(super) view: &'r View,
    pub(super) node: &'r NodeRef,
    pub(super) state: &'r RefState,
    pub(super) nearby: &'r Nearby<'r>,
}

impl Subject for RunRow<'_> {
    fn datum(&self, field: &Field) -> Result<Datum<'_>> {
        let record = self.state.value.as_ref().map(|value| &value.record);
        Ok(match field {
            Field::Attribute(Attribute::Name) => text(Some(self.node.name().as_str())),
            Field::Attribute(Attribute::Label) => text(Some(self.node.version().as_str())),
            Field::Attribute(Attribute::Created) => {
                let began = record.and_then(|record| record.get("started")?.as_str());
                time(began.and_then(|began| began.parse().ok()))
            }
            Field::Attribute(Attribute::Updated) => time(Some(self.state.time)),
            Field::Attribute(Attribute::Output) => {
                let made = run::outputs(self.view, self.node)?.into_iter();
                Datum::Several(
                    made.map(|made| Cow::Owned(made.output.to_string()))
                        .collect(),
                )
            }
            Field::Metric(key) => {
                let series = run::metrics(self.view, self.node)?;
                let latest = series.get(key).map(|series| series.latest.value.value());
                latest.map_or(Datum::Missing, Datum::Number)
            }
            field => record
                .and_then(|record| recorded(record, field))
                .unwrap_or(Datum::Missing),
        })
    }

    fn exists(&self, exists: &Exists) -> Result<bool> {
        Ok(self.nearby.holds(exists, self.node))
    }
}
