//! Holds, and receipts.

use super::*;
use crate::{Held, TreeBuilder, TreeEntry};

async fn hold(repo: &Repo, name: &str, of: &[&str]) -> mainstay_core::Result<crate::Hold> {
    let of: Vec<Held> = of.iter().map(|thing| thing.parse().unwrap()).collect();
    repo.hold(name, of, tester(), "the court asks").await
}

#[tokio::test]
async fn what_is_held_stays_until_it_is_released_whatever_becomes_of_its_refs() {
    let mut world = World::new();
    let repo = world.open().await;
    put(&repo, "model/m/version/1", &[big(1)]).await;
    put(&repo, "model/m/version/2", &[big(2), "small".into()]).await;
    put(&repo, "files/other", &[big(3)]).await;
    let mut ingest = repo.ingest();
    let mut tree = TreeBuilder::new();
    let blob = ingest.bytes(big(4)).await.unwrap().digest;
    let entry = TreeEntry::new("a", 1.into(), [blob]);
    tree.add(&mut ingest, &entry).await.unwrap();
    let root = tree.finish(&mut ingest).await.unwrap().root;
    ingest.finish().await.map(drop).unwrap();
    let value = Value::new("files", &1).unwrap().with_trees([root]);
    let mut transaction = Transaction::new(tester(), "a tree");
    let of_tree = "data/d/version/1".parse().unwrap();
    transaction.set(of_tree, value, Expectation::Absent);
    repo.commit(transaction).await.map(drop).unwrap();

    let digest = Digest::of(&big(3)).to_string();
    let case = hold(&repo, "case/7", &["model/m", "data/d/version/1", &digest]).await;
    let case = case.unwrap();
    assert_eq!(
        (case.name.as_str(), case.blobs, case.trees),
        ("case/7", 4, 1)
    );
    assert_eq!(
        (case.actor.clone(), case.reason.as_str()),
        (tester(), "the court asks")
    );
    let other = world.open().await;
    assert_eq!(other.holds().await.unwrap(), [case]);
    // The refs go, and what they named stays.
    for path in [
        "model/m/version/1",
        "model/m/version/2",
        "files/other",
        "data/d/version/1",
    ] {
        drop_ref(&repo, path).await;
    }
    settle(&repo, &world).await;
    for content in [big(1), big(2), "small".into(), big(3), big(4)] {
        assert_eq!(read(&other, &content).await, Some(content));
    }
    let explained = repo.explain_blob(&Digest::of(&big(4)), &options()).await;
    assert_eq!(explained.unwrap().refs, ["hold/case/7".parse().unwrap()]);
    repo.release_hold("case/7", tester(), "closed")
        .await
        .unwrap();
    assert_eq!(other.holds().await.unwrap(), []);
    settle(&repo, &world).await;
    for content in [big(1), big(2), "small".into(), big(3), big(4)] {
        assert_eq!(read(&other, &content).await, None);
    }
    assert_sound(&other).await;
}

#[tokio::test]
async fn a_hold_is_made_whole_and_once_or_not_at_all() {
    let mut world = World::new();
    let repo = world.open().await;
    put(&repo, "model/m/version/1", &[big(1)]).await;
    let mut plain = Transaction::new(tester(), "test");
    let value = Value::new("note", &1).unwrap();
    plain.set("note/n".parse().unwrap(), value, Expectation::Any);
    repo.commit(plain).await.map(drop).unwrap();
    let unknown = Digest::of(b"unknown").to_string();
    for (name, of, kind) in [
        ("case", vec![], ErrorKind::Invalid),
        ("case", vec!["model/other"], ErrorKind::NotFound),
        ("case", vec!["model/m", "model/other"], ErrorKind::NotFound),
        ("case", vec!["note/n"], ErrorKind::Invalid),
        ("case", vec![unknown.as_str()], ErrorKind::Invalid),
        ("a//b", vec!["model/m"], ErrorKind::Invalid),
        ("", vec!["model/m"], ErrorKind::Invalid),
    ] {
        let refused = hold(&repo, name, &of).await.unwrap_err();
        assert_eq!(refused.kind(), kind, "{name} {of:?}: {refused}");
    }
    assert_eq!(repo.holds().await.unwrap(), []);
    hold(&repo, "case", &["model/m"]).await.map(drop).unwrap();
    let again = hold(&repo, "case", &["model/m"]).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::AlreadyExists);
    repo.release_hold("case", tester(), "closed").await.unwrap();
    let gone = repo.release_hold("case", tester(), "closed").await;
    assert_eq!(gone.unwrap_err().kind(), ErrorKind::NotFound);
    // A name may be used again; what other programs hold below `hold/` is told of, too.
    hold(&repo, "case", &["model/m"]).await.map(drop).unwrap();
    name(&repo, "hold/theirs", vec![Digest::of(&big(1))])
        .await
        .unwrap();
    let holds = repo.holds().await.unwrap();
    let told: Vec<_> = holds
        .iter()
        .map(|hold| (hold.name.as_str(), hold.of.len()))
        .collect();
    assert_eq!(told, [("case", 1), ("theirs", 0)]);
}

#[tokio::test]
async fn every_run_has_a_receipt_of_what_it_deleted() {
    let mut world = World::new();
    let storage = Arc::clone(&world.storage) as _;
    let repo = world.open_with(storage, 2).await;
    for n in 0..40 {
        put(
            &repo,
            &format!("files/f{n}"),
            &[format!("small {n}").into()],
        )
        .await;
        repo.settle().await;
    }
    put(&repo, "files/big", &[big(1)]).await;
    drop_ref(&repo, "files/big").await;
    let (mut reports, mut deleted) = (Vec::new(), 0);
    for _ in 0..4 {
        let options = options().with_checkpoint_spacing_percent(60);
        let plan = repo.plan_collection(&options).await.unwrap();
        let applied = repo.apply_collection(&plan, tester(), "collect").await;
        let applied = applied.unwrap();
        deleted += applied.checkpoints.deleted;
        reports.extend(
            applied
                .seq
                .map(|seq| (seq, applied.deleted, applied.checkpoints.deleted)),
        );
        world.clock.advance(GRACE);
    }
    reports.reverse();
    let receipts: Vec<_> = repo.receipts().try_collect().await.unwrap();
    let told = receipts.iter().map(|receipt| {
        let checkpoints = receipt.checkpoints.len() as u64;
        (receipt.seq, receipt.deleted.clone(), checkpoints)
    });
    assert_eq!(told.collect::<Vec<_>>(), reports);
    assert!(deleted > 4 && reports.iter().any(|(_, packs, _)| packs.len() > 1));
    let runs: Vec<u64> = receipts.iter().map(|receipt| receipt.run).collect();
    assert_eq!(runs, (1..=runs.len() as u64).rev().collect::<Vec<_>>());
    assert_eq!(receipts[0].reason, "collect");
}

#[test]
fn the_stored_hold_is_that_of_version_1() {
    let golden = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/golden/collection/v1/hold.json"
    );
    let golden = std::fs::read(golden).unwrap();
    let blob = Digest::of(b"held");
    let of = [
        Held::Blob(blob),
        "model/fraud/version/1.2.0".parse().unwrap(),
    ];
    let value = crate::gc::hold::stored(&of.into()).unwrap();
    let value = value.with_blobs([blob]).with_trees([Digest::of(b"tree")]);
    assert_eq!(mainstay_core::canon::to_vec(&value).unwrap(), golden);
    let read: Value = mainstay_core::canon::from_slice(&golden).unwrap();
    assert_eq!(read, value);
}
