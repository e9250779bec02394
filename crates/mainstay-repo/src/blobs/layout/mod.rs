//! Where a blob is cut.

mod cutter;
pub(super) mod safetensors;
#[cfg(test)]
mod tests;

pub(super) use self::cutter::Cutter;

/// Where to cut a blob whose structure is known, so that a part which stays the same is stored once
/// however the others change.
///
/// Sections lie one after the other from the first byte. The blob is cut where each ends, and within it
/// as its [`Cut`] says; what comes after the last is cut by content. A layout that does not fit its blob
/// costs deduplication and nothing else: any bytes can be cut anywhere.
///
/// A chunk costs about 170 bytes beside its own, so sections should not be much shorter than 8 KiB.
///
/// ```
/// use mainstay_repo::{Cut, Layout};
///
/// // A header, then three pages that are compressed each by itself.
/// let mut layout = Layout::new();
/// layout.push(1_200, Cut::Content);
/// for page in [70_000, 64_321, 12_000] {
///     layout.push(page, Cut::Blocks);
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Layout {
    sections: Vec<Section>,
}

/// How the inside of a section is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cut {
    /// Where the content says, so that an insertion moves no cut far from it: chunks of about 64 KiB.
    Content,
    /// Every 128 KiB from where it begins: for what changes in place, as weights, or not at all.
    Blocks,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Section {
    bytes: u64,
    cut: Cut,
}

impl Layout {
    /// Creates a layout without sections: all of the blob is cut by content.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a section of so many bytes behind the others; one without any is left out.
    pub fn push(&mut self, bytes: u64, cut: Cut) {
        if bytes > 0 {
            self.sections.push(Section { bytes, cut });
        }
    }
}
