//! The import: runs, then model by model its versions, stages and aliases.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use mainstay_core::{Error, ErrorKind, Locator, NodeKind, NodeRef, Result, Selector};
use mainstay_repo::Repo;

use super::location::Found;
use super::names::Names;
use super::pointers::{self, Nodes};
use super::report::{ImportReport, Imported, Outcome};
use super::scan::{Model, Store, Version};
use super::spec::ImportSpec;
use super::version::{Drafted, IDENTITY, VERSION};
use crate::info::{ModelInfo, versions};
use crate::registry::Registry;
use crate::run::Runs;

/// What is to be imported, under which names.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) spec: ImportSpec,
    pub(super) store: Store,
    pub(super) experiments: Names,
    pub(super) models: Names,
    /// Where the files of versions are: they are the versions', not their runs'.
    pub(super) covered: BTreeSet<PathBuf>,
}

impl Plan {
    fn of(spec: ImportSpec) -> Result<Self> {
        let store = Store::scan(&spec)?;
        store.check_datasets(&spec)?;
        let experiments = store.experiments.values();
        let experiments = experiments.map(|experiment| experiment.name.as_str());
        let models = store.models.keys().map(String::as_str);
        let mut covered = BTreeSet::new();
        for (model, version) in store.present() {
            let found = store.version_files(version);
            let found = found.map_err(|error| {
                error.context(
                    "version",
                    format!("{}/{}", model.name, version.file.version),
                )
            });
            if let Found::Here(place) = found? {
                covered.insert(place.absolute());
            }
        }
        Ok(Self {
            experiments: Names::of("experiment", experiments, &spec.experiments)?,
            models: Names::of("model", models, &spec.models)?,
            covered,
            store,
            spec,
        })
    }
}

impl Store {
    /// Lists the versions that are there to be imported.
    fn present(&self) -> impl Iterator<Item = (&Model, &Version)> {
        let all = self.models.values();
        let all =
            all.flat_map(|model| model.versions.values().map(move |version| (model, version)));
        all.filter(|(_, version)| !version.is_deleted() && version.is_ready())
    }
}

pub(crate) async fn import(
    registry: &Registry,
    repo: &Repo,
    spec: &ImportSpec,
) -> Result<ImportReport> {
    let spec = spec.clone();
    let plan = Arc::new(blocking(move || Plan::of(spec)).await?);
    let mut report = ImportReport {
        left_out: plan.store.left_out.clone(),
        ..ImportReport::default()
    };
    import_runs(repo, &plan, &mut report).await?;
    for model in plan.store.models.values() {
        let nodes = import_versions(registry, repo, &plan, model, &mut report).await?;
        pointers::stages(registry, repo, &plan, model, &nodes, &mut report).await?;
        pointers::aliases(registry, repo, &plan, model, &nodes, &mut report).await?;
    }
    Ok(report)
}

async fn import_runs(repo: &Repo, plan: &Arc<Plan>, report: &mut ImportReport) -> Result<()> {
    let mut runs: Vec<_> = plan.store.runs.values().collect();
    runs.sort_by_key(|run| (&run.file.experiment_id, run.file.start_time, &run.id));
    for run in runs {
        let (id, reader) = (run.id.clone(), Arc::clone(plan));
        let past = blocking(move || reader.past(&reader.store.runs[&id])).await?;
        let Some(past) = past else {
            report.leave_out(format!("run {}", run.id), "it goes on");
            continue;
        };
        let node = plan.run_node(run)?;
        let differences = repo.read(|view| past.differences(view)).await;
        match differences.map_err(|error| error.context("run", &run.id))? {
            Some(differences) if differences.is_empty() => {
                let imported = Imported::new(&run.id, Some(node), Outcome::Unchanged);
                report.runs.push(imported);
            }
            Some(differences) => {
                let why = format!("{node} differs in {}", differences.join(", "));
                report.conflict(format!("run {}", run.id), why);
            }
            None => {
                let (id, reader) = (run.id.clone(), Arc::clone(plan));
                let fill = move || reader.fill(&reader.store.runs[&id], past);
                let past = blocking(fill).await?;
                let recorded = if plan.spec.dry_run {
                    past.check_points()
                } else {
                    Runs::new(repo.clone()).record(past).await.map(drop)
                };
                recorded.map_err(|error| error.context("run", &run.id))?;
                if let Found::Elsewhere(why) = plan.store.run_files(run)? {
                    report.leave_out(format!("files of run {}", run.id), why);
                }
                let imported = Imported::new(&run.id, Some(node), Outcome::New);
                report.runs.push(imported);
            }
        }
    }
    Ok(())
}

