//! The checkpoint a view begins from, read part by part.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use mainstay_core::{Digest, Result, Timestamp};
use mainstay_store::Storage;
use tokio::sync::OnceCell;
use tracing::{debug, warn};

use super::View;
use super::read::Miss;
use super::shard::Shard;
use super::shards::{Covered, Layer};
use crate::checkpoint::item::{Held, Keys, Refs};
use crate::checkpoint::link::Links;
use crate::checkpoint::root::{Anchor, Root, Slice};
use crate::checkpoint::{load, rebuild};

/// A checkpoint whose shards load on demand, or the state before the first entry.
pub(crate) struct Base {
    pub(crate) seq: u64,
    pub(crate) time: Timestamp,
    /// The digest of the entry; `None` before the first.
    pub(crate) entry: Option<Digest>,
    pub(crate) refs: Layer<Refs>,
    pub(crate) keys: Layer<Keys>,
    pub(crate) links: Layer<Links>,
    /// Where the shards come from; without one there are no shards.
    source: Option<Arc<Source>>,
    /// What the checkpoint holds, made without it when a shard was not there; `None` if it cannot be.
    again: OnceCell<Option<View>>,
}

impl Base {
    pub(super) fn empty() -> Self {
        Self {
            seq: 0,
            // Before every time a clock can tell, so that the first entry may have any.
            time: Timestamp::from_unix_micros(i64::MIN),
            entry: None,
            refs: Layer::empty(),
            keys: Layer::empty(),
            links: Layer::empty(),
            source: None,
            again: OnceCell::new(),
        }
    }

    /// Begins from a root; takes over the shards that are in memory.
    pub(crate) fn new(root: Root, source: &Arc<Source>) -> Result<Self> {
        let anchor = root.anchor();
        let (refs, keys) = (Layer::new(root.refs)?, Layer::new(root.keys)?);
        let links = root.links.unwrap_or_else(|| vec![Slice::unwritten()]);
        let links = Layer::new(links)?;
        take_over(&refs, &source.refs, &anchor);
        take_over(&keys, &source.keys, &anchor);
        take_over(&links, &source.links, &anchor);
        Ok(Self {
            seq: anchor.seq,
            time: anchor.time,
            entry: Some(anchor.entry),
            refs,
            keys,
            links,
            source: Some(Arc::clone(source)),
            again: OnceCell::new(),
        })
    }

    /// Begins from a checkpoint that was just written.
    pub(crate) fn of_layers(
        anchor: Anchor,
        (refs, keys, links): (Layer<Refs>, Layer<Keys>, Layer<Links>),
        source: &Arc<Source>,
    ) -> Self {
        note_all(&refs, &source.refs);
        note_all(&keys, &source.keys);
        note_all(&links, &source.links);
        Self {
            seq: anchor.seq,
            time: anchor.time,
            entry: Some(anchor.entry),
            refs,
            keys,
            links,
            source: Some(Arc::clone(source)),
            again: OnceCell::new(),
        }
    }

