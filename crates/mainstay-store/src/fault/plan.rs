//! Which operation fails, and how.

use std::collections::BTreeMap;
use std::time::Duration;

use mainstay_core::{Error, ErrorKind};

use crate::mix::mix;

/// What goes wrong with an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// It does not happen, and the error says so, with this kind.
    Refuse(ErrorKind),
    /// A `put` finds the storage full and does not happen: [`ErrorKind::Unavailable`]. Other verbs
    /// need no space and go on.
    NoSpace,
    /// It does not happen, but the caller cannot tell: an ambiguous error.
    LoseRequest,
    /// It happens, but the caller cannot tell: an ambiguous error.
    LoseResponse,
    /// The process dies in it; every later operation fails too.
    Crash(Applied),
    /// It happens after this time.
    Delay(Duration),
    /// A `get` returns bytes with this bit flipped, counted modulo their length. Other verbs return
    /// no bytes and go on.
    FlipBit(u64),
}

/// Whether an operation took effect before the crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third")]
pub enum Applied {
    /// It did.
    Yes,
    /// It did not.
    No,
}

/// A method of [`Storage`](crate::Storage).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verb {
    /// `get`.
    Get,
    /// `put`.
    Put,
    /// `list`, which is one operation however much it lists.
    List,
    /// `delete`.
    Delete,
}

impl Verb {
    fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Put => "put",
            Self::List => "list",
            Self::Delete => "delete",
        }
    }
}

/// Picks operations by what they do; without restrictions it picks every one.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Trigger {
    verb: Option<Verb>,
    key_start: String,
    skip: u64,
    times: Option<u64>,
}

impl Trigger {
    /// Picks every operation.
    #[must_use]
    pub fn any() -> Self {
        Self::default()
    }

    /// Picks only this verb.
    #[must_use]
    pub fn with_verb(mut self, verb: Verb) -> Self {
        self.verb = Some(verb);
        self
    }

    /// Picks only keys, or prefixes of listings, that begin with `start`.
    #[must_use]
    pub fn with_key_start(mut self, start: impl Into<String>) -> Self {
        self.key_start = start.into();
        self
    }

    /// Lets this many matching operations pass first.
    #[must_use]
    pub fn with_skip(mut self, skip: u64) -> Self {
        self.skip = skip;
        self
    }

    /// Picks only so many operations, then no more.
    #[must_use]
    pub fn with_times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    fn picks(&mut self, verb: Verb, key: &str) -> bool {
        if self.verb.is_some_and(|wanted| wanted != verb) || !key.starts_with(&self.key_start) {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        match &mut self.times {
            Some(0) => false,
            Some(times) => {
                *times -= 1;
                true
            }
            None => true,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) begun: u64,
    pub(super) crashed: bool,
    numbered: BTreeMap<u64, Fault>,
    triggered: Vec<(Trigger, Fault)>,
    random: Option<Random>,
}

#[derive(Debug)]
struct Random {
    seed: u64,
    one_in: u64,
    faults: Vec<Fault>,
}

impl Plan {
    pub(super) fn at(&mut self, operation: u64, fault: Fault) {
        self.numbered.insert(operation, fault);
    }

    pub(super) fn when(&mut self, trigger: Trigger, fault: Fault) {
        self.triggered.push((trigger, fault));
    }

    pub(super) fn randomly(&mut self, seed: u64, one_in: u64, faults: Vec<Fault>) {
        self.random = Some(Random {
            seed,
            one_in,
            faults,
        });
    }

    pub(super) fn clear(&mut self) {
        self.numbered.clear();
        self.triggered.clear();
        self.random = None;
    }

    pub(super) fn begin(&mut self, verb: Verb, key: &str) -> Operation {
        self.begun += 1;
        let crashed = self.crashed;
        let fault = if crashed { None } else { self.fault(verb, key) };
        self.crashed |= matches!(fault, Some(Fault::Crash(_)));
        Operation {
            number: self.begun,
            verb,
            key: key.into(),
            crashed,
            fault,
        }
    }

    fn fault(&mut self, verb: Verb, key: &str) -> Option<Fault> {
        let number = self.begun;
        self.numbered
            .remove(&number)
            .or_else(|| {
                let mut triggered = self.triggered.iter_mut();
                triggered.find_map(|(trigger, fault)| trigger.picks(verb, key).then_some(*fault))
            })
            .or_else(|| self.random.as_ref()?.fault(number))
    }
}

impl Random {
    fn fault(&self, number: u64) -> Option<Fault> {
        let drawn = mix(self.seed ^ mix(number));
        let struck = drawn.checked_rem(self.one_in)? == 0;
        let which = mix(drawn).checked_rem(self.faults.len() as u64)?;
        let fault = usize::try_from(which)
            .ok()
            .and_then(|which| self.faults.get(which));
        fault.copied().filter(|_| struck)
    }
}

/// An operation that has begun.
#[derive(Debug)]
pub(super) struct Operation {
    number: u64,
    verb: Verb,
    key: Box<str>,
    pub(super) crashed: bool,
    pub(super) fault: Option<Fault>,
}

impl Operation {
    pub(super) fn error(&self, kind: ErrorKind, message: &str) -> Error {
        Error::new(kind, message)
            .operation(self.verb.as_str())
            .context("key", &self.key)
            .context("operation", self.number)
    }

    /// The error of one that happened or not, without saying which.
    pub(super) fn lost(&self, message: &str) -> Error {
        let error = self.error(ErrorKind::Unavailable, message);
        match self.verb {
            Verb::Put | Verb::Delete => error.ambiguous(),
            Verb::Get | Verb::List => error,
        }
    }

    /// The error of one begun by a process that is dead.
    pub(super) fn dead(&self) -> Error {
        self.error(
            ErrorKind::Unavailable,
            "crashed before this operation (injected)",
        )
    }
}
