//! What trees hold stays, travels and is checked with the refs that name them.

use super::*;

const GRACE: Duration = Duration::from_hours(1);

async fn name(repo: &Repo, path: &str, root: Digest) -> Result<()> {
    let value = Value::new("files", &path)?.with_trees([root]);
    let mut transaction = Transaction::new(Actor::new("ada")?, "test");
    transaction.set(path.parse()?, value, Expectation::Any);
    match repo.commit(transaction).await? {
        CommitOutcome::Committed(_) => Ok(()),
        CommitOutcome::Conflict(conflict) => Err(conflict.into_error()),
    }
}

async fn drop_ref(repo: &Repo, path: &str) {
    let mut transaction = Transaction::new(Actor::new("ada").unwrap(), "test");
    transaction.delete(path.parse().unwrap(), Expectation::Any);
    let outcome = repo.commit(transaction).await.unwrap();
    assert!(matches!(outcome, CommitOutcome::Committed(_)));
}

/// Collects, an hour apart, until there is nothing more to do.
async fn settle(repo: &Repo, clock: &ManualClock) {
    let options = CollectOptions::default()
        .with_keep_history(Duration::ZERO)
        .with_grace(GRACE);
    for _ in 0..12 {
        clock.advance(GRACE);
        let plan = repo.plan_collection(&options).await.unwrap();
        let ada = Actor::new("ada").unwrap();
        let report = repo.apply_collection(&plan, ada, "collect").await.unwrap();
        if report.seq.is_none() {
            return;
        }
    }
    panic!("collection does not come to an end");
}

/// Reads every blob of a tree, and its entries.
async fn assert_whole(repo: &Repo, root: &Digest, model: &Model) {
    assert_eq!(all(repo.tree(root).entries()).await, entries(model));
    for number in model.values() {
        let stored = repo.blob(&Digest::of(&blob(*number))).await.unwrap();
        assert_eq!(stored.unwrap().bytes().await.unwrap(), blob(*number));
    }
}

