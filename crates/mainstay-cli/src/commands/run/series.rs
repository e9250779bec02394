//! `mainstay run series`

use std::ops::Bound;

use clap::Args;
use mainstay::registry::run::Point;
use mainstay::{Locator, NodeRef, Result};
use serde::Serialize;

use crate::args;
use crate::cli::Global;
use crate::commands::resolve;
use crate::output::Answer;
use crate::text::{Cell, DIM, Table};

/// Print the points of one series, or those within a range of steps
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay run series churn@1 loss
  mainstay run series churn@1 loss --from 1000 --to 2000")]
pub(crate) struct Series {
    /// The run
    #[arg(value_name = "RUN", value_parser = args::run)]
    reference: Locator,
    /// The series
    metric: String,
    /// The first step
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    from: Option<i64>,
    /// The last step
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    to: Option<i64>,
}

#[derive(Serialize)]
struct Document<'a> {
    run: &'a NodeRef,
    metric: &'a str,
    points: Vec<Point>,
}

impl Series {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let view = workspace.repo().view().await?;
        let run = resolve(&view, &self.reference).await?;
        let [from, to] = [self.from, self.to].map(|b| b.map_or(Bound::Unbounded, Bound::Included));
        let runs = workspace.runs();
        let points = runs.series(&view, &run, &self.metric, (from, to)).await?;
        let document = Document {
            run: &run,
            metric: &self.metric,
            points,
        };
        let output = global.output();
        output.result(&document, |out| {
            let mut table = Table::new(["step", "value", "time"]).numbers_in(&[0, 1]);
            for point in &document.points {
                table.row([
                    point.step.into(),
                    point.value.into(),
                    Cell::new(point.time, DIM),
                ]);
            }
            table.write(out)
        })?;
        if document.points.is_empty() {
            output.note("no points");
        }
        Ok(Answer::Yes)
    }
}
