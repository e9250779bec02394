//! `mainstay model promote`

use std::collections::BTreeMap;
use std::str::FromStr;

use clap::Args;
use mainstay::registry::{Better, Gate, GateResult, PromoteSpec, Promotion};
use mainstay::{Error, FilePath, Locator, Name, NodeRef, Result};
use serde::Serialize;

use super::expectation;
use crate::args::{self, Expected, Pair};
use crate::cli::Global;
use crate::output::Answer;
use crate::text::{BAD, GOOD, Line};

/// Let a version enter a stage, if its gates let it
///
/// Whoever holds an exclusive stage such as production is archived in the same log entry. The stages
/// are development, staging, production and archived, in which a version goes one step at a time,
/// unless the model has a policy of its own, whose gates are asked too. Exit code 1 when a gate said no;
/// nothing changed then.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay model promote fraud@1.2.0 --to staging
  mainstay model promote fraud@1.2.0 --to production --incumbent 1.1.0 \\
      --at-least auc=0.9 --not-lower auc --require-tag approved=yes
  mainstay model promote fraud@1.2.0 --to production --compatible --require-file CARD.md \\
      --check environment --check drift:role=train,against=payments@live
  mainstay model promote fraud@1.2.0 --to production --break-glass 'fraud wave, incident 17'")]
pub(crate) struct Promote {
    /// The model version, as name@selector
    #[arg(value_name = "REF", value_parser = args::model)]
    reference: Locator,
    /// The stage it is to enter
    #[arg(long, value_name = "STAGE")]
    to: Name,
    /// Refuse unless this version, or none, holds the stage
    #[arg(long, value_name = "VERSION|none")]
    incumbent: Option<Expected>,
    /// What was measured for this promotion; may be repeated
    #[arg(long = "metric", value_name = "KEY=NUMBER")]
    metrics: Vec<Pair>,
    /// Gate: a metric is at least this; may be repeated
    #[arg(long, value_name = "METRIC=NUMBER")]
    at_least: Vec<Pair>,
    /// Gate: a metric is at most this; may be repeated
    #[arg(long, value_name = "METRIC=NUMBER")]
    at_most: Vec<Pair>,
    /// Gate: a metric for which higher is better is not worse than the holder's, but for a tolerance;
    /// may be repeated
    #[arg(long, value_name = "METRIC[=TOLERANCE]")]
    not_lower: Vec<Tolerance>,
    /// Gate: a metric for which lower is better is not worse than the holder's, but for a tolerance;
    /// may be repeated
    #[arg(long, value_name = "METRIC[=TOLERANCE]")]
    not_higher: Vec<Tolerance>,
    /// Gate: a tag is set; may be repeated
    #[arg(long = "require-tag", value_name = "KEY[=VALUE]")]
    tags: Vec<String>,
    /// Gate: a file of the model is not empty; may be repeated
    #[arg(long = "require-file", value_name = "PATH")]
    files: Vec<FilePath>,
    /// Gate: whoever calls the holder can call this version, by their signatures
    #[arg(long)]
    compatible: bool,
    /// With --compatible: the serving code refuses inputs that it does not know, so that none is dropped
    #[arg(long, requires = "compatible")]
    strict_inputs: bool,
    /// Gate: a check passes, environment or drift; may be repeated
    #[arg(long = "check", value_name = "NAME[:KEY=VALUE,…]")]
    checks: Vec<Check>,
    /// A role of whoever promotes, for policies that ask; may be repeated
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<Name>,
    /// Promote also when gates say no, for this reason; the log, the history and a record tell of it
    #[arg(long, value_name = "WHY")]
    break_glass: Option<String>,
    /// Promote once however often the command is repeated with this key
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
}

/// `NAME[:KEY=VALUE,…]`.
#[derive(Debug, Clone)]
struct Check {
    name: Name,
    arguments: BTreeMap<String, String>,
}

impl FromStr for Check {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, arguments) = text.split_once(':').unwrap_or((text, ""));
        let pairs = arguments.split(',').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(str::parse).collect::<Result<Vec<Pair>>>()?;
        Ok(Self {
            name: name.parse()?,
            arguments: args::texts(pairs, "argument")?,
        })
    }
}

/// `METRIC[=TOLERANCE]`.
#[derive(Debug, Clone)]
struct Tolerance {
    metric: String,
    tolerance: f64,
}

