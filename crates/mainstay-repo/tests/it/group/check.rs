//! Whether what callers were told agrees with the log, read as one client's doing.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::TryStreamExt as _;
use mainstay_repo::{LogEntry, Repo, VerifyLevel};
use mainstay_store::fault::FaultStorage;
use mainstay_store::{MemoryStorage, Storage};

use super::schedule::{Answer, Call, How, REFS, Seen};
use crate::support::{options, path};

/// What the log says, transaction by transaction.
struct Told {
    transactions: Vec<LogEntry>,
    /// The generations before each transaction, and after the last.
    states: Vec<Seen>,
    /// By caller, the place of its transaction.
    places: BTreeMap<usize, usize>,
}

/// Checks the log, and every call against it. Returns how many entries the log has.
pub(super) async fn check(storage: &Arc<FaultStorage<MemoryStorage>>, calls: &[Call]) -> u64 {
    let storage: Arc<dyn Storage> = Arc::<FaultStorage<MemoryStorage>>::clone(storage);
    let repo = Repo::open(storage, options(99)).await.unwrap();
    let told = Told::read(&repo).await;
    for (place, transaction) in told.transactions.iter().enumerate() {
        told.check_transaction(calls, place, transaction);
    }
    for (caller, call) in calls.iter().enumerate() {
        told.check_call(calls, caller, call);
    }
    for (place, transaction) in told.transactions.iter().enumerate() {
        let resumed: Vec<_> = repo
            .entries(transaction.position)
            .try_collect()
            .await
            .unwrap();
        assert_eq!(resumed, told.transactions[place + 1..]);
    }
    let faults = repo.verify(VerifyLevel::Full).await.unwrap().faults;
    assert_eq!(faults, []);
    for at in REFS {
        let walk = repo.history(&path(at)).map_ok(|change| change.generation);
        let generations: Vec<u64> = walk.try_collect().await.unwrap();
        let newest = told.states.last().unwrap().get(at).copied().unwrap_or(0);
        assert_eq!(generations, (1..=newest).rev().collect::<Vec<_>>(), "{at}");
    }
    repo.cached_view().seq()
}

impl Told {
    async fn read(repo: &Repo) -> Self {
        let transactions: Vec<LogEntry> = repo.entries(0).try_collect().await.unwrap();
        let (mut state, mut states, mut places) = (Seen::new(), vec![Seen::new()], BTreeMap::new());
        for (place, transaction) in transactions.iter().enumerate() {
            for change in &transaction.changes {
                *state.entry(change.path.to_string()).or_default() += 1;
                assert_eq!(change.generation, state[change.path.as_str()]);
            }
            states.push(state.clone());
            let twice = places.insert(transaction.reason.parse().unwrap(), place);
            assert_eq!(twice, None, "{} committed twice", transaction.reason);
        }
        Self {
            transactions,
            states,
            places,
        }
    }

    fn generation(&self, place: usize, at: usize) -> u64 {
        self.states[place].get(REFS[at]).copied().unwrap_or(0)
    }

    /// What was committed met its expectations, was asked for, and was built on what was there.
    fn check_transaction(&self, calls: &[Call], place: usize, transaction: &LogEntry) {
        let caller: usize = transaction.reason.parse().unwrap();
        let call = &calls[caller];
        let paths: Vec<&str> = call.wish.lines.iter().map(|(at, _)| REFS[*at]).collect();
        let changed: Vec<&str> = transaction
            .changes
            .iter()
            .map(|change| change.path.as_str())
            .collect();
        assert_eq!(changed, paths);
        for (at, expect) in &call.wish.lines {
            assert!(expect.holds(self.generation(place, *at)), "caller {caller}");
        }
        let was_told = matches!(call.result, Some(Ok(Answer::Committed(_))));
        if call.wish.how == How::Transact && was_told {
            assert_eq!(
                call.built_on.as_ref(),
                Some(&self.states[place]),
                "caller {caller}"
            );
        }
    }

    fn check_call(&self, calls: &[Call], caller: usize, call: &Call) {
        let place = self.places.get(&caller);
        match &call.result {
            None => {}
            Some(Err(error)) if error.is_ambiguous() => {}
            Some(Err(_) | Ok(Answer::Conflict(_) | Answer::Looked(_))) => {
                assert_eq!(place, None, "caller {caller} was told that nothing changed");
            }
            Some(Ok(Answer::Committed(committed))) if committed.replayed => {
                let first = self.places.iter().find(|(other, place)| {
                    let other = &calls[**other].wish;
                    other.key == call.wish.key && self.transactions[**place].seq == committed.seq
                });
                assert!(first.is_some() && place.is_none(), "caller {caller}");
            }
            Some(Ok(Answer::Committed(committed))) => {
                let place = *place.expect("acknowledged and not there");
                let transaction = &self.transactions[place];
                assert_eq!(
                    (transaction.seq, transaction.time),
                    (committed.seq, committed.time)
                );
                let (from, to) = self.window(calls, call);
                assert!((from..=to).contains(&place), "caller {caller} out of order");
            }
        }
        let (from, to) = self.window(calls, call);
        match &call.result {
            Some(Ok(Answer::Conflict(conflict))) => {
                let at = REFS
                    .iter()
                    .position(|at| *at == conflict.path.as_str())
                    .unwrap();
                let found = conflict
                    .current
                    .as_ref()
                    .map_or(0, |state| state.generation);
                let (_, expect) = call
                    .wish
                    .lines
                    .iter()
                    .find(|(line, _)| *line == at)
                    .unwrap();
                assert!(!expect.holds(found), "caller {caller}");
                let mut places = from..=to;
                assert!(
                    places.any(|place| self.generation(place, at) == found),
                    "caller {caller}"
                );
            }
            Some(Ok(Answer::Looked(looked))) => {
                let mut places = (from..=to).filter(|place| self.is_between_entries(*place));
                assert!(
                    places.any(|place| self.states[place] == *looked),
                    "caller {caller}"
                );
            }
            _ => {}
        }
    }

    fn is_between_entries(&self, place: usize) -> bool {
        let seq = |place: usize| self.transactions.get(place).map(|t| t.seq);
        place == 0 || seq(place - 1) != seq(place)
    }

    /// Between which transactions a call took place: after all that were acknowledged before it began,
    /// before all that began after it ended.
    fn window(&self, calls: &[Call], call: &Call) -> (usize, usize) {
        let mut window = (0, self.transactions.len());
        for (other, place) in &self.places {
            let other = &calls[*other];
            if other
                .returned
                .is_some_and(|returned| returned < call.invoked)
            {
                window.0 = window.0.max(place + 1);
            }
            if call
                .returned
                .is_some_and(|returned| returned < other.invoked)
            {
                window.1 = window.1.min(*place);
            }
        }
        window
    }
}
