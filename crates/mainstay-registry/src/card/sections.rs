//! What each section of the card says.

use mainstay_core::{Actor, Name};
use serde_json::Value;

use super::page::Page;
use super::text::{cell, code, line, paragraphs};
use super::{ModelCard, Score, Source};
use crate::eval::EvalInfo;
use crate::gate::GateResult;
use crate::metric::Metric;
use crate::record::{Increment, Parent};
use crate::reproducibility::is_telling;
use crate::signature::{DataType, ParamSpec, Schema};

/// Tags that have a place of their own on the card.
const PLACED: [&str; 10] = [
    "bias_recommendations",
    "bias_risks_limitations",
    "direct_use",
    "downstream_use",
    "language",
    "license",
    "model_type",
    "out_of_scope_use",
    "preprocessing",
    "results_summary",
];

impl ModelCard {
    fn tag(&self, key: &str) -> Option<&str> {
        self.info.tags.get(key).map(String::as_str)
    }

    /// Adds a part that a tag holds.
    fn tagged(&self, page: &mut Page, title: &str, key: &str) {
        page.part(title, |page| {
            page.block(paragraphs(self.tag(key).unwrap_or_default()));
        });
    }

    pub(super) fn details(&self, page: &mut Page) {
        let (info, record) = (&self.info, &self.info.record);
        page.block(paragraphs(&info.description));
        let one_line = |key| self.tag(key).map(line);
        let parents: Vec<String> = record
            .parents
            .iter()
            .map(|parent| self.parent(parent))
            .collect();
        let aliases: Vec<String> = info.aliases.iter().map(code).collect();
        let said = |list: Vec<String>| (!list.is_empty()).then(|| list.join(", "));
        page.facts([
            ("Version", Some(code(&info.node))),
            ("Record", Some(code(&info.digest))),
            ("Developed by", info.owner.as_deref().map(line)),
            ("Registered", Some(self.registered())),
            ("Model type", one_line("model_type")),
            ("Language", one_line("language")),
            ("License", one_line("license")),
            ("Derived from", said(parents)),
            ("Stage", Some(code(&info.stage))),
            ("Aliases", said(aliases)),
            ("Not to be used after", info.expires.as_ref().map(code)),
        ]);
        page.part("### Model Sources", |page| {
            let code_of = record.code.as_ref().map(|used| {
                let dirty = if used.dirty {
                    ", with changes beyond it"
                } else {
                    ""
                };
                format!(
                    "{} at {}{dirty}",
                    code(&used.repository),
                    code(&used.commit)
                )
            });
            page.facts([("Repository", code_of)]);
        });
        page.part("### Changes", |page| {
            if let Some(bump) = &record.bump {
                changes(page, bump);
            }
        });
    }

    fn registered(&self) -> String {
        let (time, actor) = (
            code(&self.info.registered),
            line(self.registered_by.as_str()),
        );
        format!("{time} by {actor}: {}", line(&self.registered_because))
    }

    fn parent(&self, parent: &Parent) -> String {
        let weight = self.info.record.weights.get(&parent.model);
        let weight = weight.map_or_else(String::new, |weight| format!(", weight {weight}"));
        format!(
            "{} ({}{weight})",
            code(&parent.model),
            line(parent.relation.as_str())
        )
    }

    pub(super) fn uses(&self, page: &mut Page) {
        page.block(paragraphs(self.info.purpose.as_deref().unwrap_or_default()));
        self.tagged(page, "### Direct Use", "direct_use");
        self.tagged(page, "### Downstream Use", "downstream_use");
        self.tagged(page, "### Out-of-Scope Use", "out_of_scope_use");
    }

    pub(super) fn limitations(&self, page: &mut Page) {
        page.block(paragraphs(
            self.tag("bias_risks_limitations").unwrap_or_default(),
        ));
        self.tagged(page, "### Recommendations", "bias_recommendations");
    }

