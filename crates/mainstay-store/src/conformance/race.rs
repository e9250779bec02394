//! Writers that create the same keys, counted.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use mainstay_core::{Error, ErrorKind, Result};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::payload::payload;
use super::scratch::delete_all;
use crate::race::{Answer, Verdict, create_and_read};
use crate::{Key, Prefix, Storage, StorageExt as _};

/// How many race, how often.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RaceOptions {
    writers: u16,
    rounds: u32,
    seed: u64,
}

impl Default for RaceOptions {
    fn default() -> Self {
        Self {
            writers: 16,
            rounds: 100,
            seed: 0,
        }
    }
}

impl RaceOptions {
    /// Sets how many writers create each key, from 2 to 1024; 16 unless set.
    #[must_use]
    pub fn with_writers(mut self, writers: u16) -> Self {
        self.writers = writers.clamp(2, 1024);
        self
    }

    /// Sets how many keys they create, one after the other, at least 1; 100 unless set.
    #[must_use]
    pub fn with_rounds(mut self, rounds: u32) -> Self {
        self.rounds = rounds.max(1);
        self
    }

    /// Decides where the objects are kept, which is `probe/race-<seed>/`. In a storage that lasts,
    /// take a seed that no other race has.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
}

/// What became of a race; each field counts.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct RaceReport {
    /// Writers of each round.
    pub writers: u64,
    /// Rounds run.
    pub rounds: u64,
    /// Rounds that no writer won.
    pub rounds_without_winner: u64,
    /// Rounds that exactly one writer won, as it should be. A writer whose call failed and whose
    /// bytes are there did win.
    pub rounds_with_one_winner: u64,
    /// Rounds that several writers were told they had won.
    pub rounds_with_several_winners: u64,
    /// Winners of the round that had the most.
    pub most_winners: u64,
    /// Writers that were told that they had won but whose bytes were not there at the end of the
    /// round.
    pub lost_acknowledgements: u64,
    /// Writers that were told that they had lost although their bytes were there.
    pub refused_winners: u64,
    /// Writers that read, after their answer, anything but the bytes that were there at the end.
    pub mismatched_reads: u64,
    /// Calls that failed.
    pub failed_calls: u64,
    /// The error of the first of them.
    pub first_error: Option<Error>,
}

impl RaceReport {
    /// Reports whether creation was exclusive in every round and everybody saw the winner's bytes.
    /// Failed calls alone do not change it.
    #[must_use]
    pub fn is_exclusive(&self) -> bool {
        let broken = self.lost_acknowledgements + self.refused_winners + self.mismatched_reads;
        self.rounds_with_one_winner == self.rounds && broken == 0
    }

    fn add(&mut self, round: Verdict) {
        self.rounds += 1;
        *match round.winners {
            0 => &mut self.rounds_without_winner,
            1 => &mut self.rounds_with_one_winner,
            _ => &mut self.rounds_with_several_winners,
        } += 1;
        self.most_winners = self.most_winners.max(round.winners);
        self.lost_acknowledgements += round.lost;
        self.refused_winners += u64::from(round.winner_refused);
        self.mismatched_reads += round.mismatched;
        self.failed_calls += round.failed;
        if self.first_error.is_none() {
            self.first_error = round.error;
        }
    }
}

impl fmt::Display for RaceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} rounds of {} writers", self.rounds, self.writers)?;
        for (count, what) in [
            (self.rounds_with_one_winner, "rounds with one winner"),
            (
                self.rounds_with_several_winners,
                "rounds with several winners",
            ),
            (self.rounds_without_winner, "rounds without a winner"),
            (self.lost_acknowledgements, "lost acknowledgements"),
            (self.refused_winners, "winners told that they lost"),
            (
                self.mismatched_reads,
                "reads of something else than the winner's bytes",
            ),
            (self.failed_calls, "failed calls"),
        ] {
            writeln!(f, "{count:>7} {what}")?;
        }
        match &self.first_error {
            Some(error) => writeln!(f, "first error: {error}"),
            None => Ok(()),
        }
    }
}

/// Lets writers create the same keys at the same time and counts who won.
///
/// Each writer creates the key of the round with bytes of its own and reads it back; when all have
/// their answers, the key is read once more and deleted. That is 2 requests a writer and 2 a round,
/// of at most 19 KiB each, at most one a writer at a time, and a listing at the end. Run it on a
/// multi-threaded runtime.
///
/// ```
/// use std::sync::Arc;
/// use mainstay_store::MemoryStorage;
/// use mainstay_store::conformance::{RaceOptions, race};
///
/// # tokio::runtime::Builder::new_multi_thread().build().unwrap().block_on(async {
/// let report = race(Arc::new(MemoryStorage::new()), &RaceOptions::default()).await?;
/// assert!(report.is_exclusive(), "{report}");
/// # Ok::<(), mainstay_core::Error>(()) }).unwrap();
/// ```
///
/// # Errors
/// The first error when no writer of a round got an answer: there is nothing to judge. Other failed
/// calls are counted.
#[tracing::instrument(level = "debug", skip_all, err(level = "debug"))]
pub async fn race(storage: Arc<dyn Storage>, options: &RaceOptions) -> Result<RaceReport> {
    let directory = format!("probe/race-{:016x}", options.seed);
    let bytes: Vec<_> = (0..options.writers).map(bytes_of).collect();
    let mut report = RaceReport {
        writers: u64::from(options.writers),
        ..RaceReport::default()
    };
    for number in 0..options.rounds {
        let key = Key::new(format!("{directory}/{number:010}"))?;
        let answers = answers(&storage, &key, &bytes).await?;
        let stored = storage.get_all(&key).await;
        let mut round = Verdict::of(answers, &bytes, stored);
        round.note(storage.delete(&key).await);
        match round {
            Verdict {
                answered: 0,
                error: Some(error),
                ..
            } => return Err(error),
            round => report.add(round),
        }
    }
    delete_all(&*storage, &Prefix::directory(&directory)?).await?;
    Ok(report)
}

/// Starts all writers at once and waits for all of them.
async fn answers(storage: &Arc<dyn Storage>, key: &Key, bytes: &[Bytes]) -> Result<Vec<Answer>> {
    let start = Arc::new(Barrier::new(bytes.len()));
    let mut writers = JoinSet::new();
    for (writer, bytes) in bytes.iter().cloned().enumerate() {
        let (storage, start, key) = (Arc::clone(storage), Arc::clone(&start), key.clone());
        writers.spawn(async move {
            start.wait().await;
            (writer, create_and_read(&*storage, &key, bytes).await)
        });
    }
    let mut answers = Vec::with_capacity(bytes.len());
    while let Some(answer) = writers.join_next().await {
        answers.push(answer.map_err(|error| {
            Error::new(ErrorKind::Internal, "a racing writer ended early").with_source(error)
        })?);
    }
    answers.sort_by_key(|(writer, _)| *writer);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}

/// Different for each writer in length too, which tells mixtures.
fn bytes_of(writer: u16) -> Bytes {
    payload(u64::from(writer), 1000 + 17 * usize::from(writer))
}
