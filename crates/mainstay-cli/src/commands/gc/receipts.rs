//! `mainstay gc receipts`

use std::io::{self, Write};

use clap::Args;
use futures::TryStreamExt as _;
use mainstay::repo::CollectionReceipt;
use mainstay::{Error, Result};
use serde::Serialize;

use crate::cli::Global;
use crate::output::Answer;
use crate::text::{Cell, DIM, Fields, Table, when};

/// Show what runs of collection have deleted, newest first
///
/// The log keeps a receipt of each run, with the objects it deleted. With a number, that run's.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay gc receipts
  mainstay gc receipts 12 --json")]
pub(crate) struct Receipts {
    /// The number of a run
    run: Option<u64>,
}

#[derive(Serialize)]
struct Document {
    receipts: Vec<CollectionReceipt>,
}

impl Receipts {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let mut walk = workspace.repo().receipts();
        let mut receipts = Vec::new();
        while let Some(receipt) = walk.try_next().await? {
            match self.run {
                Some(run) if receipt.run < run => break,
                Some(run) if receipt.run > run => {}
                _ => receipts.push(receipt),
            }
        }
        let output = global.output();
        if let Some(run) = self.run {
            let receipt = receipts.pop();
            let receipt = receipt.ok_or_else(|| Error::not_found("run of collection", run))?;
            output.result(&receipt, |out| write(&receipt, out))?;
            return Ok(Answer::Yes);
        }
        let document = Document { receipts };
        output.result(&document, |out| {
            let head = ["run", "deleted", "checkpoints", "time", "actor", "reason"];
            let mut table = Table::new(head).numbers_in(&[0, 1, 2]);
            for receipt in &document.receipts {
                table.row([
                    receipt.run.into(),
                    receipt.deleted.len().into(),
                    receipt.checkpoints.len().into(),
                    Cell::new(when(receipt.time), DIM),
                    (&receipt.actor).into(),
                    (&receipt.reason).into(),
                ]);
            }
            table.write(out)
        })?;
        if document.receipts.is_empty() {
            output.note("nothing was collected yet");
        }
        Ok(Answer::Yes)
    }
}

fn write(receipt: &CollectionReceipt, out: &mut dyn Write) -> io::Result<()> {
    Fields::new()
        .with("run", receipt.run)
        .with("entry", receipt.seq)
        .with("time", receipt.time)
        .with("actor", &receipt.actor)
        .with("reason", &receipt.reason)
        .with_all("checkpoints", &receipt.checkpoints)
        .write(out)?;
    receipt
        .deleted
        .iter()
        .try_for_each(|key| writeln!(out, "{key}"))
}
