//! Storing a version whole that is stored as patches.

use futures::stream::BoxStream;
use mainstay_core::{Edge, EdgeKind, Error, ErrorKind, NodeRef, Result};
use mainstay_repo::Repo;
use tokio::runtime::Handle;

use super::Datasets;
use super::by::By;
use super::snapshot::stage_with;
use crate::format::TextTypes;
use crate::{BranchTarget, FileEntry, SnapshotReport, SnapshotSpec, blocking, stored};

/// How many decoded batches wait for the encoder.
const WAITING_BATCHES: usize = 2;

pub(super) async fn compact(
    datasets: &Datasets,
    node: &NodeRef,
    branch: Option<BranchTarget>,
    by: By,
) -> Result<Option<SnapshotReport>> {
    let repo = datasets.writable()?;
    let manifest = datasets.whole(node).await?;
    let record = datasets.record(node).await?;
    let files = manifest.files.entries()?.iter().cloned();
    let (whole, patched): (Vec<_>, Vec<_>) = files.partition(|file| file.patches().is_empty());
    if patched.is_empty() {
        return Ok(None);
    }
    let mut spec = SnapshotSpec::new(node.name().clone(), by.actor(), by.reason());
    for file in patched {
        spec = spec.with_stream(file.path.clone(), rows(repo.clone(), file));
    }
    spec.metadata = manifest.metadata;
    spec.key = record.key;
    spec.synthetic = record.synthetic;
    spec.table_files = record.table_files;
    let follows = if let Some(branch) = branch {
        // The head of the branch becomes the parent by itself.
        spec.branch = Some(branch.at(node.clone()));
        None
    } else {
        let parent = Edge::new(EdgeKind::DerivedFrom, node.clone());
        spec.edges.push(parent);
        Some(node.clone())
    };
    let mut staged =
        stage_with(repo, &datasets.telling(), spec, whole, record.repeated_keys).await?;
    if staged.table_digest() != record.table_digest {
        let message = "a compacted table is not the one that it was";
        return Err(Error::new(ErrorKind::Internal, message).context("data", node));
    }
    staged.draft = staged.draft.behind(follows);
    staged.commit(repo, &by).await.map(Some)
}

/// Streams the rows of a file, patches applied.
fn rows(repo: Repo, file: FileEntry) -> BoxStream<'static, Result<arrow::array::RecordBatch>> {
    let runtime = Handle::current();
    blocking::produce(WAITING_BATCHES, move |sender| {
        let table = stored::open(&repo, &runtime, &file, &TextTypes::default(), None)?;
        for batch in table.batches {
            if sender.blocking_send(Ok(batch?)).is_err() {
                break;
            }
        }
        Ok(())
    })
}
