//! Verification: reports every fault found.

mod beats;
mod blobs;
mod latest;
mod log;
mod opening;
mod packs;
mod reading;
mod stats;
mod tallies;
#[cfg(test)]
mod tests;

use std::fmt::Display;
use std::sync::Arc;

use futures::TryStreamExt as _;
use mainstay_core::{Error, ErrorKind, Progress, Result, Telling};
use mainstay_store::{Key, MeterStorage, Prefix, Storage};

use self::latest::Latest;
pub use self::reading::{ReadingStats, ScatteredBlob};
pub(crate) use self::stats::stats;
use crate::{View, descriptor, gc};

/// How hard to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum VerifyLevel {
    /// Log, checkpoints, tallies, beats, and that every blob named is findable and its parts exist with right
    /// sizes.
    Quick,
    /// As `Quick`, and every byte of about so many percent of the packs, drawn by the seed: with
    /// another seed each time, a damaged pack is found sooner or later at a fraction of the cost.
    Sampled {
        /// How many of a hundred packs to read; 100 and more mean all.
        percent: u8,
        /// Which ones; the same seed draws the same packs.
        seed: u64,
    },
    /// And every byte of every pack and blob.
    Full,
}

impl VerifyLevel {
    /// Reports whether every byte of the pack with this hash is read.
    fn reads_pack(self, hash: &[u8; 32]) -> bool {
        match self {
            Self::Quick => false,
            Self::Full => true,
            Self::Sampled { percent, seed } => {
                let mut hasher = blake3::Hasher::new();
                hasher.update(&seed.to_le_bytes()).update(hash);
                let draw: [u8; 16] = std::array::from_fn(|at| hasher.finalize().as_bytes()[at]);
                u128::from_le_bytes(draw) % 100 < u128::from(percent)
            }
        }
    }
}

/// How to verify a storage.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct VerifyOptions {
    /// How hard to look.
    pub level: VerifyLevel,
    /// Is told how many `entries` of the log, `packs` and `blobs` have been checked, and how many
    /// `bytes` of packs and blobs have been read.
    pub progress: Option<Arc<dyn Progress>>,
}

impl From<VerifyLevel> for VerifyOptions {
    fn from(level: VerifyLevel) -> Self {
        Self {
            level,
            progress: None,
        }
    }
}

impl VerifyOptions {
    /// Sets who is told how far it is.
    #[must_use]
    pub fn with_progress(mut self, progress: Arc<dyn Progress>) -> Self {
        self.progress = Some(progress);
        self
    }
}

/// What verification found.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Objects and blobs looked at.
    pub checked: u64,
    /// Bytes read from the storage.
    pub read_bytes: u64,
    /// Everything that is wrong, ordered by object.
    pub faults: Vec<Fault>,
    /// What is worth knowing and not wrong: checkpoints that are not there, so that opening takes longer.
    pub notes: Vec<Note>,
}

