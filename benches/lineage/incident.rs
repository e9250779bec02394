//! What changed between two releases with very many entries of others between them.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use mainstay::data::SnapshotSpec;
use mainstay::lineage::change::Change;
use mainstay::prompt::PromptContent;
use mainstay::registry::{FileSpec, ModelSpec};
use mainstay::repo::{Expectation, RepoOptions, Transaction, Value};
use mainstay::rollout::UnitSpec;
use mainstay::store::{MeterStorage, Storage};
use mainstay::{Actor, NodeRef, Workspace};
use safetensors::tensor::{Dtype, TensorView};

use crate::{RUNS, print};

const TENSORS: usize = 64;
const TENSOR_BYTES: usize = 65_536;

pub(crate) async fn measure(storage: Arc<dyn Storage>, entries: u64) {
    let meter = Arc::new(MeterStorage::new(storage));
    let workspace = Workspace::create_on(Arc::clone(&meter) as _, RepoOptions::default());
    let workspace = workspace.await.unwrap();
    let a = release(&workspace, 1).await;
    for n in 0..entries {
        let mut other = Transaction::new(actor(), "somebody else's");
        let value = Value::new("bench", &n).unwrap();
        let path = format!("data/other{}/version/{n}", n % 1_000);
        other.set(path.parse().unwrap(), value, Expectation::Absent);
        let _committed = workspace.repo().commit(other).await.unwrap();
    }
    let b = release(&workspace, 2).await;
    workspace.settle().await;
    drop(workspace);

    println!("what changed, {entries} entries between");
    let opened = Workspace::open_on(Arc::clone(&meter) as _, RepoOptions::default());
    let workspace = opened.await.unwrap();
    for what in ["for the first time", "again"] {
        let mut times = Vec::new();
        let runs = if what == "again" { RUNS } else { 1 };
        let before = meter.reading();
        for _ in 0..runs {
            let start = Instant::now();
            black_box(changed(&workspace, &a, &b).await);
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        let read = meter.reading() - before;
        let runs = runs as u64;
        let more = format!(
            ", {} requests of {} bytes each time",
            read.requests() / runs,
            read.bytes_read / runs
        );
        print(what, &mut times, &more);
    }
}

async fn changed(workspace: &Workspace, a: &NodeRef, b: &NodeRef) -> Change {
    workspace.changed(a, b).await.unwrap()
}

fn actor() -> Actor {
    Actor::new("bench").unwrap()
}

/// A unit of data, a prompt, and a model of safetensors of which one differs from release to release.
async fn release(workspace: &Workspace, number: u8) -> NodeRef {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("penguins.csv");
    let rows = (0..1_000).map(|n| format!("{n},{}\n", u32::from(number) * 1_000 + n % 97));
    std::fs::write(&path, format!("id,mass\n{}", rows.collect::<String>())).unwrap();
    let data = SnapshotSpec::new("penguins".parse().unwrap(), actor(), "bench").with_path(&path);
    let data = workspace.data().snapshot(data).await.unwrap().node;

    let file = FileSpec::from_bytes("model.safetensors".parse().unwrap(), weights(number));
    let model = ModelSpec::new("species".parse().unwrap(), actor(), "bench")
        .with_file(file)
        .with_parameter("depth", u32::from(number))
        .with_data("train".parse().unwrap(), data.clone());
    let model = workspace.models().register(model).await.unwrap().node;

    let lines = (0..200).map(|n| match n {
        99 => format!("Rule {n} of release {number}.\n"),
        _ => format!("Rule {n}.\n"),
    });
    let prompt = PromptContent::text(lines.collect::<String>());
    let name = "explain".parse().unwrap();
    let prompt = workspace
        .prompts()
        .publish(&name, prompt, &[], actor(), "bench");
    let prompt = prompt.await.unwrap().node;

    let unit = UnitSpec::new("classifier".parse().unwrap())
        .with_component("model".parse().unwrap(), model)
        .with_component("prompt".parse().unwrap(), prompt)
        .with_component("data".parse().unwrap(), data);
    let units = workspace.units();
    let unit = units.create(unit, actor(), "bench").await;
    unit.unwrap().node
}

fn weights(number: u8) -> Vec<u8> {
    let tensors: Vec<(String, Vec<u8>)> = (0..TENSORS)
        .map(|n| {
            let byte = if n == 7 { number } else { 0 };
            let bytes = (0..TENSOR_BYTES).map(|at| u8::try_from((at + n) % 251).unwrap() ^ byte);
            (format!("layer{n:02}"), bytes.collect())
        })
        .collect();
    let views = tensors.iter().map(|(name, bytes)| {
        let view = TensorView::new(Dtype::U8, vec![TENSOR_BYTES], bytes);
        (name, view.unwrap())
    });
    safetensors::serialize(views, None).unwrap()
}
