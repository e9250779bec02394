//! Arguments with a grammar of their own.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use mainstay::experiment::Outcomes;
use mainstay::{Error, Locator, Name, NodeKind, NodeRef, Result};
use serde_json::Value as Json;

/// Reads a reference whose kind the command implies, and refuses another kind.
fn of_kind(kind: NodeKind, text: &str) -> Result<Locator> {
    let mut locator: Locator = text.parse()?;
    match locator.kind {
        Some(other) if other != kind => Err(Error::invalid(format!(
            "expected a reference of the kind {kind}"
        ))
        .context("reference", &locator)),
        _ => {
            locator.kind = Some(kind);
            Ok(locator)
        }
    }
}

pub(crate) fn data(text: &str) -> Result<Locator> {
    of_kind(NodeKind::Data, text)
}

pub(crate) fn model(text: &str) -> Result<Locator> {
    of_kind(NodeKind::Model, text)
}

pub(crate) fn prompt(text: &str) -> Result<Locator> {
    of_kind(NodeKind::Prompt, text)
}

pub(crate) fn env(text: &str) -> Result<Locator> {
    of_kind(NodeKind::Env, text)
}

pub(crate) fn run(text: &str) -> Result<Locator> {
    of_kind(NodeKind::Run, text)
}

pub(crate) fn eval(text: &str) -> Result<Locator> {
    of_kind(NodeKind::Eval, text)
}

pub(crate) fn unit(text: &str) -> Result<Locator> {
    of_kind(NodeKind::Unit, text)
}

/// Reads `REPO@COMMIT`.
pub(crate) fn code(text: &str) -> Result<NodeRef> {
    let prefixed = match text.split_once(':') {
        Some(_) => text.to_owned(),
        None => format!("{}:{text}", NodeKind::Code),
    };
    let node: NodeRef = prefixed.parse()?;
    if node.kind() == NodeKind::Code {
        Ok(node)
    } else {
        Err(Error::invalid("expected REPO@COMMIT").context("reference", &node))
    }
}

/// `[REPO@]COMMIT`.
#[derive(Debug, Clone)]
pub(crate) struct Commit {
    repository: Option<Name>,
    commit: Name,
}

impl FromStr for Commit {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (repository, commit) = match text.split_once('@') {
            Some((repository, commit)) => (Some(repository.parse()?), commit),
            None => (None, text),
        };
        Ok(Self {
            repository,
            commit: commit.parse()?,
        })
    }
}

impl Commit {
    /// Returns repository and commit; the repository is `repository` unless it was said.
    pub(crate) fn or_in(self, repository: &Name) -> (Name, Name) {
        let said = self.repository.unwrap_or_else(|| repository.clone());
        (said, self.commit)
    }
}

/// `key=value`.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub(crate) key: String,
    pub(crate) value: String,
}

impl FromStr for Pair {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok(Self {
                key: key.to_owned(),
                value: value.to_owned(),
            }),
            _ => Err(Error::invalid("expected KEY=VALUE")),
        }
    }
}

/// Collects pairs, each value read by `read`; refuses a key given twice.
pub(crate) fn collect<T>(
    pairs: Vec<Pair>,
    what: &'static str,
    read: impl Fn(&str) -> Result<T>,
) -> Result<BTreeMap<String, T>> {
    let mut collected = BTreeMap::new();
    for Pair { key, value } in pairs {
        let value = read(&value).map_err(|error| error.context(what, &key))?;
        if collected.contains_key(&key) {
            return Err(Error::invalid("given twice").context(what, key));
        }
        collected.insert(key, value);
    }
    Ok(collected)
}

/// Collects pairs whose values are text.
pub(crate) fn texts(pairs: Vec<Pair>, what: &'static str) -> Result<BTreeMap<String, String>> {
    collect(pairs, what, |value| Ok(value.to_owned()))
}

/// Reads a JSON scalar; what is none is text.
pub(crate) fn scalar(text: &str) -> Json {
    match serde_json::from_str(text) {
        Ok(Json::Array(_) | Json::Object(_)) | Err(_) => text.into(),
        Ok(scalar) => scalar,
    }
}

/// Reads a number; also `NaN` and `inf`, which trainings report.
pub(crate) fn number(text: &str) -> Result<f64> {
    text.parse()
        .map_err(|error| Error::invalid("not a number").with_source(error))
}

/// Reads a number that counts.
pub(crate) fn count(text: &str) -> Result<u64> {
    text.parse()
        .map_err(|error| Error::invalid("not a whole number").with_source(error))
}

/// `role=reference`.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    pub(crate) role: Name,
    pub(crate) reference: Locator,
}

impl Slot {
    /// Reads `[role=]REF` of a dataset; without a role it is `train`.
    pub(crate) fn data(text: &str) -> Result<Self> {
        let (role, reference) = text.split_once('=').unwrap_or(("train", text));
        Ok(Self {
            role: role.parse()?,
            reference: data(reference)?,
        })
    }

    /// Reads `[role=]REF` of what a run uses: a dataset unless said, in the role train unless said.
    pub(crate) fn input(text: &str) -> Result<Self> {
        let (role, reference) = text.split_once('=').unwrap_or(("train", text));
        let mut reference: Locator = reference.parse()?;
        reference.kind = reference.kind.or(Some(NodeKind::Data));
        Ok(Self {
            role: role.parse()?,
            reference,
        })
    }
}

