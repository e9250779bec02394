//! Commits whose answers get lost: none is repeated, lost, or taken for a conflict.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::TryStreamExt as _;
use mainstay_core::{Actor, Error, RefPath, SeededIds};
use mainstay_hostile::{Boundary, Dialect, Fault, HostileServer, Rule, Verb};
use mainstay_repo::{CommitOutcome, Expectation, Repo, RepoOptions, Transaction, Value};
use mainstay_store::{
    MemoryStorage, NoWait, Prefix, PrefixStorage, PutOutcome, Storage, StorageExt as _,
};
use mainstay_store_object::connect;

use crate::server::{SERVICES, impatient, key, retried, start};

const CASES_OF_A_REPO: usize = 100;

/// What one fault costs at most: six attempts, each read back, and reading what others committed.
const MAX_REQUESTS: u64 = 10;

/// The answer to a creation is shorter than this.
const ANSWER_BYTES: u64 = 250;

/// Every status that says nothing, or the wrong thing, about whether the entry was created.
const STATUSES: [u16; 7] = [408, 409, 429, 500, 502, 503, 504];

fn options(seed: u64) -> RepoOptions {
    RepoOptions::default()
        .with_ids(Arc::new(SeededIds::new(seed)))
        .with_timer(Arc::new(NoWait::default()))
        .with_checkpoint_every(u64::MAX)
}

fn transaction(path: &str, value: Value) -> Transaction {
    let mut transaction = Transaction::new(Actor::new("ada").unwrap(), "a case");
    transaction.set(path.parse().unwrap(), value, Expectation::Absent);
    transaction
}

fn value(number: usize) -> Value {
    Value::new("case", &number).unwrap()
}

async fn commit(repo: &Repo, path: &str, number: usize) -> Result<CommitOutcome, Error> {
    repo.commit(transaction(path, value(number))).await
}

pub(crate) async fn set(repo: &Repo, path: &str, value: Value) {
    let outcome = repo.commit(transaction(path, value)).await.unwrap();
    assert!(
        matches!(outcome, CommitOutcome::Committed(_)),
        "{outcome:?}"
    );
}

/// The fault of a case: every one in turn, at every byte.
fn fault(case: usize) -> Fault {
    let round = case / 8;
    let status = STATUSES[round % STATUSES.len()];
    match case % 8 {
        0..3 => Fault::CutAnswer(Boundary::Byte((case as u64 / 3) % ANSWER_BYTES)),
        3 => Fault::Failed(status),
        4 => Fault::Refused(status),
        // Applied, and the second delivery finds the first.
        5 => [Fault::Twice, Fault::Failed(412)][round % 2],
        6 => [Fault::CutRequest, Fault::LostRequest][round % 2],
        _ => Fault::Late(round as u64 % 5),
    }
}

/// What also happens while the lost answer is looked into.
fn second_fault(case: usize) -> Option<Rule> {
    let rule = |fault| Some(Rule::new(fault).on(Verb::Get));
    match case % 11 {
        0 => rule(Fault::Refused(503)),
        1 => rule(Fault::CutAnswer(Boundary::InBody)),
        2 => rule(Fault::LongerLength(1)),
        _ => None,
    }
}

/// Of all three services together 5,000.
const CASES: usize = 1_667;

#[tokio::test]
async fn no_commit_to_s3_is_repeated_lost_or_taken_for_a_conflict_wherever_its_answer_is_cut() {
    lose_answers_of(Dialect::S3).await;
}

#[tokio::test]
async fn no_commit_to_gcs_is_repeated_lost_or_taken_for_a_conflict_wherever_its_answer_is_cut() {
    lose_answers_of(Dialect::Gcs).await;
}

#[tokio::test]
async fn no_commit_to_azure_is_repeated_lost_or_taken_for_a_conflict_wherever_its_answer_is_cut() {
    lose_answers_of(Dialect::Azure).await;
}

async fn lose_answers_of(dialect: Dialect) {
    let server = start(dialect).await;
    let storage = retried(&server);
    let cases: Vec<_> = (0..CASES).collect();
    for (repo, cases) in cases.chunks(CASES_OF_A_REPO).enumerate() {
        let directory = format!("team-{repo}");
        let prefix = Prefix::directory(&directory).unwrap();
        let part = Arc::new(PrefixStorage::new(Arc::clone(&storage), prefix));
        commit_all(&server, part, &directory, cases).await;
    }
}

async fn commit_all(
    server: &HostileServer,
    storage: Arc<dyn Storage>,
    directory: &str,
    cases: &[usize],
) {
    let seed = cases[0] as u64;
    let repo = Repo::create(Arc::clone(&storage), options(2 * seed))
        .await
        .unwrap();
    let rival = Repo::open(Arc::clone(&storage), options(2 * seed + 1))
        .await
        .unwrap();
    let mut wanted = BTreeMap::new();
    for &case in cases {
        let others = case % 4 == 0;
        if others {
            // The writer will find its number taken, and the fault meets it then or later.
            set(&rival, &format!("rival/{case}"), value(case)).await;
            wanted.insert(format!("rival/{case}"), case);
        }
        let rule = Rule::new(fault(case))
            .on(Verb::Put)
            .below(format!("{directory}/log/"));
        let rule = rule.after(u64::from(others && case % 8 == 0));
        server.add(rule);
        if let Some(rule) = second_fault(case) {
            server.add(rule);
        }
        let before = server.request_count();
        let outcome = commit(&repo, &format!("case/{case}"), case).await;
        let requests = server.request_count() - before;
        assert!(
            matches!(outcome, Ok(CommitOutcome::Committed(_))),
            "{case} {:?}: {outcome:?}",
            fault(case)
        );
        assert!(
            requests <= MAX_REQUESTS,
            "{case} {:?}: {requests}",
            fault(case)
        );
        wanted.insert(format!("case/{case}"), case);
        server.behave();
    }
    server.deliver_late().await;
    assert_eq!(committed(server, directory).await, wanted);
}

