//! A crash or a lost answer at every operation, on either side.

use mainstay_store::fault::{Applied, Fault, FaultStorage};

use super::*;

async fn scenario() -> Pair {
    let mut pair = Pair::new();
    let source = pair.source().await;
    put(&source, "files/a", &[big(1), "small".into()]).await;
    let both = [("note/x", note("1")), ("note/y", note("1"))];
    commit(&source, "both", &both).await.unwrap();
    let target = pair.target().await;
    replicated(&source, &target).await;
    put(&source, "files/a", &[big(1), big(2)]).await;
    commit(&source, "drop", &[("note/x", None)]).await.unwrap();
    put(&source, "files/b", &[big(3)]).await;
    pair
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Side {
    Source,
    Target,
}

/// Runs with a fault at an operation of one side; returns whether the run got so far.
async fn with_fault(scenario: &Pair, side: Side, operation: u64, fault: Fault) -> bool {
    let at = format!("{side:?}, operation {operation}, {fault:?}");
    let mut pair = Pair::new();
    pair.opened = scenario.opened;
    copy(&scenario.from, &pair.from, |_| true).await;
    copy(&scenario.into, &pair.into, |_| true).await;
    let storages = [&pair.from, &pair.into];
    let [from, into] = storages.map(|storage| Arc::new(FaultStorage::new(Arc::clone(storage))));
    let source = open(Arc::clone(&from) as _, &pair.clock, 80).await;
    let target = open(Arc::clone(&into) as _, &pair.clock, 81).await;
    let faulty = if side == Side::Source { &from } else { &into };
    let start = faulty.operations();
    faulty.fail_at(start + operation, fault);
    // Small sessions, so that a crash may come between two.
    let options = all().with_session_bytes(50_000);
    let ended = run(&source, &target, &options).await;
    let reached = faulty.operations() >= start + operation;
    if faulty.is_crashed() && side == Side::Source {
        assert!(ended.is_err(), "{at}");
    }

    // What is there is a state that the source had.
    let (source, target) = pair.both().await;
    let there = values(&target.view().await.unwrap()).await;
    let mut was = false;
    for seq in 2..=source.view().await.unwrap().seq() {
        was |= values(&source.view_at(seq).await.unwrap()).await == there;
    }
    assert!(was, "{at}: {there:?}");
    assert_sound(&target).await;

    let again = run(&source, &target, &options).await.expect(&at);
    assert_eq!(again.seq, 5, "{at}");
    assert_same(&source, &target).await;
    let entries: Vec<_> = target.entries(0).try_collect().await.unwrap();
    assert_eq!(entries.len(), 5, "{at}: nothing twice");
    for content in [big(1), big(2), big(3)] {
        assert_eq!(read(&target, &content).await, Some(content), "{at}");
    }
    assert_sound(&target).await;
    reached
}

async fn at_every_operation(side: Side) {
    let faults = [
        Fault::Crash(Applied::No),
        Fault::Crash(Applied::Yes),
        Fault::LoseResponse,
        Fault::LoseRequest,
        Fault::Refuse(ErrorKind::Unavailable),
    ];
    let scenario = scenario().await;
    let mut operation = 0;
    loop {
        operation += 1;
        let mut reached = false;
        for fault in faults {
            reached |= with_fault(&scenario, side, operation, fault).await;
        }
        if !reached {
            assert!(operation > 12, "{operation}");
            return;
        }
    }
}

#[tokio::test]
async fn a_fault_at_any_operation_of_the_source_leaves_a_state_from_which_it_goes_on() {
    at_every_operation(Side::Source).await;
}

#[tokio::test]
async fn a_fault_at_any_operation_of_the_target_leaves_a_state_from_which_it_goes_on() {
    at_every_operation(Side::Target).await;
}