impl FromStr for Tolerance {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (metric, tolerance) = text.split_once('=').unwrap_or((text, "0"));
        Ok(Self {
            metric: metric.to_owned(),
            tolerance: args::number(tolerance)?,
        })
    }
}

#[derive(Serialize)]
struct Document<'a> {
    promoted: bool,
    model: &'a NodeRef,
    from: &'a Name,
    to: &'a Name,
    displaced: Option<&'a NodeRef>,
    gates: &'a [GateResult],
    overruled: Option<&'a str>,
    seq: Option<u64>,
}

impl Promote {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let reason = global.reason(format!("promote to {}", self.to));
        let gates = self.gates()?;
        let mut spec = PromoteSpec::new(self.reference, self.to, global.actor()?, reason)
            .with_incumbent(expectation(self.incumbent.as_ref())?);
        spec.gates = gates;
        spec.roles = self.roles.into_iter().collect();
        spec.overrule = self.break_glass;
        spec.idempotency_key = self.key;
        for (name, value) in args::collect(self.metrics, "metric", args::number)? {
            spec = spec.with_metric(name, value);
        }
        let promotion = global.open().await?.promote(spec).await?;
        let document = Document::of(&promotion);
        global
            .output()
            .result(&document, |out| document.write(out))?;
        Ok(Answer::of(document.promoted))
    }

    fn gates(&self) -> Result<Vec<Gate>> {
        let mut gates = Vec::new();
        for Pair { key, value } in &self.at_least {
            let (metric, limit) = (key.clone(), args::number(value)?);
            gates.push(Gate::AtLeast { metric, limit });
        }
        for Pair { key, value } in &self.at_most {
            let (metric, limit) = (key.clone(), args::number(value)?);
            gates.push(Gate::AtMost { metric, limit });
        }
        let relative = [
            (&self.not_lower, Better::Higher),
            (&self.not_higher, Better::Lower),
        ];
        for (tolerances, better) in relative {
            gates.extend(
                tolerances
                    .iter()
                    .map(|Tolerance { metric, tolerance }| Gate::NotWorse {
                        metric: metric.clone(),
                        better,
                        tolerance: *tolerance,
                    }),
            );
        }
        gates.extend(self.tags.iter().map(|tag| match tag.split_once('=') {
            Some((key, value)) => Gate::Tag {
                key: key.to_owned(),
                value: Some(value.to_owned()),
            },
            None => Gate::Tag {
                key: tag.clone(),
                value: None,
            },
        }));
        let files = self.files.iter().cloned();
        gates.extend(files.map(|path| Gate::Document { path }));
        if self.compatible {
            gates.push(Gate::Compatible {
                strict_inputs: self.strict_inputs,
            });
        }
        gates.extend(self.checks.iter().map(|check| Gate::Check {
            name: check.name.clone(),
            arguments: check.arguments.clone(),
        }));
        Ok(gates)
    }
}

impl<'a> Document<'a> {
    fn of(promotion: &'a Promotion) -> Self {
        match promotion {
            Promotion::Promoted(report) => Self {
                promoted: true,
                model: &report.model,
                from: &report.from,
                to: &report.to,
                displaced: report.displaced.as_ref(),
                gates: &report.gates,
                overruled: report.overruled.as_deref(),
                seq: report.seq,
            },
            Promotion::Refused(refusal) => Self {
                promoted: false,
                model: &refusal.model,
                from: &refusal.from,
                to: &refusal.to,
                displaced: None,
                gates: &refusal.gates,
                overruled: None,
                seq: None,
            },
        }
    }

    fn write(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        let Self {
            model, from, to, ..
        } = self;
        match (self.promoted, self.seq) {
            (true, Some(_)) => writeln!(out, "{model}: {from} -> {to}")?,
            (true, None) => writeln!(out, "{model}: already in {to}")?,
            (false, _) => writeln!(out, "{model}: {BAD}stays in {from}{BAD:#}")?,
        }
        if let Some(displaced) = self.displaced {
            writeln!(out, "{displaced}: displaced")?;
        }
        if let Some(why) = self.overruled {
            writeln!(out, "{BAD}gates overruled{BAD:#}: {}", Line(why))?;
        }
        for gate in self.gates {
            let (style, word) = if gate.passed {
                (GOOD, "pass")
            } else {
                (BAD, "fail")
            };
            let why = Line(&gate.why);
            writeln!(
                out,
                "  {style}{word}{style:#} {}: {why}",
                Line(&gate.gate.to_string())
            )?;
        }
        Ok(())
    }
}
