//! Environments: what the serving policy finds.

use async_trait::async_trait;
use mainstay_core::{NodeRef, Result};
use mainstay_env::{Environments, Finding, Policy, Report, Severity as Grade, Verdict, compare};
use mainstay_lineage::change::{Describe, Description, Section, Severity};
use mainstay_repo::View;

/// How many findings a summary names.
const NAMED: usize = 3;

#[derive(Debug)]
pub(super) struct DescribeEnvironment(pub(super) View);

#[async_trait]
impl Describe for DescribeEnvironment {
    async fn describe(&self, a: &NodeRef, b: &NodeRef) -> Result<Option<Description>> {
        let (a, b) = (a.clone().into(), b.clone().into());
        let both = |view: &View| Ok((Environments::find(view, &a)?, Environments::find(view, &b)?));
        let (before, after) = self.0.read(both).await?;
        let report = compare(&before.manifest, &after.manifest, Policy::Serve);
        let severity = match report.verdict {
            Verdict::Fail => Severity::High,
            Verdict::Warn => Severity::Medium,
            Verdict::Pass => Severity::Low,
        };
        let findings = report.findings.iter().map(|finding| {
            let grade = match finding.severity {
                Grade::Info => "note",
                Grade::Warning => "warning",
                Grade::Error => "error",
            };
            format!(
                "{grade}: {}; {}; {}",
                told(finding),
                finding.why,
                finding.fix
            )
        });
        let description = Description::new(summary(&report), severity)
            .with_detail(super::json(&report)?)
            .with_section(Section::list("findings", findings));
        Ok(Some(description))
    }
}

fn summary(report: &Report) -> String {
    let named: Vec<String> = report.findings.iter().take(NAMED).map(told).collect();
    match report.findings.len() {
        0 => "no difference that matters for serving".to_owned(),
        count if count > NAMED => format!("{}; and {} more", named.join("; "), count - NAMED),
        _ => named.join("; "),
    }
}

fn told(finding: &Finding) -> String {
    let side = |side: &Option<String>| side.clone().unwrap_or_else(|| "nothing".to_owned());
    format!(
        "{}: {} → {}",
        finding.path,
        side(&finding.a),
        side(&finding.b)
    )
}