    pub(super) fn training(&self, page: &mut Page) {
        let record = &self.info.record;
        page.part("### Training Data", |page| {
            let rows = record.data.iter();
            let rows = rows.map(|used| [code(&used.role), code(&used.data), code(&used.record)]);
            page.table(["Role", "Dataset", "Digest"], rows);
        });
        page.part("### Training Procedure", |page| {
            let telling = is_telling(record);
            let run = record.run.as_ref().map(|made| match made.step {
                Some(step) => format!("{} at step {step}", code(&made.run)),
                None => code(&made.run),
            });
            page.facts([
                ("Run", run),
                ("Environment", record.environment.as_ref().map(code)),
                (
                    "Reproducibility digest",
                    telling.then(|| code(&record.reproducibility)),
                ),
            ]);
            self.tagged(page, "#### Preprocessing", "preprocessing");
            page.part("#### Training Hyperparameters", |page| {
                let rows = record.parameters.iter();
                page.table(
                    ["Name", "Value"],
                    rows.map(|(name, value)| [cell(name), scalar(value)]),
                );
            });
            page.part("#### Random Seeds", |page| {
                let rows = record.seeds.iter();
                page.table(
                    ["Name", "Seed"],
                    rows.map(|(name, seed)| [cell(name), seed.to_string()]),
                );
            });
        });
    }

    pub(super) fn evaluation(&self, page: &mut Page) {
        page.part("### Testing Data, Factors & Metrics", |page| {
            page.part("#### Testing Data", |page| {
                let head = ["Report", "Evaluated on", "Run", "Time", "About"];
                page.table(head, self.evaluations.iter().map(report));
            });
            page.part("#### Factors", |page| {
                let rows = self.evaluations.iter().flat_map(factors);
                page.table(["Report", "Part", "Metric", "Value"], rows);
            });
        });
        page.part("### Results", |page| {
            let head = ["Metric", "Value", "Measured on", "Source"];
            page.table(head, self.results.iter().map(score));
            self.tagged(page, "#### Summary", "results_summary");
        });
    }

    pub(super) fn specifications(&self, page: &mut Page) {
        let record = &self.info.record;
        if let Some(signature) = &record.signature {
            page.part("### Inputs", |page| schema(page, signature.inputs.as_ref()));
            page.part("### Outputs", |page| {
                schema(page, signature.outputs.as_ref());
            });
            page.part("### Parameters of a Call", |page| {
                page.table(
                    ["Name", "Type", "Default"],
                    signature.params.iter().map(param),
                );
            });
        }
        page.part("### Files", |page| {
            page.facts([
                ("Identity", Some(code(&record.artifact.digest))),
                ("Bytes", Some(record.artifact.bytes().to_string())),
            ]);
            let files = record.artifact.files.iter();
            let rows = files.map(|file| {
                let (path, format) = (code(&file.path), code(&file.media_type));
                [path, format, file.bytes.to_string(), code(&file.digest)]
            });
            page.table(["Path", "Format", "Bytes", "Digest"], rows);
        });
    }

    pub(super) fn more(&self, page: &mut Page) {
        page.part("### Gates", |page| {
            let why = self.overruled.as_deref().map(line);
            page.facts([("Overruled", why)]);
            page.table(
                ["Gate", "Result", "Found", "Approved by"],
                self.gates.iter().map(gate),
            );
        });
        page.part("### Approvals", |page| {
            let rows = self.approvals.iter().map(|approval| {
                let roles: Vec<&str> = approval.roles.iter().map(Name::as_str).collect();
                [
                    code(&approval.stage),
                    cell(approval.actor.as_str()),
                    cell(&roles.join(", ")),
                    code(&approval.time),
                    cell(&approval.reason),
                ]
            });
            page.table(["Stage", "Approved by", "Roles", "Time", "Reason"], rows);
        });
        #[cfg(feature = "sign")]
        page.part("### Signatures", |page| {
            let rows = self.signatures.iter();
            page.table(["Key"], rows.map(|signature| [code(&signature.key)]));
        });
        page.part("### Tags", |page| {
            let rest = self
                .info
                .tags
                .iter()
                .filter(|(key, _)| !PLACED.contains(&key.as_str()));
            page.table(
                ["Tag", "Value"],
                rest.map(|(key, value)| [cell(key), cell(value)]),
            );
        });
        page.part("### Model Card Contact", |page| {
            page.block(paragraphs(self.info.owner.as_deref().unwrap_or_default()));
        });
    }
}

