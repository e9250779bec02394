//! Checkpoints beside the commits: no commit waits for one.

use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt as _;
use mainstay_core::Result;
use tokio::runtime::Handle;
use tracing::{Instrument as _, Span, debug, info_span, warn};

use super::find::last_number_at_most;
use super::load::{self, is_damage};
use super::swept::Swept;
use super::write::write;
use crate::View;
use crate::log::read::{self, READ_AHEAD};
use crate::repo::Inner;
use crate::view::Base;

/// The checkpoints of one handle and its clones, written one at a time.
#[derive(Debug, Default)]
pub(crate) struct Background {
    next: Mutex<Next>,
    /// Held by the task at work.
    working: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Next {
    due: Option<Due>,
    /// The entry up to which something was tried.
    tried: u64,
}

#[derive(Debug, Clone)]
struct Due {
    view: View,
    /// Whether a checkpoint may be written, or only those of other processes be looked for.
    writes: bool,
}

impl Background {
    /// Takes note of a view; returns whether there is something to do about it.
    fn note(&self, view: &View, every: u64, writes: bool) -> bool {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let since = next.tried.max(view.base.seq);
        // Others write theirs, but may have died before they did.
        let is_long = view.seq.saturating_sub(since) >= every.saturating_mul(2);
        if !(is_long || writes && view.seq.is_multiple_of(every)) {
            return false;
        }
        next.tried = view.seq;
        if !writes && next.due.is_some() {
            return false;
        }
        next.due = Some(Due {
            view: view.clone(),
            writes,
        });
        true
    }

    fn due(&self) -> Option<Due> {
        let next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        next.due.clone()
    }

    fn done(&self, view: &View) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        next.due.take_if(|due| due.view.seq == view.seq);
    }
}

/// Takes note of a view that this process committed: writes the checkpoint that is due.
pub(crate) fn committed(inner: &Arc<Inner>, view: &View) {
    start(inner, view, true);
}

/// Takes note of a view that was read: begins from a newer checkpoint if it has become long.
pub(crate) fn followed(inner: &Arc<Inner>, view: &View) {
    start(inner, view, false);
}

fn start(inner: &Arc<Inner>, view: &View, writes: bool) {
    let every = inner.options.checkpoint_every;
    // Without a runtime it waits for `settle`.
    if inner.background.note(view, every, writes)
        && let Ok(runtime) = Handle::try_current()
    {
        let inner = Arc::clone(inner);
        // No part of the commit that it follows, which does not wait for it.
        let span = info_span!(parent: None, "checkpoint");
        span.follows_from(Span::current());
        drop(runtime.spawn(async move { work(&inner).await }.instrument(span)));
    }
}

/// Does what is due, after what is being done. Never fails: the commits stand, and the next
/// checkpoint makes up for this one.
pub(crate) async fn work(inner: &Inner) {
    let _working = inner.background.working.lock().await;
    while let Some(due) = inner.background.due() {
        // Boxed, as it is large and seldom.
        match catch_up(inner, &due).boxed().await {
            Ok(()) => debug!(seq = due.view.seq, "checkpoint written"),
            Err(error) => warn!(seq = due.view.seq, %error, "checkpoint not written"),
        }
        inner.background.done(&due.view);
    }
}

/// Lets views begin from the checkpoint of another process if there is a newer one, and writes the one
/// that is due upon it.
async fn catch_up(inner: &Inner, due: &Due) -> Result<()> {
    let mut view = due.view.clone();
    // Written since the view was made.
    let own = inner.head().base;
    if (view.base.seq + 1..=view.seq).contains(&own.seq) {
        view = view.rebased(&own);
    }
    let newest = last_number_at_most(&*inner.storage, view.seq).await?;
    if let Some(seq) = newest.filter(|seq| *seq > view.base.seq)
        && let Some(base) = root(inner, seq).await?
    {
        let base = Arc::new(base);
        inner.rebase(&base);
        view = view.rebased(&base);
    }
    let every = inner.options.checkpoint_every;
    let since = view.seq - view.base.seq;
    if !due.writes || since == 0 || since < every && !view.seq.is_multiple_of(every) {
        return Ok(());
    }
    // The shards of a condemned one may be deleted, so none is made upon it.
    let swept = Swept::read(&view).await?;
    if swept.condemns(view.base.seq) {
        view = folded_again(inner, &view, &swept).await?;
    }
    if let Some(base) = write(&inner.source, &view).await? {
        inner.rebase(&Arc::new(base));
    }
    Ok(())
}

/// Makes a view again upon the newest checkpoint that stays.
async fn folded_again(inner: &Inner, view: &View, swept: &Swept) -> Result<View> {
    let storage = &*inner.storage;
    let newest = last_number_at_most(storage, view.seq).await?;
    let newest = newest.filter(|newest| !swept.condemns(*newest));
    let mut begun = View::empty();
    for seq in newest.into_iter().chain(swept.kept.iter().rev().copied()) {
        if let Some(base) = root(inner, seq).await? {
            begun = View::of(base);
            break;
        }
    }
    read::catch_up(storage, begun, view.seq, READ_AHEAD).await
}

/// Reads the root of a checkpoint; `None` when it is damaged.
async fn root(inner: &Inner, seq: u64) -> Result<Option<Base>> {
    let storage = &*inner.storage;
    let root = match load::root(storage, seq).await {
        Ok(root) => root,
        Err(error) if is_damage(&error) => {
            warn!(checkpoint = seq, %error, "checkpoint passed over");
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    load::check_anchor(storage, &root).await?;
    Base::new(root, &inner.source).map(Some)
}
