//! Answers nonsense since Tuesday: what changed, who else has it, take it back: `cargo run --example incident`.

use std::sync::Arc;
use std::time::Duration;

use mainstay::data::SnapshotSpec;
use mainstay::lineage::{Direction, Graph, WalkOptions};
use mainstay::registry::{FileSpec, ModelSpec};
use mainstay::repo::RepoOptions;
use mainstay::rollout::UnitSpec;
use mainstay::store::MemoryStorage;
use mainstay::{Actor, Clock as _, Error, ManualClock, NodeRef, RefPath, Result, Workspace};
use safetensors::tensor::{Dtype, TensorView};

const DAY: Duration = Duration::from_hours(24);

/// A season in grams, and one more in which somebody entered kilograms.
const SOUND: &str = "species,mass\nAdelie,3750\nAdelie,3800\nGentoo,5000\nGentoo,5400\n";
const POISONED: &str = "species,mass\nAdelie,3.7\nAdelie,3.8\nGentoo,5.1\nGentoo,5.4\n";

#[tokio::main]
async fn main() -> Result<()> {
    let clock = Arc::new(ManualClock::new("2026-11-23T09:00:00Z".parse()?));
    let options = RepoOptions::default().with_clock(Arc::clone(&clock) as _);
    let workspace = Workspace::create_on(Arc::new(MemoryStorage::new()), options).await?;
    let (prod, ada) = ("prod".parse()?, Actor::new("ada")?);

    // Monday's release, and Tuesday's.
    let (mut served, mut poisoned) = (Vec::new(), None);
    let monday = Training {
        rows: SOUND,
        head: &[0.25, -0.5],
        rate: 0.1,
        commit: "3c1f0e7",
    };
    let tuesday = Training {
        rows: POISONED,
        head: &[250.0, -500.0],
        rate: 0.3,
        commit: "9f31c2a",
    };
    for (training, reason) in [(monday, "first release"), (tuesday, "weekly retraining")] {
        let (unit, data) = release(&workspace, &ada, &training, reason).await?;
        let locator = unit.to_string().parse()?;
        workspace
            .rollouts()
            .put(&prod, &locator, ada.clone(), reason)
            .await?;
        served.push(clock.now());
        poisoned = Some(data);
        clock.advance(DAY);
    }

    // What changed? The most telling first; no table and no tensor is read.
    let change = workspace
        .changed_between(&prod, served[0], served[1])
        .await?;
    for component in change.components.iter().filter(|part| part.changed) {
        anstream::println!(
            "{:?}: {}: {}",
            component.severity,
            component.slot,
            component.summary
        );
    }
    for event in change.ranked_events().iter().take(3) {
        let what: Vec<&str> = event.refs.iter().map(RefPath::as_str).collect();
        anstream::println!(
            "{}: {} ({}), by {}",
            event.time,
            event.reason,
            what.join(", "),
            event.actor
        );
    }

    // What else was made of it, and where is that in use?
    if let Some(data) = poisoned {
        let view = workspace.repo().view().await?;
        let options = WalkOptions::default();
        let down = [Direction::Down];
        let graph = Graph::near(workspace.repo(), &view, &data, &down, &options).await?;
        for name in graph.impact(&data, &options)?.names {
            let way: Vec<String> = name.path.iter().map(NodeRef::to_string).collect();
            anstream::println!("{} has it: {}", name.name, way.join(" > "));
        }
    }

    // Take it back: model, data and all of the unit in one step.
    let status = workspace
        .rollouts()
        .rollback(&prod, ada, "nonsense since Tuesday")
        .await?;
    anstream::println!("serving {}", status.unit);
    let (now, _) = workspace.served_at(&prod, clock.now()).await?;
    let (then, _) = workspace.served_at(&prod, served[0]).await?;
    assert_eq!(now, then);
    Ok(())
}

/// What a model is made from, and how.
struct Training {
    rows: &'static str,
    head: &'static [f32],
    rate: f64,
    commit: &'static str,
}

/// Learns from rows and bundles the model with them.
async fn release(
    workspace: &Workspace,
    ada: &Actor,
    training: &Training,
    reason: &str,
) -> Result<(NodeRef, NodeRef)> {
    let files = tempfile::tempdir()?;
    let path = files.path().join("penguins.csv");
    std::fs::write(&path, training.rows)?;
    let data = SnapshotSpec::new("penguins".parse()?, ada.clone(), reason).with_path(path);
    let data = workspace.data().snapshot(data).await?.node;
    let model = ModelSpec::new("species".parse()?, ada.clone(), reason)
        .with_file(weights(training.head)?)
        .with_parameter("rate", training.rate)
        .with_seed("shuffle", 7)
        .with_code("trainer".parse()?, training.commit.parse()?)
        .with_data("train".parse()?, data.clone());
    let model = workspace.models().register(model).await?.node;
    let unit = UnitSpec::new("classifier".parse()?)
        .with_component("model".parse()?, model)
        .with_component("data".parse()?, data.clone());
    let unit = workspace.units().create(unit, ada.clone(), reason).await?;
    Ok((unit.node, data))
}

/// A body that is never trained, and a head.
fn weights(head: &[f32]) -> Result<FileSpec> {
    let bytes = |values: &[f32]| -> Vec<u8> {
        let values = values.iter().copied();
        values.flat_map(f32::to_le_bytes).collect()
    };
    let failed = |cause| Error::invalid("not tensors").with_source(cause);
    let (body, head) = (bytes(&[0.5; 4_096]), bytes(head));
    let views = [("body", &body), ("head", &head)]
        .into_iter()
        .map(|(name, bytes)| {
            let view = TensorView::new(Dtype::F32, vec![bytes.len() / 4], bytes);
            Ok((name, view.map_err(failed)?))
        })
        .collect::<Result<Vec<_>>>()?;
    let file = safetensors::serialize(views, None).map_err(failed)?;
    Ok(FileSpec::from_bytes("model.safetensors".parse()?, file))
}
