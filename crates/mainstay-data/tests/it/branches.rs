//! Branches, tags beside them, ancestry, and reading the past.

use std::collections::BTreeMap;

use arrow::array::Int64Array;
use mainstay_core::{Error, ErrorKind, NodeRef, RefPath};
use mainstay_data::{BranchTarget, Datasets, SnapshotReport, Transform};
use mainstay_repo::{Expectation, Step, Transaction};
use proptest::prelude::*;

use crate::support::{ada, check_error, column, datasets, repo, rows, table};

fn spec(value: i64) -> mainstay_data::SnapshotSpec {
    rows("d", table([("n", column(Int64Array::from(vec![value])))]))
}

fn on(branch: &str) -> BranchTarget {
    BranchTarget::new(branch.parse().unwrap())
}

async fn commit(
    datasets: &Datasets,
    value: i64,
    target: BranchTarget,
) -> Result<SnapshotReport, Error> {
    datasets.snapshot(spec(value).with_branch(target)).await
}

async fn resolve(datasets: &Datasets, text: &str) -> String {
    let node = datasets.resolve(&text.parse().unwrap()).await.unwrap();
    node.to_string()
}

#[tokio::test]
async fn a_branch_moves_with_its_snapshots_and_the_others_stay() {
    let datasets = datasets().await;
    let first = commit(&datasets, 1, on("main")).await.unwrap();
    let try_out = "try".parse().unwrap();
    let begun = datasets.create_branch(&try_out, &first.node, ada(), "an idea");
    begun.await.unwrap();
    commit(&datasets, 2, on("try")).await.unwrap();
    let third = commit(&datasets, 3, on("main")).await.unwrap();

    assert_eq!(resolve(&datasets, "d@main").await, "data:d@3");
    assert_eq!(resolve(&datasets, "d@try").await, "data:d@2");
    assert_eq!(resolve(&datasets, "d").await, "data:d@3");
    let info = datasets.show(&third.node).await.unwrap();
    assert_eq!(info.parents, [first.node]);
    assert_eq!(info.branches, ["main".parse().unwrap()]);

    let line = datasets.log_of(&third.node).await.unwrap();
    let line: Vec<u64> = line.iter().map(|version| version.version).collect();
    assert_eq!(line, [3, 1]);
    let listed = datasets.branches(&"d".parse().unwrap()).await.unwrap();
    let heads: Vec<_> = listed
        .iter()
        .map(|b| (b.branch.as_str(), b.head.to_string(), b.moves))
        .collect();
    assert_eq!(
        heads,
        [
            ("main", "data:d@3".to_owned(), 2),
            ("try", "data:d@2".to_owned(), 2)
        ]
    );
}

#[tokio::test]
async fn a_branch_that_moved_meanwhile_is_a_conflict_that_stores_no_version() {
    let datasets = datasets().await;
    let first = commit(&datasets, 1, on("main")).await.unwrap();
    let second = commit(&datasets, 2, on("main")).await.unwrap();
    let stale = commit(&datasets, 3, on("main").at(first.node.clone())).await;
    check_error(
        stale,
        ErrorKind::Conflict,
        &["main", "data:d@1", "data:d@2"],
    );
    commit(&datasets, 3, on("main").at(second.node))
        .await
        .unwrap();
    assert_eq!(datasets.log(&"d".parse().unwrap()).await.unwrap().len(), 3);
}

#[tokio::test]
async fn of_snapshots_at_once_on_one_branch_none_is_overlooked() {
    let datasets = datasets().await;
    commit(&datasets, 0, on("main")).await.unwrap();
    let one = |value| {
        let datasets = datasets.clone();
        async move { commit(&datasets, value, on("main")).await }
    };
    let outcomes = futures::future::join_all((1..=8).map(one)).await;
    let mut done = 0;
    for outcome in outcomes {
        match outcome {
            Ok(_) => done += 1,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict),
        }
    }
    let head = datasets.resolve(&"d@main".parse().unwrap()).await.unwrap();
    assert_eq!(datasets.log_of(&head).await.unwrap().len(), done + 1);
    assert!(done >= 1);
}

#[tokio::test]
async fn the_same_content_on_a_branch_is_no_new_version() {
    let datasets = datasets().await;
    commit(&datasets, 1, on("main")).await.unwrap();
    commit(&datasets, 2, on("main")).await.unwrap();
    let again = commit(&datasets, 2, on("main")).await.unwrap();
    assert!(again.reused && again.version == 2);
    // What the branch points to counts, not the latest version.
    datasets.snapshot(spec(9)).await.unwrap();
    assert!(commit(&datasets, 2, on("main")).await.unwrap().reused);
}

