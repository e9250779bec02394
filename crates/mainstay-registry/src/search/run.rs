//! Runs queries.

use std::collections::BTreeMap;

use mainstay_core::{Error, Result};
use mainstay_repo::View;

use super::cursor::{Cursor, Key, Position};
use super::eval::{corrupt, datum, key, ordinal};
use super::lineage::Nearby;
use super::query::{Order, Query};
use super::rows::{Model, Row};
use super::source::Source;
use super::{MAX_PAGE, Page, SearchHit, SearchPage};
use crate::metric::Metric;
use crate::record::ModelVersion;

struct Found<'m> {
    position: Position,
    row: Row<'m>,
    model: &'m Model<'m>,
}

impl Query {
    /// Finds versions.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when the page does not belong to this
    /// query, its limit is 0 or too high, or the query has a [moment](Self::moment) of its own.
    pub fn run(&self, view: &View, page: &Page) -> Result<SearchPage> {
        if self.at.is_some() {
            return Err(Error::invalid("AS OF is asked of a view of one moment"));
        }
        self.run_on(view, page)
    }

    /// Returns the log entry that the pages before were of; `None` when there were none.
    pub(crate) fn continued(&self, page: &Page) -> Result<Option<u64>> {
        Ok(self.after(page)?.map(|cursor| cursor.seq))
    }

    fn after(&self, page: &Page) -> Result<Option<Cursor>> {
        let after = page.after.as_ref();
        after
            .map(|after| Cursor::decode(after, &self.to_string()))
            .transpose()
    }

    /// Finds versions in the view of the moment that the query is about.
    pub(crate) fn run_on(&self, view: &View, page: &Page) -> Result<SearchPage> {
        if !(1..=MAX_PAGE).contains(&page.limit) {
            return Err(Error::invalid(format!(
                "a page has 1 to {MAX_PAGE} results"
            )));
        }
        let text = self.to_string();
        let after = self.after(page)?;
        if let Some(after) = &after
            && after.seq != view.seq()
        {
            return Err(Error::invalid("the pages before are of another moment")
                .context("entry", after.seq)
                .context("asked about", view.seq()));
        }
        let descending = self.directions();
        let filter = self.filter.as_ref();
        let nearby = Nearby::of(view, filter)?;
        let source = Source::of(view, filter)?;
        let models = source.models(view, filter)?;
        let mut found = Vec::new();
        for model in &models {
            self.find(model, &nearby, &mut found)?;
        }
        if let Some(Cursor { last, .. }) = &after {
            found.retain(|found| found.position.compare(last, &descending).is_gt());
        }
        found.sort_by(|a, b| a.position.compare(&b.position, &descending));
        let more = found.len() > page.limit;
        found.truncate(page.limit);
        let next = match found.last() {
            Some(last) if more => {
                let (seq, last) = (view.seq(), last.position.clone());
                Some(Cursor { seq, last }.encode(&text)?)
            }
            _ => None,
        };
        let results = found.iter().map(complete).collect::<Result<_>>()?;
        Ok(SearchPage { results, next })
    }

    fn find<'m>(
        &self,
        model: &'m Model<'m>,
        nearby: &Nearby<'_>,
        found: &mut Vec<Found<'m>>,
    ) -> Result<()> {
        for row in model.rows()? {
            let filter = self.filter.as_ref();
            if filter.map_or(Ok(true), |filter| filter.holds(&(&row, model, nearby)))? {
                found.push(Found {
                    position: self.position(&row, model)?,
                    row,
                    model,
                });
            }
        }
        Ok(())
    }

    fn position(&self, row: &Row<'_>, model: &Model<'_>) -> Result<Position> {
        let keys = if self.order.is_empty() {
            vec![Key::Time(row.state.time)]
        } else {
            let key = |order: &Order| Ok(key(datum(row, model, &order.field)?));
            self.order.iter().map(key).collect::<Result<_>>()?
        };
        Ok(Position {
            keys,
            model: model.called().to_owned(),
            ordinal: ordinal(row)?,
        })
    }

    fn directions(&self) -> Vec<bool> {
        if self.order.is_empty() {
            return vec![true];
        }
        self.order.iter().map(|order| order.descending).collect()
    }
}

fn complete(found: &Found<'_>) -> Result<SearchHit> {
    let Found { row, model, .. } = found;
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
