//! `mainstay data snapshot`

use crate::commands::resolve;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use mainstay::data::{BranchTarget, FileLayout, Patches, SnapshotSpec, Transform};
use mainstay::{Edge, EdgeKind, Locator, Name, NodeRef, Result};

use crate::args::{self, Pair, Slot};
use crate::cli::Global;
use crate::output::Answer;
use crate::text::{BOLD, Cell, Fields, bytes};

/// Store files as the next version of a dataset
///
/// Parquet, CSV and Arrow files become one table with a schema, statistics and digests; other files
/// are kept as they are. Content equal to the latest version's is that version.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay data snapshot penguins penguins.csv --tag v1
  mainstay data snapshot payments payments.csv --layout canonical
  mainstay data snapshot payments 2024/ --parent payments@3 --meta licence=CC0
  mainstay data snapshot payments 2024/ --branch main --key id
  mainstay data snapshot clean clean.parquet --source raw=payments@3 --transform drop_nulls \\
    --param min=3 --code prepare@9f31c2a")]
pub(crate) struct Snapshot {
    /// The dataset
    name: Name,
    /// Files, or directories whose files are taken
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// How table files are stored
    #[arg(long, value_enum, default_value_t = Layout::Verbatim)]
    layout: Layout,
    /// Store canonical files as patches of the latest version where that is well smaller
    #[arg(long)]
    patch: bool,
    /// Tag the version; may be repeated
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<Name>,
    /// Say something about the content; may be repeated
    #[arg(long = "meta", value_name = "KEY=VALUE")]
    metadata: Vec<Pair>,
    /// The version this continues; may be repeated
    #[arg(long = "parent", value_name = "REF", value_parser = args::data)]
    parents: Vec<Locator>,
    /// Commit on a branch: it moves to the new version, which continues the one it pointed to
    #[arg(long)]
    branch: Option<Name>,
    /// The version that the branch must still point to
    #[arg(long, value_name = "REF", value_parser = args::data, requires = "branch")]
    expect: Option<Locator>,
    /// The columns that tell rows apart
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    key: Vec<String>,
    /// The data was generated, not observed
    #[arg(long)]
    synthetic: bool,
    /// A version this was made from, and in which role; may be repeated
    #[arg(long = "source", value_name = "ROLE=REF", value_parser = Slot::data)]
    sources: Vec<Slot>,
    /// What was done to the sources
    #[arg(long, value_name = "NAME")]
    transform: Option<Name>,
    /// With which parameter; may be repeated
    #[arg(long = "param", value_name = "KEY=VALUE", requires = "transform")]
    parameters: Vec<Pair>,
    /// The commit of the code that made it
    #[arg(long, value_name = "REPO@COMMIT", value_parser = args::code)]
    code: Option<NodeRef>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Layout {
    /// As they are, so that export gives them back byte by byte
    Verbatim,
    /// Written anew as Parquet, so that versions share what they have in common
    Canonical,
}

impl From<Layout> for FileLayout {
    fn from(layout: Layout) -> Self {
        match layout {
            Layout::Verbatim => Self::Verbatim,
            Layout::Canonical => Self::Canonical,
        }
    }
}

impl Snapshot {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let reason = global.reason(format!("snapshot {}", self.name));
        let mut spec = SnapshotSpec::new(self.name, global.actor()?, reason);
        spec.layout = self.layout.into();
        if self.patch {
            spec.patches = Patches::WhereSmaller;
        }
        spec.tags = self.tags;
        spec.metadata = args::texts(self.metadata, "meta")?;
        spec.key = self.key;
        spec.synthetic = self.synthetic;
        if let Some(name) = self.transform {
            let mut transform = Transform::new(name);
            transform.parameters =
                args::collect(self.parameters, "param", |text| Ok(args::scalar(text)))?;
            spec.transform = Some(transform);
        }
        if let Some(code) = self.code {
            spec = spec.with_edge(Edge::new(EdgeKind::Used, code));
        }
        let workspace = global.open().await?;
        let view = workspace.repo().view().await?;
        for path in self.paths {
            spec = spec.with_path(path);
        }
        for parent in &self.parents {
            spec = spec.with_parent(resolve(&view, parent).await?);
        }
        for Slot { role, reference } in self.sources {
            spec = spec.with_source(role, resolve(&view, &reference).await?);
        }
        if let Some(branch) = self.branch {
            let mut target = BranchTarget::new(branch);
            if let Some(expected) = &self.expect {
                target = target.at(resolve(&view, expected).await?);
            }
            spec = spec.with_branch(target);
        }
        let report = workspace.data().snapshot(spec).await?;
        let output = global.output();
        output.result(&report, |out| {
            Fields::new()
                .with("version", Cell::new(&report.node, BOLD))
                .with("snapshot", report.snapshot)
                .with_some("rows", report.rows)
                .with("columns", report.columns.len())
                .with("files", report.files.len())
                .with("new", bytes(report.new_bytes))
                .write(out)
        })?;
        if report.reused {
            output.note("the content is the latest version's: no new version was made");
        }
        Ok(Answer::Yes)
    }
}