impl FromStr for Slot {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (role, reference) = text
            .split_once('=')
            .ok_or_else(|| Error::invalid("expected SLOT=KIND:NAME@SELECTOR"))?;
        Ok(Self {
            role: role.parse()?,
            reference: reference.parse()?,
        })
    }
}

/// What a pointer is expected to hold: a version, or `none`.
#[derive(Debug, Clone)]
pub(crate) enum Expected {
    Nothing,
    Version(Name),
}

impl FromStr for Expected {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "none" => Ok(Self::Nothing),
            version => Ok(Self::Version(version.parse()?)),
        }
    }
}

/// Reads `requests,failures`.
pub(crate) fn outcomes(text: &str) -> Result<Outcomes> {
    let (requests, failures) = text
        .split_once(',')
        .ok_or_else(|| Error::invalid("expected REQUESTS,FAILURES"))?;
    Outcomes::new(count(requests)?, count(failures)?)
}

/// Reads a time span of whole seconds, minutes, hours or days: `90s`, `5m`, `2h`, `1d`.
pub(crate) fn duration(text: &str) -> Result<Duration> {
    let seconds = || {
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let unit = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 60 * 60,
            "d" => 24 * 60 * 60,
            _ => return None,
        };
        let plain = number.bytes().all(|byte| byte.is_ascii_digit());
        let number: u64 = number.parse().ok().filter(|_| plain)?;
        number.checked_mul(unit)
    };
    seconds().map(Duration::from_secs).ok_or_else(|| {
        Error::invalid("expected a time span such as 90s, 5m, 2h or 1d")
            .context("time", text.escape_debug())
    })
}

/// Reads a share of the traffic as basis points: `5%`, `12.5%`, or `500`.
pub(crate) fn share(text: &str) -> Result<u32> {
    basis_points(text).ok_or_else(|| {
        Error::invalid("expected a percentage such as 12.5%, or basis points such as 1250")
            .context("share", text.escape_debug())
    })
}

fn basis_points(text: &str) -> Option<u32> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let Some(percent) = text.strip_suffix('%') else {
        return text.parse().ok().filter(|_| digits(text));
    };
    let percent = percent.trim_end();
    let (whole, hundredths) = percent.split_once('.').unwrap_or((percent, "0"));
    let readable = !whole.is_empty() && (1..=2).contains(&hundredths.len());
    (readable && digits(whole) && digits(hundredths))
        .then(|| format!("{whole}{hundredths:0<2}").parse().ok())
        .flatten()
}

/// Reads a file of at most `limit` bytes.
pub(crate) fn read_file(path: &Path, limit: usize) -> Result<Vec<u8>> {
    let read = || -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        File::open(path)?.take(most).read_to_end(&mut bytes)?;
        if bytes.len() > limit {
            return Err(Error::invalid(format!(
                "the file is longer than {limit} bytes"
            )));
        }
        Ok(bytes)
    };
    read().map_err(|error| error.operation("read file").context("path", path.display()))
}

/// Reads a text file of at most `limit` bytes.
pub(crate) fn read_text(path: &Path, limit: usize) -> Result<String> {
    String::from_utf8(read_file(path, limit)?).map_err(|error| {
        Error::invalid("the file is not UTF-8")
            .context("path", path.display())
            .with_source(error)
    })
}

/// The number of a version that is one, for JSON; its text otherwise.
pub(crate) fn version(node: &NodeRef) -> Json {
    let text = node.version().as_str();
    text.parse::<u64>().map_or_else(|_| text.into(), Json::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_exact_in_either_form() {
        for (text, basis_points) in [
            ("5%", 500),
            ("12.5%", 1_250),
            ("0.01%", 1),
            ("100%", 10_000),
            ("1250", 1_250),
            ("25 %", 2_500),
        ] {
            assert_eq!(share(text).unwrap(), basis_points, "{text}");
        }
        for bad in [
            "", "%", "5.%%", "0.001%", "-5%", "+5%", "+5", "5.%", "1e2%", "5,0%", "x",
        ] {
            assert!(share(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn time_spans_have_one_unit() {
        for (text, seconds) in [
            ("90s", 90),
            ("5m", 300),
            ("2h", 7_200),
            ("1d", 86_400),
            ("0s", 0),
        ] {
            assert_eq!(
                duration(text).unwrap(),
                Duration::from_secs(seconds),
                "{text}"
            );
        }
        for bad in [
            "",
            "s",
            "5",
            "+5m",
            "-5m",
            "1.5h",
            "5 m",
            "5µ",
            "1h30m",
            "18446744073709551615d",
        ] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_kind_is_filled_in_and_another_is_refused() {
        assert_eq!(data("penguins").unwrap().kind, Some(NodeKind::Data));
        assert!(data("model:penguins").is_err());
        assert_eq!(code("web@1f0c").unwrap().to_string(), "code:web@1f0c");
        assert_eq!(code("code:web@1f0c").unwrap().to_string(), "code:web@1f0c");
        assert!(code("web").is_err() && code("model:web@1").is_err());
    }

    #[test]
    fn a_scalar_is_json_and_anything_else_is_text() {
        assert_eq!(scalar("6"), Json::from(6));
        assert_eq!(scalar("true"), Json::from(true));
        assert_eq!(scalar("\"6\""), Json::from("6"));
        assert_eq!(scalar("relu"), Json::from("relu"));
        assert_eq!(scalar("[1]"), Json::from("[1]"));
    }

    #[test]
    fn a_pair_given_twice_is_refused() {
        let pairs = vec!["a=1".parse().unwrap(), "a=2".parse().unwrap()];
        assert!(texts(pairs, "param").is_err());
    }
}
