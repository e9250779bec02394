//! Divides a dataset for training, in a way that lasts: `cargo run --example split_dataset`.

use std::path::Path;

use mainstay::data::SnapshotSpec;
use mainstay::data::split::{SplitRule, SplitSpec};
use mainstay::{Actor, Result, Workspace};

#[tokio::main]
async fn main() -> Result<()> {
    let workspace = Workspace::create("mem:").await?;
    let datasets = workspace.data();
    let ada = Actor::new("ada")?;
    let penguins = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/penguins.csv");
    let spec = SnapshotSpec::new("penguins".parse()?, ada.clone(), "three seasons");
    let source = datasets.snapshot(spec.with_path(penguins)).await?.node;

    // A row's side follows from its values and the seed alone: rows that are added later move none.
    let key = ["species", "island", "bill_length_mm", "body_mass_g"].map(str::to_owned);
    let rule = SplitRule::hash(key.clone(), 7);
    let spec = SplitSpec::new(source, rule, ada, "for training")
        .with_part("train".parse()?, 80)
        .with_part("test".parse()?, 20);
    let split = datasets.split(spec).await?;
    for part in &split.parts {
        let rows = part.snapshot.rows.unwrap_or_default();
        anstream::println!("{}: {}, {rows} rows", part.role, part.snapshot.node);
    }

    // Nothing of the test is in the training, and the lineage says where both came from.
    let parts: Vec<_> = split
        .parts
        .iter()
        .map(|part| part.snapshot.node.clone())
        .collect();
    let leakage = datasets.check_leakage(&parts, &key).await?;
    anstream::println!("leaks: {}", leakage.leaks);
    Ok(())
}
