//! The search for an order, after Wing and Gong (1993), with the memory of configurations that Lowe
//! (2017) added.

use std::collections::HashSet;
use std::hash::Hash;

/// What one client, alone, would be answered.
pub trait Model {
    /// What the object holds.
    type State: Clone + Eq + Hash;
    /// A call together with its answer.
    type Operation;

    /// Returns what the object held before the first call.
    fn start(&self) -> Self::State;

    /// Returns what the object holds after `operation`; `None` when it would have been answered
    /// otherwise in `state`.
    fn apply(&self, state: &Self::State, operation: &Self::Operation) -> Option<Self::State>;

    /// Reports whether `operation` changes no state whatsoever.
    fn is_read(&self, operation: &Self::Operation) -> bool;
}

/// An operation and its place in the order of all events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call<O> {
    /// Who called. Says nothing about the order; a client whose answer is lost goes on.
    pub client: usize,
    /// When it was called.
    pub invoked: u64,
    /// When it returned. `None` when the answer is unknown: it took effect at any time after, or
    /// never.
    pub returned: Option<u64>,
    /// What was called and answered.
    pub operation: O,
}

/// What [`check`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Verdict<S> {
    /// The calls, by their place in the history, in an order that explains every answer. Calls of
    /// unknown answer that are not in it never took effect.
    Linearizable(Vec<usize>),
    /// No order explains every answer.
    Violation {
        /// The longest order that explains as many answers as possible from the start.
        explained: Vec<usize>,
        /// What the object held after it.
        state: S,
        /// The calls, one of which would have to come next, and none of which can.
        stuck: Vec<usize>,
    },
    /// The search was given up after so many configurations.
    Undecided(usize),
}

/// Searches an order that explains `history`, visiting at most `limit` configurations.
///
/// A configuration is a set of calls that came first, and the state after them. Each is visited
/// once, so the cost is their number times the length of the history. It is small where answers tell
/// states apart, and exponential in the number of concurrent calls at worst.
pub fn check<M: Model>(
    model: &M,
    history: &[Call<M::Operation>],
    limit: usize,
) -> Verdict<M::State> {
    let mut search = Search::new(model, history);
    let mut longest = Longest {
        explained: Vec::new(),
        state: model.start(),
    };
    let mut path = vec![search.visit(model.start())];
    loop {
        if search.unexplained == 0 {
            return Verdict::Linearizable(search.order);
        }
        let Some(frame) = path.last_mut() else {
            let stuck = search.stuck_after(&longest.explained);
            return Verdict::Violation {
                explained: longest.explained,
                state: longest.state,
                stuck,
            };
        };
        let Some(call) = frame.next.pop() else {
            path.pop();
            search.undo();
            continue;
        };
        let operation = &history[call].operation;
        let Some(state) = model.apply(&frame.state, operation) else {
            continue;
        };
        if model.is_read(operation) {
            // Where it fits now it may as well come now: it disturbs no other call.
            frame.next.clear();
        }
        search.take(call);
        if search.seen.insert((search.taken.clone(), state.clone())) {
            if search.seen.len() > limit {
                return Verdict::Undecided(limit);
            }
            if search.order.len() > longest.explained.len() {
                longest = Longest {
                    explained: search.order.clone(),
                    state: state.clone(),
                };
            }
            path.push(search.visit(state));
        } else {
            search.undo();
        }
    }
}

/// A configuration on the way, and the calls that may yet follow it.
struct Frame<S> {
    state: S,
    next: Vec<usize>,
}

struct Longest<S> {
    explained: Vec<usize>,
    state: S,
}

struct Search<'a, M: Model> {
    history: &'a [Call<M::Operation>],
    /// Every call, by the time it was invoked.
    by_invocation: Vec<usize>,
    /// The calls that came first so far.
    order: Vec<usize>,
    taken: Taken,
    /// How many calls that returned are not in the order.
    unexplained: usize,
    seen: HashSet<(Taken, M::State)>,
}

impl<'a, M: Model> Search<'a, M> {
    fn new(_: &M, history: &'a [Call<M::Operation>]) -> Self {
        let mut by_invocation: Vec<usize> = (0..history.len()).collect();
        by_invocation.sort_by_key(|&call| history[call].invoked);
        Self {
            history,
            by_invocation,
            order: Vec::new(),
            taken: Taken::none_of(history.len()),
            unexplained: history
                .iter()
                .filter(|call| call.returned.is_some())
                .count(),
            seen: HashSet::new(),
        }
    }

    fn visit(&self, state: M::State) -> Frame<M::State> {
        let mut next = self.next(&self.taken);
        // Taken from the end: the earliest call first, and those of unknown answer last, which need
        // not have happened.
        next.reverse();
        next.sort_by_key(|&call| self.history[call].returned.is_some());
        Frame { state, next }
    }

    /// The calls that no other remaining call ended before.
    fn next(&self, taken: &Taken) -> Vec<usize> {
        let mut next = Vec::new();
        let mut first_return = u64::MAX;
        for &call in &self.by_invocation {
            if taken.contains(call) {
                continue;
            }
            // Those invoked later returned later still.
            if self.history[call].invoked > first_return {
                break;
            }
            first_return = first_return.min(self.history[call].returned.unwrap_or(u64::MAX));
            next.push(call);
        }
        next
    }

    fn stuck_after(&self, explained: &[usize]) -> Vec<usize> {
        let mut taken = Taken::none_of(self.history.len());
        for &call in explained {
            taken.insert(call);
        }
        let mut stuck = self.next(&taken);
        stuck.retain(|&call| self.history[call].returned.is_some());
        stuck
    }

    fn take(&mut self, call: usize) {
        self.order.push(call);
        self.taken.insert(call);
        self.unexplained -= usize::from(self.history[call].returned.is_some());
    }

    fn undo(&mut self) {
        if let Some(call) = self.order.pop() {
            self.taken.remove(call);
            self.unexplained += usize::from(self.history[call].returned.is_some());
        }
    }
}

/// A set of calls.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Taken(Vec<u64>);

impl Taken {
    fn none_of(calls: usize) -> Self {
        Self(vec![0; calls.div_ceil(64)])
    }

    fn contains(&self, call: usize) -> bool {
        self.0[call / 64] >> (call % 64) & 1 == 1
    }

    fn insert(&mut self, call: usize) {
        self.0[call / 64] |= 1 << (call % 64);
    }

    fn remove(&mut self, call: usize) {
        self.0[call / 64] &= !(1 << (call % 64));
    }
}
