//! `mainstay env list`

use clap::Args;
use mainstay::env::Environments;
use mainstay::{Name, NodeRef, Result, Timestamp};
use serde::Serialize;

use crate::cli::Global;
use crate::output::Answer;
use crate::text::{Cell, DIM, Table, when};

/// List the environments
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay env list")]
pub(crate) struct List {}

#[derive(Serialize)]
struct Document {
    environments: Vec<Summary>,
}

#[derive(Serialize)]
struct Summary {
    env: Name,
    latest: NodeRef,
    recorded_at: Timestamp,
    versions: usize,
}

impl List {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let view = global.open().await?.repo().view().await?;
        let environments = view.read(Environments::list).await?;
        let environments = environments.into_iter().map(|summary| Summary {
            env: summary.name,
            latest: summary.latest,
            recorded_at: summary.recorded_at,
            versions: summary.versions,
        });
        let document = Document {
            environments: environments.collect(),
        };
        let output = global.output();
        output.result(&document, |out| {
            let mut table = Table::new(["env", "latest", "recorded"]).numbers_in(&[1]);
            for env in &document.environments {
                table.row([
                    (&env.env).into(),
                    env.latest.version().into(),
                    Cell::new(when(env.recorded_at), DIM),
                ]);
            }
            table.write(out)
        })?;
        if document.environments.is_empty() {
            output.note("no environments; see mainstay env capture");
        }
        Ok(Answer::Yes)
    }
}
