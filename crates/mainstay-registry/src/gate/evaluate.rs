//! What a gate finds.

use std::collections::BTreeSet;
use std::time::Duration;

use mainstay_core::{Actor, FilePath, Name, Result};

use super::{Better, Gate, GateResult, alternatives};
use crate::approval::Approval;
use crate::check::{Case, Checks};
use crate::level::{Level, Reasons};
use crate::metric::Metric;
use crate::signature::{CompatOptions, compare};

struct Finding {
    passed: bool,
    candidate: Option<Metric>,
    incumbent: Option<Metric>,
    why: String,
    approved_by: Vec<Actor>,
}

impl Finding {
    fn of(passed: bool, why: impl Into<String>) -> Self {
        Self {
            passed,
            candidate: None,
            incumbent: None,
            why: why.into(),
            approved_by: Vec::new(),
        }
    }
}

impl Gate {
    /// Evaluates the gate. A metric that is missing, NaN or infinite fails it; a holder's that is NaN or
    /// infinite loses to any that is not.
    ///
    /// # Errors
    /// Those of a [check](crate::GateCheck) of the program's own.
    pub(crate) fn evaluate(&self, case: &Case<'_>, checks: &Checks) -> Result<GateResult> {
        let finding = match self {
            Self::AtLeast { metric, limit } => limited(case, metric, |value| value >= *limit),
            Self::AtMost { metric, limit } => limited(case, metric, |value| value <= *limit),
            Self::NotWorse {
                metric,
                better,
                tolerance,
            } => not_worse(case, metric, *better, *tolerance),
            Self::Tag { key, value } => tagged(case, key, value.as_deref()),
            Self::Compatible { strict_inputs } => compatible(case, *strict_inputs),
            Self::Document { path } => documented(case, path),
            Self::Role { any_of } => in_role(case, any_of),
            Self::Approvals { count, .. } => approved(case, self, *count),
            Self::Check { name, arguments } => {
                let verdict = checks.verdict(name, arguments, case)?;
                Finding::of(verdict.passed, verdict.why)
            }
        };
        Ok(GateResult {
            gate: self.clone(),
            passed: finding.passed,
            candidate: finding.candidate,
            incumbent: finding.incumbent,
            why: finding.why,
            approved_by: finding.approved_by,
        })
    }

    /// Reports whether an approval is of a kind that this gate counts, whenever it was given.
    pub(crate) fn counts(&self, approval: &Approval) -> bool {
        let Self::Approvals { roles, author, .. } = self else {
            return false;
        };
        (*author || !approval.author) && (roles.is_empty() || !roles.is_disjoint(&approval.roles))
    }
}

fn limited(case: &Case<'_>, metric: &str, passes: impl Fn(f64) -> bool) -> Finding {
    let value = case.candidate.metrics.get(metric).copied();
    let passed = value.is_some_and(|value| value.value().is_finite() && passes(value.value()));
    let why = match value {
        Some(value) => format!("{metric} is {value}"),
        None => format!("{metric} was not measured"),
    };
    Finding {
        candidate: value,
        ..Finding::of(passed, why)
    }
}

fn not_worse(case: &Case<'_>, metric: &str, better: Better, tolerance: f64) -> Finding {
    let value = case.candidate.metrics.get(metric).copied();
    let incumbent = case.incumbent;
    let held = incumbent.map(|incumbent| incumbent.metrics.get(metric).copied());
    let (passed, why) = match (value, held) {
        (None, _) => (false, format!("{metric} was not measured")),
        (Some(value), None) => (
            value.value().is_finite(),
            format!("{metric} is {value}; nobody holds the stage"),
        ),
        (Some(value), Some(None)) => (
            false,
            format!("{metric} is {value}; the holder's was not measured"),
        ),
        (Some(value), Some(Some(held))) => {
            let (ours, theirs) = (value.value(), held.value());
            let wins = match better {
                Better::Higher => ours >= theirs - tolerance,
                Better::Lower => ours <= theirs + tolerance,
            };
            (
                ours.is_finite() && (wins || !theirs.is_finite()),
                format!("{metric} is {value}; the holder's is {held}"),
            )
        }
    };
    Finding {
        candidate: value,
        incumbent: held.flatten(),
        ..Finding::of(passed, why)
    }
}

fn tagged(case: &Case<'_>, key: &str, value: Option<&str>) -> Finding {
    match (case.candidate.tags.get(key), value) {
        (None, _) => Finding::of(false, format!("tag {key} is not set")),
        (Some(found), Some(wanted)) if found != wanted => {
            Finding::of(false, format!("tag {key} has another value"))
        }
        (Some(_), _) => Finding::of(true, format!("tag {key} is set")),
    }
}

fn compatible(case: &Case<'_>, strict_inputs: bool) -> Finding {
    let Some(incumbent) = case.incumbent else {
        return Finding::of(true, "nobody holds the stage");
    };
    let mut reasons = Reasons::default();
    let (before, after) = (
        &incumbent.record.signature,
        &case.candidate.record.signature,
    );
    let options = CompatOptions::default().with_strict_inputs(strict_inputs);
    compare(before.as_ref(), after.as_ref(), options, &mut reasons);
    let mut breaking = reasons
        .0
        .iter()
        .filter(|reason| reason.level == Level::Major);
    match (breaking.next(), breaking.count()) {
        (None, _) => Finding::of(true, "callers of the holder can call it"),
        (Some(first), 0) => Finding::of(false, first.to_string()),
        (Some(first), more) => Finding::of(false, format!("{first}, and {more} more")),
    }
}

fn documented(case: &Case<'_>, path: &FilePath) -> Finding {
    let files = &case.candidate.record.artifact.files;
    match files.iter().find(|file| file.path == *path) {
        None => Finding::of(false, format!("there is no file {path}")),
        Some(file) if file.bytes == 0 => Finding::of(false, format!("{path} is empty")),
        Some(file) => Finding::of(true, format!("{path} has {} bytes", file.bytes)),
    }
}

fn in_role(case: &Case<'_>, any_of: &BTreeSet<Name>) -> Finding {
    match any_of.intersection(case.roles).next() {
        Some(role) => Finding::of(true, format!("{} is {role}", case.actor)),
        None => Finding::of(
            false,
            format!("{} is not {}", case.actor, alternatives(any_of)),
        ),
    }
}

fn approved(case: &Case<'_>, gate: &Gate, count: u32) -> Finding {
    let Gate::Approvals { valid_hours, .. } = gate else {
        return Finding::of(false, "not a gate of approvals");
    };
    let lasts = |approval: &Approval| match valid_hours {
        None => true,
        Some(hours) => {
            let hours = Duration::from_secs(3_600 * u64::from(*hours));
            case.now < approval.time.saturating_add(hours)
        }
    };
    let (mut by, mut expired) = (BTreeSet::new(), 0_usize);
    for approval in case.approvals.iter().filter(|one| gate.counts(one)) {
        if lasts(approval) {
            by.insert(approval.actor.clone());
        } else {
            expired += 1;
        }
    }
    let names: Vec<&str> = by.iter().map(Actor::as_str).collect();
    let names = if names.is_empty() {
        String::new()
    } else {
        format!(": {}", names.join(", "))
    };
    let late = match expired {
        0 => String::new(),
        expired => format!("; {expired} expired"),
    };
    let passed = u32::try_from(by.len()).unwrap_or(u32::MAX) >= count;
    Finding {
        approved_by: by.iter().cloned().collect(),
        ..Finding::of(
            passed,
            format!("{} of {count} approved{names}{late}", by.len()),
        )
    }
}
