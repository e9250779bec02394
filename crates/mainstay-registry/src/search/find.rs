//! Finds the versions that meet a filter: told by an index in memory, or read.

use std::sync::Arc;

use mainstay_core::{Error, Name, NodeKind, NodeRef, Result};
use mainstay_repo::View;

use super::cursor::{Key, Position};
use super::eval::{datum, key, ordinal};
use super::lineage::Nearby;
use super::outline::Outline;
use super::query::{Attribute, Expr, Field, Order};
use super::rows::{Model, Row};
use super::told::{Asked, Served, Told, is_outlined, is_recorded};
use crate::names::model_id;
use crate::serving::{Of, deployments};

/// A version that was found, and its place in the order.
#[derive(Debug)]
pub(super) struct Found<'k> {
    pub(super) position: Position,
    /// The id of the model.
    pub(super) id: &'k str,
    pub(super) version: &'k str,
}

impl Found<'_> {
    pub(super) fn node(&self) -> Result<NodeRef> {
        let (id, version) = (self.id.parse()?, self.version.parse()?);
        Ok(NodeRef::new(NodeKind::Model, id, version))
    }

    /// The error when an index knows of it and it is not there.
    pub(super) fn lost(&self) -> Error {
        Error::not_found("model", format!("model:{}@{}", self.id, self.version))
    }
}

/// What is known of versions before they are read, as far as a search can use it.
#[derive(Debug, Default)]
pub(super) struct Known {
    outline: Option<Arc<Outline<false>>>,
    records: Option<Arc<Outline<true>>>,
    served: Served,
}

impl Known {
    pub(super) fn of(view: &View, filter: Option<&Expr>, order: &[Order]) -> Result<Self> {
        let is_known = |field: &&Field| is_outlined(field) || is_recorded(field);
        let mut fields = Vec::new();
        if let Some(filter) = filter {
            filter.fields(&mut fields);
        }
        let ordered: Vec<&Field> = order.iter().map(|order| &order.field).collect();
        let helps = match filter {
            Some(_) => fields.iter().any(is_known),
            None => ordered.iter().all(is_known),
        };
        fields.extend(ordered);
        let mut known = Self::default();
        if !helps {
            return Ok(known);
        }
        if fields.iter().any(|field| is_recorded(field)) {
            known.records = Some(view.project(NodeKind::Model.as_str())?);
        } else {
            known.outline = Some(view.project(NodeKind::Model.as_str())?);
        }
        if fields.contains(&&Field::Attribute(Attribute::Served)) {
            known.served = served(view)?;
        }
        Ok(known)
    }

    pub(super) fn tell<'k>(
        &'k self,
        only: Option<&Name>,
        filter: Option<&Expr>,
        order: &[Order],
    ) -> Option<Told<'k>> {
        let asked = Asked {
            only,
            filter,
            order,
            served: &self.served,
        };
        match (&self.records, &self.outline) {
            (Some(records), _) => records.tell(asked),
            (None, Some(outline)) => outline.tell(asked),
            (None, None) => None,
        }
    }
}

/// Finds the versions that meet a filter, in no order, with their places in `order`.
pub(super) fn find<'k>(
    view: &'k View,
    known: &'k Known,
    filter: Option<&Expr>,
    order: &[Order],
) -> Result<Vec<Found<'k>>> {
    let only = match filter.and_then(Expr::model).map(str::parse::<Name>) {
        Some(Ok(name)) => Some(model_id(view, &name)?),
        // What is no name no model has.
        Some(Err(_)) => return Ok(Vec::new()),
        None => None,
    };
    let nearby = Nearby::of(view, filter)?;
    let (mut found, models) = match known.tell(only.as_ref(), filter, order) {
        Some(told) => (told.sure, Model::some(view, told.unsure.into_iter())?),
        None => (Vec::new(), Model::all(view, only.as_ref())?),
    };
    for model in &models {
        for row in model.rows()? {
            if filter.map_or(Ok(true), |filter| filter.holds(&(&row, model, &nearby)))? {
                found.push(Found {
                    position: position(&row, model, order)?,
                    id: row.model,
                    version: row.version,
                });
            }
        }
    }
    Ok(found)
}

fn position(row: &Row<'_>, model: &Model<'_>, order: &[Order]) -> Result<Position> {
    let keys = if order.is_empty() {
        vec![Key::Time(row.state.time)]
    } else {
        let key = |order: &Order| Ok(key(datum(row, model, &order.field)?));
        order.iter().map(key).collect::<Result<_>>()?
    };
    Ok(Position {
        keys,
        name: model.called().to_owned(),
        ordinal: ordinal(row)?,
    })
}

fn served(view: &View) -> Result<Served> {
    let mut served = Served::new();
    for serving in deployments(view, &Of::Everything)? {
        let model = &serving.deployment.model;
        let versions = served.entry(model.name().to_string()).or_default();
        let services = versions.entry(model.version().to_string()).or_default();
        services.push(serving.deployment.service.to_string());
    }
    Ok(served)
}
