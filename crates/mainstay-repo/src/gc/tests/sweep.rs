//! Checkpoints that newer ones supersede.

use mainstay_store::fault::{Trigger, Verb};
use mainstay_store::{Key, MeterStorage};

use super::stalled::Gate;
use super::*;
use crate::{RefState, View};

const EVERY: u64 = 4;
const SPACING: u8 = 50;

type States = BTreeMap<mainstay_core::RefPath, RefState>;

fn sweeping() -> CollectOptions {
    options().with_checkpoint_spacing_percent(SPACING)
}

async fn sweep(repo: &Repo) -> CollectionReport {
    let plan = repo.plan_collection(&sweeping()).await.unwrap();
    let applied = repo.apply_collection(&plan, tester(), "collect").await;
    applied.unwrap()
}

/// Sweeps, a grace apart, until there is nothing more to do.
async fn settle(repo: &Repo, world: &World) {
    for _ in 0..20 {
        world.clock.advance(GRACE);
        if sweep(repo).await == CollectionReport::default() {
            return;
        }
        repo.settle().await;
    }
    panic!("collection does not come to an end");
}

/// Commits to one of a few refs, with a key, and lets the checkpoint be written that is due.
async fn note(repo: &Repo, n: u64) {
    let mut transaction = Transaction::new(tester(), "note");
    let value = Value::new("note", &n).unwrap();
    let path = format!("note/n{}", n * 7 % 40).parse().unwrap();
    transaction
        .set(path, value, Expectation::Any)
        .idempotency_key(format!("key {n}"));
    let committed = repo.commit(transaction).await.unwrap();
    assert!(matches!(committed, CommitOutcome::Committed(_)));
    repo.settle().await;
}

async fn states(view: &View) -> States {
    view.load("").await.unwrap();
    let states = view.states_below("").unwrap();
    states
        .map(|(path, state)| (path.clone(), state.clone()))
        .collect()
}

/// Every state that the log came to, entry by entry.
async fn folded(world: &mut World) -> Vec<States> {
    let repo = world.open().await;
    let entries: Vec<_> = repo.entries(0).try_collect().await.unwrap();
    let mut all = vec![States::new()];
    for entry in entries {
        let at = usize::try_from(entry.seq).unwrap();
        all.resize(at + 1, all[all.len() - 1].clone());
        for change in entry.changes {
            let state = RefState {
                value: change.value,
                generation: change.generation,
                seq: entry.seq,
                time: entry.time,
            };
            all[at].insert(change.path, state);
        }
    }
    all
}

/// The state of the past is what the log says, of every entry or some, and the repository is sound.
async fn assert_right(world: &mut World, step: usize) {
    let expected = folded(world).await;
    let repo = world.open().await;
    for (seq, expected) in expected.iter().enumerate().rev().step_by(step) {
        let view = repo.view_at(seq as u64).await.unwrap();
        assert_eq!(states(&view).await, *expected, "entry {seq}");
    }
    assert_sound(&repo).await;
}

async fn grown(world: &mut World, notes: std::ops::Range<u64>) -> Repo {
    let storage = Arc::clone(&world.storage) as _;
    let repo = world.open_with(storage, EVERY).await;
    for n in notes {
        note(&repo, n).await;
    }
    repo
}

async fn named(world: &World) -> (usize, usize) {
    let storage = &*world.storage;
    (
        count(storage, "checkpoint/").await,
        count(storage, "shard/").await,
    )
}

