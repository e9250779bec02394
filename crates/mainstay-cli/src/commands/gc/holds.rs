//! `mainstay gc holds`

use clap::Args;
use mainstay::Result;
use mainstay::repo::Hold;
use serde::Serialize;

use crate::cli::Global;
use crate::output::Answer;
use crate::text::{Cell, DIM, Table, joined, when};

/// List what is held, by whom and why
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay gc holds --json")]
pub(crate) struct Holds {}

#[derive(Serialize)]
struct Document {
    holds: Vec<Hold>,
}

impl Holds {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let holds = global.open().await?.repo().holds().await?;
        let document = Document { holds };
        let output = global.output();
        output.result(&document, |out| {
            let head = ["hold", "of", "blobs", "time", "actor", "reason"];
            let mut table = Table::new(head).numbers_in(&[2]);
            for hold in &document.holds {
                table.row([
                    (&hold.name).into(),
                    joined(&hold.of).into(),
                    hold.blobs.into(),
                    Cell::new(when(hold.time), DIM),
                    (&hold.actor).into(),
                    (&hold.reason).into(),
                ]);
            }
            table.write(out)
        })?;
        if document.holds.is_empty() {
            output.note("nothing is held");
        }
        Ok(Answer::Yes)
    }
}
