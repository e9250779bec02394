//! Listings: datasets, versions, one version.

use std::collections::BTreeMap;

use futures::TryStreamExt as _;
use mainstay_core::{Edge, Error, Name, NodeKind, NodeRef, Result};
use mainstay_repo::{RefState, Repo, Series, View};

use super::ancestry::{ancestors, is_parent, parents};
use super::{branches, series_of, tags, version_number, version_state};
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
    let names = |family| {
        let pointers = series.pointers(view, family)?.into_iter();
        Ok::<Vec<Name>, Error>(pointers.map(|(name, ..)| name).collect())
    };
    Ok(Some(DatasetInfo {
        dataset,
        versions: versions.len() as u64,
        latest: latest.clone(),
        rows: record.rows,
        bytes: record.bytes,
        time: state.time,
        synthetic: record.synthetic,
        tags: names(tags::FAMILY)?,
        branches: names(branches::FAMILY)?,
    }))
}

/// A version as a view knows it.
struct Found {
    node: NodeRef,
    state: RefState,
    tags: Vec<Name>,
    branches: Vec<Name>,
}

/// The names that point to the versions of one dataset.
struct Pointers {
    tags: BTreeMap<NodeRef, Vec<Name>>,
    branches: BTreeMap<NodeRef, Vec<Name>>,
}

impl Pointers {
    fn of(view: &View, series: &Series) -> Result<Self> {
        let by_version = |family| {
            let mut names: BTreeMap<NodeRef, Vec<Name>> = BTreeMap::new();
            for (name, node, _) in series.pointers(view, family)? {
                names.entry(node).or_default().push(name);
            }
            Ok::<_, Error>(names)
        };
        Ok(Self {
            tags: by_version(tags::FAMILY)?,
            branches: by_version(branches::FAMILY)?,
        })
    }

    fn find(&mut self, node: NodeRef, state: &RefState) -> Found {
        Found {
            state: state.clone(),
            tags: self.tags.remove(&node).unwrap_or_default(),
            branches: self.branches.remove(&node).unwrap_or_default(),
            node,
        }
    }
}

pub(super) async fn log(repo: &Repo, view: &View, dataset: &Name) -> Result<Vec<VersionInfo>> {
    let series = Series::new(NodeKind::Data, dataset.clone());
    let find = |view: &View| {
        let mut pointers = Pointers::of(view, &series)?;
        let versions = series.versions(view)?.into_iter();
        let found = versions.map(|(node, state)| pointers.find(node, state));
        Ok(found.collect::<Vec<_>>())
    };
    let found = view.read(find).await?;
    if found.is_empty() {
        return Err(Error::not_found("data", dataset));
    }
    infos(repo, found).await
}

pub(super) async fn log_of(repo: &Repo, view: &View, node: &NodeRef) -> Result<Vec<VersionInfo>> {
    let series = series_of(node)?;
    let find = |view: &View| {
        let mut pointers = Pointers::of(view, &series)?;
        let line = ancestors(view, node)?.into_iter();
        let found = line.map(|node| {
            let state = version_state(view, &node)?;
            Ok(pointers.find(node, state))
        });
        found.collect::<Result<Vec<_>>>()
    };
    infos(repo, view.read(find).await?).await
}

pub(super) async fn show(repo: &Repo, view: &View, node: &NodeRef) -> Result<VersionInfo> {
    let series = series_of(node)?;
    let find = |view: &View| {
        let state = version_state(view, node)?;
        Ok(Pointers::of(view, &series)?.find(node.clone(), state))
    };
    info(repo, view.read(find).await?).await
}

async fn infos(repo: &Repo, found: Vec<Found>) -> Result<Vec<VersionInfo>> {
    let mut infos = Vec::with_capacity(found.len());
    for found in found {
        infos.push(info(repo, found).await?);
    }
    Ok(infos)
}

async fn info(repo: &Repo, found: Found) -> Result<VersionInfo> {
    let Found { node, state, .. } = found;
    let record = VersionRecord::of(&state).map_err(|error| error.context("data", &node))?;
    let edges = state.value.map(|value| value.edges).unwrap_or_default();
    // A version is written once; what may follow is its deletion.
    let changes = repo.history(&node.ref_path());
    let mut changes = changes.try_filter(|change| std::future::ready(change.seq == state.seq));
    let change = changes.try_next().await?;
    let change = change.ok_or_else(|| Error::corrupt(&node, "a version without history"))?;
    Ok(VersionInfo {
        version: version_number(&node)?,
        snapshot: record.snapshot,
        rows: record.rows,
        columns: record.columns,
        files: record.files,
        bytes: record.bytes,
        tags: found.tags,
        branches: found.branches,
        parents: parents(&edges, &node).cloned().collect(),
        sources: sources(&edges, &node),
        key: record.key,
        repeated_keys: record.repeated_keys,
        synthetic: record.synthetic,
        transform: record.transform,
        table_files: record.table_files,
        time: state.time,
        actor: change.actor,
        reason: change.reason,
        node,
    })
}

fn sources(edges: &[Edge], node: &NodeRef) -> Vec<Edge> {
    let edges = edges.iter().filter(|edge| !is_parent(edge, node));
    edges.cloned().collect()
}
