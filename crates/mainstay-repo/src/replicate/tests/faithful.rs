//! What arrives is what was there.

use super::*;

/// A source with history, deletions, shared bytes and transactions of several refs.
async fn busy(source: &Repo, clock: &ManualClock) {
    put(source, "files/a", &[big(1), "small".into()]).await;
    clock.advance(Duration::from_hours(1));
    commit(
        source,
        "both",
        &[("note/x", note("1")), ("note/y", note("1"))],
    )
    .await
    .unwrap();
    put(source, "files/a", &[big(1), big(2)]).await;
    clock.advance(Duration::from_hours(1));
    commit(
        source,
        "one goes",
        &[("note/x", None), ("note/y", note("2"))],
    )
    .await
    .unwrap();
    commit(source, "again", &[("note/x", note("3"))])
        .await
        .unwrap();
}

#[tokio::test]
async fn a_backup_has_the_same_refs_generations_history_and_times() {
    let mut pair = Pair::new();
    let (source, target) = pair.both().await;
    busy(&source, &pair.clock).await;
    pair.clock.advance(Duration::from_hours(24));
    let report = replicated(&source, &target).await;
    assert_eq!((report.seq, report.entries, report.transactions), (5, 5, 5));
    assert_eq!((report.changes, report.blobs), (7, 3));
    assert_same(&source, &target).await;
    for path in ["files/a", "note/x", "note/y"] {
        assert_eq!(told(&source, path).await, told(&target, path).await);
    }
    // A question about the past has the same answer.
    let then = "2026-01-01T01:30:00Z".parse().unwrap();
    assert_eq!(
        values(&source.view_as_of(then).await.unwrap()).await,
        values(&target.view_as_of(then).await.unwrap()).await
    );
    for content in [big(1), big(2), "small".into()] {
        assert_eq!(read(&target, &content).await, Some(content));
    }
    assert_sound(&target).await;
}

#[tokio::test]
async fn another_run_brings_what_is_new_and_else_writes_nothing() {
    let mut pair = Pair::new();
    let (source, target) = pair.both().await;
    busy(&source, &pair.clock).await;
    replicated(&source, &target).await;
    let seq = target.view().await.unwrap().seq();
    let nothing = replicated(&source, &target).await;
    assert_eq!((nothing.entries, nothing.transactions), (0, 0));
    assert_eq!(target.view().await.unwrap().seq(), seq);

    put(&source, "files/b", &[big(2), big(3)]).await;
    let news = replicated(&source, &target).await;
    assert_eq!((news.entries, news.transactions, news.blobs), (1, 1, 1));
    assert_eq!((news.blobs_already_there, news.read_bytes), (1, 60_000));
    assert_same(&source, &target).await;
    assert_sound(&target).await;
}

#[tokio::test]
async fn a_mirror_lies_beside_other_refs_and_becomes_a_repository_again() {
    let mut pair = Pair::new();
    let (source, target) = pair.both().await;
    busy(&source, &pair.clock).await;
    put(&target, "files/a", &[big(9)]).await;
    let there = all().with_namespace("mirror/acme");
    run(&source, &target, &there).await.unwrap();
    let expected = values(&source.view().await.unwrap()).await;
    let mirrored = values(&target.view().await.unwrap()).await;
    for (path, held) in &expected {
        assert_eq!(mirrored.get(&format!("mirror/acme/{path}")), Some(held));
    }
    assert_eq!(mirrored.len(), expected.len() + 1);

    let restored = Memory::default();
    let restored = open(restored as _, &pair.clock, 50).await;
    let back = all().with_source_namespace("mirror/acme");
    run(&target, &restored, &back).await.unwrap();
    assert_same(&source, &restored).await;
    assert_eq!(
        told(&target, "mirror/acme/note/x").await,
        told(&restored, "note/x").await
    );
    assert_sound(&restored).await;
}

