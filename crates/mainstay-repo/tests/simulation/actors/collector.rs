//! Collects, while everybody else goes on.

use mainstay_core::ErrorKind;

use super::{GRACE, Process, actor, collect_options, tolerate};

pub(super) async fn act(process: &Process) {
    process.stage.clock.advance(GRACE);
    let plan = process.repo.plan_collection(&collect_options()).await;
    // Another run may have been there, here and below.
    let Some(plan) = tolerate(plan, &[ErrorKind::Conflict]) else {
        return;
    };
    let applied = process.repo.apply_collection(&plan, actor(), "collect");
    tolerate(applied.await, &[ErrorKind::Conflict]);
    process.repo.settle().await;
}
