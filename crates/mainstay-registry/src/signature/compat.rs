//! Compares two signatures: what would break whom.
//!
//! Inputs are contravariant (a version may ask for less), outputs covariant (it may promise more).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{ColSpec, DataType, ParamSpec, Property, Schema, Signature, TensorSpec};
use crate::level::{Level, Reasons};

/// How strictly signatures are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CompatOptions {
    /// Whether the serving code refuses inputs it does not know.
    ///
    /// `false` as in MLflow, which ignores them: removing an input is then a minor change.
    pub strict_inputs: bool,
}

impl CompatOptions {
    /// Sets whether the serving code refuses inputs it does not know.
    #[must_use]
    pub fn with_strict_inputs(mut self, strict: bool) -> Self {
        self.strict_inputs = strict;
        self
    }
}

/// Adds to `reasons` every difference between two signatures; nothing when they are equal.
pub(crate) fn compare(
    before: Option<&Signature>,
    after: Option<&Signature>,
    options: CompatOptions,
    reasons: &mut Reasons,
) {
    let (before, after) = match (before, after) {
        (None, None) => return,
        (Some(before), Some(after)) => (before, after),
        (before, after) => {
            let [before, after] = [before, after].map(|side| json!(side.map(|_| "stated")));
            reasons.add(
                Level::Major,
                "signature.presence",
                "signature",
                before,
                after,
            );
            return;
        }
    };
    let mut comparison = Comparison { options, reasons };
    comparison.schema(Side::Input, before.inputs.as_ref(), after.inputs.as_ref());
    comparison.schema(
        Side::Output,
        before.outputs.as_ref(),
        after.outputs.as_ref(),
    );
    comparison.params(&before.params, &after.params);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Input,
    Output,
}

impl Side {
    fn rule(self, what: &str) -> String {
        match self {
            Self::Input => format!("input.{what}"),
            Self::Output => format!("output.{what}"),
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Input => "inputs",
            Self::Output => "outputs",
        }
    }
}

/// A column or a property: what both have in common.
struct Field<'s> {
    key: String,
    by_position: bool,
    data_type: &'s DataType,
    required: bool,
}

struct Comparison<'r> {
    options: CompatOptions,
    reasons: &'r mut Reasons,
}

