//! Dividing a version into parts.

use std::pin::Pin;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use mainstay_core::{Edge, EdgeKind, Error, ErrorKind, Name, NodeKind, NodeRef, Result, Telling};
use mainstay_repo::{Expectation, Series, Step, Transaction, Value, View};

use super::by::By;
use super::snapshot::{Staged, stage_with};
use super::{Datasets, ReadOptions};
use crate::passing::ROWS;
use crate::split::{
    Assigner, Observation, PartReport, SplitRecord, SplitReport, SplitSpec, StoredPart,
};
use crate::{SnapshotSpec, Transform};

/// The file that holds the rows of a part or a sample.
pub(super) const FILE: &str = "rows.parquet";

pub(super) async fn split(datasets: &Datasets, spec: SplitSpec) -> Result<SplitReport> {
    let repo = datasets.writable()?;
    spec.check()?;
    let telling = datasets.telling();
    // Each goes into one part, where it is written, then described.
    telling.expect(ROWS, datasets.count(&spec.source).await?.saturating_mul(2));
    let assigner = assigner(datasets, &spec, &telling).await?;
    // Rows that a key tells apart, it tells apart in every part.
    let keys = datasets.record(&spec.source).await?.repeated_keys;
    let keys = keys.filter(|&keys| keys == 0);
    let mut staged = Vec::with_capacity(spec.parts.len());
    for place in 0..spec.parts.len() {
        let part = part_of(datasets, &spec, &assigner, place).await?;
        staged.push(stage_with(repo, &telling, part, Vec::new(), keys).await?);
    }
    let value = value(&spec, &staged)?;
    let series = Series::new(NodeKind::Split, spec.name.clone());
    let by = By::new(spec.actor.clone(), spec.reason.as_str());
    let build = |view: &View| {
        let mut transaction = by.transaction();
        let (node, mut reused) = place_split(view, &mut transaction, &series, &value)?;
        let edge = Edge::new(EdgeKind::Used, node.clone());
        let mut placed = Vec::with_capacity(staged.len());
        for part in &staged {
            let draft = part.draft.clone().with_edge(edge.clone());
            let part = draft.place(view, &mut transaction)?;
            reused &= !part.changes;
            placed.push(part);
        }
        Ok(if reused {
            Step::Done((node, placed, true))
        } else {
            Step::Commit(transaction, (node, placed, false))
        })
    };
    let (_, (split, placed, reused)) = repo.transact(build).await?;
    let parts = spec.parts.iter().zip(staged.into_iter().zip(placed));
    let parts = parts.map(|(part, (staged, placed))| {
        Ok(PartReport {
            role: part.role.clone(),
            snapshot: staged.report(placed)?,
        })
    });
    Ok(SplitReport {
        split,
        source: spec.source.clone(),
        parts: parts.collect::<Result<_>>()?,
        reused,
    })
}

/// Looks at what decides, where a rule must have seen all rows.
async fn assigner(datasets: &Datasets, spec: &SplitSpec, telling: &Telling) -> Result<Assigner> {
    let options = ReadOptions::default().with_columns(spec.rule.columns());
    let Some(mut observation) = Observation::of(&spec.rule) else {
        let mut rows = datasets.read_quietly(&spec.source, options).await?;
        let first = rows.try_next().await?;
        let first = first.ok_or_else(|| {
            Error::invalid("a table without rows is not divided").context("data", &spec.source)
        })?;
        return Assigner::of(spec, &first.schema());
    };
    telling.expect(ROWS, datasets.count(&spec.source).await?);
    let reading = datasets.read_telling(&spec.source, options, telling.clone());
    let mut rows = reading.await?;
    while let Some(batch) = rows.try_next().await? {
        observation.add(&batch)?;
    }
    observation
        .finish(spec)
        .map_err(|error| error.context("data", &spec.source))
}

