//! Reading a subject: what all of its replicas have counted.

use std::collections::BTreeMap;
use std::fmt;

use futures::TryStreamExt as _;
use mainstay_core::Result;
use serde::ser::{Error as _, SerializeMap as _};
use serde::{Serialize, Serializer};
use tracing::instrument;

use super::TallyName;
use super::fixed::{FixedSum, Scale};
use super::gather::gather;
use super::object::{self, DIRECTORY};
use super::registers::{Register, RegisterId, RegisterKind, Registers};
use super::sketch::{Accuracy, Sketch};
use crate::{Repo, keys};

impl Repo {
    /// Reads what all replicas of a subject have counted: all that was acknowledged before the call,
    /// and nothing twice.
    ///
    /// Costs a listing and one read for each replica since the last
    /// [compaction](Self::compact_tally); 16 reads run at once. A subject nobody counted for is
    /// empty.
    ///
    /// # Errors
    /// [`Corrupt`](mainstay_core::ErrorKind::Corrupt) naming the object that is damaged, and
    /// [`Incompatible`](mainstay_core::ErrorKind::Incompatible) when a newer Mainstay wrote it: sums
    /// that leave something out are never returned.
    /// [`Unavailable`](mainstay_core::ErrorKind::Unavailable) also when replicas flush so fast that
    /// they cannot be read between.
    #[instrument(skip(self), err(level = "debug"))]
    pub async fn read_tally(&self, subject: &TallyName) -> Result<Totals> {
        let gathered = gather(self, subject, u64::MAX).await?;
        Ok(Totals(gathered.total()))
    }

    /// Lists the subjects anybody has counted for, in order.
    ///
    /// Costs a listing of all tallies and one read for each subject.
    ///
    /// # Errors
    /// As [`read_tally`](Self::read_tally).
    #[instrument(skip(self), err(level = "debug"))]
    pub async fn tally_subjects(&self) -> Result<Vec<TallyName>> {
        let storage = &*self.inner.storage;
        let mut listed = storage.list(&keys::below(DIRECTORY), None);
        let mut subjects = BTreeMap::new();
        while let Some(found) = listed.try_next().await? {
            let mut segments = found.key.as_str().split('/').skip(1);
            let Some(segment) = segments.next() else {
                continue;
            };
            if subjects.contains_key(segment) || object::ObjectName::parse(&found.key).is_none() {
                continue;
            }
            // Gone meanwhile: another of the same subject follows it.
            if let Some((subject, _)) = object::read(storage, &found.key).await? {
                subjects.insert(segment.to_owned(), subject);
            }
        }
        let mut subjects: Vec<_> = subjects.into_values().collect();
        subjects.sort();
        Ok(subjects)
    }
}

/// What all replicas of a subject have counted.
///
/// The same states of the same replicas give the same totals, and these the same canonical JSON, in
/// whatever order and however often they were merged.
#[derive(Clone, PartialEq, Default)]
pub struct Totals(pub(super) Registers);

impl Totals {
    /// Returns how many events a counter counted; 0 when there is no such counter.
    #[must_use]
    pub fn count(&self, name: &TallyName) -> u64 {
        match self.get(name, RegisterKind::Count) {
            Some(Register::Count(count)) => *count,
            _ => 0,
        }
    }

    /// Returns the sum that was kept at this scale; 0 when there is none.
    #[must_use]
    pub fn sum(&self, name: &TallyName, scale: Scale) -> FixedSum {
        match self.get(name, RegisterKind::Sum(scale)) {
            Some(Register::Sum(units)) => FixedSum::new(*units, scale),
            _ => FixedSum::new(0, scale),
        }
    }

    /// Returns the distribution that was kept at this accuracy; `None` when there is none.
    #[must_use]
    pub fn sketch(&self, name: &TallyName, accuracy: Accuracy) -> Option<Sketch<'_>> {
        match self.get(name, RegisterKind::Sketch(accuracy)) {
            Some(Register::Sketch(bins)) => Some(Sketch::new(bins, accuracy)),
            _ => None,
        }
    }

    /// Iterates over the registers anybody counted in, by name.
    pub fn registers(&self) -> impl Iterator<Item = &RegisterId> {
        self.0.iter().map(|(id, _)| id)
    }

    fn get(&self, name: &TallyName, kind: RegisterKind) -> Option<&Register> {
        self.0.get(&RegisterId::new(name.clone(), kind))
    }
}

impl fmt::Debug for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter()).finish()
    }
}

/// As in the stored objects: `{"registers": […]}`.
impl Serialize for Totals {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let records = self.0.to_records().map_err(S::Error::custom)?;
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("registers", &records)?;
        map.end()
    }
}