impl Comparison<'_> {
    fn add(
        &mut self,
        level: Level,
        side: Side,
        what: &str,
        path: &str,
        before: Value,
        after: Value,
    ) {
        self.reasons
            .add(level, &side.rule(what), path, before, after);
    }

    fn schema(&mut self, side: Side, before: Option<&Schema>, after: Option<&Schema>) {
        let path = side.path();
        let (before, after) = match (before, after) {
            (None, None) => return,
            (Some(before), Some(after)) => (before, after),
            (before, after) => {
                let [before, after] = [before, after].map(|side| json!(side.map(|_| "stated")));
                return self.add(Level::Major, side, "presence", path, before, after);
            }
        };
        match (before, after) {
            _ if before.naming() != after.naming() && !before.is_empty() && !after.is_empty() => {
                let (before, after) = (json!(before.naming()), json!(after.naming()));
                self.add(Level::Major, side, "naming", path, before, after);
            }
            (Schema::Columns(before), Schema::Columns(after)) => {
                self.fields(side, path, &fields(before), &fields(after));
            }
            (Schema::Tensors(before), Schema::Tensors(after)) => {
                self.tensors(side, path, before, after);
            }
            (before, after) => {
                self.add(
                    Level::Major,
                    side,
                    "kind",
                    path,
                    json!(before.kind()),
                    json!(after.kind()),
                );
            }
        }
    }

    fn fields(&mut self, side: Side, path: &str, before: &[Field<'_>], after: &[Field<'_>]) {
        let old_by_key = by_key(before, |field| &field.key);
        let new_by_key = by_key(after, |field| &field.key);
        for old in before {
            let path = format!("{path}.{}", old.key);
            match new_by_key.get(old.key.as_str()) {
                Some(new) => self.field(side, &path, old, new),
                None => self.removed(side, &path, old.data_type.to_json()),
            }
        }
        for new in after {
            if !old_by_key.contains_key(new.key.as_str()) {
                let path = format!("{path}.{}", new.key);
                self.added(side, &path, new);
            }
        }
    }

    fn removed(&mut self, side: Side, path: &str, before: Value) {
        let level = match side {
            Side::Input if !self.options.strict_inputs => Level::Minor,
            _ => Level::Major,
        };
        self.add(level, side, "removed", path, before, Value::Null);
    }

    fn added(&mut self, side: Side, path: &str, new: &Field<'_>) {
        let (level, what) = match side {
            Side::Input if new.required => (Level::Major, "required_added"),
            Side::Input => (Level::Minor, "optional_added"),
            // A caller that reads outputs by position sees another shape.
            Side::Output if new.by_position => (Level::Major, "added"),
            Side::Output => (Level::Minor, "added"),
        };
        self.add(
            level,
            side,
            what,
            path,
            Value::Null,
            new.data_type.to_json(),
        );
    }

    fn field(&mut self, side: Side, path: &str, old: &Field<'_>, new: &Field<'_>) {
        if old.required != new.required {
            let asks_more = side == Side::Input && new.required;
            let gives_less = side == Side::Output && !new.required;
            let level = if asks_more || gives_less {
                Level::Major
            } else {
                Level::Minor
            };
            let (before, after) = (json!(old.required), json!(new.required));
            self.add(level, side, "required", path, before, after);
        }
        self.data_type(side, path, old.data_type, new.data_type);
    }

    fn data_type(&mut self, side: Side, path: &str, old: &DataType, new: &DataType) {
        match (old, new) {
            (old, new) if old == new => {}
            (DataType::Array(old), DataType::Array(new)) => {
                self.data_type(side, &format!("{path}[]"), old, new);
            }
            (DataType::Map(old), DataType::Map(new)) => {
                self.data_type(side, &format!("{path}{{}}"), old, new);
            }
            (DataType::Object(old), DataType::Object(new)) => {
                self.fields(side, path, &properties(old), &properties(new));
            }
            (old, new) => {
                let widened = side == Side::Input && accepts(new, old);
                let (level, what) = if widened {
                    (Level::Minor, "type_widened")
                } else {
                    (Level::Major, "type")
                };
                self.add(level, side, what, path, old.to_json(), new.to_json());
            }
        }
    }

    fn tensors(&mut self, side: Side, path: &str, before: &[TensorSpec], after: &[TensorSpec]) {
        let (before, after) = (keyed(before), keyed(after));
        let old_by_key = by_key(&before, |(key, _)| key);
        let new_by_key = by_key(&after, |(key, _)| key);
        for (key, old) in &before {
            let path = format!("{path}.{key}");
            match new_by_key.get(key.as_str()) {
                Some((_, new)) => self.tensor(side, &path, old, new),
                None => self.removed(side, &path, tensor_json(old)),
            }
        }
        for (key, new) in &after {
            if old_by_key.contains_key(key.as_str()) {
                continue;
            }
            let (level, what) = match side {
                Side::Input => (Level::Major, "required_added"),
                Side::Output if new.name.is_none() => (Level::Major, "added"),
                Side::Output => (Level::Minor, "added"),
            };
            let path = format!("{path}.{key}");
            self.add(level, side, what, &path, Value::Null, tensor_json(new));
        }
    }

    fn tensor(&mut self, side: Side, path: &str, old: &TensorSpec, new: &TensorSpec) {
        if old.dtype != new.dtype {
            self.add(
                Level::Major,
                side,
                "type",
                path,
                json!(old.dtype),
                json!(new.dtype),
            );
        }
        if old.shape != new.shape {
            let looser = old.shape.len() == new.shape.len()
                && old
                    .shape
                    .iter()
                    .zip(&new.shape)
                    .all(|(old, new)| match side {
                        Side::Input => *new == -1 || old == new,
                        Side::Output => *old == -1 || old == new,
                    });
            let level = if looser { Level::Minor } else { Level::Major };
            self.add(
                level,
                side,
                "shape",
                path,
                json!(old.shape),
                json!(new.shape),
            );
        }
    }

    fn params(&mut self, before: &[ParamSpec], after: &[ParamSpec]) {
        let old_by_name = by_key(before, |param| &param.name);
        let new_by_name = by_key(after, |param| &param.name);
        let contract = |param: &ParamSpec| json!([param.data_type.to_json(), param.shape]);
        for old in before {
            let path = format!("params.{}", old.name);
            let Some(new) = new_by_name.get(old.name.as_str()) else {
                let before = old.data_type.to_json();
                self.reasons
                    .add(Level::Major, "param.removed", path, before, Value::Null);
                continue;
            };
            if contract(old) != contract(new) {
                let (before, after) = (contract(old), contract(new));
                self.reasons
                    .add(Level::Major, "param.type", path.clone(), before, after);
            }
            if old.default != new.default {
                let (before, after) = (old.default.clone(), new.default.clone());
                self.reasons
                    .add(Level::Minor, "param.default", path, before, after);
            }
        }
        for new in after {
            if !old_by_name.contains_key(new.name.as_str()) {
                let path = format!("params.{}", new.name);
                let after = new.data_type.to_json();
                self.reasons
                    .add(Level::Minor, "param.added", path, Value::Null, after);
            }
        }
    }
}

