//! `mainstay data part`, `mainstay data join`

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use mainstay::data::{PartSpec, SnapshotPart, SnapshotSpec};
use mainstay::{Error, FilePath, Name, Result};
use serde::Serialize;

use super::chosen::{Chosen, Spelled};
use super::said::{Said, tell};
use super::snapshot::Layout;
use crate::cli::Global;
use crate::output::Answer;
use crate::text::{Fields, bytes};

/// Store files as a part of a version that others store the rest of
///
/// Any number of processes, on any machines, store parts at once. No version is made: FILE says what was
/// stored, is small, and goes to whoever joins the parts.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay data part shard-7.part /mnt/shard-7 --below shard-7")]
pub(crate) struct Part {
    /// The file to write; replaced if it is there
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Files, or directories whose files are taken
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// The directory of the version that the files come below
    #[arg(long, value_name = "DIR")]
    below: Option<FilePath>,
    /// How table files are stored
    #[arg(long, value_enum, default_value_t = Layout::Verbatim)]
    layout: Layout,
    #[command(flatten)]
    chosen: Chosen,
    #[command(flatten)]
    spelled: Spelled,
}

/// Make the next version of a dataset from parts
///
/// It is the version that one process would have made of all files. Table files of the parts are read
/// once more, for the digests and statistics of the whole. How CSV is spelled is said here again, unless the
/// version before was made so.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay data join images shard-1.part shard-2.part shard-3.part --tag v1")]
pub(crate) struct Join {
    /// The dataset
    name: Name,
    /// What `data part` wrote, in any order
    #[arg(value_name = "FILE", required = true)]
    parts: Vec<PathBuf>,
    #[command(flatten)]
    spelled: Spelled,
    #[command(flatten)]
    said: Said,
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    part: &'a Path,
    files: u64,
    bytes: u64,
}

impl Part {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let mut spec = PartSpec::new().with_layout(self.layout.into());
        spec.below = self.below;
        spec.table_files = self.spelled.table_files(self.chosen);
        for path in self.paths {
            spec = spec.with_path(path);
        }
        let workspace = global.open().await?;
        let part = global.telling(workspace.data()).store_part(spec).await?;
        write_whole(&self.file, &part.to_bytes()?)
            .map_err(|error| Error::from(error).context("path", self.file.display()))?;
        let document = Document {
            part: &self.file,
            files: part.files.count(),
            bytes: part.files.bytes(),
        };
        global.output().result(&document, |out| {
            Fields::new()
                .with("part", document.part.display())
                .with("files", document.files)
                .with("size", bytes(document.bytes))
                .write(out)
        })?;
        Ok(Answer::Yes)
    }
}

/// Writes a file so that whoever reads it sees all of it, or what was there before.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let found = fs::canonicalize(path);
    let target = found.as_deref().unwrap_or(path);
    if fs::metadata(target).is_ok_and(|metadata| !metadata.is_file()) {
        // A pipe or a terminal has no other name to be written under.
        return fs::write(target, bytes);
    }
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.unfinished", std::process::id()));
    let unfinished = target.with_file_name(name);
    let written = File::create(&unfinished).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, target)
    });
    if written.is_err() {
        // What cannot be written may well not be deleted either; the first failure is told.
        drop(fs::remove_file(&unfinished));
    }
    written
}

impl Join {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let reason = global.reason(format!("join {}", self.name));
        let mut parts = Vec::with_capacity(self.parts.len());
        for path in &self.parts {
            let named = |error: Error| error.context("path", path.display());
            let read = fs::read(path).map_err(|error| named(error.into()))?;
            parts.push(SnapshotPart::from_slice(&read).map_err(named)?);
        }
        let workspace = global.open().await?;
        let view = workspace.repo().view().await?;
        let mut spec = SnapshotSpec::new(self.name, global.actor()?, reason);
        spec.table_files = self.spelled.table_files(Chosen::default());
        let spec = self.said.add_to(spec, &view).await?;
        let datasets = global.telling(workspace.data());
        let report = datasets.join(spec, &parts).await?;
        // The line of progress makes room for the report.
        drop(datasets);
        tell(&report, global.output())?;
        Ok(Answer::Yes)
    }
}