#[tokio::test]
async fn a_branch_is_begun_deleted_and_begun_again_and_its_moves_are_remembered() {
    let datasets = datasets().await;
    let (name, dataset) = ("main".parse().unwrap(), "d".parse().unwrap());
    let first = datasets.snapshot(spec(1)).await.unwrap();
    let unknown = commit(&datasets, 2, on("main")).await;
    check_error(unknown, ErrorKind::NotFound, &["main", "d"]);

    let create = || datasets.create_branch(&name, &first.node, ada(), "begin");
    create().await.unwrap();
    check_error(create().await, ErrorKind::AlreadyExists, &["main"]);
    commit(&datasets, 2, on("main")).await.unwrap();

    let stale = on("main").at(first.node.clone());
    let refused = datasets
        .delete_branch(&dataset, &stale, ada(), "gone")
        .await;
    check_error(refused, ErrorKind::Conflict, &["main"]);
    let main = on("main");
    let deleted = datasets.delete_branch(&dataset, &main, ada(), "gone");
    assert_eq!(deleted.await.unwrap().to_string(), "data:d@2");
    check_error(
        datasets.resolve(&"d@main".parse().unwrap()).await,
        ErrorKind::NotFound,
        &["main"],
    );
    assert_eq!(resolve(&datasets, "d@2").await, "data:d@2");

    create().await.unwrap();
    let moves = datasets.branch_moves(&dataset, &name).await.unwrap();
    let to: Vec<_> = moves
        .iter()
        .map(|change| change.to.as_ref().map(ToString::to_string))
        .collect();
    let at = |version: u64| Some(format!("data:d@{version}"));
    assert_eq!(to, [at(1), None, at(2), at(1)]);
}

#[tokio::test]
async fn only_what_continues_a_branch_is_a_fast_forward() {
    let datasets = datasets().await;
    let first = commit(&datasets, 1, on("main")).await.unwrap();
    let branch = "try".parse().unwrap();
    datasets
        .create_branch(&branch, &first.node, ada(), "")
        .await
        .unwrap();
    let ahead = commit(&datasets, 2, on("try")).await.unwrap();
    let main = on("main");
    let forward = || datasets.advance_branch(&main, &ahead.node, ada(), "as tried");
    assert!(forward().await.unwrap());
    assert!(!forward().await.unwrap());

    commit(&datasets, 3, on("main")).await.unwrap();
    let aside = commit(&datasets, 4, on("try")).await.unwrap();
    let apart = datasets.advance_branch(&main, &aside.node, ada(), "").await;
    check_error(apart, ErrorKind::Conflict, &["main", "data:d@4"]);
    let none = datasets
        .advance_branch(&on("other"), &aside.node, ada(), "")
        .await;
    check_error(none, ErrorKind::NotFound, &["other"]);
}

