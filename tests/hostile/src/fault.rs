//! What can go wrong with one request, and with which.

use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Verb {
    /// To write an object.
    Put,
    /// To read an object.
    Get,
    /// To be told of an object.
    Head,
    /// To delete objects.
    Delete,
    /// To list objects.
    List,
    /// Something that the server does not know.
    Other,
}

/// A place in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Boundary {
    /// Before the first byte.
    BeforeStatus,
    /// In the middle of the headers.
    InHeaders,
    /// Between the headers and the body. An answer without a body is whole here.
    AfterHeaders,
    /// In the middle of the body.
    InBody,
    /// After so many bytes of the answer, or at its end if it is shorter.
    Byte(u64),
}

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// The request is not applied, and answered with this status.
    Refused(u16),
    /// The request is applied, and answered with this status.
    Failed(u16),
    /// The connection is closed before the body was read; the request is not applied.
    CutRequest,
    /// The request is read whole, not applied, and the connection closed.
    LostRequest,
    /// The request is applied, and the connection closed at this place of the answer.
    CutAnswer(Boundary),
    /// The request is applied, and the answer stops at this place, with the connection open.
    Stalled(Boundary),
    /// The request is applied twice, and the second answer is given.
    Twice,
    /// The connection is closed without an answer, and the request applied after so many further
    /// requests have arrived.
    Late(u64),
    /// The request is applied; the answer declares so many bytes more than there are, and the
    /// connection is closed after them.
    LongerLength(u64),
    /// The request is applied; the answer declares, and has, so many bytes fewer than there are.
    /// Nothing in HTTP tells the client.
    ShorterLength(u64),
    /// The request is applied, and the body comes in pieces of so many bytes with a pause before
    /// each.
    Slow {
        /// The size of a piece in bytes; 0 is taken as 1.
        piece: usize,
        /// The time before each piece.
        pause: Duration,
    },
}

/// Which requests get a fault.
#[derive(Debug, Clone)]
pub struct Rule {
    fault: Fault,
    verbs: Vec<Verb>,
    key_prefix: String,
    skip: u64,
    times: u64,
}

impl Rule {
    /// Gives `fault` to the next request, whatever it is.
    #[must_use]
    pub fn new(fault: Fault) -> Self {
        Self {
            fault,
            verbs: Vec::new(),
            key_prefix: String::new(),
            skip: 0,
            times: 1,
        }
    }

    /// Only requests of this verb; several calls allow several.
    #[must_use]
    pub fn on(mut self, verb: Verb) -> Self {
        self.verbs.push(verb);
        self
    }

    /// Only requests whose key begins so; of a listing, whose prefix does.
    #[must_use]
    pub fn below(mut self, key_prefix: impl Into<String>) -> Self {
        self.key_prefix = key_prefix.into();
        self
    }

    /// Lets so many matching requests pass first.
    #[must_use]
    pub fn after(mut self, requests: u64) -> Self {
        self.skip = requests;
        self
    }

    /// Applies to so many requests; to one unless set.
    #[must_use]
    pub fn times(mut self, requests: u64) -> Self {
        self.times = requests;
        self
    }

    fn matches(&self, verb: Verb, key: &str) -> bool {
        (self.verbs.is_empty() || self.verbs.contains(&verb)) && key.starts_with(&self.key_prefix)
    }
}

/// Faults at random, the same for the same seed and number of the request.
#[derive(Debug, Clone)]
pub struct Chaos {
    seed: u64,
    per_mille: u16,
    faults: Vec<Fault>,
}

impl Chaos {
    /// Gives one of `faults` to `per_mille` of 1000 requests; none if there are no faults.
    #[must_use]
    pub fn new(seed: u64, per_mille: u16, faults: impl IntoIterator<Item = Fault>) -> Self {
        Self {
            seed,
            per_mille,
            faults: faults.into_iter().collect(),
        }
    }

    fn draw(&self, number: u64) -> Option<Fault> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(number);
        if self.faults.is_empty() || random.random_range(0..1000) >= self.per_mille {
            return None;
        }
        let chosen = random.random_range(0..self.faults.len());
        self.faults.get(chosen).copied()
    }
}

/// The faults to come.
#[derive(Debug, Default)]
pub(crate) struct Script {
    rules: Vec<Rule>,
    chaos: Option<Chaos>,
}

impl Script {
    pub(crate) fn push(&mut self, rule: Rule) {
        self.rules.push(rule);
    }

    pub(crate) fn set_chaos(&mut self, chaos: Option<Chaos>) {
        self.chaos = chaos;
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes the fault of a request: of the first rule that matches, or else of chance.
    pub(crate) fn take(&mut self, number: u64, verb: Verb, key: &str) -> Option<Fault> {
        for rule in &mut self.rules {
            if !rule.matches(verb, key) {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            rule.times = rule.times.saturating_sub(1);
            let fault = rule.fault;
            self.rules.retain(|rule| rule.times > 0);
            return Some(fault);
        }
        self.chaos.as_ref().and_then(|chaos| chaos.draw(number))
    }
}
