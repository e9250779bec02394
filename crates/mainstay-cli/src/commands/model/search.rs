//! `mainstay model search`

use clap::Args;
use mainstay::Result;

use crate::cli::Global;
use crate::commands::paging::{Paging, count, note_next};
use crate::output::Answer;
use crate::text::{Table, joined};

/// Find versions by stage, tags, metrics and parameters
///
/// The query is MLflow's filter language and more: comparisons joined by AND, OR, NOT and parentheses,
/// then ORDER BY, then AS OF an entry of the log or a time. A comparison is one of
///   name, version, stage, alias, served, author, owner, purpose, expires, description, run, step, data,
///   parent, code, repository, dirty, environment, file, bytes, artifact, reproducibility, created, updated, ordinal
///   tags.KEY, metrics.KEY, params.KEY, seeds.KEY, eval.EVALUATION.METRIC, gate.SUBJECT, dataset.ROLE,
///   digest.ROLE, parent.RELATION, alias.NAME, stage.NAME, signature.inputs.NAME, signature.outputs.NAME
/// with =, !=, <, <=, >, >=, LIKE, ILIKE, RLIKE, CONTAINS, IN (…), BETWEEN, IS NULL; version SATISFIES '^1.2'.
/// Text stands in single quotes. Without a query everything is listed, the newest first.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_long_help = "\
Example:
  mainstay model search \"tags.team = 'risk' AND metrics.auc > 0.9 ORDER BY metrics.auc DESC\"
  mainstay model search \"stage = 'production'\" --count
  mainstay model search \"(stage = 'production' OR alias = 'champion') AS OF '2026-01-01T00:00:00Z'\""
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
        let models = global.open().await?.models();
        if self.paging.count {
            return count(global, models.count(&self.query).await?);
        }
        let found = models.search(&self.query, &self.paging.page()).await?;
        let output = global.output();
        output.result(&found, |out| {
            let mut table = Table::new(["model", "version", "stage", "aliases", "metrics", "tags"]);
            for hit in &found.results {
                let metrics = hit.metrics.iter().map(|(k, v)| format!("{k}={v}"));
                let tags = hit.tags.iter().map(|(k, v)| format!("{k}={v}"));
                table.row([
                    (&hit.model).into(),
                    (&hit.version).into(),
                    (&hit.stage).into(),
                    joined(&hit.aliases).into(),
                    joined(metrics).into(),
                    joined(tags).into(),
                ]);
            }
            table.write(out)
        })?;
        note_next(output, found.next.as_deref(), found.results.is_empty());
        Ok(Answer::Yes)
    }
}
