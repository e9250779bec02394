//! The change of a model in full, for people.

use mainstay_lineage::change::{JsonDiff, Section};

use super::Detail;

impl Detail {
    pub(super) fn sections(&self) -> Vec<Section> {
        let reasons = self.reasons.iter().map(ToString::to_string);
        let metrics = self.metrics.iter().map(ToString::to_string);
        let code = self.code.iter().map(ToString::to_string);
        vec![
            Section::list("what asks for a new version", reasons),
            Section::list("metrics", metrics),
            Section::list("hyperparameters", settings(&self.parameters)),
            Section::list("seeds", settings(&self.seeds)),
            Section::list("code", code),
            Section::list("tensors", self.tensors.lines()),
        ]
    }
}

fn settings(diff: &JsonDiff) -> Vec<String> {
    let named = diff.differences.iter().map(ToString::to_string);
    let omitted = (diff.omitted > 0).then(|| format!("… and {} more", diff.omitted));
    named.chain(omitted).collect()
}
