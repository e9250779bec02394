//! Who names a version: the links of checkpoints and of what came since, and what may be said.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mainstay_core::{Actor, Edge, EdgeKind, ErrorKind, NodeRef};
use mainstay_repo::{Expectation, Repo, Transaction, Value, View};
use mainstay_store::{MemoryStorage, MeterStorage, Prefix, Storage};
use proptest::prelude::*;

use crate::support::{committed, options, path};

fn node(text: &str) -> NodeRef {
    text.parse().unwrap()
}

fn transaction(sets: &[(&str, &[(EdgeKind, &str)])]) -> Transaction {
    let mut transaction = Transaction::new(Actor::new("ada").unwrap(), "lineage");
    for (version, edges) in sets {
        let edges = edges.iter().map(|(kind, to)| Edge::new(*kind, node(to)));
        let value = Value::new("note", &version).unwrap().with_edges(edges);
        transaction.set(node(version).ref_path(), value, Expectation::Any);
    }
    transaction
}

async fn dependents(view: &View, of: &str) -> Vec<String> {
    let of = node(of);
    let found = view.read(|view| view.dependents(&of)).await.unwrap();
    let tell = |d: mainstay_repo::Dependent| format!("{} {}", d.kind, d.from);
    found.into_iter().map(tell).collect()
}

async fn refused(repo: &Repo, sets: &[(&str, &[(EdgeKind, &str)])]) -> String {
    let error = repo.commit(transaction(sets)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    error.to_string()
}

#[tokio::test]
async fn no_version_can_come_from_itself() {
    use EdgeKind::{DerivedFrom, Used};
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let repo = Repo::create(storage, options(1).with_checkpoint_every(2))
        .await
        .unwrap();
    let itself = refused(&repo, &[("model:a@1", &[(DerivedFrom, "model:a@1")])]).await;
    assert!(itself.contains("cannot come from itself"), "{itself}");
    let together: [(&str, &[_]); 2] = [
        ("model:a@1", &[(DerivedFrom, "model:b@1")]),
        ("model:b@1", &[(DerivedFrom, "model:a@1")]),
    ];
    refused(&repo, &together).await;
    // What is named before it is there.
    let steps: [(&str, &[_]); 3] = [
        ("model:a@1", &[(DerivedFrom, "model:b@1")]),
        ("model:b@1", &[(Used, "data:d@1")]),
        ("data:c@1", &[]),
    ];
    for step in steps {
        committed(repo.commit(transaction(&[step])).await.unwrap());
        repo.settle().await;
    }
    let closing = refused(&repo, &[("data:d@1", &[(Used, "model:a@1")])]).await;
    assert!(
        closing.contains("data:d@1") && closing.contains("model:a@1"),
        "{closing}"
    );
    // Nor by way of what was deleted.
    let mut delete = Transaction::new(Actor::new("ada").unwrap(), "old");
    delete.delete(node("model:b@1").ref_path(), Expectation::Any);
    committed(repo.commit(delete).await.unwrap());
    refused(&repo, &[("data:d@1", &[(Used, "model:a@1")])]).await;
    committed(
        repo.commit(transaction(&[("data:d@1", &[(Used, "data:c@1")])]))
            .await
            .unwrap(),
    );
}

#[tokio::test]
async fn edges_join_what_their_kinds_may_join() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let repo = Repo::create(storage, options(1)).await.unwrap();
    let told = refused(&repo, &[("data:a@1", &[(EdgeKind::Deploys, "model:b@1")])]).await;
    assert!(
        told.contains("data:a@1") && told.contains("deploys"),
        "{told}"
    );
    assert_eq!(repo.view().await.unwrap().seq(), 0);
}

#[tokio::test]
async fn a_deleted_version_stays_in_the_lineage_and_a_name_goes_with_its_pointer() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let repo = Repo::create(storage, options(1).with_checkpoint_every(1))
        .await
        .unwrap();
    let model: (&str, &[_]) = ("model:m@1", &[(EdgeKind::Used, "data:d@1")]);
    let mut first = transaction(&[model]);
    let alias = path("model/m/alias/champion");
    first.set(
        alias.clone(),
        Value::pointer(&node("model:m@1")),
        Expectation::Any,
    );
    committed(repo.commit(first).await.unwrap());
    repo.settle().await;
    let names = async || {
        let view = repo.view().await.unwrap();
        view.read(|view| view.names(&node("model:m@1")))
            .await
            .unwrap()
    };
    assert_eq!(names().await, std::slice::from_ref(&alias));
    let mut delete = Transaction::new(Actor::new("ada").unwrap(), "old");
    delete
        .delete(node("model:m@1").ref_path(), Expectation::Any)
        .set(alias, Value::pointer(&node("model:m@2")), Expectation::Any);
    committed(repo.commit(delete).await.unwrap());
    repo.settle().await;
    assert_eq!(names().await, []);
    let view = repo.view().await.unwrap();
    // What was said is found with the entry that said it last.
    let mentions = async |of: &str, after: u64| {
        let found = view.read(|view| view.mentions(&node(of), after)).await;
        let tell = |mention: mainstay_repo::Mention| {
            let how = mention.edge.map_or("points", EdgeKind::as_str);
            format!("{} {how} {}", mention.path, mention.seq)
        };
        found.unwrap().into_iter().map(tell).collect::<Vec<_>>()
    };
    assert_eq!(
        mentions("model:m@1", 0).await,
        ["model/m/alias/champion points 1"]
    );
    assert_eq!(
        mentions("model:m@2", 1).await,
        ["model/m/alias/champion points 2"]
    );
    assert_eq!(mentions("data:d@1", 0).await, ["model/m/version/1 used 1"]);
    assert!(mentions("data:d@1", 1).await.is_empty());
    assert_eq!(dependents(&view, "data:d@1").await, ["used model:m@1"]);
}

