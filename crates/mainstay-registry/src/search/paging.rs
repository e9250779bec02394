//! Cuts what was found into pages.

use mainstay_core::{Error, Result};
use mainstay_repo::View;

use super::cursor::{Cursor, Position};
use super::query::Query;
use super::{MAX_PAGE, Page};

/// Which part of what was found is returned.
pub(super) struct Paging {
    /// What the pages belong to.
    of: String,
    seq: u64,
    limit: usize,
    after: Option<Cursor>,
    descending: Vec<bool>,
}

impl Query {
    /// Begins or goes on with the pages of a search for `things` in a view.
    pub(super) fn paging(&self, things: &str, view: &View, page: &Page) -> Result<Paging> {
        if !(1..=MAX_PAGE).contains(&page.limit) {
            return Err(Error::invalid(format!(
                "a page has 1 to {MAX_PAGE} results"
            )));
        }
        let after = self.after(things, page)?;
        if let Some(after) = &after
            && after.seq != view.seq()
        {
            return Err(Error::invalid("the pages before are of another moment")
                .context("entry", after.seq)
                .context("asked about", view.seq()));
        }
        Ok(Paging {
            of: self.pages(things),
            seq: view.seq(),
            limit: page.limit,
            after,
            descending: match &self.order[..] {
                [] => vec![true],
                order => order.iter().map(|order| order.descending).collect(),
            },
        })
    }

    /// Returns the log entry that the pages before were of; `None` when there were none.
    pub(super) fn continued(&self, things: &str, page: &Page) -> Result<Option<u64>> {
        Ok(self.after(things, page)?.map(|cursor| cursor.seq))
    }

    fn after(&self, things: &str, page: &Page) -> Result<Option<Cursor>> {
        let after = page.after.as_ref();
        after
            .map(|after| Cursor::decode(after, &self.pages(things)))
            .transpose()
    }

    fn pages(&self, things: &str) -> String {
        format!("{things} {self}")
    }
}

impl Paging {
    /// Returns what is on the page, in order, and where the next one begins.
    pub(super) fn cut<T>(
        &self,
        mut found: Vec<T>,
        place: impl Fn(&T) -> &Position,
    ) -> Result<(Vec<T>, Option<String>)> {
        let order = |a: &T, b: &T| place(a).compare(place(b), &self.descending);
        if let Some(Cursor { last, .. }) = &self.after {
            found.retain(|one| place(one).compare(last, &self.descending).is_gt());
        }
        let more = found.len() > self.limit;
        if more {
            // All before the last of the page, in any order.
            found.select_nth_unstable_by(self.limit - 1, order);
            found.truncate(self.limit);
        }
        found.sort_unstable_by(order);
        let next = match found.last() {
            Some(last) if more => {
                let (seq, last) = (self.seq, place(last).clone());
                Some(Cursor { seq, last }.encode(&self.of)?)
            }
            _ => None,
        };
        Ok((found, next))
    }
}
