//! `mainstay run search`

use clap::Args;
use mainstay::Result;
use mainstay::registry::search::Page;

use super::list;
use crate::cli::Global;
use crate::commands::count;
use crate::output::Answer;

/// Find runs by status, parameters, metrics, tags and what they used
///
/// The query is MLflow's filter language and more: comparisons joined by AND, OR, NOT and parentheses,
/// then ORDER BY, then AS OF an entry of the log or a time. A comparison is one of
///   experiment, id, status, started, ended, updated, description, data, output, code, repository, dirty,
///   environment
///   tags.KEY, metrics.KEY, params.KEY, seeds.KEY, dataset.ROLE
/// with =, !=, <, <=, >, >=, LIKE, ILIKE, RLIKE, CONTAINS, IN (…), BETWEEN, IS NULL. Metrics are the latest of
/// their series. Text stands in single quotes. Without a query everything is listed, what began last first.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_long_help = "\
Example:
  mainstay run search \"status = 'finished' AND metrics.auc > 0.9 ORDER BY metrics.auc DESC\"
  mainstay run search \"experiment = 'churn' AND params.depth < 6\" --count"
)]
pub(crate) struct Search {
    /// What to find
    #[arg(default_value = "", hide_default_value = true)]
    query: String,
    /// At most so many results
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
    /// Continue after a page, with its next
    #[arg(long, value_name = "NEXT")]
    after: Option<String>,
    /// Say how many there are instead
    #[arg(long, conflicts_with_all = ["limit", "after"])]
    count: bool,
}

impl Search {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let runs = global.open().await?.runs();
        if self.count {
            return count(global, runs.count(&self.query).await?);
        }
        let mut page = Page::default().with_limit(self.limit);
        if let Some(after) = self.after {
            page = page.with_after(after);
        }
        let found = runs.search(&self.query, &page).await?;
        let output = global.output();
        output.result(&found, |out| list::table(&found.results).write(out))?;
        match &found.next {
            Some(next) => output.note(&format!("more with --after '{next}'")),
            None if found.results.is_empty() => output.note("nothing found"),
            None => {}
        }
        Ok(Answer::Yes)
    }
}
