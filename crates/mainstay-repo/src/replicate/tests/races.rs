//! Several runs at once, beside writers and collections.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn runs_that_race_do_everything_once() {
    let mut pair = Pair::new();
    let source = pair.source().await;
    for n in 0..20_u64 {
        let path = format!("files/f{}", n % 5);
        put(&source, &path, &[big(n % 7), n.to_string().into()]).await;
    }
    let mut runs = tokio::task::JoinSet::new();
    for seed in 0..4 {
        let target = open(Arc::clone(&pair.into) as _, &pair.clock, 90 + seed).await;
        let source = pair.source().await;
        runs.spawn(async move { replicated(&source, &target).await });
    }
    // Somebody else writes there meanwhile.
    let writer = pair.target().await;
    for n in 0..10_u64 {
        commit(&writer, "own", &[("own/x", note(&n.to_string()))])
            .await
            .unwrap();
    }
    let reports = runs.join_all().await;
    let transactions: u64 = reports.iter().map(|report| report.transactions).sum();
    assert_eq!(transactions, 20);
    assert!(reports.iter().all(|report| report.seq == 20));
    let target = pair.target().await;
    let entries: Vec<_> = target.entries(0).try_collect().await.unwrap();
    assert_eq!(entries.len(), 30);
    let there = values(&target.view().await.unwrap()).await;
    let from = values(&source.view().await.unwrap()).await;
    assert!(
        from.iter()
            .all(|(path, held)| there.get(path) == Some(held))
    );
    assert_sound(&target).await;
}

/// Collects again and again; what others commit meanwhile may come first.
async fn collect_often(repo: Repo) {
    let options = CollectOptions::default()
        .with_keep_history(Duration::ZERO)
        .with_grace(Duration::ZERO);
    for _ in 0..15 {
        let plan = repo.plan_collection(&options).await.unwrap();
        let applied = repo.apply_collection(&plan, mirror(), "collect").await;
        if let Err(error) = applied {
            assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn collections_on_both_sides_meanwhile_cost_repetitions_only() {
    let mut pair = Pair::new();
    let source = pair.source().await;
    for n in 0..12_u64 {
        put(&source, &format!("files/f{}", n % 3), &[big(n % 5), big(n)]).await;
    }
    let collecting = [pair.source().await, pair.target().await];
    let collecting = collecting.map(|repo| tokio::spawn(collect_often(repo)));
    let target = pair.target().await;
    // With a grace a run is hardly ever disturbed; without one it may have to be repeated.
    let options = all().with_session_bytes(100_000);
    while let Err(error) = run(&source, &target, &options).await {
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    }
    for collecting in collecting {
        collecting.await.unwrap();
    }
    let (source, target) = pair.both().await;
    assert_same(&source, &target).await;
    for content in [9, 10, 11].map(big) {
        assert_eq!(read(&target, &content).await, Some(content));
    }
    assert_sound(&target).await;
}
