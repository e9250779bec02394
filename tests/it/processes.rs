//! Several processes on one local workspace, and processes that are killed.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use futures::TryStreamExt as _;
use mainstay::repo::{LogEntry, VerifyLevel};
use mainstay::{NodeRef, Workspace};

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_commit_at_once_land_every_commit_exactly_once() {
    let directory = tempfile::tempdir().unwrap();
    Workspace::create(directory.path().to_str().unwrap())
        .await
        .unwrap();

    let each = 25;
    let names = ["alpha", "beta", "gamma"];
    let workers: Vec<Child> = names
        .iter()
        .map(|name| spawn(directory.path(), name, each))
        .collect();
    for worker in workers {
        let output = worker.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }

    let counts = check(directory.path()).await;
    let expected: BTreeMap<String, u64> = names
        .iter()
        .map(|name| ((*name).to_owned(), each))
        .collect();
    assert_eq!(counts, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_leaves_what_it_was_told_is_committed_and_nothing_half_done() {
    let directory = tempfile::tempdir().unwrap();
    Workspace::create(directory.path().to_str().unwrap())
        .await
        .unwrap();

    for round in 0..8 {
        let name = format!("victim{round}");
        let mut worker = spawn(directory.path(), &name, u64::MAX);
        let lines = BufReader::new(worker.stdout.take().unwrap()).lines();
        let mut acked = 0;
        for line in lines.take(1 + round) {
            let line = line.unwrap();
            acked = line
                .strip_prefix("acked ")
                .unwrap_or_else(|| panic!("{line}"))
                .parse()
                .unwrap();
        }
        worker.kill().unwrap();
        worker.wait().unwrap();

        let committed = check(directory.path()).await[&name];
        // The kill can fall between a commit and its acknowledgement, or after further ones.
        assert!(
            committed >= acked,
            "{name}: {committed} committed, {acked} acknowledged"
        );
    }
}

fn spawn(directory: &Path, name: &str, count: u64) -> Child {
    Command::new(env!("CARGO_BIN_EXE_worker"))
        .arg(directory)
        .args([name, &count.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Opens the workspace afresh and checks that it is whole: returns how many commits each worker has.
async fn check(directory: &Path) -> BTreeMap<String, u64> {
    let workspace = Workspace::open(directory.to_str().unwrap()).await.unwrap();
    let repo = workspace.repo();
    let report = repo.verify(VerifyLevel::Full).await.unwrap();
    assert_eq!(report.faults, [], "{report:?}");

    let view = repo.view().await.unwrap();
    view.load("").await.unwrap();
    let entries: Vec<LogEntry> = repo.entries(0).try_collect().await.unwrap();
    assert_eq!(entries.len() as u64, view.seq());
    let mut counts = BTreeMap::new();
    for (place, entry) in (1..).zip(&entries) {
        assert_eq!(entry.seq, place, "no gap and no repetition");
        let created: Vec<NodeRef> = entry
            .changes
            .iter()
            .filter_map(|change| NodeRef::from_ref_path(&change.path))
            .collect();
        let [node] = &created[..] else {
            panic!("one version an entry: {created:?}")
        };
        let count = counts.entry(node.name().to_string()).or_insert(0);
        *count += 1;
        assert_eq!(
            entry.reason,
            format!("commit {count}"),
            "each worker's commits are in its order"
        );

        let state = view.get(&node.ref_path()).unwrap().unwrap();
        let value = state.value.as_ref().unwrap();
        let blob = repo.blob(&value.blobs[0]).await.unwrap().unwrap();
        let bytes = blob.bytes().await.unwrap();
        assert!(bytes.starts_with(format!("{} {count}\n", node.name()).as_bytes()));
    }
    let counter = view.get(&"run/counter/current".parse().unwrap());
    let counter = counter.unwrap().unwrap();
    assert_eq!(
        counter
            .value
            .as_ref()
            .unwrap()
            .decode::<u64>("count")
            .unwrap(),
        view.seq()
    );
    counts
}