    /// Brings a shard into memory, unless it is.
    ///
    /// A shard that is damaged is made again from the log, with a warning.
    pub(crate) fn load(&self, miss: Miss) -> BoxFuture<'_, Result<()>> {
        match miss {
            Miss::Ref(at) => self
                .load_slot(&self.refs, at, |source| &source.refs)
                .boxed(),
            Miss::Key(at) => self
                .load_slot(&self.keys, at, |source| &source.keys)
                .boxed(),
            Miss::Link(at) => self
                .load_slot(&self.links, at, |source| &source.links)
                .boxed(),
        }
    }

    async fn load_slot<T: Held>(
        &self,
        layer: &Layer<T>,
        at: usize,
        known: fn(&Source) -> &Known<T>,
    ) -> Result<()> {
        let (Some(source), Some(anchor), Some((slice, cell))) =
            (&self.source, self.anchor(), layer.cell(at))
        else {
            return Ok(());
        };
        let known = known(source);
        let init = async || {
            if let Some(shard) = known.find(slice)
                && layer.check(at, &shard, &anchor).is_ok()
            {
                return Ok(shard);
            }
            let storage = &*source.storage;
            let again = async || {
                let making = self.make_again(source, slice, layer.range(at)).boxed();
                Ok(Arc::new(Shard::rebuilt(making.await?)))
            };
            if slice.is_unwritten() {
                debug!(checkpoint = anchor.seq, "a layer is made from the log");
                return again().await;
            }
            let loaded = load::shard::<T>(storage, &anchor, slice).await;
            let loaded = loaded.map(Shard::new).and_then(|shard| {
                layer.check(at, &shard, &anchor)?;
                Ok(shard)
            });
            match loaded {
                Ok(shard) => {
                    let shard = Arc::new(shard);
                    known.note(slice, &shard);
                    Ok(shard)
                }
                Err(error) if load::is_damage(&error) => {
                    warn!(checkpoint = anchor.seq, %error, "shard made again from the log");
                    again().await
                }
                Err(error) => Err(error),
            }
        };
        cell.get_or_try_init(init).await.map(drop)
    }

    /// Makes the items of a shard again from an older checkpoint and the log.
    async fn make_again<T: Held>(
        &self,
        source: &Arc<Source>,
        slice: &Slice,
        covered: Covered<T>,
    ) -> Result<Vec<(T::Key, T::State)>> {
        let storage = &*source.storage;
        let Some(anchor) = self.anchor() else {
            return Ok(Vec::new());
        };
        if !slice.is_unwritten() {
            let make = || rebuild::view(source, &anchor);
            let view = self.again.get_or_try_init(make).await?;
            if let Some(view) = view
                && let Some(items) = rebuild::items_in(storage, view, &covered).await?
            {
                return Ok(items);
            }
        }
        rebuild::items(storage, &anchor, &covered).await
    }

    pub(crate) fn anchor(&self) -> Option<Anchor> {
        self.entry.map(|entry| Anchor {
            seq: self.seq,
            entry,
            time: self.time,
        })
    }
}

fn take_over<T: Held>(layer: &Layer<T>, known: &Known<T>, anchor: &Anchor) {
    for at in 0..layer.slots().len() {
        if let Some((slice, cell)) = layer.cell(at)
            && let Some(shard) = known.find(slice)
            && layer.check(at, &shard, anchor).is_ok()
        {
            // A cell that is set already has the same.
            drop(cell.set(shard));
        }
    }
}

fn note_all<T: Held>(layer: &Layer<T>, known: &Known<T>) {
    for slot in layer.slots() {
        if let Some(shard) = slot.shard() {
            known.note(&slot.slice, shard);
        }
    }
}

/// Counts instead of contents.
impl fmt::Debug for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Base")
            .field("seq", &self.seq)
            .field(
                "shards",
                &(self.refs.slots().len() + self.keys.slots().len() + self.links.slots().len()),
            )
            .field(
                "loaded",
                &(self.refs.loaded() + self.keys.loaded() + self.links.loaded()),
            )
            .finish_non_exhaustive()
    }
}

/// Where shards come from: the storage, or memory if any view of the handle holds them.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) storage: Arc<dyn Storage>,
    refs: Known<Refs>,
    keys: Known<Keys>,
    links: Known<Links>,
}

impl Source {
    pub(crate) fn new(storage: Arc<dyn Storage>) -> Self {
        Self {
            storage,
            refs: Known::default(),
            keys: Known::default(),
            links: Known::default(),
        }
    }
}

/// The shards in memory, by digest.
#[derive(Debug)]
struct Known<T: Held>(Mutex<Table<T>>);

type Table<T> = BTreeMap<Digest, Weak<Shard<T>>>;

impl<T: Held> Default for Known<T> {
    fn default() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }
}

impl<T: Held> Known<T> {
    fn find(&self, slice: &Slice) -> Option<Arc<Shard<T>>> {
        let table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.get(&slice.digest)?.upgrade()
    }

    fn note(&self, slice: &Slice, shard: &Arc<Shard<T>>) {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if table.insert(slice.digest, Arc::downgrade(shard)).is_none()
            && table.len().is_power_of_two()
        {
            table.retain(|_, shard| shard.strong_count() > 0);
        }
    }
}
