//! What the repository tells whoever watches. `docs/guides/observability.md` lists it.

use std::fmt;
use std::sync::Arc;

use mainstay_core::{Attribute, Clock, Instrument, Metrics, Result, Timestamp};

use crate::{
    CollectionReport, CommitOutcome, Committed, IngestReport, ReplicateReport, RepoOptions,
};

static COMMITS: Instrument = Instrument::new(
    "mainstay.repo.commits",
    "{commit}",
    "Commits that were asked for and have ended",
);
static COMMIT_DURATION: Instrument = Instrument::new(
    "mainstay.repo.commit.duration",
    "s",
    "How long commits took, waiting and repeated attempts included",
);
static COMMIT_CHANGES: Instrument = Instrument::new(
    "mainstay.repo.commit.changes",
    "{change}",
    "Changes, and checks, of refs in a transaction that was given to commit",
);
static COMMIT_ATTEMPTS: Instrument = Instrument::new(
    "mainstay.repo.commit.attempts",
    "{attempt}",
    "Log entries that a transaction was put into until one was written, or no more were tried",
);
static COMMIT_BATCH: Instrument = Instrument::new(
    "mainstay.repo.commit.batch",
    "{transaction}",
    "Transactions that share a log entry which was written",
);
static INGESTED_BLOBS: Instrument = Instrument::new(
    "mainstay.repo.ingest.blobs",
    "{blob}",
    "Blobs stored by sessions that have finished",
);
static INGEST_IO: Instrument = Instrument::new(
    "mainstay.repo.ingest.io",
    "By",
    "Bytes of blobs given to sessions, new among those, and written to the storage for them",
);
static RESTORE_IO: Instrument = Instrument::new(
    "mainstay.repo.restore.io",
    "By",
    "Bytes of blobs read, verified and decompressed",
);
static COLLECTED_PACKS: Instrument = Instrument::new(
    "mainstay.repo.collection.packs",
    "{pack}",
    "Packs that runs of collection waited for and condemned, and objects that they deleted",
);
static COLLECTED_CHECKPOINTS: Instrument = Instrument::new(
    "mainstay.repo.collection.checkpoints",
    "{checkpoint}",
    "Checkpoints that runs of collection condemned and deleted",
);
static COLLECTION_IO: Instrument = Instrument::new(
    "mainstay.repo.collection.io",
    "By",
    "Bytes that runs of collection freed and wrote again",
);
static REPLICATED: Instrument = Instrument::new(
    "mainstay.repo.replication.transactions",
    "{transaction}",
    "Transactions replicated out of this repository",
);
static REPLICATION_IO: Instrument = Instrument::new(
    "mainstay.repo.replication.io",
    "By",
    "Bytes read from this repository to replicate it, and written in the other",
);

/// Tells of what has ended.
#[derive(Clone)]
pub(crate) struct Told {
    metrics: Arc<dyn Metrics>,
    clock: Arc<dyn Clock>,
}

/// A commit under way.
pub(crate) struct Commit<'a> {
    told: &'a Told,
    began: Timestamp,
}

impl Told {
    pub(crate) fn new(options: &RepoOptions) -> Self {
        Self {
            metrics: Arc::clone(&options.metrics),
            clock: Arc::clone(&options.clock),
        }
    }

    pub(crate) fn commit(&self) -> Commit<'_> {
        Commit {
            told: self,
            began: self.clock.now(),
        }
    }

    /// Tells into how many entries a transaction was put.
    pub(crate) fn attempted(&self, entries: u32) {
        let attempts = f64::from(entries);
        self.metrics.record(&COMMIT_ATTEMPTS, attempts, &[]);
    }

    /// Tells of an entry of so many transactions.
    pub(crate) fn appended(&self, transactions: u32) {
        let transactions = f64::from(transactions);
        self.metrics.record(&COMMIT_BATCH, transactions, &[]);
    }

    pub(crate) fn ingested(&self, report: &IngestReport) {
        self.metrics.add(&INGESTED_BLOBS, report.blobs, &[]);
        for (kind, bytes) in [
            ("given", report.logical_bytes),
            ("new", report.new_bytes),
            ("written", report.stored_bytes),
        ] {
            let kind = [("mainstay.repo.ingest.bytes", kind)];
            self.metrics.add(&INGEST_IO, bytes, &kind);
        }
    }

    pub(crate) fn restored(&self, bytes: u64) {
        self.metrics.add(&RESTORE_IO, bytes, &[]);
    }

    pub(crate) fn collected(&self, report: &CollectionReport) {
        for (step, count) in [
            ("wait", report.waiting),
            ("condemn", report.condemned),
            ("delete", report.deleted.len() as u64),
        ] {
            let step = [("mainstay.repo.collection.step", step)];
            self.metrics.add(&COLLECTED_PACKS, count, &step);
        }
        for (step, count) in [
            ("condemn", report.checkpoints.condemned),
            ("delete", report.checkpoints.deleted),
        ] {
            let step = [("mainstay.repo.collection.step", step)];
            self.metrics.add(&COLLECTED_CHECKPOINTS, count, &step);
        }
        for (kind, bytes) in [
            ("freed", report.freed_bytes),
            ("written", report.written_bytes),
        ] {
            let kind = [("mainstay.repo.collection.bytes", kind)];
            self.metrics.add(&COLLECTION_IO, bytes, &kind);
        }
    }

    pub(crate) fn replicated(&self, report: &ReplicateReport) {
        self.metrics.add(&REPLICATED, report.transactions, &[]);
        for (kind, bytes) in [
            ("read", report.read_bytes),
            ("written", report.written_bytes),
        ] {
            let kind = [("mainstay.repo.replication.bytes", kind)];
            self.metrics.add(&REPLICATION_IO, bytes, &kind);
        }
    }
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Told")
    }
}

impl Commit<'_> {
    /// Tells how a commit of so many changes ended.
    pub(crate) fn ended(self, changes: usize, outcome: &Result<CommitOutcome>) {
        #[expect(clippy::cast_precision_loss, reason = "there are at most 100,000")]
        let changes = changes as f64;
        self.told.metrics.record(&COMMIT_CHANGES, changes, &[]);
        self.end(match outcome {
            Ok(CommitOutcome::Committed(committed)) => how(committed),
            Ok(CommitOutcome::Conflict(_)) => ("mainstay.repo.commit.outcome", "conflict"),
            Err(error) => ("error.type", error.kind().as_str()),
        });
    }

    /// Tells how one on a view ended, if there was anything to commit.
    pub(crate) fn decided<T>(self, outcome: &Result<(Option<Committed>, T)>) {
        match outcome {
            Ok((Some(committed), _)) => self.end(how(committed)),
            Ok((None, _)) => {}
            Err(error) => self.end(("error.type", error.kind().as_str())),
        }
    }

    fn end(self, how: Attribute) {
        let Told { metrics, clock } = self.told;
        let took = clock.now().saturating_since(self.began);
        metrics.add(&COMMITS, 1, &[how]);
        metrics.record(&COMMIT_DURATION, took.as_secs_f64(), &[how]);
    }
}

fn how(committed: &Committed) -> Attribute {
    let outcome = if committed.replayed {
        "replayed"
    } else {
        "committed"
    };
    ("mainstay.repo.commit.outcome", outcome)
}
