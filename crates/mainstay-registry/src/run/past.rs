//! Recording a run that is over already.

use std::collections::BTreeMap;

use mainstay_core::{Error, NodeRef, Result, Timestamp};
use mainstay_repo::{Expectation, Repo, Step, Transaction, Value, View};

use super::append::MAX_SLOT_BYTES;
use super::point::{Block, MAX_BATCH_POINTS, Point, Segment};
use super::record::{Run, RunStatus};
use super::spec::RunSpec;
use super::start::{Started, check_absent, draft};
use super::{files, refs};
use crate::artifact::{ArtifactFile, FileSpec, check_paths};
use crate::text;

/// A run that is over: everything about it is known.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PastRun {
    /// What it was.
    pub spec: RunSpec,
    /// How it ended: not [`Running`](RunStatus::Running).
    pub status: RunStatus,
    /// When it ended.
    pub ended: Timestamp,
    /// Its points, by series, in the order they were measured in; any number of them.
    pub points: BTreeMap<String, Vec<Point>>,
    /// The files it left, but for those of models.
    pub files: Vec<FileSpec>,
}

impl PastRun {
    /// Says what a run was, and how and when it ended.
    #[must_use]
    pub fn new(spec: RunSpec, status: RunStatus, ended: Timestamp) -> Self {
        Self {
            spec,
            status,
            ended,
            points: BTreeMap::new(),
            files: Vec::new(),
        }
    }

    /// Adds points to a series.
    #[must_use]
    pub fn with_points(
        mut self,
        series: impl Into<String>,
        points: impl IntoIterator<Item = Point>,
    ) -> Self {
        self.points.entry(series.into()).or_default().extend(points);
        self
    }

    /// Adds files.
    #[must_use]
    pub fn with_files(mut self, files: impl IntoIterator<Item = FileSpec>) -> Self {
        self.files.extend(files);
        self
    }

    fn check(&self) -> Result<()> {
        self.spec.check()?;
        if self.status == RunStatus::Running {
            return Err(Error::invalid("a run that goes on is not over"));
        }
        if self.ended < self.spec.started {
            return Err(Error::invalid("a run does not end before it began")
                .context("began", self.spec.started)
                .context("ended", self.ended));
        }
        Ok(())
    }

    /// Returns the record of the run.
    fn record(&self, view: &View) -> Result<Run> {
        let mut record = draft(view, &self.spec)?;
        record.status = self.status;
        record.ended = Some(self.ended);
        Ok(record)
    }

    /// Checks that the points can be stored.
    #[cfg(feature = "mlflow")]
    pub(crate) fn check_points(&self) -> Result<()> {
        blocks(&self.points).map(drop)
    }

    /// Says in which members of its record the run differs from the one of the same id; `None` when
    /// there is no such run.
    #[cfg(feature = "mlflow")]
    pub(crate) fn differences(&self, view: &View) -> Result<Option<Vec<String>>> {
        self.check()?;
        let record = self.record(view)?;
        let path = record.node().ref_path();
        let Some(state) = view.get(&path)? else {
            return Ok(None);
        };
        let (ours, theirs) = (crate::refs::held(&path, state)?, record.to_value()?);
        let members = |value: &Value| -> BTreeMap<String, serde_json::Value> {
            let members = value.record.as_object().cloned().unwrap_or_default();
            members.into_iter().collect()
        };
        let (ours, theirs) = (members(ours), members(&theirs));
        let mut all: Vec<&String> = ours.keys().chain(theirs.keys()).collect();
        all.sort_unstable();
        all.dedup();
        let differs = |key: &&String| ours.get(*key) != theirs.get(*key);
        Ok(Some(all.into_iter().filter(differs).cloned().collect()))
    }
}

/// Where the points are kept.
enum Kept {
    Nowhere,
    Slot(Block),
    Segments(Vec<Segment>),
}

pub(super) async fn record(repo: &Repo, past: &PastRun) -> Result<Started> {
    past.check()?;
    let blocks = blocks(&past.points)?;
    // Before the bytes are stored, so that a mistyped reference costs nothing.
    let check = |view: &View| check_absent(view, &past.record(view)?.node());
    repo.read(check).await?;
    let stored = files::store(repo, &past.files).await?;
    check_paths(&stored)?;
    let kept = keep(repo, blocks).await?;
    let committed = repo.transact(|view| plan(view, past, &stored, &kept));
    Started::of(committed.await?)
}

/// Splits points into blocks that each take one segment.
fn blocks(points: &BTreeMap<String, Vec<Point>>) -> Result<Vec<Block>> {
    let mut blocks = Vec::new();
    let mut batch: BTreeMap<String, Vec<Point>> = BTreeMap::new();
    let mut room = MAX_BATCH_POINTS;
    for (key, series) in points {
        let mut rest = &series[..];
        while !rest.is_empty() {
            if room == 0 || batch.len() == text::MAX_ENTRIES {
                blocks.push(Block::of(&std::mem::take(&mut batch))?);
                room = MAX_BATCH_POINTS;
            }
            let (fitting, later) = rest.split_at(rest.len().min(room));
            room -= fitting.len();
            batch.insert(key.clone(), fitting.to_vec());
            rest = later;
        }
    }
    if !batch.is_empty() {
        blocks.push(Block::of(&batch)?);
    }
    Ok(blocks)
}

async fn keep(repo: &Repo, mut blocks: Vec<Block>) -> Result<Kept> {
    let mut encoded = Vec::with_capacity(blocks.len());
    for block in &blocks {
        encoded.push(block.encode()?);
    }
    match (&encoded[..], blocks.pop()) {
        (_, None) => return Ok(Kept::Nowhere),
        ([only], Some(block)) if only.len() <= MAX_SLOT_BYTES => return Ok(Kept::Slot(block)),
        (_, Some(block)) => blocks.push(block),
    }
    let mut session = repo.ingest();
    let mut segments = Vec::with_capacity(blocks.len());
    for (block, bytes) in blocks.iter().zip(encoded) {
        let stored = session.bytes(bytes.into()).await?;
        segments.push(Segment::of(stored.digest, block));
    }
    session.finish().await?;
    Ok(Kept::Segments(segments))
}

fn plan(
    view: &View,
    past: &PastRun,
    stored: &[ArtifactFile],
    kept: &Kept,
) -> Result<Step<NodeRef>> {
    let record = past.record(view)?;
    let node = record.node();
    check_absent(view, &node)?;
    let spec = &past.spec;
    let mut transaction = Transaction::new(spec.actor.clone(), spec.reason.clone());
    transaction.set(node.ref_path(), record.to_value()?, Expectation::Absent);
    match kept {
        Kept::Nowhere => {}
        Kept::Slot(block) => {
            let value = Value::new(Block::KIND, block)?;
            transaction.set(refs::slot(&node, 0)?, value, Expectation::Absent);
        }
        Kept::Segments(segments) => {
            for (number, segment) in (1..).zip(segments) {
                let value = Value::new(Segment::KIND, segment)?.with_blobs([segment.blob]);
                transaction.set(refs::segment(&node, number)?, value, Expectation::Absent);
            }
        }
    }
    if !stored.is_empty() {
        let value = files::value(stored.to_vec())?;
        transaction.set(files::path(&node)?, value, Expectation::Absent);
    }
    Ok(Step::Commit(transaction, node))
}
