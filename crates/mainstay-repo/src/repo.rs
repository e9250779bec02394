//! The handle: each verb lives in its own module.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use futures::FutureExt as _;
use futures::stream::BoxStream;
use mainstay_core::{Actor, Clock, Digest, Progress, RefPath, Result, Telling, Timestamp, WriteId};
use mainstay_store::Storage;
use tokio::sync::Mutex;
use tracing::field::Empty;
use tracing::{Span, instrument};

use crate::blobs::condemned::CondemnedSource;
use crate::blobs::{Blob, BlobStore, Ingest};
use crate::checkpoint::Background;
use crate::log::group::Turn;
use crate::log::read::READ_AHEAD;
use crate::log::{as_of, commit, read, walk};
use crate::metrics::Told;
use crate::verify::{RepoStats, VerifyLevel, VerifyReport};
use crate::view::{Base, Source};
use crate::{
    BlobExplanation, CheckpointExplanation, CollectOptions, CollectionPlan, CollectionReceipt,
    CollectionReport, CommitOutcome, Committed, Held, Hold, LogEntry, Position, RefChange,
    RefExplanation, ReplicateOptions, ReplicateReport, RepoOptions, Transaction, Tree, View,
    checkpoint, descriptor, gc, replicate,
};

/// A repository on a storage. Cheap to clone; clones share their caches.
///
/// Any number of handles, in any processes, may read and commit at once.
#[derive(Clone)]
pub struct Repo {
    pub(crate) inner: Arc<Inner>,
    progress: Option<Arc<dyn Progress>>,
}

pub(crate) struct Inner {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) source: Arc<Source>,
    pub(crate) options: RepoOptions,
    pub(crate) blobs: BlobStore,
    pub(crate) told: Told,
    /// What the commits of this handle and its clones share.
    pub(crate) turn: Mutex<Turn>,
    pub(crate) background: Background,
    head: RwLock<View>,
}

/// What the closure of [`Repo::transact`] decided on the view it was given.
#[derive(Debug)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a closure either changes something or not"
)]
pub enum Step<T> {
    /// Commit these changes on exactly this view, then return the value.
    Commit(Transaction, T),
    /// Nothing needs to change; return the value.
    Done(T),
}

