//! Leases: one of several controllers does the work, and a deposed one can commit nothing.
//!
//! A lease is a ref in the log. Whoever holds it commits under the ref's generation, its *epoch*;
//! taking the lease over changes the generation, so that a commit of the former holder, however
//! late, meets an unmet expectation. No clock has a part in that. Clocks only decide when somebody
//! tries: after having watched a lease that did not change for its whole term.
//!
//! Normative: `docs/formats/lease.md`.

mod contender;
mod held;
mod state;

pub use self::contender::Contender;
pub use self::held::Lease;
pub use self::state::LeaseHolder;
