//! What attributes are called, of versions and of runs.

use mainstay_core::{Error, Result};

use super::query::{Attribute, Field};
use super::token::wrong;

/// Reads the name of an attribute of a version.
pub(super) fn attribute(name: &str, column: usize) -> Result<Attribute> {
    Ok(match name {
        "name" | "model" => Attribute::Name,
        "version" => Attribute::Version,
        "ordinal" | "version_number" => Attribute::Ordinal,
        "stage" | "current_stage" => Attribute::Stage,
        "created" | "creation_time" | "creation_timestamp" => Attribute::Created,
        "updated" | "last_updated_timestamp" | "timestamp" => Attribute::Updated,
        "description" => Attribute::Description,
        "artifact" => Attribute::Artifact,
        "reproducibility" => Attribute::Reproducibility,
        "environment" => Attribute::Environment,
        "code" | "commit" => Attribute::Code,
        "repository" => Attribute::Repository,
        "dirty" => Attribute::Dirty,
        "run" => Attribute::MadeBy,
        "step" => Attribute::Step,
        "parent" | "parents" => Attribute::Parent,
        "author" | "actor" => Attribute::Author,
        "owner" => Attribute::Owner,
        "purpose" => Attribute::Purpose,
        "expires" => Attribute::Expires,
        "file" | "files" => Attribute::File,
        "bytes" => Attribute::Bytes,
        "alias" | "aliases" => Attribute::Alias,
        "data" => Attribute::Data,
        "served" => Attribute::Served,
        "run_id" => Attribute::Run,
        "source_path" => Attribute::Source,
        _ => return Err(unknown(name, column)),
    })
}

/// Reads the name of an attribute of a run, some of which are tags that MLflow sets.
pub(super) fn run_field(name: &str, column: usize) -> Result<Field> {
    let tag = |key: &str| Ok(Field::Tag(key.to_owned()));
    Ok(Field::Attribute(match name {
        "name" | "experiment" | "experiment_name" => Attribute::Name,
        "version" | "id" | "run_id" => Attribute::Label,
        "status" => Attribute::Status,
        "created" | "started" | "start_time" => Attribute::Created,
        "ended" | "end_time" => Attribute::Ended,
        "updated" => Attribute::Updated,
        "description" => Attribute::Description,
        "environment" => Attribute::Environment,
        "code" | "commit" => Attribute::Code,
        "repository" => Attribute::Repository,
        "dirty" => Attribute::Dirty,
        "data" | "input" | "inputs" => Attribute::Data,
        "output" | "outputs" => Attribute::Output,
        "run_name" => return tag("mlflow.runName"),
        "user_id" => return tag("mlflow.user"),
        _ => return Err(unknown(name, column)),
    }))
}

/// Lets through what is known of a run.
pub(super) fn of_run(field: Field, column: usize) -> Result<Field> {
    match field {
        Field::Attribute(_)
        | Field::Tag(_)
        | Field::Metric(_)
        | Field::Parameter(_)
        | Field::Seed(_)
        | Field::Dataset(_)
        | Field::Digest(_) => Ok(field),
        Field::Gate(_)
        | Field::Parent(_)
        | Field::Alias(_)
        | Field::Stage(_)
        | Field::Eval(_)
        | Field::Input(_)
        | Field::Output(_) => Err(wrong(column, "a run has no such thing")),
    }
}

fn unknown(name: &str, column: usize) -> Error {
    let shown: String = name.chars().take(64).flat_map(char::escape_debug).collect();
    wrong(column, format!("unknown attribute '{shown}'"))
}
