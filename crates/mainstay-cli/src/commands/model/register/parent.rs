//! A model that another was made from.

use std::str::FromStr;

use mainstay::registry::{ModelSpec, Relation};
use mainstay::repo::View;
use mainstay::{Error, Locator, Result};

use crate::args;
use crate::commands::resolve;

/// `REF[=RELATION[:WEIGHT]]`.
#[derive(Debug, Clone)]
pub(super) struct Parent {
    reference: Locator,
    relation: Relation,
    /// How much it weighed, where it was merged.
    weight: Option<f64>,
}

impl FromStr for Parent {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let Some((reference, how)) = text.split_once('=') else {
            return Ok(Self {
                reference: args::model(text)?,
                relation: Relation::FineTune,
                weight: None,
            });
        };
        let (relation, weight) = match how.split_once(':') {
            Some((relation, weight)) => (relation, Some(args::number(weight)?)),
            None => (how, None),
        };
        let relation = relation.parse()?;
        if weight.is_some() && relation != Relation::Merge {
            return Err(Error::invalid("only a parent that was merged has a weight"));
        }
        Ok(Self {
            reference: args::model(reference)?,
            relation,
            weight,
        })
    }
}

impl Parent {
    /// Adds it to what is registered; refuses one that is there already.
    pub(super) async fn add_to(&self, spec: ModelSpec, view: &View) -> Result<ModelSpec> {
        let node = resolve(view, &self.reference).await?;
        let count = spec.parents.len();
        let shown = node.clone();
        let spec = match self.weight {
            Some(weight) => spec.with_merged(node, weight),
            None => spec.with_parent(node, self.relation),
        };
        if spec.parents.len() == count {
            return Err(Error::invalid("given twice").context("parent", shown));
        }
        Ok(spec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_has_a_relation_and_one_that_was_merged_a_weight() {
        for (text, relation, weight) in [
            ("fraud", Relation::FineTune, None),
            ("model:fraud@sha256:00", Relation::FineTune, None),
            ("fraud@1.2.0=quantize", Relation::Quantize, None),
            ("fraud@champion=merge", Relation::Merge, None),
            ("fraud@1.2.0=merge:-0.25", Relation::Merge, Some(-0.25)),
        ] {
            let Ok(parent) = text.parse::<Parent>() else {
                assert!(text.contains("sha256:00"), "{text}");
                continue;
            };
            assert_eq!(
                (parent.relation, parent.weight),
                (relation, weight),
                "{text}"
            );
        }
        for bad in [
            "fraud=",
            "fraud=cousin",
            "fraud=distill:0.5",
            "fraud=merge:",
            "fraud=merge:much",
            "data:fraud",
        ] {
            assert!(bad.parse::<Parent>().is_err(), "{bad}");
        }
    }
}
