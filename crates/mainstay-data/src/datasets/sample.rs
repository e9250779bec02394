//! A version of some rows of another.

use arrow::array::{BooleanArray, RecordBatch};
use futures::TryStreamExt as _;
use mainstay_core::{Error, NodeRef, Result, Telling};

use super::split::{FILE, derived, rows_of};
use super::{Datasets, ReadOptions, snapshot};
use crate::cells::CellHasher;
use crate::passing::ROWS;
use crate::sample::Draw;
use crate::{Predicate, SampleSize, SampleSpec, SnapshotReport, SnapshotSpec, Transform};

pub(super) async fn sample(datasets: &Datasets, spec: SampleSpec) -> Result<SnapshotReport> {
    let repo = datasets.writable()?;
    let manifest = datasets.manifest(&spec.source).await?;
    let table = manifest.table.as_ref();
    let none = || Error::invalid("the snapshot has no table").context("data", &spec.source);
    let rows = table.ok_or_else(none)?.rows;
    let telling = datasets.telling();
    let passes = if spec.filter.is_some() { 2 } else { 1 };
    telling.expect(ROWS, rows.saturating_mul(passes));
    let rows = match &spec.filter {
        Some(filter) => wanted((datasets, &telling), &spec.source, filter).await?,
        None => rows,
    };
    let count = spec.count(rows)?;
    // Each of them is written, then described.
    telling.expect(ROWS, count.saturating_mul(2));
    let drawn = draw((datasets, &telling), &spec, count).await?;

    let rows = datasets.read_quietly(&spec.source, all(&spec)).await?;
    let dataset = match &spec.dataset {
        Some(dataset) => dataset.clone(),
        None => format!("{}-sample", spec.source.name()).parse()?,
    };
    let sample = SnapshotSpec::new(dataset, spec.actor.clone(), spec.reason.as_str())
        .with_stream(FILE.parse()?, rows_of(rows, picker(drawn)))
        .with_transform(transform(&spec)?);
    let sample = derived(datasets, sample, "sample".parse()?, &spec.source).await?;
    snapshot::snapshot(repo, &telling, sample).await
}

/// Counts the rows that meet a condition.
async fn wanted(
    (datasets, telling): (&Datasets, &Telling),
    source: &NodeRef,
    filter: &Predicate,
) -> Result<u64> {
    let options = ReadOptions::default().with_filter(filter.clone());
    let columns = filter.columns();
    let options = if columns.is_empty() {
        options
    } else {
        options.with_columns(columns)
    };
    let reading = datasets.read_telling(source, options, telling.clone());
    let mut rows = reading.await?;
    let mut count = 0;
    while let Some(batch) = rows.try_next().await? {
        count += batch.num_rows() as u64;
    }
    Ok(count)
}

/// Reads the rows that may be chosen.
fn all(spec: &SampleSpec) -> ReadOptions {
    let options = ReadOptions::default();
    match &spec.filter {
        Some(filter) => options.with_filter(filter.clone()),
        None => options,
    }
}

async fn draw(
    (datasets, telling): (&Datasets, &Telling),
    spec: &SampleSpec,
    count: u64,
) -> Result<Vec<u64>> {
    let mut draw = Draw::new(spec.seed, count);
    let mut strata = CellHasher::new("mainstay data-sample v1 stratum", &[], &spec.strata);
    let mut row = 0;
    let options = all(spec);
    let options = if spec.strata.is_empty() {
        options
    } else {
        options.with_columns(&spec.strata)
    };
    let reading = datasets.read_telling(&spec.source, options, telling.clone());
    let mut rows = reading.await?;
    while let Some(batch) = rows.try_next().await? {
        for stratum in strata.hash(&batch)? {
            draw.add(row, stratum);
            row += 1;
        }
    }
    Ok(draw.finish(count))
}

/// Keeps the rows at these places, which are in order.
fn picker(drawn: Vec<u64>) -> impl FnMut(&RecordBatch) -> Result<BooleanArray> {
    let mut drawn = drawn.into_iter().peekable();
    let mut next = 0;
    move |batch| {
        let first = next;
        next += batch.num_rows() as u64;
        let rows = (first..next).map(|row| drawn.next_if_eq(&row).is_some());
        Ok(rows.collect::<Vec<bool>>().into())
    }
}

fn transform(spec: &SampleSpec) -> Result<Transform> {
    let transform = Transform::new("sample".parse()?).with_parameter("seed", spec.seed);
    let transform = match spec.size {
        SampleSize::Rows(rows) => transform.with_parameter("rows", rows),
        SampleSize::Fraction(share) => transform.with_parameter("fraction", share),
    };
    let transform = match &spec.filter {
        Some(filter) => transform.with_parameter("where", filter.to_string()),
        None => transform,
    };
    Ok(if spec.strata.is_empty() {
        transform
    } else {
        transform.with_parameter("stratify", spec.strata.clone())
    })
}
