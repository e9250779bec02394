//! A workspace from its creation to a rollback.

use mainstay::repo::{RepoOptions, VerifyLevel};
use mainstay::{Actor, Name, Workspace};
use tests::story::fill;

use crate::target::Target;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_workspace_is_filled_served_rolled_back_and_reopened_whole() {
    let Some(target) = Target::new("workspace") else {
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    let (prod, ada): (Name, _) = ("prod".parse().unwrap(), Actor::new("ada").unwrap());
    let options = RepoOptions::default;
    let workspace = Workspace::create_on(target.open().await, options())
        .await
        .unwrap();
    let [a, b] = fill(&workspace, scratch.path()).await.unwrap();
    let rollouts = workspace.rollouts();
    for unit in [&a, &b] {
        rollouts
            .put(&prod, &unit.clone().into(), ada.clone(), "serve")
            .await
            .unwrap();
    }
    rollouts.rollback(&prod, ada, "it is worse").await.unwrap();
    let changed = workspace.changed(&a, &b).await.unwrap();
    assert_eq!(changed.components[0].slot, "data");

    let reopened = Workspace::open_on(target.open().await, options())
        .await
        .unwrap();
    let served = reopened.resolve(&"channel:prod".parse().unwrap()).await;
    assert_eq!(served.unwrap(), a);
    assert_eq!(reopened.changed(&a, &b).await.unwrap(), changed);
    let report = reopened.repo().verify(VerifyLevel::Full).await.unwrap();
    assert_eq!(report.faults, [], "{report:?}");
    target.clear().await;
}
