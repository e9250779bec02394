//! What experiments and models are called here.

use std::collections::BTreeMap;

use mainstay_core::{Error, ErrorKind, Name, Result};

/// Names by those of MLflow.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeMap<String, Name>);

impl Names {
    /// Names everything in `mlflow`; `said` comes before what follows from the rules.
    ///
    /// Two that would get one name are [`Conflict`](mainstay_core::ErrorKind::Conflict); a name that is said
    /// of something that is not there is [`NotFound`](mainstay_core::ErrorKind::NotFound).
    pub(super) fn of<'m>(
        what: &'static str,
        mlflow: impl Iterator<Item = &'m str>,
        said: &BTreeMap<String, Name>,
    ) -> Result<Self> {
        let mut names = BTreeMap::new();
        let mut taken: BTreeMap<Name, &str> = BTreeMap::new();
        for original in mlflow {
            let name = match said.get(original) {
                Some(name) => name.clone(),
                None => spelled(original).map_err(|error| error.context(what, original))?,
            };
            if let Some(other) = taken.insert(name.clone(), original) {
                let why = "two would have one name; say what one of them is to be called";
                return Err(Error::new(ErrorKind::Conflict, why)
                    .context(what, other)
                    .context(what, original)
                    .context("name", name));
            }
            names.insert(original.to_owned(), name);
        }
        match said.keys().find(|said| !names.contains_key(*said)) {
            Some(unknown) => Err(Error::not_found(what, unknown)),
            None => Ok(Self(names)),
        }
    }

    pub(super) fn get(&self, mlflow: &str) -> Result<&Name> {
        self.0
            .get(mlflow)
            .ok_or_else(|| Error::not_found("name", mlflow))
    }
}

/// Spells a text as a name: what a name cannot hold becomes `-`, several together one.
pub(super) fn spelled(text: &str) -> Result<Name> {
    if let Ok(name) = text.parse() {
        return Ok(name);
    }
    let mut name = String::new();
    for c in text.chars() {
        let fits =
            c.is_alphanumeric() || matches!(c, '_' | '+') || (c == '.' && !name.ends_with('.'));
        if fits {
            name.push(c);
        } else if !name.ends_with('-') {
            name.push('-');
        }
    }
    name.trim_matches(|c| matches!(c, '-' | '.' | '+')).parse()
}
