//! Where the versions that a filter may find are read from: all of them, or fewer by an index.

use std::sync::Arc;

use mainstay_core::{Name, NodeKind, Result};
use mainstay_repo::View;

use super::outline::{Outline, tells};
use super::query::Expr;
use super::rows::Model;
use super::tagged::Tagged;
use crate::names::model_id;

/// The indexes that a filter can use.
pub(super) struct Source {
    tagged: Option<Arc<Tagged>>,
    outline: Option<Arc<Outline>>,
}

impl Source {
    pub(super) fn of(view: &View, filter: Option<&Expr>) -> Result<Self> {
        let mut source = Self {
            tagged: None,
            outline: None,
        };
        if filter.and_then(Expr::tag).is_some() {
            source.tagged = Some(view.project(NodeKind::Model.as_str())?);
        } else if filter.is_some_and(tells) {
            source.outline = Some(view.project(NodeKind::Model.as_str())?);
        }
        Ok(source)
    }

    /// Reads the models with the versions among which whatever meets the filter is.
    pub(super) fn models<'v>(
        &'v self,
        view: &'v View,
        filter: Option<&Expr>,
    ) -> Result<Vec<Model<'v>>> {
        let only = match filter.and_then(Expr::model).map(str::parse::<Name>) {
            Some(Ok(name)) => Some(model_id(view, &name)?),
            // What is no name no model has.
            Some(Err(_)) => return Ok(Vec::new()),
            None => None,
        };
        if let (Some(tagged), Some((key, value))) = (&self.tagged, filter.and_then(Expr::tag)) {
            let is_wanted =
                |(id, _): &(&str, &str)| only.as_ref().is_none_or(|only| only.as_str() == *id);
            let versions = tagged.with(key, value).into_iter();
            return Model::some(view, versions.filter(is_wanted));
        }
        if let (Some(outline), Some(filter)) = (&self.outline, filter)
            && let Some(candidates) = outline.candidates(only.as_ref(), filter)
        {
            return Model::some(view, candidates.into_iter());
        }
        Model::all(view, only.as_ref())
    }
}
