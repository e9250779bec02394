//! Comparing the rows of versions.

use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::stream::BoxStream;
use mainstay_core::{Result, Telling};
use mainstay_repo::Repo;
use tokio::runtime::Handle;

use crate::diff::{CompareRows, ComparedRows, SchemaDiff};
use crate::rows::stored::{Keys, StoredDiff};
use crate::rows::{Both, Identity, RowDiffOptions, Sample};
use crate::{Manifest, blocking};

/// How many batches of changes wait for the reader.
const WAITING_BATCHES: usize = 2;

/// Compares the rows of two tables; returns also how many bytes were read of their files.
pub(super) async fn compare(
    (repo, telling): (&Repo, Telling),
    manifests: Both<Manifest>,
    (identity, keys): (Identity, Keys),
    rows: &CompareRows,
    schema: &SchemaDiff,
) -> Result<(ComparedRows, u64)> {
    let (repo, runtime) = (repo.clone(), Handle::current());
    let options = with_renamings(rows.options.clone(), schema);
    let sample = rows.sample;
    // Lives as long as somebody waits.
    let waiting = Arc::new(());
    let alive = Arc::downgrade(&waiting);
    let compared = blocking::run_on_own_thread(move || {
        let stored = StoredDiff {
            repo: &repo,
            runtime: &runtime,
            manifests: &manifests,
            keys,
            shown: sample,
            telling,
            wanted: &|| alive.strong_count() > 0,
        };
        let (mut changes, bytes) = stored.run(&identity, options)?;
        let mut sample = Sample::new(sample);
        for batch in changes.by_ref() {
            stored.check_wanted()?;
            sample.add(&batch?)?;
        }
        let counts = changes.counts().clone();
        let compared = ComparedRows::new((&identity, keys), counts, sample.finish());
        Ok((compared, bytes))
    })
    .await;
    drop(waiting);
    compared
}

pub(super) fn changes(
    (repo, telling): (&Repo, Telling),
    (manifests, schema): (Both<Manifest>, SchemaDiff),
    (identity, keys): (Identity, Keys),
    options: RowDiffOptions,
) -> BoxStream<'static, Result<RecordBatch>> {
    let (repo, runtime) = (repo.clone(), Handle::current());
    let options = with_renamings(options, &schema);
    blocking::produce(WAITING_BATCHES, move |sender| {
        let stored = StoredDiff {
            repo: &repo,
            runtime: &runtime,
            manifests: &manifests,
            keys,
            shown: usize::MAX,
            telling,
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