#[tokio::test]
async fn only_what_is_selected_arrives_with_the_bytes_it_needs() {
    let mut pair = Pair::new();
    let (source, target) = pair.both().await;
    busy(&source, &pair.clock).await;
    let some = all().with_refs(["note/y"]);
    let report = run(&source, &target, &some).await.unwrap();
    assert_eq!(
        (report.transactions, report.changes, report.blobs),
        (2, 2, 0)
    );
    let held = values(&target.view().await.unwrap()).await;
    assert_eq!(held.keys().collect::<Vec<_>>(), ["note/y"]);
    // More of it later: what is there is found there.
    let more = run(&source, &target, &all()).await.unwrap();
    assert_eq!(more.changes_already_there, 2);
    assert_same(&source, &target).await;
    assert_eq!(told(&source, "note/y").await, told(&target, "note/y").await);
}

#[tokio::test]
async fn what_a_repository_says_of_itself_is_not_replicated() {
    let mut pair = Pair::new();
    let (source, target) = pair.both().await;
    busy(&source, &pair.clock).await;
    put(&source, "files/gone", &[big(7)]).await;
    commit(&source, "drop", &[("files/gone", None)])
        .await
        .unwrap();
    for _ in 0..3 {
        collect(&source).await;
    }
    replicated(&source, &target).await;
    let view = target.view().await.unwrap();
    let own = view.read(|view| Ok(view.states_below("gc")?.count()));
    assert_eq!(own.await.unwrap(), 0);
    assert_same(&source, &target).await;
}

#[tokio::test]
async fn the_entry_that_brings_a_transaction_says_where_it_is_from() {
    let mut pair = Pair::new();
    let (source, target) = pair.both().await;
    busy(&source, &pair.clock).await;
    replicated(&source, &target).await;
    let from: Vec<_> = source.entries(0).try_collect().await.unwrap();
    let into: Vec<_> = target.entries(0).try_collect().await.unwrap();
    assert_eq!(from.len(), into.len());
    for (from, into) in from.iter().zip(&into) {
        let cursor = into.changes.iter().find(|c| c.path.is_below("replica"));
        let record = &cursor.unwrap().value.as_ref().unwrap().record;
        assert_eq!(record["seq"], from.seq);
        assert_eq!(record["entry"], from.digest.to_string());
        assert_eq!(record["time"], from.time.to_string());
        assert_eq!(record["by"], "mirror");
        assert_eq!((&into.actor, &into.reason), (&from.actor, &from.reason));
    }
}

#[tokio::test]
async fn a_clock_ahead_in_the_source_does_not_run_on_in_the_target() {
    let mut pair = Pair::new();
    let source = pair.source().await;
    let now = pair.clock.now();
    pair.clock.advance(Duration::from_hours(1_000));
    commit(&source, "early", &[("note/x", note("1"))])
        .await
        .unwrap();
    pair.clock.set(now);
    let target = pair.target().await;
    replicated(&source, &target).await;
    assert_eq!(target.view().await.unwrap().time(), now);
}

#[tokio::test]
async fn transactions_that_share_an_entry_arrive_one_by_one() {
    use crate::log::entry::EntryFormat;
    use crate::log::entry::{Entry, Logged, LoggedChange, key};

    let mut pair = Pair::new();
    let (source, target) = pair.both().await;
    commit(&source, "first", &[("note/x", note("1"))])
        .await
        .unwrap();
    let view = source.view().await.unwrap();
    let change = |path: &str, generation, previous, text| LoggedChange {
        path: path.parse().unwrap(),
        generation,
        previous,
        value: note(text),
    };
    let logged = |reason: &str, changes| Logged {
        actor: mirror(),
        reason: reason.into(),
        idempotency_key: None,
        request: None,
        changes,
    };
    let entry = Entry {
        format: EntryFormat::V1,
        seq: 2,
        prev: view.entry,
        time: view.time,
        write_id: mainstay_core::WriteId::from_bytes([7; 16]),
        transactions: vec![
            logged("a", vec![change("note/x", 2, Some(1), "2")]),
            logged("b", vec![change("note/y", 1, None, "1")]),
            logged("c", vec![change("note/x", 3, Some(2), "3")]),
        ],
    };
    let created = pair.from.create(&key(2), entry.encode().unwrap()).await;
    created.map(drop).unwrap();
    let source = pair.source().await;

    // Also when it ends between two of them.
    let mut upto = 0;
    for crash in 1.. {
        let faulty = mainstay_store::fault::FaultStorage::new(Arc::clone(&pair.into));
        let faulty = Arc::new(faulty);
        let one = open(Arc::clone(&faulty) as _, &pair.clock, 100 + crash).await;
        let puts = mainstay_store::fault::Trigger::any()
            .with_verb(mainstay_store::fault::Verb::Put)
            .with_key_start("log/")
            .with_skip(1);
        let refused = mainstay_store::fault::Fault::Refuse(ErrorKind::PermissionDenied);
        faulty.fail_when(puts, refused);
        let ended = run(&source, &one, &all()).await;
        let seq = pair.target().await.view().await.unwrap().seq();
        assert!(seq <= upto + 1, "one transaction an entry");
        upto = seq;
        if ended.is_ok() {
            break;
        }
    }
    assert_eq!(upto, 4);
    assert_same(&source, &target).await;
    let reasons: Vec<_> = target.entries(0).try_collect().await.unwrap();
    let reasons: Vec<_> = reasons.iter().map(|entry| entry.reason.as_str()).collect();
    assert_eq!(reasons, ["first", "a", "b", "c"]);
}

