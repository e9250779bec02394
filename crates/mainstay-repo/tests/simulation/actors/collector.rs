//! Collects, while everybody else goes on.

use mainstay_core::ErrorKind;

use super::{GRACE, Process, actor, collect_options, tolerate};

pub(super) async fn act(process: &mut Process) {
    process.stage.clock.advance(GRACE);
    let worth = if process.chance.one_in(2) {
        u64::MAX
    } else {
        0
    };
    let options = collect_options().with_defragment_bytes_per_request(worth);
    let plan = process.repo.plan_collection(&options).await;
    // Another run may have been there, here and below.
    let Some(plan) = tolerate(plan, &[ErrorKind::Conflict]) else {
        return;
    };
    let applied = process.repo.apply_collection(&plan, actor(), "collect");
    tolerate(applied.await, &[ErrorKind::Conflict]);
    process.repo.settle().await;
}
