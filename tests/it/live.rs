//! Which instances serve what came from something.

use std::sync::Arc;
use std::time::Duration;

use mainstay::data::SnapshotSpec;
use mainstay::lineage::WalkOptions;
use mainstay::registry::serving::HeartbeatSpec;
use mainstay::registry::{FileSpec, ModelSpec, Relation};
use mainstay::repo::RepoOptions;
use mainstay::store::MemoryStorage;
use mainstay::{Actor, Clock as _, Live, ManualClock, NodeKind, NodeRef, Workspace};

fn ada() -> Actor {
    Actor::new("ada").unwrap()
}

async fn data(workspace: &Workspace, name: &str) -> NodeRef {
    let scratch = tempfile::tempdir().unwrap();
    let table = scratch.path().join("table.csv");
    std::fs::write(&table, format!("id,of\n1,{name}\n")).unwrap();
    let spec = SnapshotSpec::new(name.parse().unwrap(), ada(), "load").with_path(&table);
    workspace.data().snapshot(spec).await.unwrap().node
}

fn model(name: &str) -> ModelSpec {
    let weights = FileSpec::from_bytes("model.bin".parse().unwrap(), name.to_owned());
    ModelSpec::new(name.parse().unwrap(), ada(), "train").with_file(weights)
}

async fn beat(workspace: &Workspace, instance: &str, models: &[&NodeRef]) {
    let beat = HeartbeatSpec::new(
        "checkout".parse().unwrap(),
        instance.parse().unwrap(),
        ada(),
    );
    let with = |beat: HeartbeatSpec, model: &&NodeRef| beat.with_model((*model).clone());
    let beat = models.iter().fold(beat, with);
    workspace.models().heartbeat(beat).await.unwrap();
}

async fn live(workspace: &Workspace, start: &NodeRef, options: &WalkOptions) -> Vec<Live> {
    let graph = workspace.graph().await.unwrap();
    let impact = graph.impact(start, options).unwrap();
    workspace.live(&impact.walk).await.unwrap()
}

fn told(live: &[Live]) -> Vec<String> {
    let tell = |live: &Live| {
        let path: Vec<String> = live.path.iter().map(ToString::to_string).collect();
        format!("{} {}: {}", live.instance, live.model, path.join(" > "))
    };
    live.iter().map(tell).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_that_serve_what_a_poisoned_dataset_went_into_are_named_without_any_channel() {
    let clock = Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap()));
    let options = RepoOptions::default().with_clock(Arc::clone(&clock) as _);
    let storage = Arc::new(MemoryStorage::new());
    let workspace = Workspace::create_on(storage, options).await.unwrap();
    let poisoned = data(&workspace, "poisoned").await;
    let clean = data(&workspace, "clean").await;
    let registry = workspace.models();
    let train = || "train".parse().unwrap();
    let base = model("base").with_data(train(), poisoned.clone());
    let base = registry.register(base).await.unwrap().node;
    let tuned = model("tuned").with_parent(base.clone(), Relation::FineTune);
    let tuned = registry.register(tuned).await.unwrap().node;
    let other = model("other").with_data(train(), clean);
    let other = registry.register(other).await.unwrap().node;

    beat(&workspace, "pod-1", &[&base, &other]).await;
    beat(&workspace, "pod-2", &[&tuned]).await;
    beat(&workspace, "pod-3", &[&other]).await;
    beat(&workspace, "pod-4", &[&tuned]).await;
    clock.advance(Duration::from_mins(1));
    beat(&workspace, "pod-1", &[&base, &other]).await;
    // It serves nothing any more, and has not been replaced under its name.
    beat(&workspace, "pod-4", &[]).await;

    let all = WalkOptions::default();
    let found = live(&workspace, &poisoned, &all).await;
    assert_eq!(
        told(&found),
        [
            "pod-1 model:base@1.0.0: data:poisoned@1 > model:base@1.0.0 > deployment:checkout@1",
            "pod-2 model:tuned@1.0.0: \
             data:poisoned@1 > model:base@1.0.0 > model:tuned@1.0.0 > deployment:checkout@3",
        ]
    );
    let heard: Vec<bool> = found.iter().map(|live| live.seen > live.since).collect();
    assert_eq!(heard, [true, false]);
    assert_eq!(found[0].seen, clock.now());

    // A walk that goes less far finds less.
    let near = WalkOptions::default().with_stops([NodeKind::Model]);
    assert_eq!(live(&workspace, &poisoned, &near).await, []);
    assert_eq!(live(&workspace, &tuned, &all).await.len(), 1);
}
