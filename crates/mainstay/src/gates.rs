//! Gates that look beyond the registry: environments and drift of data.
//!
//! A stage policy, or one promotion, asks for them by name:
//!
//! ```json
//! {"check": {"name": "environment", "arguments": {"policy": "serve", "against": "serving@latest"}}}
//! {"check": {"name": "drift", "arguments": {"role": "train"}}}
//! ```
//!
//! | check | argument | means |
//! |---|---|---|
//! | `environment` | `policy` | `bitwise`, `numeric` or `serve`; `serve` unless said |
//! | | `against` | the environment it is to run in; that of the version which holds the stage unless said |
//! | `drift` | `role` | which data of the model; `train` unless said |
//! | | `against` | the dataset it is compared with; that of the version which holds the stage unless said |
//!
//! Both fail when the verdict of the comparison does; a warning passes. Without `against` they pass when
//! nobody holds the stage. A version without environment, or without data in the role, fails, as do data
//! that are no table on one side and not the same: no drift can be judged.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use mainstay_core::{Error, ErrorKind, Locator, Name, NodeKind, NodeRef, Result};
use mainstay_data::Datasets;
use mainstay_data::diff::{DatasetDiff, Verdict as Drift};
use mainstay_env::{Environments, Policy, Severity, compare};
use mainstay_registry::{Case, GateCheck, ModelInfo, PromoteSpec, Promotion, Verdict};

use crate::Workspace;

/// How often a promotion may find data it has not compared yet.
const ATTEMPTS: u32 = 16;
/// How many columns or findings are named.
const NAMED: usize = 3;

impl Workspace {
    /// Lets a model version enter a stage, as [`Registry::promote`](mainstay_registry::Registry::promote)
    /// does, with two checks more that gates may ask for: `environment` and `drift`; see the guide
    /// `docs/guides/promoting-models.md`.
    ///
    /// For `drift` the dataset of the version in the role is compared with that of the version which holds
    /// the stage, or with the one that the gate names, by schema and by the statistics that are stored with
    /// each snapshot; no row is read. They are compared outside of the transaction, and again as often as it
    /// finds that others are to be compared: what is committed was compared on exactly the data that the
    /// versions name. `environment` compares two manifests within the transaction.
    ///
    /// Both fail when the verdict of the comparison does; a warning passes. A version without environment, or
    /// without data in the role, fails, as do data of which one has no table, unless they are the same.
    ///
    /// # Errors
    /// As [`Registry::promote`](mainstay_registry::Registry::promote);
    /// [`Invalid`](ErrorKind::Invalid) when a gate gives an argument that its check does not know.
    pub async fn promote(&self, spec: PromoteSpec) -> Result<Promotion> {
        let drift = Arc::new(DriftCheck::default());
        let models = self
            .models()
            .with_check("drift".parse()?, Arc::clone(&drift) as Arc<dyn GateCheck>);
        for _ in 0..ATTEMPTS {
            let promoted = models.promote(spec.clone()).await;
            let Some((before, after)) = drift.wanted() else {
                return promoted;
            };
            let diff = self.data().compare(&before, &after).await?;
            drift.learn((before, after), verdict_of(&diff));
        }
        Err(Error::new(
            ErrorKind::Conflict,
            "the data to compare changes too fast",
        ))
    }
}

/// Whether an environment does for what was made in another.
#[derive(Debug)]
pub(crate) struct EnvironmentCheck;

impl GateCheck for EnvironmentCheck {
    fn check(&self, arguments: &BTreeMap<String, String>, case: &Case<'_>) -> Result<Verdict> {
        known(arguments, &["policy", "against"])?;
        let policy = match arguments.get("policy") {
            Some(policy) => policy.parse()?,
            None => Policy::Serve,
        };
        let Some(made_in) = &case.candidate.record.environment else {
            return Ok(Verdict::fail("the version says no environment"));
        };
        let runs_in = match (against(arguments, NodeKind::Env)?, case.incumbent) {
            (Some(named), _) => named,
            (None, None) => return Ok(Verdict::pass("nobody holds the stage")),
            (None, Some(incumbent)) => match &incumbent.record.environment {
                Some(environment) => environment.clone().into(),
                None => return Ok(Verdict::fail("the holder says no environment")),
            },
        };
        let a = Environments::find(case.view, &made_in.clone().into())?;
        let b = Environments::find(case.view, &runs_in)?;
        let report = compare(&a.manifest, &b.manifest, policy);
        let grave = report.findings.iter();
        let grave = grave.filter(|finding| finding.severity == Severity::Error);
        let paths: Vec<&str> = grave.map(|finding| finding.path.as_str()).collect();
        Ok(match report.verdict {
            mainstay_env::Verdict::Fail => {
                Verdict::fail(format!("{runs_in} does not {policy}: {}", few(&paths)))
            }
            _ => Verdict::pass(format!("{runs_in} does for {made_in} ({policy})")),
        })
    }
}

