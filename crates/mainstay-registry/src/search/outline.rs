//! What is known of versions without reading them.

use std::collections::BTreeMap;
use std::sync::Arc;

use mainstay_core::{Name, RefPath, Result, Timestamp};
use mainstay_repo::{Projection, RefState, Value};
use rpds::{RedBlackTreeMapSync, RedBlackTreeSetSync};

use super::facts::{self, Fact, Facts, facts};
use super::query::Field;
use crate::metric::Metric;
use crate::record::ModelVersion;

/// What stands beside the records of the versions of all models, and their metrics, kept with the views: about
/// 250 bytes a version and 24 a metric. With `RECORDS` also [what the records say](super::facts), another 40
/// bytes for each thing they say, numbers of parameters as many again, and each different text of at most 256
/// bytes once: of a version with six metrics, twelve such things and a description of its own 1.3 KB, as
/// `tests/memory` counts.
#[derive(Debug, Clone, Default)]
pub(super) struct Outline<const RECORDS: bool> {
    pub(super) models: RedBlackTreeMapSync<Box<str>, Lines>,
    texts: RedBlackTreeSetSync<Arc<str>>,
    fields: RedBlackTreeSetSync<Arc<Field>>,
}

/// What is known of a model.
#[derive(Debug, Clone, Default)]
pub(super) struct Lines {
    /// Where its policy lets versions begin.
    pub(super) initial: Option<Arc<str>>,
    /// What it is called, unless that is its id.
    pub(super) called: Option<Arc<str>>,
    /// The version that each alias points to.
    pub(super) aliases: RedBlackTreeMapSync<Arc<str>, Box<str>>,
    pub(super) versions: RedBlackTreeMapSync<Box<str>, Line>,
}

/// What is known of a version.
#[derive(Debug, Clone, Default)]
pub(super) struct Line {
    /// As registered; `None` when there is no such version.
    pub(super) registered: Option<Registered>,
    /// The metrics of its promotions: over those of the registration.
    pub(super) promoted: Option<Values>,
    /// The stage that it moved to.
    pub(super) stage: Option<Arc<str>>,
    /// Whether evaluation reports may say more of metrics.
    pub(super) reported: bool,
    /// Tags over those of the registration; of `None` those are hidden.
    pub(super) annotated: Option<Tags>,
    /// Attributes over those of the registration.
    pub(super) restated: Option<facts::Restated>,
}

/// What the record of a version says.
#[derive(Debug, Clone)]
pub(super) struct Registered {
    pub(super) created: Timestamp,
    /// `None` when the record is not one that is known: its reader says what is wrong.
    pub(super) said: Option<Said>,
}

#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) ordinal: u64,
    pub(super) metrics: Values,
    /// `None` when they are not kept.
    pub(super) facts: Option<Facts>,
}

pub(super) type Values = Arc<[(Arc<str>, f64)]>;
pub(super) type Tags = Arc<[(Arc<str>, Option<Arc<str>>)]>;

/// Aliases by the version that they point to.
pub(super) type Aliases<'l> = BTreeMap<&'l str, Vec<&'l str>>;

impl Lines {
    pub(super) fn aliases(&self) -> Aliases<'_> {
        let mut aliases = Aliases::new();
        for (alias, version) in &self.aliases {
            aliases.entry(version).or_default().push(alias);
        }
        aliases
    }
}

impl Line {
    /// Returns a metric as it was registered or promoted.
    pub(super) fn metric(&self, said: &Said, key: &str) -> Option<f64> {
        let sides = self.promoted.iter().chain([&said.metrics]);
        let mut values = sides.flat_map(|values| values.iter());
        values
            .find(|(name, _)| **name == *key)
            .map(|(_, value)| *value)
    }

    /// Returns what was made of a tag after the registration, when something was.
    pub(super) fn annotated(&self, key: &str) -> Option<&Option<Arc<str>>> {
        let mut tags = self.annotated.iter().flat_map(|tags| tags.iter());
        tags.find(|(name, _)| **name == *key)
            .map(|(_, value)| value)
    }

    /// Returns what was made of an attribute after the registration, when something was.
    pub(super) fn restated(&self, field: &Field) -> Option<&Option<Fact>> {
        let Field::Attribute(attribute) = field else {
            return None;
        };
        let mut restated = self.restated.iter().flat_map(|restated| restated.iter());
        restated
            .find(|(of, _)| of == attribute)
            .map(|(_, fact)| fact)
    }
}

impl<const RECORDS: bool> Outline<RECORDS> {
    /// Returns how many versions there are, of all models or of one.
    pub(super) fn count(&self, only: Option<&Name>) -> usize {
        match only {
            Some(id) => self
                .models
                .get(id.as_str())
                .map_or(0, |lines| lines.versions.size()),
            None => self
                .models
                .values()
                .map(|lines| lines.versions.size())
                .sum(),
        }
    }

    fn text(&mut self, text: &str) -> Arc<str> {
        keep(&mut self.texts, text)
    }