/// Reads everything anew, past the protocol: every ref, each set exactly once, in as many entries.
async fn committed(server: &HostileServer, directory: &str) -> BTreeMap<String, usize> {
    let storage = MemoryStorage::new();
    for (path, bytes) in server.objects() {
        if let Some(path) = path.strip_prefix(directory) {
            let created = storage
                .create(&key(path.trim_start_matches('/')), bytes)
                .await;
            assert_eq!(created.unwrap(), PutOutcome::Written);
        }
    }
    let repo = Repo::open(Arc::new(storage), options(0)).await.unwrap();
    let view = repo.view().await.unwrap();
    let mut found = BTreeMap::new();
    for (path, state) in view.below("").unwrap() {
        assert_eq!(state.generation, 1, "{path} was set twice");
        let value = state.value.as_ref().unwrap();
        let number = value.record.as_u64().unwrap();
        found.insert(path.to_string(), usize::try_from(number).unwrap());
    }
    assert_eq!(view.seq(), found.len() as u64);
    found
}

#[tokio::test]
async fn a_commit_nobody_can_tell_the_fate_of_says_so_and_is_resolved_by_repeating_it() {
    for dialect in SERVICES {
        let server = start(dialect).await;
        let repo = Repo::create(retried(&server), options(1)).await.unwrap();
        for number in 0..20 {
            let path = format!("case/{number}");
            let keyed = || {
                let mut keyed = transaction(&path, value(number));
                keyed.idempotency_key(&path);
                keyed
            };
            let fault = [
                Fault::CutAnswer(Boundary::BeforeStatus),
                Fault::LostRequest,
                Fault::Failed(500),
                Fault::Refused(503),
            ][number % 4];
            server.add(Rule::new(fault).on(Verb::Put).times(u64::MAX));
            server.add(Rule::new(Fault::Refused(503)).on(Verb::Get).times(u64::MAX));
            let before = server.request_count();
            let error = repo.commit(keyed()).await.unwrap_err();
            let requests = server.request_count() - before;
            assert!(error.is_ambiguous(), "{fault:?}: {error:?}");
            assert!(
                error.contexts().any(|(name, _)| name == "write_id"),
                "{error:?}"
            );
            // Six attempts, each read back, and six to read the entry in the end.
            assert!(requests <= 18, "{fault:?}: {requests}");

            server.behave();
            let outcome = repo.commit(keyed()).await.unwrap();
            assert!(
                matches!(outcome, CommitOutcome::Committed(_)),
                "{fault:?}: {outcome:?}"
            );
        }
        assert_eq!(committed(&server, "").await.len(), 20);
    }
}

#[tokio::test]
async fn an_answer_that_never_comes_is_looked_for_after_the_timeout() {
    for dialect in SERVICES {
        let server = start(dialect).await;
        let mut client = server.client_options();
        client.insert("timeout".to_owned(), "500ms".to_owned());
        let storage = impatient(connect(&server.url(), &client).unwrap());
        let repo = Repo::create(storage, options(1)).await.unwrap();
        for boundary in [Boundary::BeforeStatus, Boundary::InHeaders] {
            server.add(
                Rule::new(Fault::Stalled(boundary))
                    .on(Verb::Put)
                    .below("log/"),
            );
            set(
                &repo,
                &format!("case/{boundary:?}").to_lowercase(),
                value(1),
            )
            .await;
        }
        assert_eq!(committed(&server, "").await.len(), 2);
    }
}

/// Where an entity tag is a digest of the bytes it comes back with them, and a writer that relies on
/// it would not notice. Here nothing does.
#[tokio::test]
async fn a_writer_that_slept_through_there_and_back_again_is_told_so() {
    let server = start(Dialect::S3).await;
    let repo = Repo::create(retried(&server), options(1)).await.unwrap();
    let sleeper = Repo::open(retried(&server), options(2)).await.unwrap();
    let alias: RefPath = "model/fraud/alias/champion".parse().unwrap();
    let point = async |repo: &Repo, to: usize, expected| {
        let mut transaction = Transaction::new(Actor::new("ada").unwrap(), "promote");
        transaction.set(alias.clone(), value(to), expected);
        repo.commit(transaction).await.unwrap()
    };
    let committed = |outcome: &CommitOutcome| matches!(outcome, CommitOutcome::Committed(_));
    assert!(committed(&point(&repo, 1, Expectation::Absent).await));
    let seen = sleeper.view().await.unwrap();
    let seen = seen.get(&alias).unwrap().unwrap().clone();
    assert!(committed(&point(&repo, 2, Expectation::Any).await));
    assert!(committed(&point(&repo, 1, Expectation::Any).await));
    let now = repo
        .view()
        .await
        .unwrap()
        .get(&alias)
        .unwrap()
        .unwrap()
        .clone();
    assert_eq!(now.value, seen.value);

    let stale = point(&sleeper, 3, Expectation::Generation(seen.generation)).await;
    assert!(matches!(stale, CommitOutcome::Conflict(_)), "{stale:?}");
    let history: Vec<_> = repo.history(&alias).try_collect().await.unwrap();
    assert_eq!(history.len(), 3);
}