/// One thing that is worth knowing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[non_exhaustive]
pub struct Note {
    /// What it is about: a storage key, or a directory.
    pub object: String,
    /// What exactly.
    pub detail: String,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[non_exhaustive]
pub struct Fault {
    /// The object: a storage key, or `blob sha256:…`.
    pub object: String,
    /// What kind of fault:
    /// `missing` (it should be there), `corrupt` (its bytes are not what was written), `dangling` (it
    /// names something that is not there), `incompatible` (a newer version wrote it) or `unknown`
    /// (nothing of a repository has such a key).
    pub kind: &'static str,
    /// What exactly.
    pub detail: String,
}

/// What is stored.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
#[non_exhaustive]
pub struct RepoStats {
    /// Bytes in the storage.
    pub stored_bytes: u64,
    /// Bytes of all distinct blobs, but for those that a collection has condemned.
    pub logical_bytes: u64,
    /// What reading takes.
    pub reading: ReadingStats,
    /// Objects in the storage.
    pub objects: u64,
    /// Entries in the log.
    pub log_entries: u64,
    /// Checkpoints.
    pub checkpoints: u64,
    /// Bytes of those, their shards included.
    pub checkpoint_bytes: u64,
    /// Objects of tallies: what replicas have written since compactions, and what these have made.
    pub tally_objects: u64,
    /// The newest entry.
    pub head: u64,
}

/// Checks the repository on `storage` and reports every fault found, also when it is too damaged to
/// be opened.
///
/// Memory: the refs, about 150 bytes for each record of the index, and one pack.
///
/// # Errors
/// [`NotFound`](ErrorKind::NotFound) when there is no repository; otherwise those of the storage.
/// Damage is in the report.
#[tracing::instrument(skip_all, err(level = "debug"))]
pub async fn verify(
    storage: Arc<dyn Storage>,
    options: impl Into<VerifyOptions> + Send,
) -> Result<VerifyReport> {
    let options = options.into();
    if let Err(error) = descriptor::check(&*storage).await
        && error.kind() == ErrorKind::NotFound
        && storage
            .list(&Prefix::all(), None)
            .try_next()
            .await?
            .is_none()
    {
        return Err(error);
    }
    let telling = Telling::new(options.progress);
    check(&storage, &View::empty(), options.level, telling).await
}

/// Checks a repository of which `known` was read before; trusts nothing else that is cached.
pub(crate) async fn check(
    storage: &Arc<dyn Storage>,
    known: &View,
    level: VerifyLevel,
    telling: Telling,
) -> Result<VerifyReport> {
    let meter = Arc::new(MeterStorage::new(Arc::clone(storage)));
    let storage: &Arc<dyn Storage> = &(Arc::<MeterStorage<_>>::clone(&meter) as _);
    let mut findings = Findings {
        telling,
        ..Findings::default()
    };
    let view = log::check(&**storage, known, level, &mut findings).await?;
    let condemned = gc::condemned_in(&view, &Arc::default()).await;
    let condemned = findings.note("log", condemned)?.unwrap_or_default();
    // Blobs that nobody names may have lost parts to a collection.
    let all = level == VerifyLevel::Full && condemned.run == 0;
    let mut latest = Latest::new(storage, &view, condemned);
    let index = packs::check(storage, &mut latest, level, &mut findings).await?;
    let checking = (storage, &mut latest);
    blobs::check(checking, &view, index, (level, all), &mut findings).await?;
    tallies::check(&**storage, &view, &mut findings).await?;
    beats::check(&**storage, &mut findings).await?;
    let mut report = findings.report;
    // What several checks came upon is told once.
    report.faults.sort();
    report.faults.dedup();
    report.read_bytes = meter.reading().bytes_read;
    Ok(report)
}

/// The report being written.
#[derive(Debug, Default)]
struct Findings {
    report: VerifyReport,
    telling: Telling,
}

impl Findings {
    /// Counts an object that was looked at.
    fn checked(&mut self) {
        self.report.checked += 1;
    }

    fn is_empty(&self) -> bool {
        self.report.faults.is_empty()
    }

    fn add(&mut self, other: Self) {
        self.report.checked += other.report.checked;
        self.report.faults.extend(other.report.faults);
    }

    fn fault(&mut self, object: impl Display, kind: &'static str, detail: impl Display) {
        self.report.faults.push(Fault {
            object: object.to_string(),
            kind,
            detail: detail.to_string(),
        });
    }

    /// Tells of what is not wrong.
    fn notice(&mut self, object: impl Display, detail: impl Display) {
        self.report.notes.push(Note {
            object: object.to_string(),
            detail: detail.to_string(),
        });
    }

    /// Reports what an error says about the object it names, or else about `object`.
    ///
    /// # Errors
    /// Errors that say nothing about stored bytes, as an unreachable storage, are returned.
    fn error(&mut self, object: impl Display, error: Error) -> Result<()> {
        let kind = match error.kind() {
            ErrorKind::Corrupt => "corrupt",
            ErrorKind::Incompatible => "incompatible",
            _ => return Err(error),
        };
        let named = error.contexts().find(|(key, _)| *key == "object");
        let object = named.map_or_else(|| object.to_string(), |(_, named)| named.to_owned());
        self.fault(object, kind, detail(&error));
        Ok(())
    }

    /// Reports a failed check; returns what a good one gave.
    ///
    /// # Errors
    /// As [`error`](Self::error).
    fn note<T>(&mut self, object: impl Display, checked: Result<T>) -> Result<Option<T>> {
        match checked {
            Ok(value) => Ok(Some(value)),
            Err(error) => self.error(object, error).map(|()| None),
        }
    }
}

fn unknown(key: &Key, findings: &mut Findings) {
    findings.fault(key, "unknown", "no object of a repository has such a key");
}

/// An error and its causes in one line.
fn detail(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
