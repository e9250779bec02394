//! Writing results: text for people, one JSON document for programs.

use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::process::ExitCode;
use std::sync::Arc;

use mainstay::{Error, Progress, Result};
use serde::Serialize;

use crate::progress::ProgressLine;
use crate::text::{DIM, Line};

/// What a command says by its exit code when it does not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Done, or the check passed.
    Yes,
    /// The check said no.
    No,
}

impl Answer {
    /// Says yes when the check passed.
    pub(crate) fn of(passed: bool) -> Self {
        if passed { Self::Yes } else { Self::No }
    }
}

impl From<Answer> for ExitCode {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Yes => Self::SUCCESS,
            Answer::No => Self::from(1),
        }
    }
}

/// How results are written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    pub(crate) json: bool,
    pub(crate) quiet: bool,
}

impl Output {
    /// Writes `document` as JSON, or what `text` writes for people; colors reach terminals only.
    pub(crate) fn result<T: Serialize>(
        self,
        document: &T,
        text: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<()> {
        if self.json {
            return write(io::stdout().lock(), |out| json(document, out));
        }
        write(anstream::stdout().lock(), text)
    }

    /// Writes `document` as JSON, or `text` byte for byte.
    pub(crate) fn verbatim<T: Serialize>(self, document: &T, text: &str) -> Result<()> {
        write(io::stdout().lock(), |out| {
            if self.json {
                json(document, out)
            } else {
                out.write_all(text.as_bytes())
            }
        })
    }

    /// Tells people what else they may want to know, on standard error; `--quiet` silences it.
    pub(crate) fn note(self, text: &str) {
        if !self.quiet {
            // Nothing is left to do when standard error is closed.
            drop(writeln!(anstream::stderr(), "{DIM}{}{DIM:#}", Line(text)));
        }
    }

    /// Shows people how far a long command has come, if they look at standard error; `--quiet` hides it.
    pub(crate) fn progress(self) -> Option<Arc<dyn Progress>> {
        let terminal = io::stderr();
        let is_seen = !self.quiet && terminal.is_terminal();
        is_seen.then(|| Arc::new(ProgressLine::new(terminal)) as _)
    }
}

fn json<T: Serialize>(document: &T, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, document)?;
    writeln!(out)
}

fn write(out: impl Write, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let mut out = BufWriter::new(out);
    match content(&mut out).and_then(|()| out.flush()) {
        // The reader has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            // What is buffered has nowhere to go.
            drop(out.into_parts());
            Ok(())
        }
        written => written.map_err(|error| Error::from(error).operation("write output")),
    }
}
