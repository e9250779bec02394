//! Projections: what is made of many refs, kept from view to view.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use mainstay_core::{Digest, Error, RefPath, Result};

use super::View;
use super::scan::scope;
use crate::RefState;

/// How many projections are kept; the one not asked for the longest gives way.
const MAX_KEPT: usize = 1_024;

/// Something made of all refs below a prefix, brought up to date by those that change: an index.
///
/// It is a function of the states of those refs: whichever order they are noted in, and however often
/// the same one is, the outcome is the same. Cloning should be cheap, as of a persistent map.
///
/// ```
/// # use std::sync::Arc;
/// # use mainstay_core::{Actor, RefPath, Result};
/// # use mainstay_repo::{Expectation, Projection, RefState, Repo, RepoOptions, Transaction, Value};
/// # use mainstay_store::MemoryStorage;
/// use std::collections::BTreeSet;
///
/// /// The refs that hold a value.
/// #[derive(Debug, Clone, Default)]
/// struct Live(BTreeSet<RefPath>);
///
/// impl Projection for Live {
///     fn note(&mut self, path: &RefPath, state: &RefState) -> Result<()> {
///         match &state.value {
///             Some(_) => self.0.insert(path.clone()),
///             None => self.0.remove(path),
///         };
///         Ok(())
///     }
/// }
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// # let repo = Repo::create(Arc::new(MemoryStorage::new()), RepoOptions::default()).await?;
///
/// let live = async || repo.read(|view| Ok(view.project::<Live>("note")?.0.len())).await;
/// assert_eq!(live().await?, 0);
/// let mut transaction = Transaction::new(Actor::new("ada")?, "a note");
/// transaction.set("note/one".parse()?, Value::new("note", &1)?, Expectation::Absent);
/// repo.commit(transaction).await?;
/// assert_eq!(live().await?, 1);
/// # Ok::<(), mainstay_core::Error>(()) }).unwrap();
/// ```
pub trait Projection: Clone + Default + Send + Sync + 'static {
    /// Takes note of a ref as it is now: of each at first, later of those that changed, tombstones
    /// included.
    ///
    /// # Errors
    /// When the ref holds what it must not; [`View::project`] passes it on and keeps nothing.
    fn note(&mut self, path: &RefPath, state: &RefState) -> Result<()>;
}

/// What is kept for the views of one repository.
#[derive(Default)]
pub(super) struct Projections(Mutex<Shelf>);

#[derive(Default)]
struct Shelf {
    kept: BTreeMap<TypeId, BTreeMap<String, Kept>>,
    count: usize,
    /// Counts what is asked for.
    clock: u64,
}

/// A projection of one entry.
#[derive(Clone)]
struct Kept {
    seq: u64,
    entry: Digest,
    made: Arc<dyn Any + Send + Sync>,
    asked: u64,
}

impl View {
    /// Returns a projection of the refs below `prefix`; `""` means all, as for [`below`](Self::below).
    ///
    /// Complexity: O(1) when this view or one of the same entry was asked before; O(the refs that
    /// changed) when one of an earlier entry was, about two checkpoints back at most; else linear in
    /// the refs below `prefix`.
    ///
    /// # Errors
    /// Those of [`below`](Self::below) and of [`Projection::note`].
    pub fn project<P: Projection>(&self, prefix: &str) -> Result<Arc<P>> {
        let kept = self.projections.get::<P>(prefix);
        let made = match kept {
            Some((kept, made)) if Some(kept.entry) == self.entry => return Ok(made),
            // What an entry in the making changes is forgotten if it loses its race.
            Some((kept, made)) if (self.since..self.seq).contains(&kept.seq) => {
                self.project_on(prefix, kept.seq, made)?
            }
            _ => {
                let mut projection = P::default();
                for (path, state) in self.states_below(prefix)? {
                    projection.note(path, state)?;
                }
                Arc::new(projection)
            }
        };
        if let Some(entry) = self.entry {
            self.projections.keep(prefix, self.seq, entry, &made);
        }
        Ok(made)
    }

    /// Brings a projection of an earlier entry up to date.
    fn project_on<P: Projection>(
        &self,
        prefix: &str,
        seq: u64,
        mut made: Arc<P>,
    ) -> Result<Arc<P>> {
        let Some(scope) = scope(prefix) else {
            return Ok(made);
        };
        let changed = self.changes.iter().take_while(|(at, _)| *at > seq);
        let changed = changed.filter(|(_, path)| scope.holds(path));
        let mut missed = None;
        for (_, path) in changed {
            match self.state(path) {
                Ok(Some(state)) => Arc::make_mut(&mut made).note(path, state)?,
                Ok(None) => return Err(Error::corrupt(path, "changed, and is not there")),
                // The others are asked for too, so that all are loaded at once.
                Err(miss) => missed = Some(miss),
            }
        }
        missed.map_or(Ok(made), Err)
    }
}

impl Projections {
    fn get<P: Projection>(&self, prefix: &str) -> Option<(Kept, Arc<P>)> {
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.clock += 1;
        let clock = shelf.clock;
        let kept = shelf.kept.get_mut(&TypeId::of::<P>())?.get_mut(prefix)?;
        kept.asked = clock;
        let made = Arc::clone(&kept.made).downcast().ok()?;
        Some((kept.clone(), made))
    }

    fn keep<P: Projection>(&self, prefix: &str, seq: u64, entry: Digest, made: &Arc<P>) {
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let made = Arc::clone(made) as _;
        let kept = Kept {
            seq,
            entry,
            made,
            asked: shelf.clock,
        };
        let of_type = shelf.kept.entry(TypeId::of::<P>()).or_default();
        match of_type.get_mut(prefix) {
            // Someone who looks at an earlier view.
            Some(newer) if newer.seq >= seq => {}
            Some(older) => *older = kept,
            None => {
                of_type.insert(prefix.to_owned(), kept);
                shelf.count += 1;
                shelf.make_room();
            }
        }
    }
}

impl Shelf {
    fn make_room(&mut self) {
        if self.count <= MAX_KEPT {
            return;
        }
        let all = self.kept.values().flat_map(BTreeMap::values);
        let Some(oldest) = all.map(|kept| kept.asked).min() else {
            return;
        };
        for of_type in self.kept.values_mut() {
            of_type.retain(|_, kept| kept.asked > oldest);
        }
        self.count = self.kept.values().map(BTreeMap::len).sum();
    }
}

#[cfg(test)]
mod tests;