#[tokio::test]
async fn superseded_checkpoints_are_condemned_then_deleted_with_what_only_they_name() {
    let mut world = World::new();
    let repo = grown(&mut world, 0..200).await;
    let (roots, shards) = named(&world).await;
    assert_eq!(roots, 50);
    let explained = repo.explain_checkpoint(100, &sweeping()).await.unwrap();
    assert!(explained.stored && explained.superseded && explained.condemned_since.is_none());
    assert!(explained.exclusive_bytes > 0 && explained.exclusive_bytes <= explained.stored_bytes);
    let idle = world.open().await;
    let past = idle.view_at(150).await.unwrap();
    let expected = folded(&mut world).await;

    let first = sweep(&repo).await.checkpoints;
    assert!(first.condemned > 35, "{first:?}");
    assert_eq!(first.deleted, 0);
    // Within the grace nothing changes, and nothing is written.
    let second = sweep(&repo).await;
    assert_eq!(
        (second.seq, second.checkpoints.waiting),
        (None, first.condemned)
    );
    assert_eq!(named(&world).await, (roots, shards));
    world.clock.advance(GRACE);
    let plan = repo.plan_collection(&sweeping()).await.unwrap();
    assert_eq!(plan.checkpoints.delete.len() as u64, first.condemned);
    let third = repo
        .apply_collection(&plan, tester(), "collect")
        .await
        .unwrap();
    assert_eq!(third.checkpoints.deleted, first.condemned);
    assert_eq!(
        third.checkpoints.deleted_shards,
        plan.checkpoints.delete_shards
    );
    assert_eq!(third.checkpoints.freed_bytes, plan.checkpoints.delete_bytes);
    assert_eq!(third.freed_bytes, third.checkpoints.freed_bytes);
    settle(&repo, &world).await;
    let (few, fewer) = named(&world).await;
    assert!(few < 16 && fewer < shards / 2, "{few} {fewer} of {shards}");
    let stats = repo.stats().await.unwrap();
    assert_eq!(stats.checkpoints, few as u64);
    let explained = repo.explain_checkpoint(100, &sweeping()).await.unwrap();
    assert!(!explained.stored && explained.superseded && explained.condemned_since.is_some());
    let newest = repo.explain_checkpoint(200, &sweeping()).await.unwrap();
    assert!(newest.stored && !newest.superseded && newest.shards > 0);

    // Who has read little of a checkpoint that is gone goes on without it.
    assert_eq!(states(&past).await, expected[150]);
    let head = idle.view().await.unwrap();
    let head_seq = usize::try_from(head.seq()).unwrap();
    assert_eq!(states(&head).await, folded(&mut world).await[head_seq]);
    assert_right(&mut world, 1).await;
}

#[tokio::test]
async fn what_a_fault_left_at_any_operation_is_right_and_goes_in_the_end() {
    let mut busy = World::new();
    // A checkpoint that was never finished, then others.
    let repo = grown(&mut busy, 0..24).await;
    let torn = Arc::new(FaultStorage::new(Arc::clone(&busy.storage)));
    let root = Trigger::any()
        .with_verb(Verb::Put)
        .with_key_start("checkpoint/");
    torn.fail_when(root, Fault::Crash(Applied::No));
    let dies = busy.open_with(Arc::clone(&torn) as _, EVERY).await;
    for n in 24..28 {
        note_unsettled(&dies, n).await;
    }
    dies.settle().await;
    assert!(torn.is_crashed());
    for n in 29..60 {
        note(&repo, n).await;
    }
    sweep(&repo).await;
    busy.clock.advance(GRACE);
    let plan = repo.plan_collection(&sweeping()).await.unwrap();
    let delete: u64 = plan.checkpoints.delete.len() as u64;
    assert!(
        delete >= 5 && plan.checkpoints.delete_shards > 10,
        "{plan:?}"
    );
    let mut operation = 0;
    loop {
        operation += 1;
        let mut reached = false;
        for fault in faults(operation) {
            let mut world = busy.copy().await;
            let faulty = Arc::new(FaultStorage::new(Arc::clone(&world.storage)));
            let repo = world.open_on(Arc::clone(&faulty) as _).await;
            let plan = repo.plan_collection(&sweeping()).await.unwrap();
            let at = faulty.operations() + operation;
            faulty.fail_at(at, fault);
            let applied = repo.apply_collection(&plan, tester(), "collect").await;
            let struck = faulty.operations() >= at;
            assert!(applied.is_ok() || struck, "{applied:?}");
            reached |= struck;
            faulty.clear();
            assert_right(&mut world, 11).await;
            if !faulty.is_crashed() {
                sweep(&repo).await;
            }
            // A shard that may yet be named again goes when what it holds has changed.
            let repo = grown(&mut world, 60..100).await;
            settle(&repo, &world).await;
            assert_right(&mut world, 11).await;
            assert_all_named(&world, &repo).await;
        }
        if !reached {
            assert!(operation > 25, "{operation}");
            return;
        }
    }
}