impl Repo {
    /// Creates a repository, or opens the one that is there. Any number of callers may race.
    ///
    /// # Errors
    /// As [`open`](Self::open), but never
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound).
    #[instrument(skip_all, err(level = "debug"))]
    pub async fn create(storage: Arc<dyn Storage>, options: RepoOptions) -> Result<Self> {
        descriptor::create(&*storage, &options).await?;
        Self::open(storage, options).await
    }

    /// Opens a repository. Reads the newest checkpoint and the log entries after it.
    ///
    /// # Errors
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound) when there is none,
    /// [`Incompatible`](mainstay_core::ErrorKind::Incompatible) when a newer Mainstay wrote it,
    /// [`Corrupt`](mainstay_core::ErrorKind::Corrupt) naming the object that is damaged. A damaged
    /// checkpoint is no error: an older one and the log replace it, with a warning.
    #[instrument(skip_all, err(level = "debug"))]
    pub async fn open(storage: Arc<dyn Storage>, options: RepoOptions) -> Result<Self> {
        descriptor::check(&*storage).await?;
        let source = Arc::new(Source::new(Arc::clone(&storage)));
        let base = checkpoint::newest(&source).await?;
        let head = read::catch_up(&*storage, base, u64::MAX, READ_AHEAD).await?;
        let inner = Inner {
            told: Told::new(&options),
            blobs: BlobStore::told(
                Arc::clone(&storage),
                Told::new(&options),
                options.pack_limit(),
            ),
            storage,
            source,
            options,
            turn: Mutex::default(),
            background: Background::default(),
            head: RwLock::new(head),
        };
        Ok(Self {
            inner: Arc::new(inner),
            progress: None,
        })
    }

    /// Tells `progress` how far verification, collection and statistics of this handle have come; the
    /// other handles are not concerned.
    ///
    /// * [`verify`](Self::verify): how many `entries` of the log, `packs` and `blobs` have been checked,
    ///   and how many `bytes` of packs and blobs have been read.
    /// * [`plan_collection`](Self::plan_collection) and [`apply_collection`](Self::apply_collection):
    ///   how many `entries` of the kept history and `packs` have been gone through, how many `bytes` of
    ///   packs have been read, and how many `objects` have been deleted.
    /// * [`stats`](Self::stats): how many `objects` have been listed, `packs` gone through and `bytes`
    ///   of them read.
    ///
    /// Each call counts from 0. What is stored, read and replicated has a progress of its own:
    /// [`Ingest::with_progress`], [`Blob::with_progress`], [`ReplicateOptions::with_progress`].
    #[must_use]
    pub fn with_progress(mut self, progress: Arc<dyn Progress>) -> Self {
        self.progress = Some(progress);
        self
    }

    pub(crate) fn telling(&self) -> Telling {
        Telling::new(self.progress.clone())
    }

    /// Returns another handle that shares the blobs and tells the time of its commits by `clock`.
    pub(crate) fn with_clock(&self, clock: Arc<dyn Clock>) -> Self {
        let inner = Inner {
            told: self.inner.told.clone(),
            blobs: self.inner.blobs.clone(),
            storage: Arc::clone(&self.inner.storage),
            source: Arc::clone(&self.inner.source),
            options: self.inner.options.clone().with_clock(clock),
            turn: Mutex::default(),
            background: Background::default(),
            head: RwLock::new(self.inner.head()),
        };
        Self {
            inner: Arc::new(inner),
            progress: None,
        }
    }

    /// Returns the newest view, probing the storage for entries of other processes.
    ///
    /// Everything committed before the call is in it, whichever process committed it. Costs one
    /// request when nothing is new.
    #[instrument(skip_all, err(level = "debug"))]
    pub async fn view(&self) -> Result<View> {
        let view = self.inner.refresh().await?;
        checkpoint::followed(&self.inner, &view);
        Ok(view)
    }

    /// Runs a function of the newest view, loading what it needs; `f` may run several times.
    ///
    /// # Errors
    /// Those of [`view`](Self::view) and [`View::read`].
    #[instrument(skip_all, err(level = "debug"))]
    pub async fn read<T>(&self, f: impl FnMut(&View) -> Result<T> + Send) -> Result<T> {
        self.view().await?.read(f).await
    }

    /// Reads what names this repository among all: a copy of the storage has it, too, a replica has its
    /// own.
    ///
    /// # Errors
    /// [`Corrupt`](mainstay_core::ErrorKind::Corrupt) when the descriptor is damaged.
    pub async fn id(&self) -> Result<WriteId> {
        descriptor::id(&*self.inner.storage).await
    }

    /// Returns the time by the clock that the repository was opened with.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.inner.options.clock.now()
    }

    /// Returns the newest view this process knows, without I/O.
    #[must_use]
    pub fn cached_view(&self) -> View {
        self.inner.head()
    }

    /// Returns the view as of a log entry; 0 is before the first.
    ///
    /// # Errors
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound) when the log does not reach `seq`.
    #[instrument(skip(self), err(level = "debug"))]
    pub async fn view_at(&self, seq: u64) -> Result<View> {
        as_of::view_at(&self.inner, seq).await
    }

    /// Returns the view as of a time: after the last entry whose time is not later.
    ///
    /// Complexity: O(log n) requests to find the entry, then those of [`view_at`](Self::view_at).
    #[instrument(skip(self), err(level = "debug"))]
    pub async fn view_as_of(&self, time: Timestamp) -> Result<View> {
        as_of::view_as_of(&self.inner, time).await
    }

    /// Commits a transaction: all of its changes, in one log entry, or none.
    ///
    /// Concurrent commits of this handle and its clones share a log entry and its cost. Commits to
    /// other refs do not disturb it. A ref that does not meet its expectation on the
    /// newest view makes a [`CommitOutcome::Conflict`]. With an idempotency key, the same changes
    /// are committed once however often and wherever the call is repeated; the key never expires.
    ///
    /// A call that is dropped before it has its answer may have committed or not, as when an answer is
    /// lost. It disturbs no other call.
    ///
    /// # Errors
    /// * [`Invalid`](mainstay_core::ErrorKind::Invalid): the transaction changes nothing, names a ref
    ///   twice, names a blob that is not stored or has been collected, or exceeds a limit (100,000 changes, 16 MiB, reason
    ///   4,096 bytes, key 256 bytes).
    /// * [`AlreadyExists`](mainstay_core::ErrorKind::AlreadyExists): the idempotency key stands for
    ///   another request.
    /// * [`Conflict`](mainstay_core::ErrorKind::Conflict): other commits came first in every attempt;
    ///   or a collection has condemned a blob since it was stored: store it again.
    /// * [`Unavailable`](mainstay_core::ErrorKind::Unavailable) and
    ///   [ambiguous](mainstay_core::Error::is_ambiguous): it cannot be found out whether the commit
    ///   took effect. After every other error it did not.
    #[instrument(skip_all, err(level = "debug"))]
    pub async fn commit(&self, transaction: Transaction) -> Result<CommitOutcome> {
        let telling = self.inner.told.commit();
        let outcome = commit::commit(&self.inner, &transaction).await;
        telling.ended(transaction.changes.len(), &outcome);
        outcome
    }

    /// Builds a transaction on the newest view and commits it on exactly that view; builds anew when
    /// another commit came first. So everything the closure read still holds when it commits.
    ///
    /// The [`Committed`] is `None` when the closure said [`Step::Done`]. The closure may run several
    /// times. Concurrent calls on this handle and its clones share a log entry: the closure then sees
    /// the view as the transactions before its own leave it, whose number is that of the entry in the
    /// making. What it answers without committing always comes from a view that is committed whole.
    ///
    /// The closure must not wait for a commit of this handle or its clones: theirs wait for this one.
    /// A call that is dropped is as in [`commit`](Self::commit).
    ///
    /// # Errors
    /// Those of the closure and of [`commit`](Self::commit). An expectation that fails on the view
    /// the closure saw is a [`Conflict`](mainstay_core::ErrorKind::Conflict).
    #[instrument(skip_all, err(level = "debug"))]
    pub async fn transact<T: Send>(
        &self,
        build: impl FnMut(&View) -> Result<Step<T>> + Send,
    ) -> Result<(Option<Committed>, T)> {
        let telling = self.inner.told.commit();
        let outcome = commit::transact(&self.inner, build).await;
        telling.decided(&outcome);
        outcome
    }

    /// Walks a ref's changes, newest first; empty for a ref that never existed.
    ///
    /// Costs one read for each change, whatever the length of the log. Ends after an error.
    #[must_use]
    pub fn history(&self, path: &RefPath) -> BoxStream<'static, Result<RefChange>> {
        walk::history(Arc::clone(&self.inner), path.clone())
    }

    /// Reads the log behind a place, oldest first, up to the head: the change feed. Behind `0` lies all of
    /// it, behind the number of an entry what follows that entry. To read on later, keep the
    /// [position](LogEntry::position) of the last transaction that was dealt with. Ends after an error.
    #[must_use]
    pub fn entries(&self, after: impl Into<Position>) -> BoxStream<'static, Result<LogEntry>> {
        walk::forwards(Arc::clone(&self.inner), after.into())
    }

    /// Reads the log backwards from the head. Ends after an error.
    #[must_use]
    pub fn entries_back(&self) -> BoxStream<'static, Result<LogEntry>> {
        walk::backwards(Arc::clone(&self.inner))
    }

    /// Reads one entry of the log: what each of the transactions that share it says, in their order.
    ///
    /// One request. Whether the next entry confirms it is checked by [`entries`](Self::entries) only.
    ///
    /// # Errors
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound) when the log does not reach `seq`,
    /// [`Corrupt`](mainstay_core::ErrorKind::Corrupt) when the entry is missing or damaged.
    pub async fn entry(&self, seq: u64) -> Result<Vec<LogEntry>> {
        walk::one(&self.inner, seq).await
    }

    /// Begins to store blobs; they are durable and may be committed after [`Ingest::finish`].
    #[must_use]
    pub fn ingest(&self) -> Ingest {
        let inner = Arc::clone(&self.inner);
        let source = CondemnedSource::new(move || {
            let inner = Arc::clone(&inner);
            let ask = async move {
                let view = inner.refresh().await?;
                gc::condemned(&inner.blobs, &view).await
            };
            ask.boxed()
        });
        self.inner.blobs.ingest_beside(source)
    }

    /// Finds a blob by its SHA-256.
    #[instrument(skip(self), err(level = "debug"))]
    pub async fn blob(&self, digest: &Digest) -> Result<Option<Blob>> {
        self.inner.blobs.find(digest).await
    }

    /// Returns the tree with a root page, without I/O.
    #[must_use]
    pub fn tree(&self, root: &Digest) -> Tree {
        Tree::new(self.inner.blobs.clone(), *root)
    }

    /// Checks the repository and reports every fault found.
    #[instrument(skip(self), err(level = "debug"))]
    pub async fn verify(&self, level: VerifyLevel) -> Result<VerifyReport> {
        let telling = self.telling();
        crate::verify::check(&self.inner.storage, &self.inner.head(), level, telling).await
    }

    /// Plans a collection: what is of no use, what would be done about it, and why. Changes nothing.
    ///
    /// Reads the kept history, the index, and the packs with manifests. Memory: about 400 bytes for
    /// each record of each index object, and at most 6 for each chunk of each version that is looked at: less than
    /// one where it follows the same chunk as in another version, as most do that versions share.
    ///
    /// # Errors
    /// [`Corrupt`](mainstay_core::ErrorKind::Corrupt) when the index or the manifest of a blob that is
    /// needed is damaged: repair it first. [`Conflict`](mainstay_core::ErrorKind::Conflict) when another
    /// collection ran meanwhile: plan again.
    #[instrument(skip_all, err(level = "debug"))]
    pub async fn plan_collection(&self, options: &CollectOptions) -> Result<CollectionPlan> {
        let telling = self.telling();
        gc::plan(&self.inner, options, telling).boxed().await
    }

    /// Carries out of a plan what still holds, and records the run in the log.
    ///
    /// A pack is waited for by one run, condemned by a later one, and deleted by one after that. A
    /// crash at any point loses nothing, and the next run goes on from there; several may run at once.
    ///
    /// A run condemns at most 10,000 packs for their own sake and deletes as many; at most 50,000 wait. So what
    /// is dropped at once may take several runs, which need not be a grace apart.
    ///
    /// # Errors
    /// Those of [`plan_collection`](Self::plan_collection);
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) when the plan is of another repository;
    /// [`Conflict`](mainstay_core::ErrorKind::Conflict) when another collection ran meanwhile.
    #[instrument(
        skip_all,
        fields(
            condemned = Empty,
            deleted = Empty,
            condemned_checkpoints = Empty,
            deleted_checkpoints = Empty,
            freed_bytes = Empty,
            written_bytes = Empty
        ),
        err(level = "debug")
    )]
    pub async fn apply_collection(
        &self,
        plan: &CollectionPlan,
        actor: Actor,
        reason: impl Into<String> + Send,
    ) -> Result<CollectionReport> {
        let by = (actor, reason.into());
        let applying = gc::apply(&self.inner, plan, by, self.telling());
        let report = applying.boxed().await?;
        let span = Span::current();
        span.record("condemned", report.condemned);
        span.record("deleted", report.deleted.len());
        span.record("condemned_checkpoints", report.checkpoints.condemned);
        span.record("deleted_checkpoints", report.checkpoints.deleted);
        span.record("freed_bytes", report.freed_bytes);
        span.record("written_bytes", report.written_bytes);
        self.inner.told.collected(&report);
        Ok(report)
    }

    /// Walks what runs of collection have deleted, newest first. Ends after an error.
    ///
    /// Costs one read for each run.
    #[must_use]
    pub fn receipts(&self) -> BoxStream<'static, Result<CollectionReceipt>> {
        gc::receipts(Arc::clone(&self.inner))
    }

    /// Keeps what blobs and refs hold at this moment until the hold is
    /// [released](Self::release_hold), whatever becomes of the refs.
    ///
    /// `name` is names joined by `/`. The hold is a ref, `hold/<name>`, so it has a history, and
    /// replication takes it along. What the held things were made from is not held with them.
    ///
    /// # Errors
    /// * [`AlreadyExists`](mainstay_core::ErrorKind::AlreadyExists): there is a hold of this name.
    /// * [`NotFound`](mainstay_core::ErrorKind::NotFound): no ref of such a path, nor below it, has a
    ///   value.
    /// * [`Invalid`](mainstay_core::ErrorKind::Invalid): the name breaks the rule, nothing is to be held
    ///   or it has no bytes, or a blob is not stored or has been collected.
    ///
    /// Otherwise those of [`transact`](Self::transact).
    #[instrument(skip_all, err(level = "debug"))]
    pub async fn hold(
        &self,
        name: &str,
        of: impl IntoIterator<Item = Held> + Send,
        actor: Actor,
        reason: impl Into<String> + Send,
    ) -> Result<Hold> {
        let of = of.into_iter().collect();
        gc::hold(&self.inner, name, of, (actor, reason.into())).await
    }

    /// Ends a hold: what no other ref needs goes, once it has left the kept history.
    ///
    /// # Errors
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound) when there is no such hold; otherwise those of
    /// [`transact`](Self::transact).
    #[instrument(skip_all, err(level = "debug"))]
    pub async fn release_hold(
        &self,
        name: &str,
        actor: Actor,
        reason: impl Into<String> + Send,
    ) -> Result<()> {
        gc::release(&self.inner, name, (actor, reason.into())).await
    }

    /// Returns every hold there is, ordered by name. Costs one read for each.
    ///
    /// # Errors
    /// [`Incompatible`](mainstay_core::ErrorKind::Incompatible) when a newer Mainstay made one.
    #[instrument(skip_all, err(level = "debug"))]
    pub async fn holds(&self) -> Result<Vec<Hold>> {
        gc::holds(&self.inner).await
    }

    /// Explains why a blob is kept, or that it is not.
    #[instrument(skip_all, err(level = "debug"))]
    pub async fn explain_blob(
        &self,
        digest: &Digest,
        options: &CollectOptions,
    ) -> Result<BlobExplanation> {
        gc::explain_blob(&self.inner, digest, options).boxed().await
    }

    /// Explains why the checkpoint of a log entry is kept, or that it is not, and what it takes.
    ///
    /// Reads the roots of all checkpoints.
    #[instrument(skip(self, options), err(level = "debug"))]
    pub async fn explain_checkpoint(
        &self,
        seq: u64,
        options: &CollectOptions,
    ) -> Result<CheckpointExplanation> {
        let explaining = gc::explain_checkpoint(&self.inner, seq, options);
        explaining.boxed().await
    }

    /// Explains what the refs below a prefix take, or the one ref of that path, and what deleting them
    /// would free.
    #[instrument(skip(self), err(level = "debug"))]
    pub async fn explain_refs(&self, prefix: &str) -> Result<RefExplanation> {
        gc::explain_refs(&self.inner, prefix).boxed().await
    }

    /// Replicates refs with their history, and the blobs they name, into another repository: to back
    /// this one up, to restore one, to hand a model to another organization.
    ///
    /// Each transaction becomes one of the target, with its actor, reason and, as far as the target's
    /// log allows, its time; a ref has the same generations there. Another run goes on where the last
    /// one ended, also after a crash; chunks that the target holds are not read. See
    /// `docs/guides/backup.md`.
    ///
    /// # Errors
    /// * [`Invalid`](mainstay_core::ErrorKind::Invalid): both are one repository; a path or namespace
    ///   breaks a rule.
    /// * [`Conflict`](mainstay_core::ErrorKind::Conflict): a ref was changed in the target by others.
    /// * [`Incompatible`](mainstay_core::ErrorKind::Incompatible): this log is not the one that was
    ///   replicated before.
    /// * [`Corrupt`](mainstay_core::ErrorKind::Corrupt): a blob of a live ref is missing or damaged.
    ///
    /// What was committed before an error stays, in whole transactions.
    #[instrument(
        skip_all,
        fields(entries = Empty, bytes = Empty, written_bytes = Empty, write_requests = Empty),
        err(level = "debug")
    )]
    pub async fn replicate(
        &self,
        target: &Self,
        options: &ReplicateOptions,
        by: Actor,
    ) -> Result<ReplicateReport> {
        let replicating = replicate::replicate(self, target, options, by);
        let report = replicating.boxed().await?;
        let span = Span::current();
        span.record("entries", report.entries);
        span.record("bytes", report.read_bytes);
        span.record("written_bytes", report.written_bytes);
        span.record("write_requests", report.write_requests);
        self.inner.told.replicated(&report);
        Ok(report)
    }

    /// Waits until the checkpoints that are due have been written.
    ///
    /// They are written by tasks of the tokio runtime that the commits run on, and no commit waits for
    /// them. A process that ends without waiting loses nothing, but leaves the work to others. Never
    /// fails: a checkpoint that cannot be written is warned of, and the next one makes up for it.
    #[instrument(skip_all)]
    pub async fn settle(&self) {
        checkpoint::work(&self.inner).await;
    }

    /// Counts what is stored, and the requests that reading it takes.
    ///
    /// Lists the storage, and reads the index, the manifests of all blobs and the pages of live trees; no
    /// other content.
    ///
    /// # Errors
    /// [`Corrupt`](mainstay_core::ErrorKind::Corrupt) when any of these is damaged.
    #[instrument(skip_all, err(level = "debug"))]
    pub async fn stats(&self) -> Result<RepoStats> {
        crate::verify::stats(self).await
    }
}

