//! What the next page of a search is asked of, kept from page to page.

use std::sync::{Arc, Mutex, PoisonError};

use mainstay_core::Result;
use mainstay_repo::{Repo, View};

use super::find::Known;
use super::query::{Moment, Query};
use super::{Page, SearchPage};

/// How many searches are kept; the one that was not gone on with the longest gives way.
const MAX_KEPT: usize = 8;

/// The searches of which more pages are to come, so that a page costs no more after others have written. Whoever
/// goes on elsewhere reads the view of then again.
#[derive(Debug, Default)]
pub(crate) struct Pages(Mutex<Vec<Kept>>);

#[derive(Debug)]
struct Kept {
    query: String,
    seq: u64,
    asked: Asked,
}

/// A view and what is known of its versions. Both share what they can with those of later views.
#[derive(Debug, Clone)]
struct Asked {
    view: View,
    known: Arc<Known>,
}

impl Asked {
    async fn new(query: &Query, moment: Option<Moment>, repo: &Repo) -> Result<Self> {
        let view = Moment::view(moment, repo).await?;
        let known = Arc::new(view.read(|view| query.known(view)).await?);
        Ok(Self { view, known })
    }
}

impl Pages {
    pub(crate) async fn search(
        &self,
        repo: &Repo,
        query: &Query,
        page: &Page,
    ) -> Result<SearchPage> {
        let (text, seq) = (query.to_string(), query.seq(page)?);
        let asked = match seq.and_then(|seq| self.take(&text, seq)) {
            Some(asked) => asked,
            None => Asked::new(query, seq.map(Moment::Seq).or(query.moment()), repo).await?,
        };
        let read = |view: &View| query.run_knowing(view, &asked.known, page);
        let found = asked.view.read(read).await?;
        if found.next.is_some() {
            self.keep(text, asked);
        }
        Ok(found)
    }

    fn take(&self, query: &str, seq: u64) -> Option<Asked> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept
            .iter()
            .position(|kept| kept.seq == seq && kept.query == query)?;
        Some(kept.remove(at).asked)
    }

    fn keep(&self, query: String, asked: Asked) {
        let seq = asked.view.seq();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|kept| kept.seq != seq || kept.query != query);
        if kept.len() == MAX_KEPT {
            kept.remove(0);
        }
        kept.push(Kept { query, seq, asked });
    }
}
