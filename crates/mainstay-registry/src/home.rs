//! Where the versions of a batch belong: under which id, and what the model is called.

use std::collections::BTreeMap;

use mainstay_core::{Error, ErrorKind, MAX_NAME_BYTES, Name, NodeKind, Result};
use mainstay_repo::{Transaction, View};

use crate::names::{call, is_model, model_id, model_name};
use crate::spec::ModelSpec;

/// Where the versions of one name belong.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    /// The id of the model.
    pub(crate) id: Name,
    /// What it is called.
    pub(crate) name: Name,
}

/// The homes of the names in a batch.
#[derive(Debug, Default)]
pub(crate) struct Homes(BTreeMap<Name, Home>);

impl Homes {
    /// Finds the home of a version, as if those before it were registered already; a model that is new
    /// takes its name in the transaction.
    pub(crate) fn of(
        &mut self,
        view: &View,
        spec: &ModelSpec,
        transaction: &mut Transaction,
    ) -> Result<Home> {
        if let Some(home) = self.0.get(&spec.model) {
            return if spec.new_model {
                Err(exists(&spec.model))
            } else {
                Ok(home.clone())
            };
        }
        let id = model_id(view, &spec.model)?;
        let name = model_name(view, &id)?;
        let is_other = spec.new_model && (is_model(view, &id)? || self.is_used(&id));
        let home = if !is_other {
            Home { id, name }
        } else if name == spec.model {
            return Err(exists(&name));
        } else {
            let home = Home {
                id: self.free_id(view, &spec.model)?,
                name: spec.model.clone(),
            };
            call(view, &home.id, &home.name, transaction)?;
            home
        };
        self.0.insert(spec.model.clone(), home.clone());
        Ok(home)
    }

    fn is_used(&self, id: &Name) -> bool {
        self.0.values().any(|home| home.id == *id)
    }

    /// Finds an id, as like the name as can be, under which nothing ever was.
    fn free_id(&self, view: &View, name: &Name) -> Result<Name> {
        let mut candidate = name.clone();
        for number in 2_u64.. {
            let kept = format!("{}/{candidate}", NodeKind::Model);
            let is_free = view.states_below(&kept)?.next().is_none() && !self.is_used(&candidate);
            if is_free {
                break;
            }
            let suffix = format!("+{number}");
            let mut length = name.as_str().len().min(MAX_NAME_BYTES - suffix.len());
            while !name.as_str().is_char_boundary(length) {
                length -= 1;
            }
            candidate = format!("{}{suffix}", &name.as_str()[..length]).parse()?;
        }
        Ok(candidate)
    }
}

fn exists(name: &Name) -> Error {
    Error::new(ErrorKind::AlreadyExists, "the model exists").context("model", name)
}
