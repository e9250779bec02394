//! Runs queries.

use std::collections::BTreeMap;

use mainstay_core::{Error, Result};
use mainstay_repo::View;

use super::eval::corrupt;
use super::find::{Found, Known, find};
use super::query::Query;
use super::rows::{Model, Row};
use super::{Page, SearchHit, SearchPage};
use crate::metric::Metric;
use crate::record::ModelVersion;

/// What the pages of a query belong to.
const THINGS: &str = "models";

impl Query {
    /// Finds versions.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when the page does not belong to this
    /// query or to this view, its limit is 0 or too high, or the query has a [moment](Self::moment) of its own.
    pub fn run(&self, view: &View, page: &Page) -> Result<SearchPage> {
        self.check_moment()?;
        self.run_knowing(view, &self.known(view)?, page)
    }

    /// Counts the versions that it finds.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    ///
    /// # Complexity
    /// As [`search`](super::search()); no version is read that an index knows all about.
    pub fn count(&self, view: &View) -> Result<u64> {
        self.check_moment()?;
        self.count_on(view)
    }

    pub(super) fn check_moment(&self) -> Result<()> {
        match self.at {
            None => Ok(()),
            Some(_) => Err(Error::invalid("AS OF is asked of a view of one moment")),
        }
    }

    /// Returns what is known of the versions of a view, as far as the query can use it.
    pub(super) fn known(&self, view: &View) -> Result<Known> {
        Known::of(view, self.filter.as_ref(), &self.order)
    }

    /// Finds versions in the view of the moment that the query is about, which `known` is of.
    pub(super) fn run_knowing(
        &self,
        view: &View,
        known: &Known,
        page: &Page,
    ) -> Result<SearchPage> {
        let paging = self.paging(THINGS, view, page)?;
        let found = find(view, known, self.filter.as_ref(), &self.order)?;
        let (found, next) = paging.cut(found, |found| &found.position)?;
        let results = complete(view, &found)?;
        Ok(SearchPage { results, next })
    }

    pub(crate) fn count_on(&self, view: &View) -> Result<u64> {
        let filter = self.filter.as_ref();
        let known = Known::of(view, filter, &[])?;
        Ok(find(view, &known, filter, &[])?.len() as u64)
    }

    /// Returns the log entry that the pages before were of; `None` when there were none.
    pub(super) fn seq(&self, page: &Page) -> Result<Option<u64>> {
        self.continued(THINGS, page)
    }
}

/// Reads the versions of a page.
fn complete(view: &View, found: &[Found<'_>]) -> Result<Vec<SearchHit>> {
    let mut versions: Vec<_> = found
        .iter()
        .map(|found| (found.id, found.version))
        .collect();
    versions.sort_unstable();
    let models = Model::some(view, versions.into_iter())?;
    let mut hits = BTreeMap::new();
    for model in &models {
        for row in model.rows()? {
            hits.insert((row.model, row.version), hit(&row, model)?);
        }
    }
    let mut results = Vec::with_capacity(found.len());
    for one in found {
        let hit = hits.remove(&(one.id, one.version));
        results.push(hit.ok_or_else(|| one.lost())?);
    }
    Ok(results)
}

fn hit(row: &Row<'_>, model: &Model<'_>) -> Result<SearchHit> {
    let value = row.state.value.as_ref().ok_or_else(|| corrupt(row))?;
    let record = ModelVersion::from_value(value)?;
    let mut metrics: BTreeMap<String, Metric> = record
        .metrics
        .into_iter()
        .map(|(name, measured)| (name, measured.value))
        .collect();
    metrics.extend(model.measured(row)?);
    Ok(SearchHit {
        model: model.called().parse()?,
        version: record.version,
        stage: model.stage(row.version).clone(),
        aliases: model.aliases(row.version).to_vec(),
        metrics,
        tags: match model.annotation(row.version) {
            Some(annotation) => annotation.apply(&record.tags),
            None => record.tags,
        },
    })
}
