//! The `mainstay` command: a thin shell over the [`mainstay`] library.
//!
//! Arguments in, text or one JSON document out. `mainstay --help` lists the commands.
//!
//! | exit code | means |
//! |---|---|
//! | 0 | done |
//! | 1 | a check said no: a gate, a guardrail, drift, incompatible, verification found damage |
//! | 2 | usage or invalid input |
//! | 3 | not found |
//! | 4 | conflict, or already exists |
//! | 5 | corrupt, or written by a newer Mainstay |
//! | 6 | storage unavailable, or permission denied |

mod args;
mod cli;
mod commands;
mod failure;
#[cfg(test)]
mod guides;
mod output;
mod progress;
mod text;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return failure::usage(&error),
    };
    let json = cli.global.json;
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return failure::report(&error.into(), json),
    };
    match runtime.block_on(commands::run(cli)) {
        Ok(answer) => answer.into(),
        Err(error) => failure::report(&error, json),
    }
}