type Pair = (NodeRef, NodeRef);

/// Whether the data of a model drifted, as far as it was compared. Versions of datasets never change,
/// so what is known of two holds for ever.
#[derive(Debug, Default)]
struct DriftCheck(Mutex<Compared>);

#[derive(Debug, Default)]
struct Compared {
    known: BTreeMap<Pair, Verdict>,
    wanted: Option<Pair>,
}

impl DriftCheck {
    fn wanted(&self) -> Option<Pair> {
        self.lock().wanted.take()
    }

    fn learn(&self, pair: Pair, verdict: Verdict) {
        self.lock().known.insert(pair, verdict);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Compared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl GateCheck for DriftCheck {
    fn check(&self, arguments: &BTreeMap<String, String>, case: &Case<'_>) -> Result<Verdict> {
        known(arguments, &["role", "against"])?;
        let role: Name = arguments
            .get("role")
            .map_or("train", String::as_str)
            .parse()?;
        let Some(after) = data(case.candidate, &role) else {
            return Ok(Verdict::fail(format!(
                "the version says no data for {role}"
            )));
        };
        let before = match (against(arguments, NodeKind::Data)?, case.incumbent) {
            (Some(named), _) => Datasets::resolve_in(case.view, &named)?,
            (None, None) => return Ok(Verdict::pass("nobody holds the stage")),
            (None, Some(incumbent)) => match data(incumbent, &role) {
                Some(data) => data.clone(),
                None => return Ok(Verdict::fail(format!("the holder says no data for {role}"))),
            },
        };
        if before == *after {
            return Ok(Verdict::pass(format!("the same data, {before}")));
        }
        let pair = (before, after.clone());
        let mut compared = self.lock();
        if let Some(verdict) = compared.known.get(&pair) {
            return Ok(verdict.clone());
        }
        // Ends this attempt; the data is compared before the next.
        compared.wanted = Some(pair);
        Err(Error::new(
            ErrorKind::Conflict,
            "the data is not compared yet",
        ))
    }
}

fn data<'m>(model: &'m ModelInfo, role: &Name) -> Option<&'m NodeRef> {
    let mut uses = model.record.data.iter();
    uses.find(|used| used.role == *role).map(|used| &used.data)
}

fn verdict_of(diff: &DatasetDiff) -> Verdict {
    let failed = diff.columns.iter();
    let failed = failed.filter(|column| column.verdict == Drift::Fail);
    let names: Vec<&str> = failed.map(|column| column.name.as_str()).collect();
    let beside = match diff.files.beside {
        0 => String::new(),
        files => format!("; not judged: {files} files beside the table"),
    };
    match diff.verdict {
        Drift::Fail if names.is_empty() => Verdict::fail("the schema changed"),
        Drift::Fail => Verdict::fail(format!("drifted: {}", few(&names))),
        Drift::Warn => Verdict::pass(format!("some drift, within the limits{beside}")),
        Drift::Pass => Verdict::pass(format!("no drift{beside}")),
        _ => Verdict::fail("no drift can be judged: not both versions have a table"),
    }
}

fn few(names: &[&str]) -> String {
    let named = names[..names.len().min(NAMED)].join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

fn against(arguments: &BTreeMap<String, String>, kind: NodeKind) -> Result<Option<Locator>> {
    let Some(text) = arguments.get("against") else {
        return Ok(None);
    };
    let mut locator: Locator = text.parse()?;
    if *locator.kind.get_or_insert(kind) == kind {
        Ok(Some(locator))
    } else {
        Err(Error::invalid(format!("expected a reference to {kind}")).context("against", text))
    }
}

fn known(arguments: &BTreeMap<String, String>, names: &[&str]) -> Result<()> {
    match arguments.keys().find(|key| !names.contains(&key.as_str())) {
        None => Ok(()),
        Some(unknown) => Err(Error::invalid(format!(
            "unknown argument; one of {}",
            names.join(", ")
        ))
        .context("argument", unknown.escape_debug())),
    }
}
