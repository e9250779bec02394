//! How many commits a second callers of one handle get done.

use std::sync::Arc;
use std::time::Instant;

use mainstay_repo::{Repo, RepoOptions, Step};
use mainstay_store::{Durability, MemoryStorage, Storage};
use tokio::task::JoinSet;

use crate::{directory, fill, local, ratio};

const RUNS: usize = 5;

pub(crate) async fn measure() {
    println!("commits a second, median (least to most) of {RUNS} runs");
    println!("storage       verb      callers   commits/s                      commits an entry");
    for (storage, verb, callers, commits) in [
        ("memory", "commit", 1, 20_000),
        ("memory", "commit", 16, 4_000),
        ("memory", "transact", 16, 4_000),
        ("local Strict", "commit", 1, 300),
        ("local Strict", "commit", 16, 300),
        ("local Strict", "transact", 16, 300),
        ("local Strict", "commit", 128, 60),
    ] {
        let mut rates = Vec::new();
        let mut together = 0.0;
        for _ in 0..RUNS {
            let directory = directory();
            let storage: Arc<dyn Storage> = if storage == "memory" {
                Arc::new(MemoryStorage::new())
            } else {
                local(directory.path(), Durability::Strict).await
            };
            let repo = Repo::create(storage, RepoOptions::default()).await;
            let repo = repo.unwrap();
            let start = Instant::now();
            let all = run(&repo, verb, callers, commits).await;
            rates.push(ratio(all, 1) / start.elapsed().as_secs_f64());
            together = ratio(all, repo.view().await.unwrap().seq());
            repo.settle().await;
        }
        rates.sort_unstable_by(f64::total_cmp);
        println!(
            "{storage:13} {verb:9} {callers:7} {:11.0} ({:.0} to {:.0}) {together:14.1}",
            rates[RUNS / 2],
            rates[0],
            rates[RUNS - 1],
        );
    }
}

/// Lets every caller commit so many times, each as soon as the one before is acknowledged.
async fn run(repo: &Repo, verb: &'static str, callers: u64, commits: u64) -> u64 {
    let mut tasks = JoinSet::new();
    for caller in 0..callers {
        let repo = repo.clone();
        tasks.spawn(async move {
            for n in caller * commits..(caller + 1) * commits {
                if verb == "commit" {
                    fill::commit(&repo, n).await;
                    continue;
                }
                let register = repo.transact(|view| {
                    assert!(view.get(&fill::path(n))?.is_none());
                    Ok(Step::Commit(fill::registration(n), ()))
                });
                register.await.unwrap();
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    callers * commits
}
