//! What the record of a version or of a run says by itself.

use std::borrow::Cow;

use serde_json::Value;

use super::eval::{Datum, text, time};
use super::query::{Attribute, Field};

/// Returns what a record says of a field; `None` when that does not stand in the record alone.
pub(super) fn recorded<'r>(record: &'r Value, field: &Field) -> Option<Datum<'r>> {
    Some(match field {
        Field::Attribute(attribute) => return of_attribute(record, *attribute),
        Field::Tag(key) => text(pick(record, &["tags", key])),
        Field::Parameter(key) => record
            .get("parameters")
            .and_then(|parameters| parameters.get(key))
            .filter(|value| !value.is_null())
            .map_or(Datum::Missing, Datum::Scalar),
        Field::Seed(key) => text(pick(record, &["seeds", key])),
        Field::Dataset(key) => several(datasets(record, key)),
        Field::Digest(role) => {
            let of_role = uses(record).filter(|used| used.role == Some(role.as_str()));
            several(of_role.filter_map(|used| used.record))
        }
        Field::Parent(relation) => {
            let of_relation = parents(record)
                .filter(|parent| member(parent, "relation") == Some(relation.as_str()));
            several(of_relation.filter_map(|parent| member(parent, "model")))
        }
        Field::Input(name) => text(signature_type(record, "inputs", name)),
        Field::Output(name) => text(signature_type(record, "outputs", name)),
        Field::Metric(_) | Field::Gate(_) | Field::Alias(_) | Field::Stage(_) | Field::Eval(_) => {
            return None;
        }
    })
}

fn of_attribute(record: &Value, attribute: Attribute) -> Option<Datum<'_>> {
    let instant = |name: &str| time(member(record, name).and_then(|text| text.parse().ok()));
    Some(match attribute {
        Attribute::Artifact => text(pick(record, &["artifact", "digest"])),
        Attribute::Reproducibility => text(member(record, "reproducibility")),
        Attribute::Environment => text(member(record, "environment")),
        Attribute::Code => text(pick(record, &["code", "commit"])),
        Attribute::Repository => text(pick(record, &["code", "repository"])),
        Attribute::Dirty => {
            let dirty = record
                .get("code")
                .and_then(|code| code.get("dirty")?.as_bool());
            text(dirty.map(|dirty| if dirty { "true" } else { "false" }))
        }
        Attribute::Data => several(uses(record).filter_map(|used| used.thing)),
        Attribute::Parent => several(parents(record).filter_map(|parent| member(parent, "model"))),
        Attribute::MadeBy => text(pick(record, &["run", "run"])),
        Attribute::Step => {
            let step = record.get("run").and_then(|run| run.get("step")?.as_f64());
            step.map_or(Datum::Missing, Datum::Number)
        }
        Attribute::Description => text(member(record, "description")),
        Attribute::Author => text(member(record, "author")),
        Attribute::Owner => text(member(record, "owner")),
        Attribute::Purpose => text(member(record, "purpose")),
        Attribute::Expires => instant("expires"),
        Attribute::File => several(files(record).filter_map(|file| member(file, "path"))),
        Attribute::Bytes => {
            let bytes = files(record).filter_map(|file| file.get("bytes")?.as_f64());
            Datum::Number(bytes.sum())
        }
        Attribute::Status => text(member(record, "status")),
        Attribute::Ended => instant("ended"),
        Attribute::Name
        | Attribute::Version
        | Attribute::Label
        | Attribute::Ordinal
        | Attribute::Stage
        | Attribute::Created
        | Attribute::Updated
        | Attribute::Alias
        | Attribute::Served
        | Attribute::Output
        | Attribute::Run
        | Attribute::Source => return None,
    })
}

pub(super) fn several<'r>(texts: impl IntoIterator<Item = &'r str>) -> Datum<'r> {
    Datum::Several(texts.into_iter().map(Cow::Borrowed).collect())
}

fn member<'r>(of: &'r Value, name: &str) -> Option<&'r str> {
    of.get(name)?.as_str()
}

/// Follows names into a record.
fn pick<'r>(record: &'r Value, names: &[&str]) -> Option<&'r str> {
    names
        .iter()
        .try_fold(record, |at, name| at.get(name))?
        .as_str()
}

fn elements(of: Option<&Value>) -> impl Iterator<Item = &Value> + use<'_> {
    of.and_then(Value::as_array).into_iter().flatten()
}

fn parents(record: &Value) -> impl Iterator<Item = &Value> {
    elements(record.get("parents"))
}

fn files(record: &Value) -> impl Iterator<Item = &Value> {
    elements(
        record
            .get("artifact")
            .and_then(|artifact| artifact.get("files")),
    )
}

/// Something that was used, in a role: the data of a version, an input of a run.
struct Use<'r> {
    role: Option<&'r str>,
    thing: Option<&'r str>,
    record: Option<&'r str>,
}

fn uses(record: &Value) -> impl Iterator<Item = Use<'_>> {
    let of_version = elements(record.get("data")).map(|used| (used, "data"));
    let of_run = elements(record.get("inputs")).map(|used| (used, "input"));
    of_version.chain(of_run).map(|(used, name)| Use {
        role: member(used, "role"),
        thing: member(used, name),
        record: member(used, "record"),
    })
}

/// The data of a role; or names, digests and roles of all, by MLflow's keys.
fn datasets<'r>(record: &'r Value, key: &str) -> Vec<&'r str> {
    let uses = uses(record);
    let name = |used: Use<'r>| Some(used.thing?.split_once(':')?.1.split_once('@')?.0);
    match key {
        "name" => uses.filter_map(name).collect(),
        "digest" => uses.filter_map(|used| used.record).collect(),
        "context" => uses.filter_map(|used| used.role).collect(),
        role => uses
            .filter(|used| used.role == Some(role))
            .filter_map(|used| used.thing)
            .collect(),
    }
}

/// The type of a column, or the type of the elements of a tensor.
fn signature_type<'r>(record: &'r Value, side: &str, name: &str) -> Option<&'r str> {
    let mut specs = elements(
        record
            .get("signature")
            .and_then(|signature| signature.get(side)),
    );
    let spec = specs.find(|spec| member(spec, "name") == Some(name))?;
    let tensor = spec
        .get("tensor-spec")
        .and_then(|tensor| tensor.get("dtype"));
    tensor.or_else(|| spec.get("type"))?.as_str()
}

/// Lists the fields that a record says something of by keys of its own, and are not among the
/// [attributes](Field::Attribute).
pub(super) fn keyed(record: &Value) -> impl Iterator<Item = Field> {
    let keys = |name: &str| {
        let members = record.get(name).and_then(Value::as_object);
        members.into_iter().flat_map(serde_json::Map::keys).cloned()
    };
    let mut roles: Vec<&str> = uses(record).filter_map(|used| used.role).collect();
    roles.dedup();
    let mut relations: Vec<&str> = parents(record)
        .filter_map(|parent| member(parent, "relation"))
        .collect();
    relations.sort_unstable();
    relations.dedup();
    let tags = keys("tags").map(Field::Tag);
    let roles = roles
        .into_iter()
        .map(|role| Field::Dataset(role.to_owned()));
    let relations = relations
        .into_iter()
        .map(|relation| Field::Parent(relation.to_owned()));
    tags.chain(keys("parameters").map(Field::Parameter))
        .chain(keys("seeds").map(Field::Seed))
        .chain(roles)
        .chain(relations)
}
