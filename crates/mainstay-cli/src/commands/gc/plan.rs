//! `mainstay gc plan`

use std::collections::BTreeMap;

use clap::Args;
use mainstay::Result;
use mainstay::repo::{CollectionPlan, PlannedPack};
use serde::Serialize;

use super::Options;
use crate::cli::Global;
use crate::output::Answer;
use crate::text::{Cell, DIM, Table, bytes};

/// Show what collecting would delete, condemn and write again, and why
///
/// Kept is what live refs name, and every state of the last 90 days. A pack of no use waits a day,
/// is condemned, waits another day, and is deleted; each step takes one run of gc apply. Checkpoints
/// that newer ones supersede are condemned, and deleted a day later. Nothing is changed by planning.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay gc plan
  mainstay gc plan --keep-days 30 --json
  mainstay gc plan --defragment")]
pub(crate) struct Plan {
    #[command(flatten)]
    options: Options,
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    plan: &'a CollectionPlan,
    because: Vec<Because>,
}

/// How many packs something happens to for one reason.
#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "a name of the document")]
struct Because {
    action: &'static str,
    packs: u64,
    bytes: u64,
    because: String,
}

impl Plan {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let options = self.options.collect();
        let repo = global.watching(workspace.repo());
        let plan = repo.plan_collection(&options).await?;
        // The line of progress makes room for the plan.
        drop(repo);
        let document = Document {
            plan: &plan,
            because: because(&plan),
        };
        let output = global.output();
        output.result(&document, |out| {
            let mut table =
                Table::new(["action", "objects", "size", "because"]).numbers_in(&[1, 2]);
            for line in &document.because {
                table.row([
                    line.action.into(),
                    line.packs.into(),
                    bytes(line.bytes).into(),
                    Cell::new(&line.because, DIM),
                ]);
            }
            let checkpoints = &plan.checkpoints;
            for (action, numbers, because) in [
                ("keep", &checkpoints.keep, "checkpoints"),
                ("wait", &checkpoints.wait, "checkpoints, condemned"),
                (
                    "condemn",
                    &checkpoints.condemn,
                    "checkpoints that newer ones supersede",
                ),
            ] {
                if !numbers.is_empty() {
                    let (count, because) = (numbers.len() as u64, Cell::new(because, DIM));
                    table.row([action.into(), count.into(), "".into(), because]);
                }
            }
            let deleted = checkpoints.delete.len() as u64 + checkpoints.delete_shards;
            if deleted > 0 {
                table.row([
                    "delete".into(),
                    deleted.into(),
                    bytes(checkpoints.delete_bytes).into(),
                    Cell::new(
                        "checkpoints condemned by an earlier run, and their shards",
                        DIM,
                    ),
                ]);
            }
            table.write(out)?;
            let gathered = &plan.defragment;
            if gathered.packs > 0 {
                let (before, after) = (gathered.requests, gathered.requests_after);
                let (packs, size) = (gathered.packs, bytes(gathered.bytes));
                writeln!(
                    out,
                    "reading takes {before} requests, and {after} once {packs} packs are written again, {size}"
                )?;
            }
            Ok(())
        })?;
        let checkpoints = &plan.checkpoints;
        let packs = plan.delete.is_empty() && plan.condemn.is_empty() && plan.repack.is_empty();
        if packs && checkpoints.condemn.is_empty() && checkpoints.delete.is_empty() {
            output.note("nothing to delete, condemn or write again yet");
        }
        Ok(Answer::Yes)
    }
}

fn because(plan: &CollectionPlan) -> Vec<Because> {
    let mut lines = vec![Because {
        action: "keep",
        packs: plan.keep,
        bytes: plan.kept_bytes,
        because: "needed".to_owned(),
    }];
    let lists: [(&'static str, &[PlannedPack]); 4] = [
        ("wait", &plan.wait),
        ("repack", &plan.repack),
        ("condemn", &plan.condemn),
        ("delete", &plan.delete),
    ];
    for (action, packs) in lists {
        let mut reasons: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for pack in packs {
            let (count, bytes) = reasons.entry(&pack.because).or_default();
            *count += 1;
            *bytes += pack.bytes;
        }
        lines.extend(
            reasons
                .into_iter()
                .map(|(because, (packs, bytes))| Because {
                    action,
                    packs,
                    bytes,
                    because: because.to_owned(),
                }),
        );
    }
    lines
}
