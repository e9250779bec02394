//! What the user says of a version that is made.

use clap::Args;
use mainstay::data::{BranchTarget, SnapshotReport, SnapshotSpec, Transform};
use mainstay::repo::View;
use mainstay::{Edge, EdgeKind, Locator, Name, NodeRef, Result};

use crate::args::{self, Pair, Slot};
use crate::commands::resolve;
use crate::output::Output;
use crate::text::{BOLD, Cell, Fields, bytes};

/// So many files that are not of the table are shown to people.
const MAX_OPAQUE: usize = 8;

#[derive(Debug, Args)]
pub(super) struct Said {
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
    /// Refuse a table in which several rows have one key
    #[arg(long, requires = "key")]
    unique_key: bool,
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

impl Said {
    /// Adds all of it to a specification.
    pub(super) async fn add_to(self, mut spec: SnapshotSpec, view: &View) -> Result<SnapshotSpec> {
        spec.tags = self.tags;
        spec.metadata = args::texts(self.metadata, "meta")?;
        spec.key = self.key;
        spec.unique_key = self.unique_key;
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
        for parent in &self.parents {
            spec = spec.with_parent(resolve(view, parent).await?);
        }
        for Slot { role, reference } in self.sources {
            spec = spec.with_source(role, resolve(view, &reference).await?);
        }
        if let Some(branch) = self.branch {
            let mut target = BranchTarget::new(branch);
            if let Some(expected) = &self.expect {
                target = target.at(resolve(view, expected).await?);
            }
            spec = spec.with_branch(target);
        }
        Ok(spec)
    }
}

/// Names the files that are not of the table, though they could be.
fn opaque(report: &SnapshotReport) -> Vec<String> {
    let named = report.opaque.iter().take(MAX_OPAQUE);
    let mut named: Vec<String> = named.map(ToString::to_string).collect();
    if let Some(more @ 1..) = report.opaque.len().checked_sub(MAX_OPAQUE) {
        named.push(format!("and {more} more"));
    }
    named
}

/// Of how many columns it is told that they could have another type.
const MAX_NULL_LIKE: usize = 8;

/// Tells what was made.
pub(super) fn tell(report: &SnapshotReport, output: Output) -> Result<()> {
    output.result(report, |out| {
        Fields::new()
            .with("version", Cell::new(&report.node, BOLD))
            .with("snapshot", report.snapshot)
            .with_some("rows", report.rows)
            .with("columns", report.columns.len())
            .with("files", report.files.len())
            .with_all("opaque", opaque(report))
            .with("new", bytes(report.new_bytes))
            .write(out)
    })?;
    if !report.opaque.is_empty() {
        output.note("opaque files could be tables by their extensions and are not looked into");
    }
    if let [column] = report.columns.as_slice()
        && column.name.contains([';', '\t', '|'])
    {
        output.note("there is one column: --csv-delimiter says what stands between fields");
    }
    for found in report.null_like.iter().take(MAX_NULL_LIKE) {
        let options = found
            .texts
            .iter()
            .map(|text| format!(" --csv-null {text:?}"));
        output.note(&format!(
            "the column {} is text, and would be {} with{}",
            found.column.escape_debug(),
            found.logical_type,
            options.collect::<String>()
        ));
    }
    if let Some(repeated) = &report.repeated_keys {
        let first = repeated.first.iter();
        let first: Vec<String> = first
            .map(|(name, value)| format!("{}={}", name.escape_debug(), value.escape_debug()))
            .collect();
        output.note(&format!(
            "the key does not tell {} rows apart: {} keys are of several, the first is {}",
            repeated.rows,
            repeated.keys,
            first.join(" ")
        ));
    }
    if report.reused {
        output.note("the content is the latest version's: no new version was made");
    }
    Ok(())
}