async fn assert_sound(repo: &Repo) {
    let report = repo.verify(VerifyLevel::Full).await.unwrap();
    assert_eq!(report.faults, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn collection_keeps_what_trees_of_live_refs_hold_and_nothing_else() {
    let (storage, clock) = (Arc::new(MemoryStorage::new()), clock());
    let repo = open(Arc::clone(&storage) as _, &clock, 1).await;
    let mut model = numbered(600);
    let first = store(&repo, &model, true).await.root;
    name(&repo, "data/d/version/1", first).await.unwrap();
    model.insert("dir/000300.bin".to_owned(), 10_000);
    let second = store(&repo, &model, true).await.root;
    name(&repo, "data/d/version/2", second).await.unwrap();
    settle(&repo, &clock).await;
    assert_whole(&repo, &first, &numbered(600)).await;
    assert_whole(&repo, &second, &model).await;

    let replaced = Digest::of(&blob(300));
    let options = CollectOptions::default().with_keep_history(Duration::ZERO);
    let explained = repo.explain_blob(&replaced, &options).await.unwrap();
    assert_eq!(explained.refs, ["data/d/version/1".parse().unwrap()]);
    let explained = repo.explain_blob(&second, &options).await.unwrap();
    assert_eq!(explained.refs, ["data/d/version/2".parse().unwrap()]);
    let refs = repo.explain_refs("data/d/version/1").await.unwrap();
    assert!(refs.blobs > 600 && refs.exclusive_bytes < refs.stored_bytes / 2);

    drop_ref(&repo, "data/d/version/1").await;
    settle(&repo, &clock).await;
    let reader = open(storage, &clock, 2).await;
    assert_whole(&reader, &second, &model).await;
    for gone in [replaced, first] {
        let explained = reader.explain_blob(&gone, &options).await.unwrap();
        assert_eq!((explained.refs, explained.history), (vec![], vec![]));
    }
    assert_sound(&reader).await;
    drop_ref(&repo, "data/d/version/2").await;
    settle(&repo, &clock).await;
    assert_eq!(repo.stats().await.unwrap().logical_bytes, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_is_named_only_when_all_it_holds_is_stored_and_not_condemned() {
    let (storage, clock) = (Arc::new(MemoryStorage::new()), clock());
    let (writer, collector) = (
        open(Arc::clone(&storage) as _, &clock, 1).await,
        open(storage, &clock, 2).await,
    );
    let nowhere = name(&writer, "data/d/version/1", Digest::of(b"no page")).await;
    assert_eq!(nowhere.unwrap_err().kind(), ErrorKind::Invalid);
    // The pages are stored, the blobs are not.
    let model = numbered(300);
    let root = store(&writer, &model, false).await.root;
    let hollow = name(&writer, "data/d/version/1", root).await.unwrap_err();
    assert_eq!(hollow.kind(), ErrorKind::Invalid, "{hollow}");
    assert_eq!(writer.view().await.unwrap().seq(), 0);

    assert_eq!(store(&writer, &model, true).await.root, root);
    name(&writer, "data/d/version/1", root).await.unwrap();
    // A version beside it that shares nearly everything costs little to check.
    let mut later = model.clone();
    later.insert("dir/000007.bin".to_owned(), 5_000);
    let next = store(&writer, &later, false).await.root;
    let hollow = name(&writer, "data/d/version/2", next).await.unwrap_err();
    assert_eq!(hollow.kind(), ErrorKind::Invalid, "{hollow}");
    assert_eq!(store(&writer, &later, true).await.root, next);

    // What was stored and not named is collected meanwhile.
    settle(&collector, &clock).await;
    let late = name(&writer, "data/d/version/2", next).await.unwrap_err();
    assert!(
        matches!(late.kind(), ErrorKind::Invalid | ErrorKind::Conflict),
        "{late}"
    );
    assert_eq!(store(&writer, &later, true).await.root, next);
    name(&writer, "data/d/version/2", next).await.unwrap();
    settle(&collector, &clock).await;
    assert_whole(&writer, &next, &later).await;
    assert_sound(&collector).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trees_are_replicated_with_what_they_hold_and_the_next_costs_what_changed() {
    let clock = clock();
    let source = open(Arc::new(MemoryStorage::new()), &clock, 1).await;
    let into: Arc<MemoryStorage> = Arc::default();
    let target = open(Arc::clone(&into) as _, &clock, 2).await;
    let mut model = numbered(2_000);
    let first = store(&source, &model, true).await.root;
    name(&source, "data/d/version/1", first).await.unwrap();
    let ada = || Actor::new("ada").unwrap();
    let all = ReplicateOptions::default();
    let report = source.replicate(&target, &all, ada()).await.unwrap();
    assert!(report.blobs > 2_000);
    assert_whole(&target, &first, &model).await;

    model.insert("dir/000300.bin".to_owned(), 10_000);
    let second = store(&source, &model, true).await.root;
    name(&source, "data/d/version/2", second).await.unwrap();
    // As a new process, which remembers nothing.
    let target = open(Arc::clone(&into) as _, &clock, 3).await;
    let report = source.replicate(&target, &all, ada()).await.unwrap();
    assert!(report.blobs <= 5, "{report:?}");
    assert_whole(&target, &second, &model).await;
    assert_sound(&target).await;

    // History whose trees were collected keeps its records.
    let others = (0..300).map(|n| (format!("{n:03}"), 50_000 + n)).collect();
    let others = store(&source, &others, true).await.root;
    name(&source, "data/e/version/1", others).await.unwrap();
    drop_ref(&source, "data/e/version/1").await;
    settle(&source, &clock).await;
    let late = open(Arc::new(MemoryStorage::new()), &clock, 4).await;
    let report = source.replicate(&late, &all, ada()).await.unwrap();
    assert!(report.blobs_collected > 0);
    assert_whole(&late, &second, &model).await;
    assert_sound(&late).await;
    let past: Vec<_> = late
        .history(&"data/e/version/1".parse().unwrap())
        .try_collect()
        .await
        .unwrap();
    let value = past[1].value.as_ref().unwrap();
    assert_eq!((value.kind.as_str(), value.trees.len()), ("files", 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn verification_and_repair_tell_what_a_tree_has_lost() {
    let (storage, clock) = (Arc::new(MemoryStorage::new()), clock());
    let repo = open(Arc::clone(&storage) as _, &clock, 1).await;
    let model = numbered(300);
    let with_blobs = store(&repo, &model, true).await;
    name(&repo, "data/d/version/1", with_blobs.root)
        .await
        .unwrap();
    assert_sound(&repo).await;
    let listed = storage.list(&Prefix::directory("index").unwrap(), None);
    for object in listed.try_collect::<Vec<_>>().await.unwrap() {
        storage.delete(&object.key).await.unwrap();
    }
    let report = crate::verify(Arc::clone(&storage) as _, VerifyLevel::Quick)
        .await
        .unwrap();
    let root = format!("blob {}", with_blobs.root);
    let fault = report.faults.iter().find(|fault| fault.object == root);
    let fault = fault.unwrap();
    assert_eq!(fault.kind, "missing");
    assert!(fault.detail.contains("data/d/version/1"), "{fault:?}");
    let report = crate::repair(storage, &crate::RepairOptions::default().with_apply(true))
        .await
        .unwrap();
    assert_eq!(report.lost, []);
}
