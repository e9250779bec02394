//! Named cases that every backend and every wrapper passes.
//!
//! ```
//! use std::sync::Arc;
//! use mainstay_store::MemoryStorage;
//! use mainstay_store::conformance::{self, RunOptions};
//!
//! # tokio::runtime::Builder::new_multi_thread().build().unwrap().block_on(async {
//! let report = conformance::run(Arc::new(MemoryStorage::new()), &RunOptions::default()).await;
//! // A backend that skips cases names them here, so that a silent pass is impossible.
//! report.check(&[]).unwrap();
//! # });
//! ```
//!
//! Run it on a multi-threaded runtime: cases that race need real threads to race on. [`race()`] is
//! for longer races on a storage of your own.

mod basics;
mod hostile;
mod listing;
mod model;
mod payload;
mod race;
mod races;
mod scratch;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use mainstay_core::Error;

use crate::{Capabilities, Prefix, PrefixStorage, Storage};
pub use race::{RaceOptions, RaceReport, race};
use scratch::delete_all;

/// What a case found wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure(String);

impl Failure {
    /// Creates a failure that says `message`.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(format!("unexpected error: {error:?}"))
    }
}

impl From<tokio::task::JoinError> for Failure {
    fn from(error: tokio::task::JoinError) -> Self {
        Self(format!("a task ended early: {error}"))
    }
}

/// What a case returns.
pub type Outcome = Result<(), Failure>;

/// Fails the case unless the condition holds.
macro_rules! check {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err(Failure::new(format!($($message)+)));
        }
    };
}
use check;

/// What a storage must be able to do for a case to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Need {
    /// Only to be read.
    Reads,
    /// To be written.
    Writes,
    /// To hold an object of so many bytes.
    ObjectBytes(u64),
}

impl Need {
    fn is_met(self, capabilities: &Capabilities) -> bool {
        match self {
            Self::Reads => true,
            Self::Writes => !capabilities.read_only,
            Self::ObjectBytes(bytes) => {
                !capabilities.read_only && bytes <= capabilities.max_object_bytes
            }
        }
    }
}

/// A property of the contract of [`Storage`], as a program that checks it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Case {
    /// What holds, in words joined by `_`.
    pub name: &'static str,
    /// What the storage must be able to do.
    pub needs: Need,
    run: fn(Arc<dyn Storage>, u64) -> BoxFuture<'static, Outcome>,
}

impl Case {
    /// Runs the case on an empty storage; `seed` decides what is left to chance.
    pub async fn run(&self, storage: Arc<dyn Storage>, seed: u64) -> Outcome {
        (self.run)(storage, seed).await
    }
}

macro_rules! cases {
    ($($module:ident :: $name:ident : $needs:expr),* $(,)?) => {
        &[$(Case {
            name: stringify!($name),
            needs: $needs,
            run: |storage, seed| Box::pin($module::$name(storage, seed)),
        }),*]
    };
}

const CASES: &[Case] = cases![
    basics::an_absent_key_reads_as_none: Need::Reads,
    basics::what_was_written_is_read_back: Need::Writes,
    basics::create_does_not_replace: Need::Writes,
    basics::overwrite_replaces: Need::Writes,
    basics::delete_is_idempotent_and_the_key_is_free_again: Need::Writes,
    basics::an_empty_object_is_not_an_absent_one: Need::Writes,
    basics::a_large_object_is_read_back_whole_and_in_parts: Need::ObjectBytes(8 << 20),
    basics::ranges_are_cut_to_the_object: Need::Writes,
    basics::a_key_is_not_in_the_way_of_keys_below_it: Need::Writes,
    hostile::hostile_keys_are_refused_or_kept_apart: Need::Writes,
    listing::an_empty_storage_lists_nothing: Need::Reads,
    listing::keys_are_listed_in_byte_order_of_the_whole_key: Need::Writes,
    listing::a_prefix_covers_only_what_is_below_it: Need::Writes,
    listing::pages_joined_are_the_whole_listing: Need::Writes,
    listing::thousands_of_keys_are_listed_whole_and_in_pages: Need::Writes,
    listing::a_listing_sees_what_was_done_before_it: Need::Writes,
    listing::keys_deleted_while_listing_do_not_disturb_the_others: Need::Writes,
    races::of_racing_creators_one_wins_and_all_see_its_bytes: Need::Writes,
    races::readers_see_whole_objects_while_they_are_replaced: Need::Writes,
    races::creators_of_different_keys_all_win: Need::Writes,
    races::creators_and_deleters_of_one_key_take_turns: Need::Writes,
    model::random_operations_do_what_a_sorted_map_does: Need::Writes,
];