    fn registered(&mut self, value: &Value, state: &RefState) -> Registered {
        let ordinal = value
            .record
            .get("ordinal")
            .and_then(serde_json::Value::as_u64);
        let ordinal = ordinal.filter(|_| ModelVersion::is_known(value));
        Registered {
            created: state.time,
            said: ordinal.map(|ordinal| Said {
                ordinal,
                metrics: self.values(value, |metric| Metric::from_json(metric.get("value")?)),
                facts: RECORDS.then(|| {
                    let (texts, fields) = (&mut self.texts, &mut self.fields);
                    facts(
                        &value.record,
                        |text| keep(texts, text),
                        |field| keep_field(fields, field),
                    )
                }),
            }),
        }
    }

    /// Reads metrics; those that are damaged are left out, which is for their reader to say.
    fn values(
        &mut self,
        value: &Value,
        of: impl Fn(&serde_json::Value) -> Option<Metric>,
    ) -> Values {
        let metrics = value
            .record
            .get("metrics")
            .and_then(|metrics| metrics.as_object());
        let metrics = metrics.into_iter().flatten();
        metrics
            .filter_map(|(name, value)| Some((self.text(name), of(value)?.value())))
            .collect()
    }

    fn tags(&mut self, value: &Value) -> Tags {
        let tags = value.record.get("tags").and_then(|tags| tags.as_object());
        let tags = tags.into_iter().flatten();
        tags.map(|(key, value)| (self.text(key), value.as_str().map(|value| self.text(value))))
            .collect()
    }

    fn lines(&mut self, id: &str) -> Option<&mut Lines> {
        if !self.models.contains_key(id) {
            self.models.insert_mut(id.into(), Lines::default());
        }
        self.models.get_mut(id)
    }

    fn change(&mut self, id: &str, version: &str, change: impl FnOnce(&mut Line)) {
        let Some(lines) = self.lines(id) else {
            return;
        };
        let mut line = lines.versions.get(version).cloned().unwrap_or_default();
        change(&mut line);
        if line.is_empty() {
            lines.versions.remove_mut(version);
        } else {
            lines.versions.insert_mut(version.into(), line);
        }
    }

    /// Takes note of what is of a model and of no version.
    fn of_model(&mut self, id: &str, family: &str, key: &str, value: Option<&Value>) {
        let member = |name: &str| value?.record.get(name)?.as_str();
        match (family, key) {
            ("policy", "stages") => {
                let initial = member("initial").map(|initial| self.text(initial));
                if let Some(lines) = self.lines(id) {
                    lines.initial = initial;
                }
            }
            ("name", "current") => {
                let called = member("name").map(|name| self.text(name));
                if let Some(lines) = self.lines(id) {
                    lines.called = called;
                }
            }
            ("alias", alias) => {
                let alias = self.text(alias);
                let target = value.and_then(Value::pointee);
                if let Some(lines) = self.lines(id) {
                    match target {
                        Some(target) => {
                            let version = target.version().as_str().into();
                            lines.aliases.insert_mut(alias, version);
                        }
                        None => drop(lines.aliases.remove_mut(&alias)),
                    }
                }
            }
            _ => {}
        }
    }
}

impl Line {
    fn is_empty(&self) -> bool {
        self.registered.is_none()
            && self.promoted.is_none()
            && self.stage.is_none()
            && self.annotated.is_none()
            && !self.reported
    }
}

impl<const RECORDS: bool> Projection for Outline<RECORDS> {
    fn note(&mut self, path: &RefPath, state: &RefState) -> Result<()> {
        let mut segments = path.segments().skip(1);
        let (Some(id), Some(family), Some(key)) =
            (segments.next(), segments.next(), segments.next())
        else {
            return Ok(());
        };
        let value = state.value.as_ref();
        match (family, segments.next()) {
            ("version", None) => {
                let registered = value.map(|value| self.registered(value, state));
                self.change(id, key, |line| line.registered = registered);
            }
            ("status", None) => {
                let promoted = value.map(|value| self.values(value, Metric::from_json));
                let stage = value.and_then(|value| value.record.get("stage")?.as_str());
                let stage = stage.map(|stage| self.text(stage));
                self.change(id, key, |line| {
                    line.promoted = promoted.filter(|values| !values.is_empty());
                    line.stage = stage;
                });
            }
            ("annotation", None) if RECORDS => {
                let annotated = value.map(|value| self.tags(value));
                let texts = &mut self.texts;
                let restated =
                    value.map(|value| facts::restated(&value.record, |text| keep(texts, text)));
                self.change(id, key, |line| {
                    line.annotated = annotated;
                    line.restated = restated.filter(|restated| !restated.is_empty());
                });
            }
            ("report", Some(_)) => self.change(id, key, |line| line.reported = true),
            (family, None) => self.of_model(id, family, key, value),
            _ => {}
        }
        Ok(())
    }
}

fn keep(texts: &mut RedBlackTreeSetSync<Arc<str>>, text: &str) -> Arc<str> {
    if let Some(known) = texts.get(text) {
        return Arc::clone(known);
    }
    let text: Arc<str> = text.into();
    texts.insert_mut(Arc::clone(&text));
    text
}

fn keep_field(fields: &mut RedBlackTreeSetSync<Arc<Field>>, field: Field) -> Arc<Field> {
    if let Some(known) = fields.get(&field) {
        return Arc::clone(known);
    }
    let field = Arc::new(field);
    fields.insert_mut(Arc::clone(&field));
    field
}
