//! Deleting condemned packs, after the index objects that name them.

use std::collections::BTreeSet;
use std::sync::Arc;

use mainstay_core::{Actor, Result};

use super::announced;
use super::apply::CollectionReport;
use super::catalog::Catalog;
use super::plan::Survey;
use super::pointers;
use crate::blobs::index;
use crate::blobs::pack::PackId;
use crate::repo::Inner;

/// Deletes what the survey says; returns the packs that are gone.
///
/// An index object goes only when others, which no run can delete and were written before this one, say
/// all that it says of packs that stay: who lists them meanwhile misses none.
///
/// The report names whatever is gone and no receipt names, also what a run deleted that was cut off: the log
/// tells which packs were condemned and which index objects announced.
pub(super) async fn delete(
    inner: &Arc<Inner>,
    survey: &Survey,
    by: (&Actor, &str),
    report: &mut CollectionReport,
) -> Result<BTreeSet<PackId>> {
    let (storage, catalog) = (&*inner.storage, &survey.catalog);
    let (mut indexes, stale) = (gone(survey)?, stale(survey));
    let mut packs = BTreeSet::new();
    let rest = said_only_by(survey, &stale);
    if rest.is_empty() {
        let keys = keys(&stale)?;
        if !keys.is_empty() {
            let generation = survey.collected.generation;
            announced::announce(inner, generation, &keys, by).await?;
        }
        let telling = &survey.telling;
        telling.expect("objects", (stale.len() + survey.delete.len()) as u64);
        for hash in &stale {
            storage.delete(&index::key(*hash)?).await?;
            telling.add("objects", 1);
            report.freed_bytes += encoded_len(catalog, hash);
        }
        for pack in &survey.delete {
            storage.delete(&pack.key()?).await?;
            telling.add("objects", 1);
            report.freed_bytes += survey.size(*pack);
        }
        indexes.extend(keys);
        packs.clone_from(&survey.delete);
    } else {
        report.written_bytes += pointers::write(storage, rest).await?.bytes;
    }
    report.deleted = indexes.into_iter().collect();
    for pack in &packs {
        report.deleted.push(pack.key()?.as_str().to_owned());
    }
    Ok(packs)
}

/// The index objects that have been announced and are not there any more.
fn gone(survey: &Survey) -> Result<BTreeSet<String>> {
    let mut gone = survey.collected.announced.clone();
    for hash in survey.catalog.indexes.keys() {
        gone.remove(index::key(*hash)?.as_str());
    }
    Ok(gone)
}

/// The index objects that name a pack which goes or is gone.
fn stale(survey: &Survey) -> BTreeSet<[u8; 32]> {
    pointers::naming(&survey.catalog, |pack| {
        survey.delete.contains(&pack) || survey.collected.deleted.contains(&pack)
    })
}

/// What `stale` index objects say of packs that stay, and no other that no run may delete.
fn said_only_by(survey: &Survey, stale: &BTreeSet<[u8; 32]>) -> pointers::Contents {
    let catalog = &survey.catalog;
    // Another run, if stalled, may yet delete what names any pack condemned by now.
    let is_condemned = |pack: PackId| survey.collected.is_condemned(pack);
    let passing = pointers::naming(catalog, is_condemned);
    pointers::said_nowhere_else(
        catalog,
        stale,
        |hash| !passing.contains(hash),
        |pack| !is_condemned(pack) && catalog.is_stored(pack),
    )
}

fn keys(indexes: &BTreeSet<[u8; 32]>) -> Result<BTreeSet<String>> {
    let keys = indexes.iter().map(|hash| index::key(*hash));
    keys.map(|key| Ok(key?.as_str().to_owned())).collect()
}

fn encoded_len(catalog: &Catalog, hash: &[u8; 32]) -> u64 {
    catalog.indexes.get(hash).map_or(0, |object| {
        index::IndexObject::encoded_len(object.packs.len(), object.records.len()) as u64
    })
}
