//! `mainstay env capture`

use std::path::PathBuf;

use clap::Args;
use mainstay::env::{self, ProbeReport};
use mainstay::{Digest, Error, ErrorKind, Name, NodeRef, Result};
use serde::Serialize;
use serde_json::Value as Json;

use crate::args;
use crate::cli::Global;
use crate::output::Answer;
use crate::text::{BOLD, CAUTION, Cell, DIM, Fields, GOOD, Table};

/// Record this machine's environment as the next version of a name
///
/// Looks at files and a few variables; runs no program and needs no network. An environment equal to
/// the latest version's is that version. Secrets are not recorded.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay env capture trainer --python .venv --project . --allow-env CUDA_VISIBLE_DEVICES")]
pub(crate) struct Capture {
    /// The environment
    name: Name,
    /// The Python: an interpreter, a virtual environment, or a directory of packages [default: the
    /// one a shell would start]
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
    /// A project whose commit, lock files and toolchain file count
    #[arg(long, value_name = "DIR")]
    project: Option<PathBuf>,
    /// Record one more environment variable; may be repeated
    #[arg(long = "allow-env", value_name = "VAR")]
    variables: Vec<String>,
    /// Which image this container runs, best with its digest
    #[arg(long)]
    image: Option<String>,
    /// Digest also what each Python package installed
    #[arg(long)]
    package_content: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    node: &'a NodeRef,
    env: &'a Name,
    version: Json,
    digest: Digest,
    created: bool,
    probes: &'a [ProbeReport],
}

impl Capture {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let name = self.name.clone();
        let workspace = global.open().await?;
        let manifest = self.capture()?.run();
        let reason = global.reason(format!("capture {name}"));
        let recorded = workspace
            .environments()
            .record(&name, &manifest, global.actor()?, &reason)
            .await?;
        let document = Document {
            node: &recorded.node,
            env: &name,
            version: args::version(&recorded.node),
            digest: recorded.digest,
            created: recorded.created,
            probes: &manifest.probes,
        };
        let output = global.output();
        output.result(&document, |out| document.write(out))?;
        if !recorded.created {
            output.note("the environment is the latest version's: no new version was made");
        }
        Ok(Answer::Yes)
    }

    /// Configures what to look at.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when a path that was given is not there: the manifest would say that
    /// there is no Python, which nobody meant.
    fn capture(self) -> Result<env::Capture> {
        let mut capture = env::Capture::new();
        for path in self.python.iter().chain(&self.project) {
            if !path.exists() {
                return Err(Error::new(ErrorKind::NotFound, "no such file or directory")
                    .context("path", path.display()));
            }
        }
        if let Some(python) = self.python {
            capture = capture.with_python(python);
        }
        if let Some(project) = self.project {
            capture = capture.with_project(project);
        }
        if let Some(image) = self.image {
            capture = capture.with_container_image(image);
        }
        if self.package_content {
            capture = capture.with_package_content();
        }
        Ok(self
            .variables
            .into_iter()
            .fold(capture, env::Capture::allow_variable))
    }
}

impl Document<'_> {
    fn write(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        Fields::new()
            .with("version", Cell::new(self.node, BOLD))
            .with("digest", self.digest)
            .write(out)?;
        writeln!(out)?;
        let mut table = Table::new(["fact", "outcome", "where, or why not"]);
        for probe in self.probes {
            let style = match probe.outcome.as_str() {
                "known" => GOOD,
                "failed" => CAUTION,
                _ => DIM,
            };
            table.row([
                (&probe.probe).into(),
                Cell::new(&probe.outcome, style),
                probe.detail.as_deref().unwrap_or_default().into(),
            ]);
        }
        table.write(out)
    }
}
