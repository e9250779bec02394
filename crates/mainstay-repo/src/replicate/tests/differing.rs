//! Source and target that do not fit together any more.

use super::*;

#[tokio::test]
async fn a_repository_is_not_replicated_into_itself_or_a_copy_of_its_files() {
    let mut pair = Pair::new();
    let source = pair.source().await;
    commit(&source, "x", &[("note/x", note("1"))])
        .await
        .unwrap();
    let error = run(&source, &source, &all()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    copy(&pair.from, &pair.into, |_| true).await;
    let copied = pair.target().await;
    let error = run(&source, &copied, &all()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn a_source_that_was_restored_is_told_from_the_one_before() {
    let mut pair = Pair::new();
    let (source, target) = pair.both().await;
    for n in ["1", "2", "3"] {
        commit(&source, n, &[("note/x", note(n))]).await.unwrap();
    }
    replicated(&source, &target).await;
    let seq = target.view().await.unwrap().seq();

    // Its files as they were after two entries.
    let restored = Memory::default();
    let lost = Key::new("log/00000000000000000003").unwrap();
    copy(&pair.from, &restored, |key| *key != lost).await;
    let restored = open(restored as _, &pair.clock, 50).await;
    for (number, found) in [("other", "no such entry"), ("more", "sha256:")] {
        let error = run(&restored, &target, &all()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incompatible);
        let said = error.to_string();
        assert!(
            said.contains("source seq: 3") && said.contains(found),
            "{said}"
        );
        commit(&restored, number, &[("note/x", note(number))])
            .await
            .unwrap();
    }
    assert_eq!(target.view().await.unwrap().seq(), seq);
    // Elsewhere it has a place.
    let elsewhere = all().with_namespace("restored/2");
    let report = run(&restored, &target, &elsewhere).await.unwrap();
    assert_eq!(report.transactions, 4);
    assert_sound(&target).await;
}

#[tokio::test]
async fn a_ref_changed_in_the_target_is_named_and_its_transaction_not_applied() {
    let mut pair = Pair::new();
    let (source, target) = pair.both().await;
    commit(&source, "1", &[("note/x", note("1"))])
        .await
        .unwrap();
    replicated(&source, &target).await;
    commit(&target, "here", &[("note/x", note("local"))])
        .await
        .unwrap();
    commit(&source, "2", &[("note/z", note("2"))])
        .await
        .unwrap();
    let both = [("note/y", note("3")), ("note/x", note("3"))];
    commit(&source, "3", &both).await.unwrap();
    for _ in 0..2 {
        let error = run(&source, &target, &all()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        let said = error.to_string();
        assert!(
            said.contains("note/x") && said.contains("source seq: 3"),
            "{said}"
        );
        let held = values(&target.view().await.unwrap()).await;
        assert_eq!(held.keys().collect::<Vec<_>>(), ["note/x", "note/z"]);
        assert_eq!(held["note/x"], (2, note("local")));
    }
}

#[tokio::test]
async fn deleting_or_creating_a_ref_in_the_target_is_a_change_too() {
    for local in [None, note("2")] {
        let mut pair = Pair::new();
        let (source, target) = pair.both().await;
        commit(&source, "1", &[("note/x", note("1"))])
            .await
            .unwrap();
        replicated(&source, &target).await;
        commit(&target, "here", &[("note/x", local.clone())])
            .await
            .unwrap();
        commit(&target, "here", &[("note/y", local.or_else(|| note("1")))])
            .await
            .unwrap();
        for path in ["note/x", "note/y"] {
            let refs = all().with_refs([path]);
            commit(&source, "2", &[(path, note("other"))])
                .await
                .unwrap();
            let error = run(&source, &target, &refs).await.unwrap_err();
            assert!(error.to_string().contains(path), "{error}");
        }
    }
}

#[tokio::test]
async fn two_repositories_keep_each_other_up_to_date() {
    let mut pair = Pair::new();
    let (one, two) = pair.both().await;
    commit(&one, "1", &[("note/x", note("1"))]).await.unwrap();
    commit(&two, "2", &[("note/y", note("2"))]).await.unwrap();
    put(&two, "files/b", &[big(2)]).await;
    for round in ["3", "4", "5"] {
        replicated(&one, &two).await;
        replicated(&two, &one).await;
        assert_same(&one, &two).await;
        // In turns, so that no change meets another.
        commit(&one, round, &[("note/x", note(round))])
            .await
            .unwrap();
        replicated(&one, &two).await;
        commit(&two, round, &[("note/x", note("back"))])
            .await
            .unwrap();
    }
    replicated(&two, &one).await;
    assert_same(&one, &two).await;
    let before = (
        one.view().await.unwrap().seq(),
        two.view().await.unwrap().seq(),
    );
    for _ in 0..3 {
        replicated(&one, &two).await;
        replicated(&two, &one).await;
    }
    let after = (
        one.view().await.unwrap().seq(),
        two.view().await.unwrap().seq(),
    );
    assert_eq!(before, after, "nothing new writes nothing");

    commit(&one, "6", &[("note/x", note("one"))]).await.unwrap();
    commit(&two, "6", &[("note/x", note("two"))]).await.unwrap();
    for (from, into) in [(&one, &two), (&two, &one)] {
        let error = run(from, into, &all()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
    }
}
