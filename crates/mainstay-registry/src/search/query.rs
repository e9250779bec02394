//! What a query says.

use mainstay_core::Timestamp;
use semver::Version;

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
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    pub(super) text: String,
    pub(super) filter: Vec<Comparison>,
    pub(super) order: Vec<Order>,
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
    ILike,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    Number(f64),
    Text(String),
    Version(Version),
    Time(Timestamp),
}

/// What a comparison looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Field {
    Attribute(Attribute),
    Tag(String),
    Metric(String),
    Parameter(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attribute {
    Name,
    Version,
    Ordinal,
    Stage,
    Created,
    Description,
    Artifact,
    Reproducibility,
    Environment,
    Code,
    Alias,
    Data,
}

/// One key of the order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Order {
    pub(super) field: Field,
    pub(super) descending: bool,
}

impl Query {
    /// Returns the one model that the query can find, if it says so.
    pub(super) fn model(&self) -> Option<&str> {
        self.filter.iter().find_map(|comparison| match comparison {
            Comparison {
                field: Field::Attribute(Attribute::Name),
                test: Test::Compare(Operator::Equal, Operand::Text(name)),
            } => Some(name.as_str()),
            _ => None,
        })
    }
}