/// Reports whether a column of type `wide` takes every value of type `narrow`, by MLflow's rules.
fn accepts(wide: &DataType, narrow: &DataType) -> bool {
    matches!(
        (narrow, wide),
        (_, DataType::Any)
            | (DataType::Integer, DataType::Long | DataType::Double)
            | (DataType::Float, DataType::Double)
    )
}

impl Schema {
    fn is_empty(&self) -> bool {
        match self {
            Self::Columns(columns) => columns.is_empty(),
            Self::Tensors(tensors) => tensors.is_empty(),
        }
    }

    fn naming(&self) -> &'static str {
        let named = match self {
            Self::Columns(columns) => columns.iter().any(|column| column.name.is_some()),
            Self::Tensors(tensors) => tensors.iter().any(|tensor| tensor.name.is_some()),
        };
        if named { "by name" } else { "by position" }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Columns(_) => "columns",
            Self::Tensors(_) => "tensors",
        }
    }
}

fn by_key<'i, T>(items: &'i [T], key: impl Fn(&'i T) -> &'i String) -> BTreeMap<&'i str, &'i T> {
    items
        .iter()
        .map(|item| (key(item).as_str(), item))
        .collect()
}

fn fields(columns: &[ColSpec]) -> Vec<Field<'_>> {
    columns
        .iter()
        .enumerate()
        .map(|(index, column)| Field {
            key: key(column.name.as_deref(), index),
            by_position: column.name.is_none(),
            data_type: &column.data_type,
            required: column.required,
        })
        .collect()
}

fn properties(properties: &[Property]) -> Vec<Field<'_>> {
    properties
        .iter()
        .map(|property| Field {
            key: property.name.clone(),
            by_position: false,
            data_type: &property.data_type,
            required: property.required,
        })
        .collect()
}

fn keyed(tensors: &[TensorSpec]) -> Vec<(String, &TensorSpec)> {
    tensors
        .iter()
        .enumerate()
        .map(|(index, tensor)| (key(tensor.name.as_deref(), index), tensor))
        .collect()
}

/// What is known by position has its index for a name.
fn key(name: Option<&str>, index: usize) -> String {
    name.map_or_else(|| format!("[{index}]"), str::to_owned)
}

fn tensor_json(tensor: &TensorSpec) -> Value {
    json!({"dtype": tensor.dtype, "shape": tensor.shape})
}
