//! The versions of a view as rows, with what stands beside their records.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::{Error, Name, NodeKind, NodeRef, Result, Timestamp};
use mainstay_repo::{RefState, Value, View};

use crate::annotate::Annotation;
use crate::eval;
use crate::format;
use crate::metric::Metric;
use crate::names;
use crate::policy::StagePolicy;
use crate::record::ModelVersion;
use crate::standing::Status;

/// One version, read as far as the search needs it.
pub(super) struct Row<'v> {
    /// The id of the model.
    pub(super) model: &'v str,
    pub(super) version: &'v str,
    pub(super) state: &'v RefState,
    pub(super) record: &'v serde_json::Value,
}

/// What stands beside the records of one model.
pub(super) struct Model<'v> {
    view: &'v View,
    id: &'v str,
    /// What it is called, unless that is its id.
    called: Option<Name>,
    versions: Vec<(&'v str, &'v RefState)>,
    /// Where versions begin.
    initial: Name,
    statuses: BTreeMap<&'v str, Status>,
    annotations: BTreeMap<&'v str, Annotation>,
    aliases: BTreeMap<Name, Vec<Name>>,
    /// What each alias points to, and since when.
    aliased: BTreeMap<&'v str, (Name, Timestamp)>,
    /// When versions entered their stages, and by which log entry.
    entered: BTreeMap<&'v str, (Timestamp, u64)>,
    /// Versions with evaluation reports.
    reported: BTreeSet<&'v str>,
    /// When what stands beside a version changed last.
    touched: BTreeMap<&'v str, Timestamp>,
}

impl<'v> Model<'v> {
    /// Reads some versions, told by id of the model and version, in order.
    pub(super) fn some(
        view: &'v View,
        versions: impl Iterator<Item = (&'v str, &'v str)>,
    ) -> Result<Vec<Self>> {
        let initial = StagePolicy::default().initial;
        let mut models: Vec<Self> = Vec::new();
        for (id, version) in versions {
            let place = models.last().is_some_and(|model| model.id == id);
            if !place {
                models.push(Self::new(view, id, initial.clone()));
            }
            let Some(model) = models.last_mut() else {
                continue;
            };
            if !place {
                model.read_below("alias")?;
                model.read_below("policy")?;
                model.read_below("name")?;
            }
            model.read_version(version)?;
        }
        Ok(models)
    }

    /// Reads every model, or the one with an id, in order of id.
    pub(super) fn all(view: &'v View, only: Option<&Name>) -> Result<Vec<Self>> {
        let prefix = match only {
            Some(id) => format!("{}/{id}", NodeKind::Model),
            None => NodeKind::Model.as_str().to_owned(),
        };
        let initial = StagePolicy::default().initial;
        let mut models: Vec<Self> = Vec::new();
        let mut current = None;
        for (path, state) in view.below(&prefix)? {
            let mut segments = path.segments().skip(1);
            let (Some(id), Some(family), Some(key)) =
                (segments.next(), segments.next(), segments.next())
            else {
                continue;
            };
            let is_leaf = segments.next().is_none();
            if current != Some(id) {
                current = Some(id);
                models.push(Self::new(view, id, initial.clone()));
            }
            match models.last_mut() {
                Some(model) if is_leaf => model.read(family, key, state)?,
                Some(model) if family == "report" => drop(model.reported.insert(key)),
                _ => {}
            }
        }
        Ok(models)
    }

    fn new(view: &'v View, id: &'v str, initial: Name) -> Self {
        Self {
            view,
            id,
            called: None,
            versions: Vec::new(),
            initial,
            statuses: BTreeMap::new(),
            annotations: BTreeMap::new(),
            aliases: BTreeMap::new(),
            aliased: BTreeMap::new(),
            entered: BTreeMap::new(),
            reported: BTreeSet::new(),
            touched: BTreeMap::new(),
        }
    }

    /// Reads the refs of a family, which are few.
    fn read_below(&mut self, family: &str) -> Result<()> {
        let prefix = format!("{}/{}/{family}", NodeKind::Model, self.id);
        for (path, state) in self.view.below(&prefix)? {
            let mut keys = path.segments().skip(3);
            if let (Some(key), None) = (keys.next(), keys.next()) {
                self.read(family, key, state)?;
            }
        }
        Ok(())
    }

    /// Reads a version and what stands beside it.
    fn read_version(&mut self, version: &'v str) -> Result<()> {
        for family in ["version", "status", "annotation"] {
            let path = format!("{}/{}/{family}/{version}", NodeKind::Model, self.id);
            if let Some(state) = self.view.get(&path.parse()?)? {
                self.read(family, version, state)?;
            }
        }
        let reports = format!("{}/{}/report/{version}", NodeKind::Model, self.id);
        if self.view.below(&reports)?.next().is_some() {
            self.reported.insert(version);
        }
        Ok(())
    }

