//! What the log says of collection.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use mainstay_core::{BulkDigest, Error, RefPath, Result, Timestamp};
use serde::{Deserialize, Serialize};

use super::announced;
use crate::blobs::BlobStore;
use crate::blobs::condemned::Condemned;
use crate::blobs::pack::PackId;
use crate::{Value, View};

/// Above every ref of collection.
const DIRECTORY: &str = "gc";
/// The refs of condemned packs, by their hashes; a deleted ref is of a deleted pack.
pub(super) const PACKS: &str = "gc/pack";
/// The kind of their values.
pub(super) const PACK_KIND: &str = "gc.pack";
/// The kind of the value of [`run_path`].
pub(super) const RUN_KIND: &str = "gc.run";
pub(super) const FORMAT: u64 = 1;

/// The value of a condemned pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PackRecord {
    pub(super) format: u64,
    /// Its size in bytes.
    pub(super) bytes: u64,
    pub(super) because: String,
}

/// The value of the last run: what waits, and the receipt of what the run deleted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct RunRecord {
    pub(super) format: u64,
    /// Packs that nobody needed, and since when.
    pub(super) waiting: BTreeMap<String, Timestamp>,
    /// The keys of the objects that were deleted.
    pub(super) deleted: Vec<String>,
}

impl RunRecord {
    /// When a pack was first found to be of no use.
    pub(super) fn waiting_since(&self, pack: PackId) -> Option<Timestamp> {
        self.waiting.get(&hex(pack)).copied()
    }
}

/// The ref that each run moves.
pub(super) fn run_path() -> Result<RefPath> {
    RefPath::new("gc/run")
}

pub(super) fn pack_path(pack: PackId) -> Result<RefPath> {
    RefPath::new(&format!("{PACKS}/{}", hex(pack)))
}

pub(super) fn hex(pack: PackId) -> String {
    BulkDigest::from_bytes(pack.0).to_hex()
}

fn pack_in(path: &RefPath) -> Option<PackId> {
    let name = path.segments().next_back()?;
    let hash: BulkDigest = format!("blake3:{name}").parse().ok()?;
    Some(PackId(*hash.as_bytes()))
}

/// Returns the packs that are condemned as of `view`, or of a later entry if that is known.
pub(crate) async fn condemned(blobs: &BlobStore, view: &View) -> Result<Arc<Condemned>> {
    let condemned = condemned_in(view, &blobs.condemned()).await?;
    Ok(blobs.learn_condemned(condemned))
}

/// Returns how many runs of collection have been committed as of `view`.
pub(crate) fn runs(view: &View) -> Result<u64> {
    let state = view.state(&run_path()?)?;
    Ok(state.map_or(0, |state| state.generation))
}

/// Reports whether a change of this ref changes what is condemned.
pub(crate) fn is_own(path: &RefPath) -> bool {
    path.is_below(DIRECTORY)
}

/// Returns the packs that are condemned as of `view`; `known` if that is not older.
pub(crate) async fn condemned_in(view: &View, known: &Arc<Condemned>) -> Result<Arc<Condemned>> {
    view.read(|view| {
        let run = runs(view)?;
        if run <= known.run {
            return Ok(Arc::clone(known));
        }
        let packs = view.states_below(PACKS)?;
        let packs: HashSet<PackId> = packs.filter_map(|(path, _)| pack_in(path)).collect();
        Ok(Arc::new(Condemned { run, packs }))
    })
    .await
}

/// What the log says as of one view.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    /// The generation of the run's ref; 0 before the first run.
    pub(super) generation: u64,
    pub(super) run: RunRecord,
    /// Packs that are condemned and not deleted, and since when.
    pub(super) condemned: BTreeMap<PackId, Timestamp>,
    /// Packs that have been deleted.
    pub(super) deleted: HashSet<PackId>,
    /// The keys of index objects that runs went on to delete, and that no receipt names yet.
    pub(super) announced: BTreeSet<String>,
}

impl Collected {
    pub(crate) async fn read(view: &View) -> Result<Self> {
        let path = run_path()?;
        view.read(|view| {
            let mut collected = Self {
                announced: announced::read(view)?,
                ..Self::default()
            };
            if let Some(state) = view.state(&path)? {
                collected.generation = state.generation;
                collected.run = match &state.value {
                    Some(value) => run_record(value)?,
                    None => RunRecord::default(),
                };
            }
            for (path, state) in view.states_below(PACKS)? {
                match (pack_in(path), &state.value) {
                    (Some(pack), Some(_)) => {
                        collected.condemned.insert(pack, state.time);
                    }
                    (Some(pack), None) => {
                        collected.deleted.insert(pack);
                    }
                    (None, _) => {
                        let why = "not the ref of a pack";
                        return Err(Error::invalid(why).context("ref", path));
                    }
                }
            }
            Ok(collected)
        })
        .await
    }

    /// Reports whether nothing may rely on a pack.
    pub(crate) fn is_condemned(&self, pack: PackId) -> bool {
        self.condemned.contains_key(&pack) || self.deleted.contains(&pack)
    }
}

pub(super) fn run_record(value: &Value) -> Result<RunRecord> {
    value.check_format(RUN_KIND, FORMAT)?;
    value.decode(RUN_KIND)
}

pub(super) fn pack_value(bytes: u64, because: &str) -> Result<Value> {
    let record = PackRecord {
        format: FORMAT,
        bytes,
        because: because.to_owned(),
    };
    Value::new(PACK_KIND, &record)
}

pub(super) fn run_value(record: &RunRecord) -> Result<Value> {
    Value::new(RUN_KIND, record)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::hostile;

    proptest! {
        #[test]
        fn a_run_is_read_as_it_was_written_or_refused(record in hostile::near(json!({
            "deleted": ["pack/ab", "index/cd"],
            "format": 1,
            "waiting": { "ab": "2026-01-01T00:00:00.000000Z" },
        }))) {
            let value = Value { record: record.clone(), ..run_value(&RunRecord::default()).unwrap() };
            if let Ok(run) = run_record(&value) {
                let read = run_value(&run).unwrap().record;
                for member in ["format", "deleted", "waiting"] {
                    prop_assert_eq!(&read[member], &record[member]);
                }
            }
        }
    }
}
