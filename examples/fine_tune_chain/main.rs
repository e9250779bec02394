//! A base model, a training that goes on from it, and a smaller copy of the result, each linked to what it
//! came from: `cargo run --example fine_tune_chain`.

use mainstay::data::SnapshotSpec;
use mainstay::lineage::{Direction, Graph, WalkOptions};
use mainstay::registry::run::{Point, RunEnd, RunLog, RunSpec, RunStatus};
use mainstay::registry::{FileSpec, ModelSpec, Relation};
use mainstay::{Actor, Clock as _, Error, Locator, NodeRef, Result, SystemClock, Workspace};
use safetensors::tensor::{Dtype, TensorView};

#[tokio::main]
async fn main() -> Result<()> {
    let workspace = Workspace::create("mem:").await?;
    let (models, ada) = (workspace.models(), Actor::new("ada")?);

    // The base came from elsewhere.
    let base = ModelSpec::new("base".parse()?, ada.clone(), "from the vendor")
        .with_file(weights(&[1.0, 2.0, 3.0], &[0.5, 0.5])?)
        .with_tag("licence", "Apache-2.0");
    let base = models.register(base).await?.node;

    let files = tempfile::tempdir()?;
    let path = files.path().join("tickets.csv");
    std::fs::write(&path, "question,answer\nwhere,here\n")?;
    let spec = SnapshotSpec::new("tickets".parse()?, ada.clone(), "answered by people");
    let tickets = workspace.data().snapshot(spec.with_path(path)).await?.node;

    // The run knows its parameters, its seed and every measurement; the version knows its run.
    let run = fine_tune(&workspace, &base, &tickets, &ada).await?;
    let tuned = ModelSpec::new("support".parse()?, ada.clone(), "fine-tuned on tickets")
        .with_file(weights(&[1.0, 2.5, 3.0], &[0.5, 0.5])?)
        .with_parent(base.clone(), Relation::FineTune)
        .with_data("train".parse()?, tickets.clone())
        .with_checkpoint(run, 2)
        .with_metric("exact_match", 0.71);
    let tuned = models.register(tuned).await?.node;

    let small = ModelSpec::new("support-small".parse()?, ada, "for phones")
        .with_file(FileSpec::from_bytes(
            "model.int8".parse()?,
            &b"quantized weights"[..],
        ))
        .with_parent(tuned.clone(), Relation::Quantize)
        .with_metric("exact_match", 0.69);
    let small = models.register(small).await?.node;

    // What did the model on the phone come from?
    let view = workspace.repo().view().await?;
    let options = WalkOptions::default();
    let graph = Graph::near(workspace.repo(), &view, &small, &[Direction::Up], &options).await?;
    for reached in graph.ancestors(&small, &options)?.reached {
        anstream::println!("{:>2} {}", reached.depth, reached.node);
    }

    // What did the training change?
    let (before, after) = (locator(&base)?, locator(&tuned)?);
    let diff = models.tensor_diff(&view, &before, &after).await?;
    for changed in &diff.changed {
        anstream::println!("{} changed: {:?}", changed.tensor.name, changed.difference);
    }
    anstream::println!("tensors unchanged: {}", diff.unchanged);
    Ok(())
}

async fn fine_tune(
    workspace: &Workspace,
    base: &NodeRef,
    tickets: &NodeRef,
    ada: &Actor,
) -> Result<NodeRef> {
    let (runs, clock) = (workspace.runs(), SystemClock::default());
    let mut spec = RunSpec::new("support".parse()?, clock.now(), ada.clone(), "new tickets")
        .with_input("base".parse()?, base.clone())
        .with_input("train".parse()?, tickets.clone())
        .with_parameter("learning_rate", 2e-5)
        .with_seed("torch", 7);
    if let Some(commit) = option_env!("COMMIT") {
        spec = spec.with_code("support".parse()?, commit.parse()?);
    }
    let run = runs.start(spec).await?.run;
    let mut log = RunLog::new(run.clone(), ada.clone(), "training");
    for (step, loss) in [(0, 1.9), (1, 1.2), (2, 0.8)] {
        log = log.with_point("loss", Point::new(step, clock.now(), loss));
    }
    runs.log(log).await?;
    let end = RunEnd::new(
        run.clone(),
        RunStatus::Finished,
        clock.now(),
        ada.clone(),
        "done",
    );
    runs.end(end).await?;
    Ok(run)
}

fn weights(layer: &[f32], norm: &[f32]) -> Result<FileSpec> {
    let failed = |error| Error::invalid("the model cannot be encoded").with_source(error);
    let bytes = [layer, norm].map(|tensor| {
        let bytes = tensor.iter().flat_map(|value| value.to_le_bytes());
        (tensor.len(), bytes.collect::<Vec<u8>>())
    });
    let views = ["layer.0.weight", "norm.weight"].into_iter().zip(&bytes);
    let views = views
        .map(|(name, (len, bytes))| {
            let view = TensorView::new(Dtype::F32, vec![*len], bytes);
            Ok((name, view.map_err(failed)?))
        })
        .collect::<Result<Vec<_>>>()?;
    let file = safetensors::serialize(views, None).map_err(failed)?;
    Ok(FileSpec::from_bytes("model.safetensors".parse()?, file))
}

fn locator(node: &NodeRef) -> Result<Locator> {
    node.to_string().parse()
}
