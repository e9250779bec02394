//! Listings: datasets, versions, one version.

use std::collections::BTreeMap;

use futures::StreamExt as _;
use mainstay_core::{Error, Name, NodeKind, NodeRef, Result};
use mainstay_repo::{RefState, Repo, Series, View};

use super::tags::FAMILY;
use super::{series_of, version_number, version_state};
use crate::record::VersionRecord;
use crate::{DatasetInfo, VersionInfo};

pub(super) fn list(view: &View) -> Result<Vec<DatasetInfo>> {
    Series::names(view, NodeKind::Data)?
        .into_iter()
        .filter_map(|dataset| dataset_info(view, dataset).transpose())
        .collect()
}

fn dataset_info(view: &View, dataset: Name) -> Result<Option<DatasetInfo>> {
    let series = Series::new(NodeKind::Data, dataset.clone());
    let versions = series.versions(view)?;
    let Some((latest, state)) = versions.last() else {
        return Ok(None);
    };
    let record = VersionRecord::of(state).map_err(|error| error.context("data", latest))?;
    let tags = series.pointers(view, FAMILY)?;
    Ok(Some(DatasetInfo {
        dataset,
        versions: versions.len() as u64,
        latest: latest.clone(),
        rows: record.rows,
        bytes: record.bytes,
        time: state.time,
        tags: tags.into_iter().map(|(tag, ..)| tag).collect(),
    }))
}

pub(super) async fn log(repo: &Repo, dataset: &Name) -> Result<Vec<VersionInfo>> {
    let series = Series::new(NodeKind::Data, dataset.clone());
    let versions = repo.read(|view| {
        let mut tags = tags_by_version(view, &series)?;
        let versions = series.versions(view)?.into_iter();
        let tagged = versions.map(|(node, state)| {
            let tags = tags.remove(&node).unwrap_or_default();
            (node, state.clone(), tags)
        });
        Ok(tagged.collect::<Vec<_>>())
    });
    let versions = versions.await?;
    if versions.is_empty() {
        return Err(Error::not_found("data", dataset));
    }
    let mut infos = Vec::with_capacity(versions.len());
    for (node, state, tags) in versions {
        infos.push(version_info(repo, &node, &state, tags).await?);
    }
    Ok(infos)
}

pub(super) async fn show(repo: &Repo, node: &NodeRef) -> Result<VersionInfo> {
    let series = series_of(node)?;
    let version = repo.read(|view| {
        let mut tags = tags_by_version(view, &series)?;
        let state = version_state(view, node)?.clone();
        Ok((state, tags.remove(node).unwrap_or_default()))
    });
    let (state, tags) = version.await?;
    version_info(repo, node, &state, tags).await
}

fn tags_by_version(view: &View, series: &Series) -> Result<BTreeMap<NodeRef, Vec<Name>>> {
    let mut tags: BTreeMap<NodeRef, Vec<Name>> = BTreeMap::new();
    for (tag, node, _) in series.pointers(view, FAMILY)? {
        tags.entry(node).or_default().push(tag);
    }
    Ok(tags)
}

async fn version_info(
    repo: &Repo,
    node: &NodeRef,
    state: &RefState,
    tags: Vec<Name>,
) -> Result<VersionInfo> {
    let record = VersionRecord::of(state).map_err(|error| error.context("data", node))?;
    // A version is written once, so its newest change is its creation.
    let change = repo.history(&node.ref_path()).next().await;
    let change = change
        .transpose()?
        .ok_or_else(|| Error::corrupt(node, "a version without history"))?;
    Ok(VersionInfo {
        node: node.clone(),
        version: version_number(node)?,
        snapshot: record.snapshot,
        rows: record.rows,
        columns: record.columns,
        files: record.files,
        bytes: record.bytes,
        tags,
        time: state.time,
        actor: change.actor,
        reason: change.reason,
    })
}