/// A hop reads the shard it is in and none else, however many edges there are.
#[tokio::test]
async fn one_hop_reads_one_shard() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let repo = Repo::create(Arc::clone(&storage), options(1).with_checkpoint_every(1))
        .await
        .unwrap();
    let mut many = Transaction::new(Actor::new("ada").unwrap(), "many");
    for n in 0..20_000 {
        let edge = Edge::new(EdgeKind::Used, node(&format!("data:d{}@1", n / 2)));
        let value = Value::new("note", &n).unwrap().with_edges([edge]);
        many.set(
            node(&format!("model:m{n}@1")).ref_path(),
            value,
            Expectation::Any,
        );
    }
    committed(repo.commit(many).await.unwrap());
    repo.settle().await;
    let meter = Arc::new(MeterStorage::new(storage));
    let repo = Repo::open(Arc::clone(&meter) as _, options(2))
        .await
        .unwrap();
    let view = repo.view().await.unwrap();
    let before = meter.reading();
    assert_eq!(
        dependents(&view, "data:d5000@1").await,
        ["used model:m10000@1", "used model:m10001@1"]
    );
    let gets = meter.reading().gets - before.gets;
    assert!(gets <= 2, "{gets}");
}

#[tokio::test]
async fn links_whose_shards_are_lost_are_made_from_the_log() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let repo = Repo::create(Arc::clone(&storage), options(1).with_checkpoint_every(1))
        .await
        .unwrap();
    let model: (&str, &[_]) = ("model:m@1", &[(EdgeKind::Used, "data:d@1")]);
    committed(repo.commit(transaction(&[model])).await.unwrap());
    repo.settle().await;
    let shards: Vec<_> = futures::TryStreamExt::try_collect(
        storage.list(&Prefix::directory("shard").unwrap(), None),
    )
    .await
    .unwrap();
    for shard in shards {
        storage.delete(&shard.key).await.unwrap();
    }
    let again = Repo::open(Arc::clone(&storage), options(2)).await.unwrap();
    let view = again.view().await.unwrap();
    assert_eq!(dependents(&view, "data:d@1").await, ["used model:m@1"]);
}

/// Whether a version comes from itself.
fn reaches(edges: &BTreeMap<u8, Vec<u8>>, start: u8) -> bool {
    let (mut seen, mut waiting) = (BTreeSet::new(), vec![start]);
    while let Some(at) = waiting.pop() {
        for to in edges.get(&at).into_iter().flatten() {
            if *to == start {
                return true;
            }
            if seen.insert(*to) {
                waiting.push(*to);
            }
        }
    }
    false
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is committed, when checkpoints are written and who reads: the dependents are those that
    /// ever said so, and no commit makes a cycle.
    #[test]
    fn links_follow_from_the_log(
        steps in prop::collection::vec((0_u8..6, prop::collection::vec(0_u8..6, 0..3), any::<bool>()), 1..20),
        every in 1_u64..6,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
            let repo = Repo::create(Arc::clone(&storage), options(1).with_checkpoint_every(every)).await.unwrap();
            let name = |n: u8| format!("data:n{n}@1");
            // Every edge that was ever stated, and what counts of each version: all of it once deleted.
            let (mut ever, mut counts) = (BTreeSet::new(), BTreeMap::<u8, Vec<u8>>::new());
            for (from, to, delete) in steps {
                let mut transaction = Transaction::new(Actor::new("ada").unwrap(), "step");
                if delete {
                    transaction.delete(node(&name(from)).ref_path(), Expectation::Any);
                } else {
                    let edges = to.iter().map(|to| Edge::new(EdgeKind::DerivedFrom, node(&name(*to))));
                    let value = Value::new("note", &from).unwrap().with_edges(edges);
                    transaction.set(node(&name(from)).ref_path(), value, Expectation::Any);
                }
                let outcome = repo.commit(transaction).await;
                if delete {
                    let stated = ever.iter().filter(|(_, by)| *by == from);
                    counts.insert(from, stated.map(|(to, _)| *to).collect());
                } else {
                    let mut then = counts.clone();
                    then.insert(from, to.clone());
                    assert_eq!(outcome.is_err(), reaches(&then, from), "{then:?}");
                    if outcome.is_ok() {
                        ever.extend(to.into_iter().map(|to| (to, from)));
                        counts = then;
                    }
                }
                repo.settle().await;
            }
            let other = Repo::open(Arc::clone(&storage), options(2)).await.unwrap();
            for repo in [&repo, &other] {
                let view = repo.view().await.unwrap();
                for to in 0..6 {
                    let told = dependents(&view, &name(to)).await;
                    let said = ever.iter().filter(|(of, _)| *of == to);
                    let expected: Vec<String> =
                        said.map(|(_, from)| format!("derived_from {}", name(*from))).collect();
                    assert_eq!(told, expected);
                }
            }
            let report = mainstay_repo::verify(storage, mainstay_repo::VerifyLevel::Full).await.unwrap();
            assert!(report.faults.is_empty(), "{:?}", report.faults);
        });
    }
}
