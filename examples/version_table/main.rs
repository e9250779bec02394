//! Versions a table: snapshots, a tag, a branch, the rows of any version: `cargo run --example version_table`.

use futures::TryStreamExt as _;
use mainstay::data::{ReadOptions, SnapshotSpec};
use mainstay::{Actor, Result, Workspace};

const FIRST: &str = "id,species,mass\n1,Adelie,3750\n2,Gentoo,5000\n";
/// One penguin more.
const SECOND: &str = "id,species,mass\n1,Adelie,3750\n2,Gentoo,5000\n3,Chinstrap,3700\n";

#[tokio::main]
async fn main() -> Result<()> {
    let workspace = Workspace::create("mem:").await?;
    let (datasets, ada) = (workspace.data(), Actor::new("ada")?);
    let files = tempfile::tempdir()?;
    let path = files.path().join("penguins.csv");

    for (content, reason) in [(FIRST, "first season"), (SECOND, "one more")] {
        std::fs::write(&path, content)?;
        let spec = SnapshotSpec::new("penguins".parse()?, ada.clone(), reason);
        let report = datasets.snapshot(spec.with_path(&path)).await?;
        anstream::println!(
            "{}: {} rows, {} new bytes",
            report.node,
            report.rows.unwrap_or(0),
            report.new_bytes
        );
    }

    // A tag never moves, so what was published with it stays what it was.
    let first = datasets.resolve(&"penguins@1".parse()?).await?;
    let tag = "paper".parse()?;
    datasets
        .tag(&first, &tag, ada, "what the paper used")
        .await?;

    // The rows as they were, whatever lies in the file by now.
    let tagged = datasets.resolve(&"penguins@paper".parse()?).await?;
    let options = ReadOptions::default().with_columns(["species"]);
    let mut rows = datasets.read(&tagged, options).await?;
    while let Some(batch) = rows.try_next().await? {
        anstream::println!("{tagged}: {} rows read", batch.num_rows());
    }

    // The bytes as they were.
    let out = files.path().join("exported");
    datasets.export(&tagged, &out).await?;
    assert_eq!(std::fs::read_to_string(out.join("penguins.csv"))?, FIRST);
    Ok(())
}