/// Specifies the snapshot of one part.
async fn part_of(
    datasets: &Datasets,
    spec: &SplitSpec,
    assigner: &Assigner,
    place: usize,
) -> Result<SnapshotSpec> {
    let role = &spec.parts[place].role;
    let dataset = spec.datasets()?.swap_remove(place);
    let rows = datasets
        .read_quietly(&spec.source, ReadOptions::default())
        .await?;
    let mut assigner = assigner.clone();
    let keep = move |batch: &RecordBatch| {
        let parts = assigner.assign(batch)?;
        let kept = parts.into_iter().map(|part| part == place);
        Ok(kept.collect::<Vec<bool>>().into())
    };
    let mut rows = rows_of(rows, keep).peekable();
    if Pin::new(&mut rows).peek().await.is_none() {
        return Err(Error::invalid("a part without rows").context("part", role));
    }
    let part = SnapshotSpec::new(dataset, spec.actor.clone(), spec.reason.as_str())
        .with_stream(FILE.parse()?, rows)
        .with_transform(Transform::new("split".parse()?).with_parameter("part", role.as_str()));
    derived(datasets, part, role.clone(), &spec.source).await
}

/// Gives a version made of rows of another what those rows bring: their key, and that they are
/// synthetic.
pub(super) async fn derived(
    datasets: &Datasets,
    mut spec: SnapshotSpec,
    role: Name,
    source: &NodeRef,
) -> Result<SnapshotSpec> {
    let record = datasets.record(source).await?;
    spec.key = record.key;
    spec.synthetic = record.synthetic;
    Ok(spec.with_source(role, source.clone()))
}

/// Keeps the rows that `keep` says.
pub(super) fn rows_of(
    rows: BoxStream<'static, Result<RecordBatch>>,
    mut keep: impl FnMut(&RecordBatch) -> Result<BooleanArray> + Send + 'static,
) -> BoxStream<'static, Result<RecordBatch>> {
    let kept = rows.map(move |batch| {
        let batch = batch?;
        filter_record_batch(&batch, &keep(&batch)?).map_err(|error| {
            Error::new(ErrorKind::Unsupported, "rows of this type cannot be picked")
                .with_source(error)
        })
    });
    let empty = |batch: &Result<RecordBatch>| matches!(batch, Ok(batch) if batch.num_rows() == 0);
    kept.filter(move |batch| std::future::ready(!empty(batch)))
        .boxed()
}

fn value(spec: &SplitSpec, staged: &[Staged]) -> Result<Value> {
    let parts = spec.parts.iter().zip(spec.datasets()?).zip(staged);
    let parts = parts.map(|((part, dataset), staged)| StoredPart {
        role: part.role.clone(),
        weight: part.weight,
        dataset,
        snapshot: staged.snapshot(),
        rows: staged.rows().unwrap_or_default(),
    });
    let record = SplitRecord::new(spec.source.clone(), spec.rule.clone(), parts.collect());
    let source = Edge::new(EdgeKind::DerivedFrom, spec.source.clone());
    Ok(Value::new(SplitRecord::KIND, &record)?.with_edges([source]))
}

/// Finds the split where its latest version is the same, or makes it the next.
fn place_split(
    view: &View,
    transaction: &mut Transaction,
    series: &Series,
    value: &Value,
) -> Result<(NodeRef, bool)> {
    if let Some((node, state)) = series.latest(view)?
        && state.value.as_ref() == Some(value)
    {
        return Ok((node, true));
    }
    let node = series.numbered(series.next_number(view)?);
    transaction.set(node.ref_path(), value.clone(), Expectation::Absent);
    Ok((node, false))
}

/// Reads a split.
pub(super) fn record(view: &View, split: &NodeRef) -> Result<SplitRecord> {
    if split.kind() != NodeKind::Split {
        return Err(Error::invalid("not a split").context("reference", split));
    }
    let state = view.get(&split.ref_path())?;
    let value = state.and_then(|state| state.value.as_ref());
    SplitRecord::of(value.ok_or_else(|| Error::not_found("split", split))?)
}
