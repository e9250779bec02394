//! Which unit goes where, and in which steps.

use clap::{Args, ValueEnum};
use mainstay::experiment::Guardrail;
use mainstay::rollout::{GuardrailSpec, OnFail, RolloutPlan};
use mainstay::{Locator, Name, Result};

use crate::args;

#[derive(Debug, Args)]
pub(super) struct Target {
    /// The channel
    pub(super) channel: Name,
    /// The unit, as name@selector
    #[arg(value_parser = args::unit)]
    pub(super) unit: Locator,
}

#[derive(Debug, Args)]
pub(super) struct Steps {
    /// The canary's shares of the traffic, as percentages or basis points; everything follows the last
    #[arg(
        long = "steps",
        value_name = "SHARES",
        value_delimiter = ',',
        value_parser = args::share,
        default_value = "5%,25%,50%"
    )]
    shares: Vec<u32>,
    /// How many requests each arm must serve in each step
    #[arg(long, value_name = "N", default_value_t = 500)]
    min_requests: u64,
    /// The highest probability that a healthy canary fails the guardrail, however often it is looked at
    #[arg(long, default_value_t = 0.05)]
    alpha: f64,
    /// What a failing guardrail does
    #[arg(long, value_enum, value_name = "ACTION", default_value = "roll-back")]
    on_fail: Failing,
    /// Decides who is in the canary; that of an earlier rollout picks the same people
    #[arg(long)]
    salt: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Failing {
    /// The unit that served before gets everything
    RollBack,
    /// The rollout stays at its step
    Hold,
}

impl From<Failing> for OnFail {
    fn from(failing: Failing) -> Self {
        match failing {
            Failing::RollBack => Self::RollBack,
            Failing::Hold => Self::Hold,
        }
    }
}

impl Steps {
    pub(super) fn plan(&self) -> Result<RolloutPlan> {
        let failures = Guardrail::failure_rate(self.alpha, self.min_requests)?;
        let guardrail = GuardrailSpec::new("failures".parse()?, failures, self.on_fail.into());
        let mut plan = RolloutPlan::default()
            .with_steps(self.shares.clone())
            .with_min_requests_per_step(self.min_requests)
            .with_guardrails([guardrail]);
        if let Some(salt) = &self.salt {
            plan = plan.with_salt(salt);
        }
        Ok(plan)
    }
}