    fn read(&mut self, family: &str, key: &'v str, state: &'v RefState) -> Result<()> {
        let Some(value) = &state.value else {
            return Ok(());
        };
        if let "status" | "annotation" = family {
            let touched = self.touched.entry(key).or_insert(state.time);
            *touched = state.time.max(*touched);
        }
        match family {
            "version" => self.versions.push((key, state)),
            "status" => {
                self.entered.insert(key, (state.time, state.seq));
                self.statuses.insert(key, format::decode(value)?);
            }
            "annotation" => {
                self.annotations.insert(key, format::decode(value)?);
            }
            "policy" => {
                let policy: StagePolicy = format::decode(value)?;
                self.initial = policy.initial;
            }
            "alias" => self.alias(key, value, state.time)?,
            "name" => self.called = Some(names::named(value)?),
            _ => {}
        }
        Ok(())
    }

    fn alias(&mut self, key: &'v str, value: &Value, since: Timestamp) -> Result<()> {
        let target = value.pointee().ok_or_else(|| {
            let alias = format!("{}/{}/alias/{key}", NodeKind::Model, self.id);
            Error::corrupt(alias, "not a pointer")
        })?;
        self.aliased.insert(key, (target.version().clone(), since));
        let aliases = self.aliases.entry(target.version().clone()).or_default();
        aliases.push(key.parse()?);
        Ok(())
    }

    pub(super) fn rows(&self) -> Result<Vec<Row<'v>>> {
        self.versions
            .iter()
            .map(|(version, state)| row(self.id, version, state))
            .collect()
    }

    /// Returns what the model is called.
    pub(super) fn called(&self) -> &str {
        self.called.as_ref().map_or(self.id, Name::as_str)
    }

    /// Returns the view that everything is read from.
    pub(super) fn view(&self) -> &'v View {
        self.view
    }

    /// Returns the stage of a version.
    pub(super) fn stage(&self, version: &str) -> &Name {
        let status = self.statuses.get(version);
        status.map_or(&self.initial, |status| &status.stage)
    }

    pub(super) fn aliases(&self, version: &str) -> &[Name] {
        self.aliases.get(version).map_or(&[], Vec::as_slice)
    }

    /// Returns since when an alias points to a version; `None` when it does not.
    pub(super) fn aliased(&self, version: &str, alias: &str) -> Option<Timestamp> {
        let (target, since) = self.aliased.get(alias)?;
        (target.as_str() == version).then_some(*since)
    }

    /// Returns when a version entered its stage; `None` when it never moved.
    pub(super) fn entered(&self, version: &str) -> Option<Timestamp> {
        self.entered.get(version).map(|(time, _)| *time)
    }

    pub(super) fn status(&self, version: &str) -> Option<&Status> {
        self.statuses.get(version)
    }

    /// Returns what was measured of a version since its registration: the newest value of each metric.
    pub(super) fn measured(&self, row: &Row<'_>) -> Result<BTreeMap<String, Metric>> {
        let status = self.statuses.get(row.version);
        let promoted = status.map(|status| status.metrics.clone());
        let mut measured = promoted.unwrap_or_default();
        if self.reported.contains(row.version) {
            let since = self.entered.get(row.version).map_or(0, |(_, seq)| *seq);
            for (name, (value, seq)) in eval::metrics(self.view, &row.node()?)? {
                if seq > since || !measured.contains_key(&name) {
                    measured.insert(name, value);
                }
            }
        }
        Ok(measured)
    }

    /// Returns when stage, tags or description of a version changed last; the epoch when never.
    pub(super) fn touched(&self, version: &str) -> Timestamp {
        let touched = self.touched.get(version).copied();
        touched.unwrap_or_else(|| Timestamp::from_unix_micros(0))
    }

    pub(super) fn annotation(&self, version: &str) -> Option<&Annotation> {
        self.annotations.get(version)
    }
}

fn row<'v>(model: &'v str, version: &'v str, state: &'v RefState) -> Result<Row<'v>> {
    let Some(value) = &state.value else {
        return Err(Error::not_found(
            "model",
            format!("model:{model}@{version}"),
        ));
    };
    if !ModelVersion::is_known(value) {
        // Says what is wrong: a newer format or another kind.
        ModelVersion::from_value(value)?;
    }
    Ok(Row {
        model,
        version,
        state,
        record: &value.record,
    })
}

impl Row<'_> {
    pub(super) fn node(&self) -> Result<NodeRef> {
        Ok(NodeRef::new(
            NodeKind::Model,
            self.model.parse()?,
            self.version.parse()?,
        ))
    }
}