/// Every fault with `MAINSTAY_LONG=1`, otherwise the crashes and one of the others, in turn.
fn faults(operation: u64) -> Vec<Fault> {
    if std::env::var_os("MAINSTAY_LONG").is_some() {
        return FAULTS.to_vec();
    }
    let (crashes, others) = FAULTS.split_at(2);
    let turn = usize::try_from(operation).unwrap() % others.len();
    [crashes, &others[turn..=turn]].concat()
}

async fn note_unsettled(repo: &Repo, n: u64) {
    let mut transaction = Transaction::new(tester(), "note");
    let value = Value::new("note", &n).unwrap();
    let path = format!("note/n{}", n * 7 % 40).parse().unwrap();
    transaction.set(path, value, Expectation::Any);
    drop(repo.commit(transaction).await.unwrap());
}

/// Every shard is in a checkpoint that stays.
async fn assert_all_named(world: &World, repo: &Repo) {
    let plan = repo.plan_collection(&sweeping()).await.unwrap();
    let mut names = BTreeSet::new();
    for root in &plan.checkpoints.keep {
        let root = crate::checkpoint::load::root(&*world.storage, *root).await;
        names.extend(root.unwrap().shards().map(|shard| shard.to_hex()));
    }
    for key in objects(&*world.storage).await.into_keys() {
        if let Some(shard) = key.as_str().strip_prefix("shard/") {
            assert!(names.contains(shard), "{shard}");
        }
    }
}

#[tokio::test]
async fn a_writer_that_is_stalled_anywhere_in_a_checkpoint_leaves_a_sound_repository() {
    for stalled in ["shard/", "checkpoint/"] {
        let mut world = World::new();
        let repo = grown(&mut world, 0..60).await;
        let gate = Arc::new(Gate::default());
        let timer = Arc::clone(&gate) as Arc<dyn mainstay_store::Timer>;
        let slow = FaultStorage::with_timer(Arc::clone(&world.storage), timer);
        let put = Trigger::any().with_verb(Verb::Put).with_key_start(stalled);
        slow.fail_when(put, Fault::Delay(GRACE));
        let slow = world.open_with(Arc::new(slow), EVERY).await;
        for n in 60..64 {
            note_unsettled(&slow, n).await;
        }
        let writing = tokio::spawn({
            let slow = slow.clone();
            async move { slow.settle().await }
        });
        gate.reached().await;
        // Meanwhile others write, and everything is swept that can be.
        for n in 64..130 {
            note(&repo, n).await;
        }
        settle(&repo, &world).await;
        gate.open();
        writing.await.unwrap();
        assert_right(&mut world, 1).await;
        // It goes on from where it was.
        for n in 130..150 {
            note(&slow, n).await;
        }
        assert_right(&mut world, 1).await;
        settle(&repo, &world).await;
        assert_right(&mut world, 1).await;
        assert_all_named(&world, &repo).await;
    }
}

#[tokio::test]
async fn a_damaged_checkpoint_is_none_of_those_that_stay() {
    let mut world = World::new();
    let repo = grown(&mut world, 0..100).await;
    let newest: Key = crate::checkpoint::root_key(100);
    world.storage.delete(&newest).await.unwrap();
    let bytes = Bytes::from_static(b"{}");
    world
        .storage
        .create(&newest, bytes)
        .await
        .map(drop)
        .unwrap();
    let plan = repo.plan_collection(&sweeping()).await.unwrap();
    assert!(plan.checkpoints.condemn.contains(&100));
    assert!(plan.checkpoints.keep.ends_with(&[92, 96]), "{plan:?}");
    for n in 100..120 {
        note(&repo, n).await;
    }
    settle(&repo, &world).await;
    assert!(world.storage.get_all(&newest).await.unwrap().is_none());
    assert_right(&mut world, 1).await;
}

