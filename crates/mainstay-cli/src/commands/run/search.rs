//! `mainstay run search`

use clap::Args;
use mainstay::Result;

use super::list;
use crate::cli::Global;
use crate::commands::paging::{Paging, count, note_next};
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
    #[command(flatten)]
    paging: Paging,
}

impl Search {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let runs = global.open().await?.runs();
        if self.paging.count {
            return count(global, runs.count(&self.query).await?);
        }
        let found = runs.search(&self.query, &self.paging.page()).await?;
        let output = global.output();
        output.result(&found, |out| list::table(&found.results).write(out))?;
        note_next(output, found.next.as_deref(), found.results.is_empty());
        Ok(Answer::Yes)
    }
}
