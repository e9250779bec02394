//! Comparing the rows of versions.

use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::stream::BoxStream;
use mainstay_core::Result;
use mainstay_repo::Repo;
use tokio::runtime::Handle;

use crate::diff::{CompareOptions, CompareRows, ComparedRows, DatasetDiff, SchemaDiff};
use crate::rows::stored::StoredDiff;
use crate::rows::{Both, Identity, RowDiffOptions, Sample};
use crate::{Manifest, blocking};

/// How many batches of changes wait for the reader.
const WAITING_BATCHES: usize = 2;

pub(super) async fn compare(
    repo: &Repo,
    manifests: Both<Manifest>,
    options: &CompareOptions,
) -> Result<DatasetDiff> {
    let mut diff = DatasetDiff::between(&manifests.before, &manifests.after, &options.thresholds)?;
    let tables = manifests.iter().all(|manifest| manifest.table.is_some());
    let Some(rows) = options.rows.clone().filter(|_| tables) else {
        return Ok(diff);
    };
    if diff.same_rows {
        let order_only = !diff.same_table;
        diff.rows.compared = Some(ComparedRows::alike(
            &rows.identity,
            diff.rows.after,
            order_only,
        ));
        return Ok(diff);
    }
    let (compared, bytes) = compare_rows(repo, manifests, rows, &diff.schema).await?;
    diff.rows.compared = Some(compared);
    diff.bytes_read += bytes;
    Ok(diff)
}

async fn compare_rows(
    repo: &Repo,
    manifests: Both<Manifest>,
    rows: CompareRows,
    schema: &SchemaDiff,
) -> Result<(ComparedRows, u64)> {
    let (repo, runtime) = (repo.clone(), Handle::current());
    let options = with_renamings(rows.options, schema);
    // Lives as long as somebody waits.
    let waiting = Arc::new(());
    let alive = Arc::downgrade(&waiting);
    let compared = blocking::run_on_own_thread(move || {
        let stored = StoredDiff {
            repo: &repo,
            runtime: &runtime,
            manifests: &manifests,
            wanted: &|| alive.strong_count() > 0,
        };
        let (mut changes, bytes) = stored.run(&rows.identity, options)?;
        let mut sample = Sample::new(rows.sample);
        for batch in changes.by_ref() {
            stored.check_wanted()?;
            sample.add(&batch?)?;
        }
        let counts = changes.counts().clone();
        Ok((
            ComparedRows::new(&rows.identity, counts, sample.finish()),
            bytes,
        ))
    })
    .await;
    drop(waiting);
    compared
}

pub(super) fn changes(
    repo: &Repo,
    manifests: Both<Manifest>,
    identity: Identity,
    options: RowDiffOptions,
) -> BoxStream<'static, Result<RecordBatch>> {
    let (repo, runtime) = (repo.clone(), Handle::current());
    let schema = SchemaDiff::between(manifests.before.columns(), manifests.after.columns());
    let options = with_renamings(options, &schema);
    blocking::produce(WAITING_BATCHES, move |sender| {
        let stored = StoredDiff {
            repo: &repo,
            runtime: &runtime,
            manifests: &manifests,
            wanted: &|| !sender.is_closed(),
        };
        let (changes, _) = stored.run(&identity, options)?;
        for batch in changes {
            if sender.blocking_send(Ok(batch?)).is_err() {
                break;
            }
        }
        Ok(())
    })
}

fn with_renamings(options: RowDiffOptions, schema: &SchemaDiff) -> RowDiffOptions {
    let renamed = schema.renamed.iter();
    renamed.fold(options, |options, renaming| {
        options.with_renamed(&renaming.from, &renaming.to)
    })
}