/// The last that was told of each unit.
#[derive(Debug, Default)]
struct Last(std::sync::Mutex<BTreeMap<&'static str, (u64, Option<u64>)>>);

impl mainstay_core::Progress for Last {
    fn advance(&self, unit: &'static str, done: u64, total: Option<u64>) {
        let before = self.0.lock().unwrap().insert(unit, (done, total));
        assert!(before.is_none_or(|(before, _)| before <= done));
    }
}

#[tokio::test]
async fn progress_tells_entries_and_bytes() {
    let mut pair = Pair::new();
    let (source, target) = pair.both().await;
    busy(&source, &pair.clock).await;
    let last = Arc::new(Last::default());
    let options = all().with_progress(Arc::clone(&last) as _);
    let report = run(&source, &target, &options).await.unwrap();
    let last = last.0.lock().unwrap();
    assert_eq!(last["entries"], (5, Some(5)));
    assert_eq!(last["bytes"], (report.read_bytes, None));
}

#[tokio::test]
async fn a_transaction_that_leaves_no_room_for_the_cursor_is_replicated_too() {
    let mut pair = Pair::new();
    let (source, target) = pair.both().await;
    let both = [("note/x", note("1")), ("note/y", note("1"))];
    commit(&source, "full", &both).await.unwrap();
    let full = all().with_room_for(2);
    for expected in [1, 0] {
        let report = run(&source, &target, &full).await.unwrap();
        assert_eq!((report.transactions, report.entries), (expected, 1));
    }
    commit(&source, "next", &[("note/x", note("2"))])
        .await
        .unwrap();
    for (transactions, entries) in [(1, 2), (0, 0)] {
        let report = run(&source, &target, &full).await.unwrap();
        assert_eq!(
            (report.transactions, report.entries),
            (transactions, entries)
        );
    }
    assert_same(&source, &target).await;
}

#[tokio::test]
async fn a_long_stretch_without_anything_selected_is_gone_through_once() {
    let mut pair = Pair::new();
    let (source, target) = pair.both().await;
    for n in 0..(MAX_BEHIND + 10) {
        commit(&source, "other", &[("other/x", note(&n.to_string()))])
            .await
            .unwrap();
    }
    let some = all().with_refs(["note"]).with_reason("nightly");
    let first = run(&source, &target, &some).await.unwrap();
    assert_eq!((first.entries, first.transactions), (MAX_BEHIND + 10, 0));
    let entries: Vec<_> = target.entries(0).try_collect().await.unwrap();
    assert_eq!((entries.len(), entries[0].reason.as_str()), (1, "nightly"));
    let second = run(&source, &target, &some).await.unwrap();
    assert_eq!((second.entries, second.seq), (0, MAX_BEHIND + 10));
    // A few are gone through again rather than written about.
    commit(&source, "other", &[("other/x", None)])
        .await
        .unwrap();
    for _ in 0..2 {
        assert_eq!(run(&source, &target, &some).await.unwrap().entries, 1);
    }
    assert_eq!(target.view().await.unwrap().seq(), 1);
}
