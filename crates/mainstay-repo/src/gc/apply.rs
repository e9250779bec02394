//! Carrying a plan out.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::TryStreamExt as _;
use mainstay_core::{Actor, Digest, Error, ErrorKind, RefPath, Result, Telling};

use super::announced;
use super::delete::delete;
use super::plan::{Allowed, CollectionPlan, Survey, Waiting};
use super::pointers;
use super::repack::Repack;
use super::state::{self, Collected, FORMAT, RunRecord};
use super::sweep::SweptCheckpoints;
use crate::blobs::pack::PackId;
use crate::log::plan::beside;
use crate::log::{commit, read, walk};
use crate::repo::{Inner, Step};
use crate::{Expectation, Transaction, Value, View, tree};

/// How often a run looks at what others committed meanwhile before it gives up.
const ATTEMPTS: u32 = 64;

/// What a run of collection did.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
#[non_exhaustive]
pub struct CollectionReport {
    /// The log entry of the run; `None` when there was nothing to say.
    pub seq: Option<u64>,
    /// How many packs wait.
    pub waiting: u64,
    /// How many packs were condemned.
    pub condemned: u64,
    /// The keys of the packs and index objects deleted: the run's receipt, which the log keeps. What a run
    /// deleted that was cut off is in that of the next.
    pub deleted: Vec<String>,
    /// What was done about checkpoints.
    pub checkpoints: SweptCheckpoints,
    /// The bytes of all that this run deleted.
    pub freed_bytes: u64,
    /// Bytes written again, index objects included.
    pub written_bytes: u64,
}

/// Carries out of `plan` what still holds.
pub(crate) async fn apply(
    inner: &Arc<Inner>,
    plan: &CollectionPlan,
    by: (Actor, String),
    telling: Telling,
) -> Result<CollectionReport> {
    check_log(inner, plan).await?;
    let survey = Survey::of(inner, &plan.options, Some(&Allowed::by(plan)), telling).await?;
    let generation = survey.collected.generation;
    let applied = run(inner, survey, by).await;
    unless_overtaken(inner, generation, applied).await
}

async fn run(
    inner: &Arc<Inner>,
    mut survey: Survey,
    (actor, reason): (Actor, String),
) -> Result<CollectionReport> {
    let mut report = CollectionReport {
        waiting: survey.waiting.len() as u64,
        checkpoints: survey.sweep.begin_report(),
        ..CollectionReport::default()
    };
    repack(inner, &survey, &mut report).await?;
    let deleted = delete(inner, &survey, (&actor, &reason), &mut report).await?;
    record(inner, &mut survey, deleted, (actor, reason), &mut report).await?;
    if report.seq.is_some() {
        let told = (&mut report.checkpoints, &survey.telling);
        survey.sweep.delete(&*inner.storage, told).await?;
        report.freed_bytes += report.checkpoints.freed_bytes;
    }
    Ok(report)
}

/// Takes for no damage what is missing because another run has deleted it.
pub(super) async fn unless_overtaken<T>(
    inner: &Inner,
    generation: u64,
    outcome: Result<T>,
) -> Result<T> {
    match outcome {
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            let view = inner.refresh().await?;
            if Collected::read(&view).await?.generation == generation {
                Err(error)
            } else {
                Err(overtaken().with_source(error))
            }
        }
        outcome => outcome,
    }
}

pub(super) fn overtaken() -> Error {
    Error::new(ErrorKind::Conflict, "another collection ran meanwhile")
}

/// Refuses a plan of another repository, or of another past of this one.
async fn check_log(inner: &Inner, plan: &CollectionPlan) -> Result<()> {
    let same = match plan.entry {
        None => plan.head == 0,
        Some(entry) => {
            let stored = read::read(&*inner.storage, plan.head).await?;
            stored.is_some_and(|stored| stored.digest == entry)
        }
    };
    if same {
        Ok(())
    } else {
        Err(Error::invalid("the plan was made for another repository").context("head", plan.head))
    }
}

/// Writes again what is needed of packs that go, and an index of what stays.
async fn repack(inner: &Inner, survey: &Survey, report: &mut CollectionReport) -> Result<()> {
    let storage = &*inner.storage;
    let goes = |pack: &PackId| survey.condemn.contains_key(pack) || survey.rescue.contains(pack);
    let condemned = state::condemned(&inner.blobs, &survey.view).await?;
    let mut repack = Repack::new(storage, &condemned, inner.options.pack_limit());
    repack
        .records(&survey.used_of(goes), &survey.telling)
        .await?;
    let (mut contents, written) = repack.finish().await?;
    let is_condemned = |pack: PackId| goes(&pack) || survey.collected.is_condemned(pack);
    let stale = pointers::naming(&survey.catalog, is_condemned);
    let rest = pointers::said_nowhere_else(
        &survey.catalog,
        &stale,
        |_| true,
        |pack| !is_condemned(pack) && survey.catalog.is_stored(pack),
    );
    if !survey.condemn.is_empty() {
        contents.extend(rest);
    }
    report.written_bytes += written + pointers::write(storage, contents).await?.bytes;
    Ok(())
}

