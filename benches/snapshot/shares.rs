//! What versions of one table store, over the information that they add.
//!
//! The information of a row is the bytes that it takes, compressed, in the first version: of the columns
//! that change. A snapshot asks for patches, as `docs/decisions/0006-scattered-changes-are-patches.md` says.

use std::collections::BTreeMap;
use std::time::Instant;

use futures::{StreamExt as _, stream};
use mainstay_core::{Actor, canon};
use mainstay_data::parquet::arrow::async_reader::AsyncFileReader as _;
use mainstay_data::{Datasets, ParquetBlobReader, Patches, SnapshotReport, SnapshotSpec};

use crate::open;
use crate::tables::Version;

pub(crate) fn measure(rows: u64) {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    runtime.block_on(async {
        let datasets = open(directory.path()).await;
        compare(&datasets, rows).await;
    });
}

async fn compare(datasets: &Datasets, rows: u64) {
    let (part, middle) = (rows / 100, rows / 2);
    let (appended, inserted) = (rows..rows + part, rows + part..rows + 2 * part);
    let with_ids = |ids| Version {
        ids,
        ..Version::first(rows)
    };
    let first = stored(datasets, "table", Version::first(rows)).await;
    let sizes = first.column_bytes(datasets).await;
    let whole: u64 = sizes.values().sum();
    let of_a_row = |bytes: u64| share(bytes, rows);
    println!("first, {} bytes in {:.1} s", first.added, first.seconds);

    let more_rows = share(part, 1) * of_a_row(whole);
    let version = with_ids(vec![0..rows, appended.clone()]);
    let append = stored(datasets, "table", version).await;
    append.print("1 % appended", more_rows);
    let ids = vec![0..middle, inserted, middle..appended.end];
    let insert = stored(datasets, "table", with_ids(ids.clone())).await;
    insert.print("1 % inserted", more_rows);

    let range = Version {
        repriced: in_range,
        ..with_ids(ids.clone())
    };
    let range = stored(datasets, "table", range).await;
    let price = sizes["price"];
    range.print("1 % of a column edited", share(part, 1) * of_a_row(price));
    let scatter = Version {
        repriced: |rows, id| in_range(rows, id) || id % 1000 == 0,
        ..with_ids(ids)
    };
    let scatter = stored(datasets, "table", scatter).await;
    scatter.print(
        "0.1 % of a column scattered",
        share(rows, 1000) * of_a_row(price),
    );
    println!(
        "  {:.2} % of the table",
        share(scatter.added, whole) * 100.0
    );

    let wider = Version {
        wider: true,
        ..Version::first(rows)
    };
    let wider = stored(datasets, "wider", wider).await;
    let more = wider.column_bytes(datasets).await["more"];
    wider.print("column added", share(more, 1));
}

/// One part in a hundred, together.
fn in_range(rows: u64, id: u64) -> bool {
    (rows / 4..rows / 4 + rows / 100).contains(&id)
}

/// A version that was stored.
struct Stored {
    report: SnapshotReport,
    /// Bytes that it added but for its manifest.
    added: u64,
    patches: usize,
    seconds: f64,
}

async fn stored(datasets: &Datasets, dataset: &str, version: Version) -> Stored {
    let start = Instant::now();
    let rows = stream::iter(version.batches().map(Ok)).boxed();
    let actor = Actor::new("bench").unwrap();
    let spec = SnapshotSpec::new(dataset.parse().unwrap(), actor, "measure")
        .with_stream("table.parquet".parse().unwrap(), rows)
        .with_patches(Patches::WhereSmaller);
    let report = datasets.snapshot(spec).await.unwrap();
    let seconds = start.elapsed().as_secs_f64();
    let manifest = datasets.manifest(&report.node).await.unwrap();
    let described = canon::to_vec(&manifest).unwrap().len() as u64;
    Stored {
        added: report.new_bytes - described,
        patches: manifest.files.listed().unwrap()[0].patches().len(),
        report,
        seconds,
    }
}

impl Stored {
    /// The compressed bytes of each column.
    async fn column_bytes(&self, datasets: &Datasets) -> BTreeMap<String, u64> {
        let manifest = datasets.manifest(&self.report.node).await.unwrap();
        let file = &manifest.files.listed().unwrap()[0];
        let mut reader = ParquetBlobReader::new(datasets.file(file).await.unwrap());
        let metadata = reader.get_metadata(None).await.unwrap();
        let mut sizes = BTreeMap::new();
        for group in metadata.row_groups() {
            for column in group.columns() {
                let bytes = u64::try_from(column.compressed_size()).unwrap();
                *sizes.entry(column.column_path().string()).or_default() += bytes;
            }
        }
        sizes
    }

    fn print(&self, name: &str, information: f64) {
        println!(
            "{name}: {} bytes, {:.2} x the information, {} patches, {:.1} s",
            self.added,
            share(self.added, 1) / information,
            self.patches,
            self.seconds,
        );
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn share(part: u64, of: u64) -> f64 {
    part as f64 / of as f64
}
