//! What a query says.

use mainstay_core::{Locator, NodeKind, Result, Timestamp};
use mainstay_repo::{Repo, View};
use semver::{Version, VersionReq};

use super::pattern::Pattern;
use crate::metric::Metric;

/// A parsed query.
///
/// ```
/// use mainstay_registry::search::Query;
///
/// Query::parse("name LIKE 'fraud%' AND metrics.auc >= 0.9 ORDER BY metrics.auc DESC")?;
/// let error = Query::parse("metrics.auc >= 'high'").unwrap_err();
/// assert!(error.to_string().contains("column: 16"));
/// # Ok::<(), mainstay_core::Error>(())
/// ```
///
/// It is printed in one spelling, which parses as the same query:
///
/// ```
/// use mainstay_registry::search::Query;
///
/// let query = Query::parse("tag.a<>'b'  and (version_number between 2 and 3 OR not alias is null)")?;
/// let printed = "tags.`a` != 'b' AND (ordinal BETWEEN 2.0 AND 3.0 OR NOT alias IS NULL)";
/// assert_eq!(query.to_string(), printed);
/// assert_eq!(Query::parse(printed)?, query);
/// # Ok::<(), mainstay_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Query {
    pub(super) filter: Option<Expr>,
    pub(super) order: Vec<Order>,
    pub(super) at: Option<Moment>,
}

/// What must hold of a version.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expr {
    /// Every one of two or more.
    All(Vec<Expr>),
    /// One of two or more.
    Any(Vec<Expr>),
    Not(Box<Expr>),
    Is(Comparison),
    Exists(Exists),
}

/// What must be found in the lineage of a version.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Exists {
    /// The version lies up or down from something, by at most so many edges.
    Near {
        direction: Direction,
        within: Option<u32>,
        of: Locator,
    },
    /// It came from something of a kind that meets a filter.
    Has {
        kind: NodeKind,
        filter: Option<Box<Expr>>,
    },
}

/// Which way to walk the lineage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// To what something came from.
    Up,
    /// To what came from it.
    Down,
}

/// When a query is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Moment {
    /// After this entry of the log.
    Seq(u64),
    /// At this time.
    Time(Timestamp),
}

/// One condition.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Comparison {
    pub(super) field: Field,
    pub(super) test: Test,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    Compare(Operator, Operand),
    In(Vec<Operand>),
    NotIn(Vec<Operand>),
    /// From the first to the second, both included.
    Between(Operand, Operand),
    NotBetween(Operand, Operand),
    IsNull,
    IsNotNull,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Like,
    NotLike,
    ILike,
    NotILike,
    RLike,
    NotRLike,
    Contains,
    Satisfies,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    /// A finite number, or what a metric that is none is called.
    Number(Metric),
    Text(String),
    Version(Version),
    Requirement(VersionReq),
    Time(Timestamp),
    Pattern(Pattern),
}

/// What a comparison looks at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Field {
    Attribute(Attribute),
    Tag(String),
    Metric(String),
    Parameter(String),
    /// The seed of a source of random numbers, in decimal.
    Seed(String),
    /// Whether the gates about something let the version into its stage.
    Gate(String),
    /// The data in a role; `name`, `digest` and `context` as MLflow means them.
    Dataset(String),
    /// The digests of the records of the data in a role.
    Digest(String),
    /// The models that a version was made from in a way, as by `fine_tune`.
    Parent(String),
    /// Since when an alias points to the version.
    Alias(String),
    /// Since when the version is in a stage.
    Stage(String),
    /// What reports of an evaluation say: its name, a dot, the metric.
    Eval(String),
    /// The type of an input.
    Input(String),
    /// The type of an output.
    Output(String),
}

impl Field {
    /// Returns the tag that this is.
    pub(super) fn tag(&self) -> Option<&str> {
        match self {
            Self::Tag(key) => Some(key),
            Self::Attribute(Attribute::Run) => Some("mlflow.run_id"),
            Self::Attribute(Attribute::Source) => Some("mlflow.source_path"),
            _ => None,
        }
    }

    /// Reports whether a version has several.
    pub(super) const fn is_several(&self) -> bool {
        match self {
            Self::Attribute(attribute) => attribute.is_several(),
            Self::Dataset(_) | Self::Digest(_) | Self::Parent(_) => true,
            _ => false,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Attribute {
    Name,
    Version,
    /// The version of what is no model, the id of a run: text.
    Label,
    Ordinal,
    Stage,
    Created,
    Updated,
    Description,
    Artifact,
    Reproducibility,
    Environment,
    Code,
    Repository,
    /// Whether the working tree had changes: `true` or `false`.
    Dirty,
    /// The run that made it.
    MadeBy,
    /// The step that the run had reached.
    Step,
    Parent,
    /// Who registered it.
    Author,
    Owner,
    Purpose,
    Expires,
    File,
    /// The size of all files.
    Bytes,
    /// Whether a run goes on, or how it ended.
    Status,
    /// When a run ended.
    Ended,
    /// What a run made.
    Output,
    Alias,
    /// The data of a version, what a run used.
    Data,
    /// The services that serve it.
    Served,
    /// The tag `mlflow.run_id`.
    Run,
    /// The tag `mlflow.source_path`.
    Source,
}

impl Attribute {
    /// Reports whether a version has several.
    const fn is_several(self) -> bool {
        matches!(
            self,
            Self::Alias | Self::Data | Self::Served | Self::Parent | Self::File | Self::Output
        )
    }
}

/// One key of the order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Order {
    pub(super) field: Field,
    pub(super) descending: bool,
}

impl Moment {
    /// Returns the view of a moment, or the newest.
    pub(crate) async fn view(moment: Option<Self>, repo: &Repo) -> Result<View> {
        match moment {
            Some(Self::Seq(seq)) => repo.view_at(seq).await,
            Some(Self::Time(time)) => repo.view_as_of(time).await,
            None => repo.view().await,
        }
    }
}

impl Query {
    /// Returns when the query is about; `None` for now.
    #[must_use]
    pub fn moment(&self) -> Option<Moment> {
        self.at
    }
}

impl Expr {
    /// Collects what its comparisons look at.
    pub(super) fn fields<'q>(&'q self, fields: &mut Vec<&'q Field>) {
        match self {
            Self::Is(comparison) => fields.push(&comparison.field),
            Self::Exists(_) => {}
            Self::Not(one) => one.fields(fields),
            Self::All(all) | Self::Any(all) => all.iter().for_each(|one| one.fields(fields)),
        }
    }

    /// Returns the name of the one model that whatever meets this is of, if it says so.
    pub(super) fn model(&self) -> Option<&str> {
        match self {
            Self::All(all) => all.iter().find_map(Self::model),
            Self::Is(Comparison {
                field: Field::Attribute(Attribute::Name),
                test: Test::Compare(Operator::Equal, Operand::Text(name)),
            }) => Some(name.as_str()),
            _ => None,
        }
    }
}