/// Commits what the run comes to, on exactly the view it was found on.
async fn record(
    inner: &Arc<Inner>,
    survey: &mut Survey,
    deleted: BTreeSet<PackId>,
    (actor, reason): (Actor, String),
    report: &mut CollectionReport,
) -> Result<()> {
    for _ in 0..ATTEMPTS {
        if survey.sweep.is_due() {
            survey.sweep.admit_newer(&*inner.storage).await?;
        }
        let Some(mut transaction) = transaction(survey, &deleted, (&actor, &reason), report)?
        else {
            return Ok(());
        };
        if let Some((path, value)) = announced_left(&survey.view, &report.deleted).await? {
            transaction.set(path, value, Expectation::Any);
        }
        let seen = survey.view.seq;
        let committing = commit::transact(inner, |view| {
            Ok(if view.seq == seen {
                Step::Commit(transaction.clone(), None)
            } else {
                Step::Done(Some(view.clone()))
            })
        });
        match committing.await? {
            (Some(committed), _) => {
                report.seq = Some(committed.seq);
                report.condemned = survey.condemn.len() as u64;
                return Ok(());
            }
            (None, Some(newer)) => meanwhile(inner, survey, newer).await?,
            (None, None) => {}
        }
    }
    Err(Error::new(
        ErrorKind::Conflict,
        "others committed all the while; collect again",
    ))
}

/// What the log is to say of announced index objects once a receipt names what is `deleted`; `None` when
/// it says so.
async fn announced_left(view: &View, deleted: &[String]) -> Result<Option<(RefPath, Value)>> {
    let mut left = view.read(announced::read).await?;
    let before = left.len();
    for key in deleted {
        left.remove(key);
    }
    if left.len() == before {
        return Ok(None);
    }
    Ok(Some((announced::path()?, announced::value(left)?)))
}

/// Takes in what was committed since the survey. When that needs a pack that would be condemned, none
/// is: which others could go without it has been decided together.
async fn meanwhile(inner: &Arc<Inner>, survey: &mut Survey, newer: View) -> Result<()> {
    if Collected::read(&newer).await?.generation != survey.collected.generation {
        return Err(overtaken());
    }
    let mut blobs: BTreeSet<Digest> = BTreeSet::new();
    let mut entries = walk::forwards(Arc::clone(inner), survey.view.seq.into());
    while let Some(entry) = entries.try_next().await? {
        for change in &entry.changes {
            let Some(value) = &change.value else {
                continue;
            };
            blobs.extend(&value.blobs);
            for root in &value.trees {
                // What both hold was taken as needed.
                let view = &survey.view;
                let beside = view.read(|view| beside(view, &change.path)).await?;
                let beside = beside.map(|beside| (&inner.blobs, beside));
                let held = tree::novel(beside, (&inner.blobs, *root)).await?;
                blobs.extend(held.whole()?);
            }
        }
    }
    let condemned = state::condemned(&inner.blobs, &survey.view).await?;
    for digest in blobs {
        let parts = inner.blobs.records_of(&digest, &condemned).await?;
        let touched = parts.iter().any(|id| {
            let mut holders = survey.catalog.holders(id);
            holders.any(|pack| survey.condemn.contains_key(&pack))
        });
        if touched {
            for (pack, because) in std::mem::take(&mut survey.condemn) {
                let since = survey.collected.run.waiting_since(pack);
                let waiting = Waiting::new(since.unwrap_or(newer.time), because);
                survey.waiting.insert(pack, waiting);
            }
            break;
        }
    }
    survey.view = newer;
    Ok(())
}

/// What the log is to say of the run; `None` when that is nothing new.
fn transaction(
    survey: &Survey,
    deleted: &BTreeSet<PackId>,
    (actor, reason): (&Actor, &str),
    report: &CollectionReport,
) -> Result<Option<Transaction>> {
    let waiting = survey.waiting.iter();
    let record = RunRecord {
        format: FORMAT,
        waiting: waiting
            .map(|(pack, waiting)| (state::hex(*pack), waiting.since))
            .collect(),
        deleted: report.deleted.clone(),
    };
    let gone = deleted
        .iter()
        .filter(|pack| survey.collected.condemned.contains_key(pack));
    let nothing_new = survey.condemn.is_empty()
        && report.deleted.is_empty()
        && gone.clone().next().is_none()
        && !survey.sweep.is_due()
        && record.waiting == survey.collected.run.waiting;
    if nothing_new {
        return Ok(None);
    }
    let mut transaction = Transaction::new(actor.clone(), reason);
    for (pack, because) in &survey.condemn {
        let bytes = survey.catalog.packs.get(pack).and_then(|pack| pack.stored);
        let value = state::pack_value(bytes.unwrap_or(0), because)?;
        transaction.set(state::pack_path(*pack)?, value, Expectation::Any);
    }
    for pack in gone {
        transaction.delete(state::pack_path(*pack)?, Expectation::Any);
    }
    if let Some((path, value)) = survey.sweep.change()? {
        transaction.set(path, value, Expectation::Any);
    }
    transaction.set(
        state::run_path()?,
        state::run_value(&record)?,
        Expectation::Any,
    );
    Ok(Some(transaction))
}