/// Returns every case.
#[must_use]
pub fn cases() -> &'static [Case] {
    CASES
}

/// How to run the cases.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RunOptions {
    seed: u64,
    skip: Vec<String>,
}

impl RunOptions {
    /// Decides what is left to chance and where the cases keep their objects, which is
    /// `conformance/<seed>/`. In a storage that lasts, take a seed that no other run has.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Does not run the named cases, which the storage is documented not to pass.
    #[must_use]
    pub fn with_skipped(mut self, names: &[&str]) -> Self {
        self.skip.extend(names.iter().map(|&name| name.to_owned()));
        self
    }
}

/// What became of each case, in the order of [`cases()`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use]
#[non_exhaustive]
pub struct Report {
    /// The cases that passed.
    pub passed: Vec<&'static str>,
    /// The cases that failed, and why.
    pub failed: Vec<(String, Failure)>,
    /// The cases that were not run, because the caller said so or a need is missing.
    pub skipped: Vec<&'static str>,
}

impl Report {
    /// Passes when no case failed and exactly those of `skipped` were skipped, in any order.
    ///
    /// # Errors
    /// A failure that is the whole report.
    pub fn check(&self, skipped: &[&str]) -> Outcome {
        let documented: BTreeSet<_> = skipped.iter().copied().collect();
        let found: BTreeSet<_> = self.skipped.iter().copied().collect();
        check!(
            self.failed.is_empty() && found == documented,
            "{self}to be skipped: {documented:?}"
        );
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (passed, failed, skipped) = (&self.passed, &self.failed, &self.skipped);
        writeln!(
            f,
            "{} passed, {} failed, {} skipped",
            passed.len(),
            failed.len(),
            skipped.len()
        )?;
        for (name, failure) in failed {
            writeln!(f, "failed: {name}: {failure}")?;
        }
        for name in skipped {
            writeln!(f, "skipped: {name}")?;
        }
        Ok(())
    }
}

/// Runs every case, each below a prefix of its own, and deletes what they wrote.
pub async fn run(storage: Arc<dyn Storage>, options: &RunOptions) -> Report {
    let capabilities = storage.capabilities();
    let mut report = Report::default();
    for name in &options.skip {
        if !CASES.iter().any(|case| case.name == *name) {
            let failure = Failure::new("to be skipped, but there is no such case");
            report.failed.push((name.clone(), failure));
        }
    }
    for case in CASES {
        let named = options.skip.iter().any(|name| name == case.name);
        if named || !case.needs.is_met(&capabilities) {
            report.skipped.push(case.name);
            continue;
        }
        match run_apart(case, Arc::clone(&storage), options.seed).await {
            Ok(()) => report.passed.push(case.name),
            Err(failure) => report.failed.push((case.name.to_owned(), failure)),
        }
    }
    report
}

async fn run_apart(case: &Case, storage: Arc<dyn Storage>, seed: u64) -> Outcome {
    let directory = format!("conformance/{seed:016x}/{}", case.name);
    let prefix = Prefix::directory(&directory)?;
    let part: Arc<dyn Storage> = Arc::new(PrefixStorage::new(storage, prefix));
    let outcome = case.run(Arc::clone(&part), seed).await;
    delete_all(&*part, &Prefix::all()).await?;
    outcome
}
