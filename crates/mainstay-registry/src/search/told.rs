//! What an outline tells of a search: which versions it finds for sure, and which have to be read.

use std::collections::BTreeMap;

use mainstay_core::Name;
use semver::Version;

use super::cursor::{Key, Position};
use super::eval::{Datum, key, text, time};
use super::facts::{Fact, is_kept, said, said_tag};
use super::find::Found;
use super::outline::{Aliases, Line, Lines, Outline, Registered};
use super::query::{Attribute, Expr, Field, Order};
use super::recorded::several;
use crate::policy::StagePolicy;

/// The services that serve versions, by id of the model and version.
pub(super) type Served = BTreeMap<String, BTreeMap<String, Vec<String>>>;

/// What to tell of.
#[derive(Clone, Copy)]
pub(super) struct Asked<'q> {
    /// The id of the one model that it is about.
    pub(super) only: Option<&'q Name>,
    pub(super) filter: Option<&'q Expr>,
    pub(super) order: &'q [Order],
    pub(super) served: &'q Served,
}

/// What was told.
#[derive(Debug, Default)]
pub(super) struct Told<'o> {
    /// The versions that are found, with their places.
    pub(super) sure: Vec<Found<'o>>,
    /// Id of the model and version of those that may be found, in order.
    pub(super) unsure: Vec<(&'o str, &'o str)>,
}

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

/// Reports whether every outline knows a field.
pub(super) fn is_outlined(field: &Field) -> bool {
    use Attribute as A;
    match field {
        Field::Metric(_) => true,
        Field::Attribute(attribute) => matches!(
            attribute,
            A::Name | A::Version | A::Ordinal | A::Created | A::Stage | A::Alias | A::Served
        ),
        _ => false,
    }
}

/// Reports whether an outline with what the records say knows a field that others do not.
pub(super) fn is_recorded(field: &Field) -> bool {
    field.tag().is_some() || is_kept(field)
}

impl<const RECORDS: bool> Outline<RECORDS> {
    /// Tells which versions a search finds; `None` when so many have to be read that reading all is no slower.
    pub(super) fn tell(&self, asked: Asked<'_>) -> Option<Told<'_>> {
        /// Reading one by its name costs about as much as reading so many in a row.
        const ONE_BY_ONE: usize = 4;
        let most = self.count(asked.only) / ONE_BY_ONE;
        let default = StagePolicy::default().initial;
        let mut told = Told::default();
        for (id, lines) in &self.models {
            if asked.only.is_some_and(|only| only.as_str() != &**id) {
                continue;
            }
            tell_of_model(id, lines, default.as_str(), asked, &mut told);
            if told.unsure.len() > most {
                return None;
            }
        }
        Some(told)
    }
}

fn tell_of_model<'o>(
    id: &'o str,
    lines: &'o Lines,
    default: &str,
    asked: Asked<'_>,
    told: &mut Told<'o>,
) {
    let aliases = lines.aliases();
    for (version, line) in &lines.versions {
        let version: &str = version;
        let Some(registered) = &line.registered else {
            continue;
        };
        let place = Place {
            version,
            called: lines.called.as_deref().unwrap_or(id),
            initial: lines.initial.as_deref().unwrap_or(default),
            aliases: &aliases,
            served: asked
                .served
                .get(id)
                .and_then(|versions| versions.get(version)),
            line,
            registered,
        };
        let truth = asked.filter.map_or(Truth::Yes, |filter| place.told(filter));
        match (truth, place.position(asked.order)) {
            (Truth::No, _) => {}
            (Truth::Yes, Some(position)) => told.sure.push(Found {
                position,
                id,
                version,
            }),
            (Truth::Maybe | Truth::Yes, _) => told.unsure.push((id, version)),
        }
    }
}

/// What an outline knows of one version.
struct Place<'l> {
    version: &'l str,
    called: &'l str,
    initial: &'l str,
    aliases: &'l Aliases<'l>,
    served: Option<&'l Vec<String>>,
    line: &'l Line,
    registered: &'l Registered,
}

impl Place<'_> {
    /// Returns what a field holds, if that is known.
    fn datum(&self, field: &Field) -> Option<Datum<'_>> {
        let record = self.registered.said.as_ref()?;
        Some(match field {
            Field::Attribute(Attribute::Name) => text(Some(self.called)),
            Field::Attribute(Attribute::Version) => {
                Datum::Version(Version::parse(self.version).ok()?)
            }
            #[expect(
                clippy::cast_precision_loss,
                reason = "nobody registers 2^53 versions of one model"
            )]
            Field::Attribute(Attribute::Ordinal) => Datum::Number(record.ordinal as f64),
            Field::Attribute(Attribute::Created) => time(Some(self.registered.created)),
            Field::Attribute(Attribute::Stage) => {
                text(Some(self.line.stage.as_deref().unwrap_or(self.initial)))
            }
            Field::Attribute(Attribute::Alias) => several(
                self.aliases
                    .get(self.version)
                    .into_iter()
                    .flatten()
                    .copied(),
            ),
            Field::Attribute(Attribute::Served) => {
                several(self.served.into_iter().flatten().map(String::as_str))
            }
            Field::Metric(_) if self.line.reported => return None,
            Field::Metric(key) => {
                let metric = self.line.metric(record, key);
                metric.map_or(Datum::Missing, Datum::Number)
            }
            field => {
                let facts = record.facts.as_ref()?;
                match field.tag() {
                    Some(key) => match self.line.annotated(key) {
                        Some(value) => text(value.as_deref()),
                        None => return said_tag(facts, key),
                    },
                    None if is_kept(field) => {
                        return match self.line.restated(field) {
                            Some(fact) => fact.as_ref().map_or(Some(Datum::Missing), Fact::datum),
                            None => said(facts, field),
                        };
                    }
                    None => return None,
                }
            }
        })
    }

    /// Returns its place in an order, if that is known.
    fn position(&self, order: &[Order]) -> Option<Position> {
        let ordinal = self.registered.said.as_ref()?.ordinal;
        let keys = if order.is_empty() {
            vec![Key::Time(self.registered.created)]
        } else {
            let keys = order
                .iter()
                .map(|order| Some(key(self.datum(&order.field)?)));
            keys.collect::<Option<_>>()?
        };
        Some(Position {
            keys,
            name: self.called.to_owned(),
            ordinal,
        })
    }

    fn told(&self, expr: &Expr) -> Truth {
        match expr {
            Expr::Is(comparison) => match self.datum(&comparison.field) {
                Some(datum) => comparison.holds(&datum).into(),
                None => Truth::Maybe,
            },
            Expr::Exists(_) => Truth::Maybe,
            Expr::Not(one) => match self.told(one) {
                Truth::No => Truth::Yes,
                Truth::Maybe => Truth::Maybe,
                Truth::Yes => Truth::No,
            },
            // No further than what decides.
            Expr::All(all) => {
                let mut least = Truth::Yes;
                for one in all {
                    least = least.min(self.told(one));
                    if least == Truth::No {
                        break;
                    }
                }
                least
            }
            Expr::Any(any) => {
                let mut most = Truth::No;
                for one in any {
                    most = most.max(self.told(one));
                    if most == Truth::Yes {
                        break;
                    }
                }
                most
            }
        }
    }
}
