//! Lets a model into production only when its gates say so: `cargo run --example promote_with_gates`.

use std::collections::BTreeSet;

use mainstay::registry::{
    ApproveSpec, Better, FileSpec, Gate, ModelSpec, PromoteSpec, Promotion, RollbackSpec,
    StagePolicy,
};
use mainstay::{Actor, Locator, Result, Workspace};

#[tokio::main]
async fn main() -> Result<()> {
    let workspace = Workspace::create("mem:").await?;
    let models = workspace.models();
    let (ada, bob) = (Actor::new("ada")?, Actor::new("bob")?);

    // Production wants a model as good as the one that is there, and somebody else's approval.
    let not_worse = Gate::NotWorse {
        metric: "auc".to_owned(),
        better: Better::Higher,
        tolerance: 0.005,
    };
    let approved = Gate::Approvals {
        count: 1,
        roles: ["risk".parse()?].into(),
        author: false,
        valid_hours: Some(168),
    };
    let policy = StagePolicy::default()
        .with_gate("production".parse()?, not_worse)
        .with_gate("production".parse()?, approved);
    models
        .set_stage_policy(
            &"fraud".parse()?,
            policy,
            ada.clone(),
            &BTreeSet::new(),
            "agreed on",
        )
        .await?;

    for (weights, auc) in [
        ("first weights", 0.91),
        ("hasty weights", 0.84),
        ("better weights", 0.94),
    ] {
        let spec = ModelSpec::new("fraud".parse()?, ada.clone(), "weekly training")
            .with_file(FileSpec::from_bytes("model.bin".parse()?, weights))
            .with_metric("auc", auc);
        let version: Locator = models.register(spec).await?.node.to_string().parse()?;
        let approval = ApproveSpec::new(
            version.clone(),
            "production".parse()?,
            bob.clone(),
            "read the report",
        );
        for stage in ["staging", "production"] {
            if stage == "production" {
                models
                    .approve(approval.clone().with_role("risk".parse()?))
                    .await?;
            }
            let spec = PromoteSpec::new(version.clone(), stage.parse()?, ada.clone(), "weekly");
            // One transaction: the gates, the stage, and the version that leaves it.
            match workspace.promote(spec).await? {
                Promotion::Promoted(report) => anstream::println!("{}: {stage}", report.model),
                Promotion::Refused(refusal) => {
                    for gate in refusal.gates.iter().filter(|gate| !gate.passed) {
                        anstream::println!("{}: refused, {}", refusal.model, gate.why);
                    }
                }
            }
        }
    }

    let back = RollbackSpec::new(
        "fraud".parse()?,
        "production".parse()?,
        ada,
        "complaints since the release",
    );
    anstream::println!("back to {}", models.rollback(back).await?.to);
    Ok(())
}
