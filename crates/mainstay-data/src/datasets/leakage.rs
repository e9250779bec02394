//! Looking for the same key or row in versions that should be apart.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use futures::TryStreamExt as _;
use futures::stream::BoxStream;
use mainstay_core::{Error, NodeRef, Result, Telling};

use super::{Datasets, ReadOptions};
use crate::cells::{CellHasher, first_64, index_of};
use crate::passing::ROWS;
use crate::split::{Hash, LeakageReport, Overlap, Seen, Shared};
use crate::text::texts;

/// How many rows are compared at once, at 40 bytes each: with more, all are read several times.
const ROWS_AT_ONCE: u64 = 4 * 1024 * 1024;

pub(super) async fn check(
    datasets: &Datasets,
    versions: &[NodeRef],
    key: &[String],
) -> Result<LeakageReport> {
    if versions.len() < 2 {
        return Err(Error::invalid("fewer than two versions to compare"));
    }
    let mut counts = Vec::with_capacity(versions.len());
    let mut columns: Option<Vec<String>> = None;
    for node in versions {
        let manifest = datasets.manifest(node).await?;
        let table = manifest.table.as_ref();
        let none = || Error::invalid("the snapshot has no table").context("data", node);
        counts.push(table.ok_or_else(none)?.rows);
        columns = Some(match columns {
            None => manifest.columns().iter().map(|c| c.name.clone()).collect(),
            Some(mut columns) => {
                columns.retain(|name| manifest.column(name).is_some());
                columns
            }
        });
    }
    let columns = columns.unwrap_or_default();
    let total: u64 = counts.iter().sum();
    let passes = total.div_ceil(ROWS_AT_ONCE).max(1);
    let telling = datasets.telling();
    for _ in [!key.is_empty(), !columns.is_empty()]
        .into_iter()
        .filter(|searched| *searched)
    {
        telling.expect(ROWS, total.saturating_mul(passes));
    }
    let search = |columns| Search {
        datasets,
        telling: &telling,
        versions,
        counts: &counts,
        columns,
        passes,
    };
    let keys = if key.is_empty() {
        Vec::new()
    } else {
        search(key.to_vec()).run().await?
    };
    let rows = if columns.is_empty() {
        Vec::new()
    } else {
        search(columns).run().await?
    };
    Ok(LeakageReport {
        leaks: !(keys.is_empty() && rows.is_empty()),
        keys,
        rows,
    })
}

struct Search<'a> {
    datasets: &'a Datasets,
    telling: &'a Telling,
    versions: &'a [NodeRef],
    /// How many rows each has.
    counts: &'a [u64],
    columns: Vec<String>,
    passes: u64,
}

impl Search<'_> {
    async fn run(&self) -> Result<Vec<Overlap>> {
        let mut found: BTreeMap<(usize, usize), Shared> = BTreeMap::new();
        for pass in 0..self.passes {
            let mut seen = Seen::default();
            for version in 0..self.versions.len() {
                self.look(version, pass, &mut seen).await?;
            }
            seen.compare(&mut found);
        }
        let mut overlaps = Vec::with_capacity(found.len());
        for ((a, b), shared) in found {
            overlaps.push(Overlap {
                samples: self.show(a, &shared.samples).await?,
                a: self.versions[a].clone(),
                b: self.versions[b].clone(),
                distinct: shared.distinct,
                rows_a: shared.rows.0,
                rows_b: shared.rows.1,
            });
        }
        Ok(overlaps)
    }

    fn hasher(&self) -> CellHasher {
        CellHasher::new("mainstay data leakage", &[], &self.columns)
    }

    async fn rows(
        &self,
        version: usize,
        telling: Telling,
    ) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let options = ReadOptions::default().with_columns(&self.columns);
        let version = &self.versions[version];
        self.datasets.read_telling(version, options, telling).await
    }

    /// Notes the rows of a version whose turn it is.
    async fn look(&self, version: usize, pass: u64, seen: &mut Seen) -> Result<()> {
        let mut hasher = self.hasher();
        let mut rows = self.rows(version, self.telling.clone()).await?;
        while let Some(batch) = rows.try_next().await? {
            for hash in hasher.hash(&batch)? {
                if first_64(&hash) % self.passes == pass {
                    seen.add(hash, version);
                }
            }
        }
        Ok(())
    }

    /// Finds what some hashes stand for.
    async fn show(&self, version: usize, hashes: &[Hash]) -> Result<Vec<BTreeMap<String, String>>> {
        let mut found: BTreeMap<Hash, BTreeMap<String, String>> = BTreeMap::new();
        let mut hasher = self.hasher();
        let mut left = self.counts[version];
        self.telling.expect(ROWS, left);
        let mut rows = self.rows(version, Telling::default()).await?;
        while let Some(batch) = rows.try_next().await? {
            let read = left.min(batch.num_rows() as u64);
            left -= read;
            self.telling.add(ROWS, read);
            for (row, hash) in hasher.hash(&batch)?.into_iter().enumerate() {
                if hashes.contains(&hash) && !found.contains_key(&hash) {
                    found.insert(hash, shown(&batch, row, &self.columns)?);
                }
            }
            if found.len() == hashes.len() {
                break;
            }
        }
        // Those behind the last that was looked for.
        self.telling.add(ROWS, left);
        Ok(found.into_values().collect())
    }
}

fn shown(batch: &RecordBatch, row: usize, columns: &[String]) -> Result<BTreeMap<String, String>> {
    let mut arrays = Vec::with_capacity(columns.len());
    for name in columns {
        let array = batch.column(index_of(&batch.schema(), name)?);
        arrays.push((name.as_str(), array.as_ref()));
    }
    texts(arrays, row)
}