#[tokio::test]
async fn who_reads_all_of_a_checkpoint_that_is_gone_reads_the_log_once() {
    let mut world = World::new();
    let storage = Arc::clone(&world.storage) as _;
    let repo = world.open_with(storage, 2).await;
    for n in 0..40 {
        let mut transaction = Transaction::new(tester(), "all");
        for path in 0..1_000 {
            let path = format!("bulk/n{path}").parse().unwrap();
            let value = Value::new("note", &n).unwrap();
            transaction.set(path, value, Expectation::Any);
        }
        drop(repo.commit(transaction).await.unwrap());
        repo.settle().await;
    }
    let plan = repo.plan_collection(&sweeping()).await.unwrap();
    let gone = plan.checkpoints.condemn[plan.checkpoints.condemn.len() / 2];
    let explained = repo.explain_checkpoint(gone, &sweeping()).await.unwrap();
    assert!(explained.shards >= 3, "{explained:?}");
    let meter = Arc::new(MeterStorage::new(Arc::clone(&world.storage)));
    let reader = world.open_on(Arc::clone(&meter) as _).await;
    let past = reader.view_at(gone).await.unwrap();
    settle(&repo, &world).await;
    let before = meter.reading();
    let found = states(&past).await;
    let cost = meter.reading() - before;
    assert_eq!(found.len(), 1_000);
    let older = plan.checkpoints.keep.iter().rfind(|kept| **kept < gone);
    let entries = gone - older.unwrap();
    // Each shard is looked for, and up to three of the older checkpoint read for it.
    assert!(cost.gets < entries + 4 * explained.shards + 5, "{cost:?}");
    assert_eq!(
        found,
        folded(&mut world).await[usize::try_from(gone).unwrap()]
    );
}

#[tokio::test]
async fn only_what_the_plan_names_is_condemned_and_deleted() {
    let mut world = World::new();
    let repo = grown(&mut world, 0..60).await;
    let before = repo.plan_collection(&sweeping()).await.unwrap();
    for n in 60..120 {
        note(&repo, n).await;
    }
    let applied = repo.apply_collection(&before, tester(), "collect").await;
    let condemned = applied.unwrap().checkpoints.condemned;
    assert!(condemned <= before.checkpoints.condemn.len() as u64);
    world.clock.advance(GRACE);
    let applied = repo.apply_collection(&before, tester(), "collect").await;
    assert_eq!(applied.unwrap().checkpoints.deleted, 0);
    assert_right(&mut world, 1).await;
}

/// As many entries with `MAINSTAY_LONG=1`.
const ENTRIES: (u64, u64) = (4_000, 100_000);

#[tokio::test]
async fn however_long_the_log_the_checkpoints_are_few() {
    let long = std::env::var_os("MAINSTAY_LONG").is_some();
    let entries = if long { ENTRIES.1 } else { ENTRIES.0 };
    let mut world = World::new();
    let storage = Arc::clone(&world.storage) as _;
    let repo = world.open_with(storage, 16).await;
    for n in 0..entries {
        note_unsettled(&repo, n).await;
        if n % 16 == 15 {
            repo.settle().await;
        }
        if n % 500 == 499 {
            world.clock.advance(GRACE);
            collect(&repo).await;
        }
    }
    for _ in 0..3 {
        world.clock.advance(GRACE);
        collect(&repo).await;
    }
    let (roots, shards) = named(&world).await;
    // Sixteen to a doubling, and each names a shard or two that others do not.
    let doublings = (entries / 16).ilog2() as usize;
    assert!(roots < 16 * doublings, "{roots} roots");
    assert!(shards < 4 * roots, "{shards} shards of {roots} roots");
    assert_sound(&repo).await;
}
