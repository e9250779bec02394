//! `mainstay-bench`: measures storages.
//!
//! The report goes to standard output, what it is doing to standard error. The exit code is 0 when all
//! that was asked for was measured, 1 when something failed, 2 for wrong arguments.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people"
)]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use mainstay::{Clock as _, Error, ErrorKind, Result, SystemClock};
use mainstay_bench::storage::{Options, Scale, Target, run};

/// Measures Mainstay where you are.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Does the same work on every storage and prints how fast each is, as Markdown
    Storage(StorageArgs),
}

#[derive(Debug, Args)]
struct StorageArgs {
    /// A storage to measure, with a name for the report; memory, a temporary directory and, if built in,
    /// SQLite unless given
    #[arg(long = "url", value_name = "[NAME=]URL")]
    targets: Vec<Target>,
    /// Does little, to see whether all works; the figures mean nothing
    #[arg(long)]
    quick: bool,
    /// Writes the report as JSON too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draws a chart too
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// What the written bytes come from
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    seed: u64,
}

fn main() -> ExitCode {
    let Command::Storage(args) = Cli::parse().command;
    match storage(args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(1)
        }
    }
}

/// Returns whether everything was measured.
fn storage(args: StorageArgs) -> Result<bool> {
    let targets = match args.targets {
        targets if targets.is_empty() => Target::defaults()?,
        targets => targets,
    };
    let options = Options {
        targets,
        scale: if args.quick {
            Scale::QUICK
        } else {
            Scale::FULL
        },
        seed: args.seed,
        date: SystemClock::default().now(),
    };
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.enable_all().build().map_err(|cause| {
        Error::new(ErrorKind::Unavailable, "cannot start threads").with_source(cause)
    })?;
    let report = runtime.block_on(run(&options, &|step| eprintln!("{step}"), interrupted()));

    print!("{}", report.markdown());
    if let Some(path) = args.json {
        write(&path, &report.json()?)?;
    }
    if let Some(path) = args.svg {
        write(&path, &report.chart()?)?;
    }
    Ok(report.failures.is_empty())
}

/// Returns when the user wants to stop; never where that cannot be heard.
async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn write(path: &PathBuf, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(|cause| {
        Error::new(ErrorKind::Unavailable, "cannot write the report")
            .context("path", path.display())
            .with_source(cause)
    })
}