impl fmt::Debug for Repo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repo")
            .field("storage", &self.inner.storage)
            .field("head", &self.inner.head())
            .finish_non_exhaustive()
    }
}

impl Inner {
    /// The newest view this process knows.
    pub(crate) fn head(&self) -> View {
        self.head
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Brings the head up to date and returns it.
    pub(crate) async fn refresh(&self) -> Result<View> {
        let view = read::catch_up(&*self.storage, self.head(), u64::MAX, 1).await?;
        self.learn(view.clone());
        Ok(view)
    }

    /// Takes note of a view, unless a newer one is known.
    pub(crate) fn learn(&self, view: View) {
        let mut head = self.head.write().unwrap_or_else(PoisonError::into_inner);
        if view.seq > head.seq {
            // It may have been begun before the head was rebased.
            *head = if view.base.seq < head.base.seq {
                view.rebased(&head.base)
            } else {
                view
            };
        }
    }

    /// Lets the head begin from a newer checkpoint.
    pub(crate) fn rebase(&self, base: &Arc<Base>) {
        /// How often others may come first, so that they seldom have to wait.
        const TRIES: u32 = 4;
        for _ in 0..TRIES {
            let before = self.head();
            if before.base.seq >= base.seq || before.seq < base.seq {
                return;
            }
            let rebased = before.rebased(base);
            let mut head = self.head.write().unwrap_or_else(PoisonError::into_inner);
            if (head.seq, head.base.seq) == (before.seq, before.base.seq) {
                *head = rebased;
                return;
            }
        }
        let mut head = self.head.write().unwrap_or_else(PoisonError::into_inner);
        if head.base.seq < base.seq && head.seq >= base.seq {
            *head = head.rebased(base);
        }
    }
}