fn changes(page: &mut Page, bump: &Increment) {
    page.block(format!(
        "Compared with {}: {}.",
        code(&bump.previous),
        bump.inferred
    ));
    let shown = |value: &Value| match value {
        Value::Null => String::new(),
        value => scalar(value),
    };
    let rows = bump.reasons.iter().map(|reason| {
        let (level, rule) = (reason.level.to_string(), code(&reason.rule));
        [
            level,
            rule,
            cell(&reason.path),
            shown(&reason.before),
            shown(&reason.after),
        ]
    });
    page.table(["Level", "Rule", "Where", "Before", "After"], rows);
    if bump.omitted > 0 {
        page.block(format!(
            "{} more differences are not recorded.",
            bump.omitted
        ));
    }
}

fn report(report: &EvalInfo) -> [String; 5] {
    let record = &report.record;
    [
        code(&report.node),
        record.data.as_ref().map(code).unwrap_or_default(),
        record.run.as_ref().map(code).unwrap_or_default(),
        code(&report.reported),
        cell(&record.description),
    ]
}

fn factors(report: &EvalInfo) -> impl Iterator<Item = [String; 4]> {
    let slices = report.record.slices.iter();
    slices.flat_map(|(part, metrics)| {
        let row = |(metric, value): (&String, &Metric)| {
            [
                code(&report.node),
                cell(part),
                cell(metric),
                value.to_string(),
            ]
        };
        metrics.iter().map(row).collect::<Vec<_>>()
    })
}

fn score(score: &Score) -> [String; 4] {
    let source = match &score.source {
        Source::Registration => "registration".to_owned(),
        Source::Promotion => "promotion".to_owned(),
        Source::Evaluation(report) => code(report),
    };
    let data = score.data.as_ref().map(code).unwrap_or_default();
    [cell(&score.metric), score.value.to_string(), data, source]
}

fn gate(result: &GateResult) -> [String; 4] {
    let approvers: Vec<&str> = result.approved_by.iter().map(Actor::as_str).collect();
    let said = if result.passed { "pass" } else { "fail" };
    [
        cell(&result.gate.to_string()),
        said.to_owned(),
        cell(&result.why),
        cell(&approvers.join(", ")),
    ]
}

fn schema(page: &mut Page, schema: Option<&Schema>) {
    let name = |place: usize, name: Option<&String>| match name {
        Some(name) => cell(name),
        None => format!("#{}", place + 1),
    };
    match schema {
        Some(Schema::Columns(columns)) => {
            let rows = columns.iter().enumerate().map(|(place, column)| {
                let required = if column.required { "yes" } else { "no" };
                let name = name(place, column.name.as_ref());
                [name, data_type(&column.data_type), required.to_owned()]
            });
            page.table(["Column", "Type", "Required"], rows);
        }
        Some(Schema::Tensors(tensors)) => {
            let rows = tensors.iter().enumerate().map(|(place, tensor)| {
                let shape = format!("{:?}", tensor.shape);
                [
                    name(place, tensor.name.as_ref()),
                    code(&tensor.dtype),
                    code(&shape),
                ]
            });
            page.table(["Tensor", "Type", "Shape"], rows);
        }
        None => {}
    }
}

fn param(param: &ParamSpec) -> [String; 3] {
    [
        cell(&param.name),
        data_type(&param.data_type),
        scalar(&param.default),
    ]
}

fn data_type(data_type: &DataType) -> String {
    scalar(&data_type.to_json())
}

/// Shows text as it is, and anything else as JSON.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => cell(text),
        Value::Array(_) | Value::Object(_) => code(value),
        other => cell(&other.to_string()),
    }
}
