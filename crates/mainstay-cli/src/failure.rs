//! Failures: what standard error says, and the exit code.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};
use mainstay::{Error, ErrorKind};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::text::{BAD, DIM, Line};

#[derive(Serialize)]
struct Failure {
    error: Body,
}

#[derive(Serialize)]
struct Body {
    kind: &'static str,
    message: String,
    context: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    /// Whether it may have taken effect all the same: a lost response.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    ambiguous: bool,
}

/// Writes a failure to standard error and returns its exit code.
pub(crate) fn report(error: &Error, json: bool) -> ExitCode {
    let mut err = anstream::stderr().lock();
    let written = if json {
        Body::of(error).write(&mut err)
    } else {
        tell(error, &mut err)
    };
    // Nothing is left to do when standard error is closed.
    drop(written);
    ExitCode::from(code(error.kind()))
}

fn tell(error: &Error, err: &mut impl Write) -> io::Result<()> {
    writeln!(err, "{BAD}error{BAD:#}: {}", Line(&error.to_string()))?;
    if let Some(causes) = causes(error) {
        writeln!(err, "{DIM}caused by: {}{DIM:#}", Line(&causes))?;
    }
    if error.is_ambiguous() {
        writeln!(
            err,
            "it may have taken effect all the same: look before you try again"
        )?;
    }
    Ok(())
}

/// Answers arguments that do not parse, and `--help` and `--version`; returns the exit code.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // As for every other output, a closed pipe is no failure.
        drop(error.print());
        return ExitCode::SUCCESS;
    }
    let written = if json_is_asked_for() {
        Body::of_usage(error).write(&mut anstream::stderr().lock())
    } else {
        error.print()
    };
    drop(written);
    ExitCode::from(code(ErrorKind::Invalid))
}

/// Looks for `--json` among arguments that do not parse.
fn json_is_asked_for() -> bool {
    std::env::args_os()
        .skip(1)
        .take_while(|argument| argument != OsStr::new("--"))
        .any(|argument| argument == OsStr::new("--json"))
}

impl Body {
    fn of(error: &Error) -> Self {
        Self {
            kind: error.kind().as_str(),
            message: match error.operation_name() {
                Some(operation) => format!("{operation}: {}", error.message()),
                None => error.message().to_owned(),
            },
            context: error
                .contexts()
                .map(|(key, value)| (key.to_owned(), value.into()))
                .collect(),
            cause: causes(error),
            ambiguous: error.is_ambiguous(),
        }
    }

    fn of_usage(error: &clap::Error) -> Self {
        let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref());
        let mut body = match cause {
            Some(cause) => Self::of(cause),
            None => Self {
                kind: ErrorKind::Invalid.as_str(),
                message: first_line(&error.to_string()),
                context: Map::new(),
                cause: None,
                ambiguous: false,
            },
        };
        for (kind, value) in error.context() {
            let key = match kind {
                ContextKind::InvalidArg => "argument",
                ContextKind::InvalidValue => "value",
                ContextKind::InvalidSubcommand => "command",
                _ => continue,
            };
            let value = match value {
                ContextValue::String(text) => text.clone(),
                ContextValue::Strings(texts) => texts.join(", "),
                _ => continue,
            };
            body.context.insert(key.to_owned(), value.into());
        }
        body
    }

    fn write(self, out: &mut impl Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, &Failure { error: self })?;
        writeln!(out)
    }
}

/// What clap says before it explains the usage.
fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let line = line.strip_prefix("error: ").unwrap_or(line);
    line.trim_end_matches(':').to_owned()
}

fn causes(error: &Error) -> Option<String> {
    let first = std::error::Error::source(error);
    let chain: Vec<String> = std::iter::successors(first, |cause| cause.source())
        .map(ToString::to_string)
        .collect();
    (!chain.is_empty()).then(|| chain.join(": "))
}

fn code(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Invalid | ErrorKind::Unsupported => 2,
        ErrorKind::NotFound => 3,
        ErrorKind::Conflict | ErrorKind::AlreadyExists | ErrorKind::Fenced => 4,
        ErrorKind::Corrupt | ErrorKind::Incompatible | ErrorKind::Internal => 5,
        _ => 6,
    }
}