#[tokio::test]
async fn a_name_is_a_tag_or_a_branch_and_a_tag_is_never_used_again() {
    let repo = repo().await;
    let datasets = Datasets::new(repo.clone());
    let first = commit(&datasets, 1, on("main")).await.unwrap();
    let second = commit(&datasets, 2, on("main")).await.unwrap();
    let (main, gold) = ("main".parse().unwrap(), "gold".parse().unwrap());
    let tag = datasets.tag(&first.node, &main, ada(), "").await;
    check_error(tag, ErrorKind::AlreadyExists, &["main", "branch"]);
    datasets.tag(&first.node, &gold, ada(), "").await.unwrap();
    let branch = datasets.create_branch(&gold, &first.node, ada(), "").await;
    check_error(branch, ErrorKind::AlreadyExists, &["gold", "tag"]);
    for reserved in ["latest", "12"] {
        let name = reserved.parse().unwrap();
        let branch = datasets.create_branch(&name, &first.node, ada(), "").await;
        check_error(branch, ErrorKind::Invalid, &[reserved]);
    }

    // Whoever deletes refs by other means does not free the names of tags.
    let paths: [RefPath; 2] = ["data/d/tag/gold".parse().unwrap(), first.node.ref_path()];
    let delete = repo.transact(|_| {
        let mut transaction = Transaction::new(ada(), "clean up");
        for path in &paths {
            transaction.delete(path.clone(), Expectation::Any);
        }
        Ok(Step::Commit(transaction, ()))
    });
    delete.await.unwrap();
    for node in [&first.node, &second.node] {
        let tag = datasets.tag(node, &gold, ada(), "").await;
        let kind = tag.unwrap_err().kind();
        assert!([ErrorKind::AlreadyExists, ErrorKind::NotFound].contains(&kind));
    }
    let tag = datasets.tag(&second.node, &gold, ada(), "").await;
    check_error(tag, ErrorKind::AlreadyExists, &["gold"]);
    // The line goes on where a version was deleted.
    assert_eq!(datasets.log_of(&second.node).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_past_is_read_by_entry_and_by_time_and_not_written() {
    let repo = repo().await;
    let datasets = Datasets::new(repo.clone());
    let first = commit(&datasets, 1, on("main")).await.unwrap();
    let view = repo.view().await.unwrap();
    commit(&datasets, 2, on("main")).await.unwrap();
    datasets
        .tag(&first.node, &"gold".parse().unwrap(), ada(), "")
        .await
        .unwrap();

    let past = datasets.at(view.seq()).await.unwrap();
    assert_eq!(resolve(&past, "d@main").await, "data:d@1");
    assert_eq!(resolve(&past, "d").await, "data:d@1");
    assert_eq!(past.list().await.unwrap()[0].versions, 1);
    assert_eq!(past.log(&"d".parse().unwrap()).await.unwrap().len(), 1);
    let dataset = "d".parse().unwrap();
    assert_eq!(past.branches(&dataset).await.unwrap()[0].moves, 1);
    let main = "main".parse().unwrap();
    assert_eq!(past.branch_moves(&dataset, &main).await.unwrap().len(), 1);
    let shown = past.show(&first.node).await.unwrap();
    assert!(shown.tags.is_empty() && shown.branches == [main]);
    let later = past.manifest(&"data:d@2".parse().unwrap()).await;
    check_error(later, ErrorKind::NotFound, &["data:d@2"]);
    let write = past.snapshot(spec(3)).await;
    check_error(write, ErrorKind::Invalid, &["past"]);

    let now = datasets
        .as_of(repo.view().await.unwrap().time())
        .await
        .unwrap();
    assert_eq!(resolve(&now, "d@main").await, "data:d@2");
    check_error(datasets.at(99).await, ErrorKind::NotFound, &["99"]);
}

#[tokio::test]
async fn a_version_tells_how_it_was_made_and_whether_it_is_synthetic() {
    let datasets = datasets().await;
    let raw = datasets.snapshot(spec(1).with_key(["n"])).await.unwrap();
    let clean = Transform::new("clean".parse().unwrap()).with_parameter("min", 3);
    let made = rows("clean", table([("n", column(Int64Array::from(vec![5])))]))
        .with_source("raw".parse().unwrap(), raw.node.clone())
        .with_code("prepare".parse().unwrap(), "9f31c2a".parse().unwrap())
        .with_transform(clean.clone())
        .synthetic();
    let made = datasets.snapshot(made).await.unwrap();
    let info = datasets.show(&made.node).await.unwrap();
    assert_eq!((info.transform, info.synthetic), (Some(clean), true));
    assert!(info.parents.is_empty());
    let sources: Vec<String> = info.sources.iter().map(|e| e.to.to_string()).collect();
    assert_eq!(sources, ["code:prepare@9f31c2a", "data:d@1"]);
    assert_eq!(datasets.show(&raw.node).await.unwrap().key, ["n"]);
    let listed = datasets.list().await.unwrap();
    let synthetic: Vec<bool> = listed.iter().map(|d| d.synthetic).collect();
    assert_eq!(synthetic, [true, false]);

    for key in [vec!["m"], vec!["n", "n"]] {
        let bad = datasets.snapshot(spec(1).with_key(key)).await;
        check_error(bad, ErrorKind::Invalid, &["key"]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Any graph of versions against sets of ancestors.
    #[test]
    fn ancestors_and_merge_bases_are_those_of_the_graph(
        shape in proptest::collection::vec(proptest::collection::vec(any::<prop::sample::Index>(), 0..3), 1..9),
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let datasets = datasets().await;
            let node = |number: u64| -> NodeRef { format!("data:d@{number}").parse().unwrap() };
            let mut ancestors: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
            for (number, parents) in (1_u64..).zip(&shape) {
                let mut spec = spec(i64::try_from(number).unwrap());
                let mut all = vec![number];
                for index in parents.iter().filter(|_| number > 1) {
                    let parent = index.index(usize::try_from(number - 1).unwrap()) as u64 + 1;
                    spec = spec.with_parent(node(parent));
                    all.extend(&ancestors[&parent]);
                }
                all.sort_unstable_by(|a, b| b.cmp(a));
                all.dedup();
                ancestors.insert(number, all);
                datasets.snapshot(spec).await.unwrap();
            }
            for (&a, of_a) in &ancestors {
                let line = datasets.log_of(&node(a)).await.unwrap();
                let line: Vec<u64> = line.iter().map(|version| version.version).collect();
                assert_eq!(&line, of_a);
                for (&b, of_b) in &ancestors {
                    let common: Vec<u64> = of_a.iter().copied().filter(|n| of_b.contains(n)).collect();
                    let best = common.iter().filter(|&&n| {
                        let mut others = common.iter().filter(|&&other| other != n);
                        !others.any(|other| ancestors[other].contains(&n))
                    });
                    let expected: Vec<NodeRef> = best.map(|&n| node(n)).collect();
                    let found = datasets.merge_bases(&node(a), &node(b)).await.unwrap();
                    assert_eq!(found, expected);
                }
            }
        });
    }
}
