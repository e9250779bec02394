//! Writing: how what a process counted becomes part of what is read, once and not twice.
//!
//! A replica writes its state of the open era under a new key each time, and then looks at the log.
//! If the era is still open, the state counts: whoever seals the era later finds it. If it has been
//! sealed meanwhile, what the fold of the era has taken tells, and what it has not taken goes to the
//! next era.

use bytes::Bytes;
use futures::TryStreamExt as _;
use mainstay_core::{Actor, Error, ErrorKind, Result, WriteId};
use mainstay_store::{Key, StorageExt as _};

use super::TallyName;
use super::compact::{Committer, fold};
use super::gather::position;
use super::object::{ReplicaId, ReplicaState};
use super::position::{BaseRef, Position};
use super::registers::Registers;
use crate::Repo;

/// How many eras may be sealed in the course of one flush.
const MAX_ERAS: u32 = 64;

/// What one replica has written.
#[derive(Debug)]
pub(super) struct Replica {
    repo: Repo,
    subject: TallyName,
    actor: Actor,
    /// What has been acknowledged in its era.
    acknowledged: ReplicaState,
    /// What is being written. There is at most one, and it is not given up before it is known
    /// whether it counts.
    attempt: Option<Attempt>,
    /// What is to be written after it.
    pending: Registers,
}

#[derive(Debug)]
struct Attempt {
    /// What it adds to what has been acknowledged.
    counted: Registers,
    sequence: u64,
    key: Key,
    bytes: Bytes,
}

impl Replica {
    pub(super) fn new(repo: Repo, subject: TallyName, actor: Actor, replica: WriteId) -> Self {
        Self {
            repo,
            subject,
            actor,
            acknowledged: ReplicaState {
                id: ReplicaId { era: 0, replica },
                sequence: 0,
                registers: Registers::default(),
            },
            attempt: None,
            pending: Registers::default(),
        }
    }

    /// Writes what was counted, and what earlier flushes have left, until it counts.
    ///
    /// When it fails or is given up, what was counted stays here for the next one.
    pub(super) async fn flush(&mut self, counted: &Registers) -> Result<()> {
        self.pending.merge(counted);
        for _ in 0..MAX_ERAS {
            if self.attempt.is_none() {
                if self.pending.is_empty() {
                    return Ok(());
                }
                let open = self.position().await?.open;
                self.begin(open)?;
            }
            self.settle().await?;
        }
        Err(Error::new(
            ErrorKind::Unavailable,
            "tallies are compacted faster than they can be written",
        )
        .context("subject", &self.subject))
    }

    /// Prepares to write what is pending in addition to what has been acknowledged in the open era.
    fn begin(&mut self, open: u64) -> Result<()> {
        if self.acknowledged.id.era != open {
            // All that was acknowledged in the era before was there when it was sealed.
            self.acknowledged.id.era = open;
            self.acknowledged.sequence = 0;
            self.acknowledged.registers = Registers::default();
        }
        let mut state = self.acknowledged.clone();
        state.sequence += 1;
        state.registers.merge(&self.pending);
        let (key, bytes) = (
            state.name().key(&self.subject)?,
            state.encode(&self.subject)?,
        );
        self.attempt = Some(Attempt {
            counted: std::mem::take(&mut self.pending),
            sequence: state.sequence,
            key,
            bytes,
        });
        Ok(())
    }

    /// Writes the attempt, and finds out whether it counts; if not, it becomes pending again.
    async fn settle(&mut self) -> Result<()> {
        let Some(attempt) = &self.attempt else {
            return Ok(());
        };
        let storage = &self.repo.inner.storage;
        // Nobody else writes this key: if it is there, it is this.
        let _ = storage.create(&attempt.key, attempt.bytes.clone()).await?;
        let era = self.acknowledged.id.era;
        let position = self.position().await?;
        if position.open == era {
            self.acknowledge().await;
            return Ok(());
        }
        let folded = self.folded(era, position).await?;
        if let Some(attempt) = self.attempt.take()
            && attempt.sequence > folded
        {
            self.pending.merge(&attempt.counted);
        }
        Ok(())
    }

    /// The attempt counts, and the object before it is of no more use.
    async fn acknowledge(&mut self) {
        let Some(attempt) = self.attempt.take() else {
            return;
        };
        let before = self.acknowledged.name();
        self.acknowledged.sequence = attempt.sequence;
        self.acknowledged.registers.merge(&attempt.counted);
        if attempt.sequence > 1
            && let Ok(key) = before.key(&self.subject)
            && let Err(error) = self.repo.inner.storage.delete(&key).await
        {
            tracing::debug!(%error, "an object of no more use is left to compaction");
        }
    }

    /// Finds which state of this replica the fold of a sealed era has taken, folding it if nobody has.
    async fn folded(&self, era: u64, position: Position) -> Result<u64> {
        let mut position = position;
        while position.through() < era {
            let committer = Committer::Replica(&self.repo);
            fold(&self.repo, &self.subject, &committer, &self.actor).await?;
            position = self.position().await?;
        }
        let replica = self.acknowledged.id.replica;
        if let Some(base) = position.base.as_ref().filter(|base| base.through == era) {
            return Ok(base.folded(replica));
        }
        // Folded so long ago that only history tells.
        let path = self.subject.ref_path()?;
        let mut history = self.repo.history(&path);
        while let Some(change) = history.try_next().await? {
            let base = Position::of(&path, change.value.as_ref())?.base;
            if let Some(base) = base.filter(|base: &BaseRef| base.through == era) {
                return Ok(base.folded(replica));
            }
        }
        Err(Error::corrupt(
            format!("ref {path}"),
            "an era of which no fold is in the log",
        ))
    }

    async fn position(&self) -> Result<Position> {
        position(&self.repo.view().await?, &self.subject.ref_path()?).await
    }
}
