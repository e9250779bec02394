//! Pages of what a search finds.

use clap::Args;
use mainstay::Result;
use mainstay::registry::search::Page;
use serde::Serialize;

use crate::cli::Global;
use crate::output::{Answer, Output};

/// Which of what a search finds to show.
#[derive(Debug, Args)]
pub(super) struct Paging {
    /// At most so many results
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
    /// Continue after a page, with its next
    #[arg(long, value_name = "NEXT")]
    after: Option<String>,
    /// Say how many there are instead
    #[arg(long, conflicts_with_all = ["limit", "after"])]
    pub(super) count: bool,
}

impl Paging {
    pub(super) fn page(&self) -> Page {
        let page = Page::default().with_limit(self.limit);
        match &self.after {
            Some(after) => page.with_after(after),
            None => page,
        }
    }
}

/// Says how many were found.
pub(super) fn count(global: &Global, count: u64) -> Result<Answer> {
    #[derive(Serialize)]
    struct Document {
        count: u64,
    }
    let output = global.output();
    output.result(&Document { count }, |out| writeln!(out, "{count}"))?;
    Ok(Answer::Yes)
}

/// Tells people how to go on, or that there is nothing.
pub(super) fn note_next(output: Output, next: Option<&str>, is_empty: bool) {
    match next {
        Some(next) => output.note(&format!("more with --after '{next}'")),
        None if is_empty => output.note("nothing found"),
        None => {}
    }
}
