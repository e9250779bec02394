//! Collection: what no ref needs any more is deleted, in steps that no clock and no stalled process
//! can turn into a loss. `docs/formats/collection.md` is normative.
//!
//! A pack nobody needs is first waited for, then condemned in the log, then deleted, each by another
//! run. Writers never rely on condemned packs: sessions pass over them, and a commit that names blobs
//! in one fails. So what a pack is needed for is settled by the entry that condemns it.

mod announced;
mod apply;
mod bounds;
mod candidates;
pub(crate) mod catalog;
mod delete;
mod explain;
mod hold;
mod made;
mod mark;
mod needed;
mod options;
mod parts;
mod plan;
pub(crate) mod pointers;
mod receipts;
pub(crate) mod repack;
mod scattered;
mod sequence;
mod state;
mod sweep;
#[cfg(test)]
mod tests;

pub use self::apply::CollectionReport;
pub(crate) use self::apply::apply;
pub use self::explain::{BlobExplanation, HoldingPack, NamedBy, RefExplanation};
pub(crate) use self::explain::{blob as explain_blob, refs as explain_refs};
pub use self::hold::{Held, Hold};
pub(crate) use self::hold::{hold, holds, release};
pub use self::options::CollectOptions;
pub(crate) use self::plan::plan;
pub use self::plan::{CollectionPlan, PlannedPack};
pub use self::receipts::CollectionReceipt;
pub(crate) use self::receipts::receipts;
pub use self::scattered::PlannedDefragmentation;
pub(crate) use self::state::{condemned, condemned_in, is_own, runs};
pub(crate) use self::sweep::explain_checkpoint;
pub use self::sweep::{CheckpointExplanation, PlannedCheckpoints, SweptCheckpoints};
