//! What is known of a version without reading it: its stage and its metrics.

use std::sync::Arc;

use mainstay_core::{Name, RefPath, Result};
use mainstay_repo::{Projection, RefState, Value};
use rpds::{RedBlackTreeMapSync, RedBlackTreeSetSync};

use super::eval::{Datum, text};
use super::query::{Attribute, Comparison, Expr, Field};
use crate::metric::Metric;
use crate::policy::StagePolicy;

/// Stage and metrics of the versions of all models, kept with the views: about 200 bytes a version and 24 a
/// metric.
#[derive(Debug, Clone, Default)]
pub(super) struct Outline {
    models: RedBlackTreeMapSync<Box<str>, Lines>,
    /// The names of metrics and stages, each once.
    names: RedBlackTreeSetSync<Arc<str>>,
}

/// What is known of a model.
#[derive(Debug, Clone, Default)]
struct Lines {
    /// Where its policy lets versions begin.
    initial: Option<Arc<str>>,
    versions: RedBlackTreeMapSync<Box<str>, Line>,
}

/// What is known of a version.
#[derive(Debug, Clone, Default)]
struct Line {
    /// As registered; `None` when there is no such version.
    registered: Option<Values>,
    /// As promoted: over those of the registration.
    promoted: Option<Values>,
    /// The stage that it moved to.
    stage: Option<Arc<str>>,
    /// Whether evaluation reports may say more.
    reported: bool,
}

type Values = Arc<[(Arc<str>, f64)]>;

/// Whether a filter holds, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Truth {
    No,
    Maybe,
    Yes,
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

/// Reports whether an outline tells something of a filter.
pub(super) fn tells(filter: &Expr) -> bool {
    match filter {
        Expr::Is(comparison) => matches!(
            comparison.field,
            Field::Metric(_) | Field::Attribute(Attribute::Stage)
        ),
        Expr::Exists(_) => false,
        Expr::Not(one) => tells(one),
        Expr::All(all) | Expr::Any(all) => all.iter().any(tells),
    }
}

impl Outline {
    /// Returns models and versions for which a filter may hold, in order; `None` when they are so many that
    /// reading all is no slower.
    pub(super) fn candidates(
        &self,
        only: Option<&Name>,
        filter: &Expr,
    ) -> Option<Vec<(&str, &str)>> {
        /// Reading one by its name costs about as much as reading so many in a row.
        const ONE_BY_ONE: usize = 4;
        let (mut candidates, mut all) = (Vec::new(), 0);
        let default = StagePolicy::default().initial;
        for (id, lines) in &self.models {
            if only.is_some_and(|only| only.as_str() != &**id) {
                continue;
            }
            let initial = lines.initial.as_deref().unwrap_or(default.as_str());
            for (version, line) in &lines.versions {
                if line.registered.is_none() {
                    continue;
                }
                all += 1;
                if line.told(filter, initial) != Truth::No {
                    candidates.push((&**id, &**version));
                }
            }
        }
        (candidates.len() * ONE_BY_ONE < all).then_some(candidates)
    }

    fn name(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return Arc::clone(known);
        }
        let name: Arc<str> = name.into();
        self.names.insert_mut(Arc::clone(&name));
        name
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
            .filter_map(|(name, value)| Some((self.name(name), of(value)?.value())))
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
        lines.versions.insert_mut(version.into(), line);
    }
}

impl Projection for Outline {
    fn note(&mut self, path: &RefPath, state: &RefState) -> Result<()> {
        let mut segments = path.segments().skip(1);
        let (Some(id), Some(family), Some(key)) =
            (segments.next(), segments.next(), segments.next())
        else {
            return Ok(());
        };
        let value = state.value.as_ref();
        let member = |name: &str| value?.record.get(name)?.as_str();
        match (family, segments.next()) {
            ("version", None) => {
                let of = |metric: &serde_json::Value| Metric::from_json(metric.get("value")?);
                let registered = value.map(|value| self.values(value, of));
                self.change(id, key, |line| line.registered = registered);
            }
            ("status", None) => {
                let promoted = value.map(|value| self.values(value, Metric::from_json));
                let stage = member("stage").map(|stage| self.name(stage));
                self.change(id, key, |line| {
                    line.promoted = promoted.filter(|values| !values.is_empty());
                    line.stage = stage;
                });
            }
            ("report", Some(_)) => self.change(id, key, |line| line.reported = true),
            ("policy", None) if key == "stages" => {
                let initial = member("initial").map(|initial| self.name(initial));
                if let Some(lines) = self.lines(id) {
                    lines.initial = initial;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl Line {
    fn told(&self, expr: &Expr, initial: &str) -> Truth {
        match expr {
            Expr::Is(comparison) => self.comparison(comparison, initial),
            Expr::Exists(_) => Truth::Maybe,
            Expr::Not(one) => match self.told(one, initial) {
                Truth::No => Truth::Yes,
                Truth::Maybe => Truth::Maybe,
                Truth::Yes => Truth::No,
            },
            Expr::All(all) => {
                let all = all.iter().map(|one| self.told(one, initial));
                all.min().unwrap_or(Truth::Yes)
            }
            Expr::Any(any) => {
                let any = any.iter().map(|one| self.told(one, initial));
                any.max().unwrap_or(Truth::No)
            }
        }
    }

    fn comparison(&self, comparison: &Comparison, initial: &str) -> Truth {
        match &comparison.field {
            Field::Metric(_) if self.reported => Truth::Maybe,
            Field::Metric(key) => {
                let sides = [&self.promoted, &self.registered].into_iter().flatten();
                let value = sides
                    .flat_map(|values| values.iter())
                    .find(|(name, _)| **name == **key);
                let datum = value.map_or(Datum::Missing, |(_, value)| Datum::Number(*value));
                comparison.holds(&datum).into()
            }
            Field::Attribute(Attribute::Stage) => {
                let stage = self.stage.as_deref().unwrap_or(initial);
                comparison.holds(&text(Some(stage))).into()
            }
            _ => Truth::Maybe,
        }
    }
}
