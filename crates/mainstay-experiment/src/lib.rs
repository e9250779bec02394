//! Who gets which variant, which variant is better, and when to stop: pure decisions.
//!
//! A service embeds this crate to split its traffic without a sticky store, to let a bandit choose
//! between prompts or models, and to watch a canary as often as it likes without raising the false
//! alarm rate. Nothing here does I/O, reads a clock or holds a random number generator: state and
//! randomness are passed in.
//!
//! ```
//! use mainstay_experiment::{Guardrail, Evidence, Observation, Outcomes, Split, Verdict};
//!
//! // One request in ten goes to the canary; the same user always gets the same answer.
//! let split = Split::new("search", "ranker-v2", [("canary".parse()?, 1), ("control".parse()?, 9)])?;
//! let assignment = split.assign("user-4711");
//! assert_eq!(assignment.arm, split.assign("user-4711").arm);
//! assert!(assignment.propensity == 0.1 || assignment.propensity == 0.9);
//!
//! // Watch the failures, as often as you like; false alarms stay below 5 % over the whole rollout.
//! let guardrail = Guardrail::failure_rate(0.05, 500)?;
//! let mut evidence = Evidence::default();
//! for _minute in 0..10 {
//!     let control = Outcomes::new(900, 9)?;
//!     let canary = Outcomes::new(100, 8)?;
//!     guardrail.observe(&mut evidence, &Observation::new(control, canary, 0.1)?)?;
//! }
//! let report = guardrail.report(&evidence);
//! assert_eq!(report.verdict, Verdict::Fail);
//! assert!(report.e_value > 20.0);
//! # Ok::<(), mainstay_core::Error>(())
//! ```
//!
//! Start with [`Split`] (assignment `vH1`, a frozen format), [`Guardrail`] with its [`Evidence`],
//! and [`ThompsonSampling`] with its [`ArmStats`].
//!
//! It does not store anything or move traffic (`mainstay-rollout` does), and has no contextual
//! bandits, off-policy estimates or tests of means: only binary outcomes. Weights of three or more
//! arms can be changed, but then units may also move between arms whose weights did not change.

mod assign;
mod bandit;
mod guardrail;

pub use assign::{Arm, Assignment, MAX_ARMS, Split};
pub use bandit::{ArmStats, Choice, Counts, ThompsonSampling};
pub use guardrail::{
    Evidence, Guardrail, GuardrailKind, GuardrailReport, Observation, Outcomes, Verdict,
};
