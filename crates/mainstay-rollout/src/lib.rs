//! Deployment units, channels, canary steps and coordinated rollback.
//!
//! A *unit* is a model, a prompt, data, an environment and code that are served together. A
//! *channel*, as `prod`, serves one unit. A *rollout* gives a new unit more and more of a channel's
//! traffic while guardrails compare it with the old one, and ends with all of it or none. Whatever
//! moves, moves in one log entry: the unit, each of its components and the labels and aliases that
//! follow; so does the way back.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), mainstay_core::Error> {
//! use std::sync::Arc;
//!
//! use mainstay_core::{Actor, Name, Timestamp};
//! use mainstay_experiment::Outcomes;
//! use mainstay_repo::{Repo, RepoOptions};
//! use mainstay_rollout::{Action, RolloutPlan, Rollouts, UnitSpec, Units, Window};
//! use mainstay_store::MemoryStorage;
//!
//! let repo = Repo::create(Arc::new(MemoryStorage::new()), RepoOptions::default()).await?;
//! let (units, rollouts) = (Units::new(repo.clone()), Rollouts::new(repo.clone()));
//! let (ada, prod): (Actor, Name) = (Actor::new("ada")?, "prod".parse()?);
//!
//! // Two units; here they differ in their code only.
//! for code in ["code:service@1f0c", "code:service@9b1d"] {
//!     let spec = UnitSpec::new("support".parse()?).with_component("code".parse()?, code.parse()?);
//!     units.create(spec, ada.clone(), "built").await?;
//! }
//! rollouts.put(&prod, &"support@1".parse()?, ada.clone(), "first release").await?;
//!
//! // The second gets 10 % of the traffic and fails more often than the first.
//! let plan = RolloutPlan::default().with_steps([1_000, 5_000]);
//! rollouts.start(&prod, &"support@2".parse()?, &plan, ada.clone(), "new service").await?;
//! let router = repo.read(|view| Rollouts::router(view, &prod)).await?;
//! assert_eq!(router.route("user-17").unit, router.route("user-17").unit);
//!
//! let window = Window::new(Outcomes::new(900, 9)?, Outcomes::new(100, 15)?, Timestamp::UNIX_EPOCH);
//! let decision = rollouts.observe(&prod, &window, Actor::new("controller")?).await?;
//! assert_eq!(decision.action, Action::RolledBack);
//! assert_eq!(decision.status.unit, "unit:support@1".parse()?);
//! # Ok(())
//! # }
//! ```
//!
//! Start with [`UnitSpec`] and [`Units`], [`RolloutPlan`] and [`Rollouts`], and [`Router`] for the
//! services that answer requests. [`RolloutSpec`] is the pure state machine underneath.
//!
//! It checks that components exist, but not whether they fit together: there is no compatibility
//! matrix. It does not wait: a rollout goes on when somebody observes it, and steps have no minimum
//! time. Requests are not counted in the repository; count in [`Counters`] and observe windows.

mod channel;
mod counters;
mod draft;
mod machine;
mod plan;
mod record;
mod rollouts;
mod router;
mod status;
mod switch;
mod unit;
mod units;
mod window;

pub use channel::ChannelConfig;
pub use counters::{Counters, Outcome};
pub use draft::PointerMove;
pub use machine::{
    Event, GuardrailStatus, Input, Observed, Phase, RolloutSpec, RolloutState, StepRequests,
    Weights,
};
pub use plan::{GuardrailSpec, OnFail, RolloutPlan};
pub use rollouts::{Action, ChannelEvent, Decision, Rollouts};
pub use router::{Route, Router, TrafficArm};
pub use status::Status;
pub use switch::{SwitchAction, SwitchPlan};
pub use unit::{Unit, UnitSpec};
pub use units::{CreatedUnit, Units};
pub use window::{Window, WindowId, WindowOrigin};
