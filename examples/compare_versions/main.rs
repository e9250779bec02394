//! Tells what changed between two versions of a table: `cargo run --example compare_versions`.

use mainstay::data::SnapshotSpec;
use mainstay::data::diff::{CompareOptions, CompareRows};
use mainstay::data::rows::Identity;
use mainstay::{Actor, Result, Workspace};

const BEFORE: &str =
    "id,species,mass\n1,Adelie,3750.5\n2,Adelie,3800.0\n3,Gentoo,5000.0\n4,Gentoo,5400.0\n";
/// Penguin 2 was weighed again, 3 is gone, 5 is new, and one mass is in kilograms.
const AFTER: &str =
    "id,species,mass\n1,Adelie,3.75\n2,Adelie,3820.0\n4,Gentoo,5400.0\n5,Chinstrap,3700.0\n";

#[tokio::main]
async fn main() -> Result<()> {
    let workspace = Workspace::create("mem:").await?;
    let datasets = workspace.data();
    let files = tempfile::tempdir()?;
    let path = files.path().join("penguins.csv");
    let mut versions = Vec::new();
    for (content, reason) in [(BEFORE, "first season"), (AFTER, "second season")] {
        std::fs::write(&path, content)?;
        let spec = SnapshotSpec::new("penguins".parse()?, Actor::new("ada")?, reason);
        versions.push(datasets.snapshot(spec.with_path(&path)).await?.node);
    }

    // From what is stored beside the data, without reading it: schema, statistics, drift.
    let quick = datasets.compare(&versions[0], &versions[1]).await?;
    for column in quick.columns.iter().filter(|column| column.changed) {
        anstream::println!("{} changed: {:?}", column.name, column.verdict);
    }

    // With the rows, by their key.
    let rows = CompareRows::new(Identity::Key(vec!["id".to_owned()]));
    let options = CompareOptions::default().with_rows(rows);
    let diff = datasets
        .compare_with(&versions[0], &versions[1], &options)
        .await?;
    anstream::println!("{}", diff.to_markdown());
    Ok(())
}
