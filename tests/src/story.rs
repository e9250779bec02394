//! A workspace with something of everything in it.

use std::path::Path;

use mainstay::data::SnapshotSpec;
use mainstay::env::Capture;
use mainstay::prompt::PromptContent;
use mainstay::registry::{FileSpec, ModelSpec};
use mainstay::rollout::UnitSpec;
use mainstay::{Actor, Error, ErrorKind, Name, NodeRef, Result, Workspace};

/// Makes an environment `station@1`, two versions of the dataset `penguins` and of the model
/// `species`, a prompt `explain@1`, and the units `guide@1` and `guide@2` of them, which it returns.
/// The mass of the second penguins is in other units.
///
/// # Errors
/// Whatever fails. `scratch` is an empty directory for the files that are versioned.
pub async fn fill(workspace: &Workspace, scratch: &Path) -> Result<[NodeRef; 2]> {
    let environment = Capture::new().with_root(scratch).run();
    let environment = workspace
        .environments()
        .record(&"station".parse()?, &environment, ada()?, "here")
        .await?
        .node;
    let first = unit(workspace, scratch, &environment, "first", 1_000.0).await?;
    let second = unit(workspace, scratch, &environment, "second", 1.0).await?;
    Ok([first, second])
}

async fn unit(
    workspace: &Workspace,
    scratch: &Path,
    environment: &NodeRef,
    season: &str,
    gram: f64,
) -> Result<NodeRef> {
    let csv = scratch.join("penguins.csv");
    write_penguins(&csv, gram)?;
    let spec = SnapshotSpec::new("penguins".parse()?, ada()?, season).with_path(csv);
    let data = workspace.data().snapshot(spec).await?.node;
    let weights = FileSpec::from_bytes("model.bin".parse()?, season.to_owned());
    let spec = ModelSpec::new("species".parse()?, ada()?, season)
        .with_file(weights)
        .with_data("train".parse()?, data.clone());
    let model = workspace.models().register(spec).await?.node;
    let prompt = workspace
        .prompts()
        .publish(
            &"explain".parse::<Name>()?,
            PromptContent::text("Explain {{species}}"),
            &[],
            ada()?,
            season,
        )
        .await?
        .node;
    let spec = UnitSpec::new("guide".parse()?)
        .with_component("data".parse()?, data)
        .with_component("model".parse()?, model)
        .with_component("prompt".parse()?, prompt)
        .with_component("env".parse()?, environment.clone());
    Ok(workspace.units().create(spec, ada()?, season).await?.node)
}

fn write_penguins(csv: &Path, gram: f64) -> Result<()> {
    let rows: Vec<String> = (0..200)
        .map(|id| format!("{id},{}", 3.0 * gram + f64::from(id) * gram / 100.0))
        .collect();
    std::fs::write(csv, format!("id,mass\n{}\n", rows.join("\n"))).map_err(|cause| {
        Error::new(ErrorKind::Internal, "cannot write the penguins")
            .context("path", csv.display())
            .with_source(cause)
    })
}

fn ada() -> Result<Actor> {
    Actor::new("ada")
}
