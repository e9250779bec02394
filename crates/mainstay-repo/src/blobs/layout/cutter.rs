//! Cuts bytes as a layout says.

use super::{Cut, Layout, Section};
use crate::blobs::chunker::{Chunker, MAX_CHUNK};

/// Finds the cuts of one blob whose bytes arrive in slices of any size.
#[derive(Debug)]
pub(in crate::blobs) struct Cutter {
    sections: std::vec::IntoIter<Section>,
    /// What is left of the current section.
    section: Section,
    by_content: Chunker,
    /// Bytes of the current block so far.
    block: usize,
}

/// What lies behind the last section.
const REST: Section = Section {
    bytes: u64::MAX,
    cut: Cut::Content,
};

impl Cutter {
    pub(in crate::blobs) fn new(layout: Layout) -> Self {
        let mut sections = layout.sections.into_iter();
        Self {
            section: sections.next().unwrap_or(REST),
            sections,
            by_content: Chunker::default(),
            block: 0,
        }
    }

    /// Returns how many of `bytes` complete the current chunk; `None` when it goes on after all of them.
    ///
    /// The caller passes what lies behind the cut to the next call.
    pub(in crate::blobs) fn next_cut(&mut self, bytes: &[u8]) -> Option<usize> {
        let left = usize::try_from(self.section.bytes).unwrap_or(usize::MAX);
        let within = bytes.len().min(left);
        let cut = match self.section.cut {
            Cut::Content => self.by_content.next_cut(&bytes[..within]),
            Cut::Blocks => Some(MAX_CHUNK - self.block).filter(|cut| *cut <= within),
        };
        // The end of a section is a cut wherever the rule would cut.
        let cut = cut.or((within == left).then_some(within));
        self.section.bytes -= cut.unwrap_or(within) as u64;
        match cut {
            None => self.block += within,
            Some(_) => self.begin_chunk(),
        }
        cut
    }

    fn begin_chunk(&mut self) {
        self.block = 0;
        self.by_content.reset();
        if self.section.bytes == 0 {
            self.section = self.sections.next().unwrap_or(REST);
        }
    }
}