async fn import_versions(
    registry: &Registry,
    repo: &Repo,
    plan: &Arc<Plan>,
    model: &Model,
    report: &mut ImportReport,
) -> Result<Nodes> {
    let name = plan.models.get(&model.name)?;
    let here = repo.read(|view| versions(view, name)).await?;
    let known: BTreeMap<&str, &ModelInfo> = here
        .iter()
        .filter_map(|info| Some((info.record.tags.get(VERSION)?.as_str(), info)))
        .collect();
    let mut nodes = Nodes::new();
    if !here.is_empty() && known.is_empty() {
        let why = format!("{name} is here and is not from MLflow; import it under another name");
        report.conflict(format!("model {}", model.name), why);
        return Ok(nodes);
    }
    for (number, version) in &model.versions {
        let what = format!("{}/{number}", model.name);
        if version.is_deleted() || !version.is_ready() {
            let why = if version.is_deleted() {
                "deleted"
            } else {
                "it never got ready"
            };
            report.leave_out(what, why);
            continue;
        }
        if let Some(info) = known.get(number.to_string().as_str()) {
            if is_same(&info.record.tags, &plan.version_tags(model, version)?) {
                let imported = Imported::new(what, Some(info.node.clone()), Outcome::Unchanged);
                report.versions.push(imported);
                nodes.insert(*number, Some(info.node.clone()));
            } else {
                let why = format!("{} is another version {number}", info.node);
                report.conflict(what, why);
            }
            continue;
        }
        let (number, reader) = (*number, Arc::clone(plan));
        let name = model.name.clone();
        let read = move || {
            let model = &reader.store.models[&name];
            reader.version(model, &model.versions[&number])
        };
        let imported = match blocking(read).await? {
            Drafted::LeftOut(why) => {
                report.leave_out(what, why);
                continue;
            }
            Drafted::Ready(_) if plan.spec.dry_run => Imported::new(what, None, Outcome::New),
            Drafted::Ready(spec) => match registry.register(*spec).await {
                Ok(registered) => Imported::new(what, Some(registered.node), Outcome::New),
                Err(error) => match same_as(registry, plan, model, &error).await? {
                    Some(node) => Imported::new(what, Some(node), Outcome::Same),
                    None => return Err(error.context("version", what)),
                },
            },
        };
        nodes.insert(number, imported.node.clone());
        report.versions.push(imported);
    }
    Ok(nodes)
}

/// Reports whether a version is the one that was imported before.
fn is_same(ours: &BTreeMap<String, String>, theirs: &BTreeMap<String, String>) -> bool {
    IDENTITY
        .iter()
        .all(|key| ours.get(*key) == theirs.get(*key))
}

/// Returns the version that is one with a version that was refused as a repetition.
async fn same_as(
    registry: &Registry,
    plan: &Plan,
    model: &Model,
    error: &Error,
) -> Result<Option<NodeRef>> {
    if error.kind() != ErrorKind::AlreadyExists {
        return Ok(None);
    }
    let mut contexts = error.contexts();
    let Some((_, version)) = contexts.find(|(key, _)| *key == "version") else {
        return Ok(None);
    };
    let locator = Locator {
        kind: Some(NodeKind::Model),
        name: plan.models.get(&model.name)?.clone(),
        selector: Selector::Named(version.parse()?),
    };
    registry.resolve(&locator).await.map(Some)
}

/// Reads the disk on a thread that may wait for it.
async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(read).await.map_err(|error| {
        Error::new(ErrorKind::Internal, "reading the store was interrupted").with_source(error)
    })?
}
