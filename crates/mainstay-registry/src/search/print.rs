//! Prints queries in one spelling.

use std::fmt::{self, Display, Formatter, Write as _};

use super::query::{
    Attribute, Comparison, Direction, Exists, Expr, Field, Moment, Operand, Operator, Order, Query,
    Test,
};

impl Display for Query {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut gap = "";
        if let Some(filter) = &self.filter {
            write!(f, "{filter}")?;
            gap = " ";
        }
        if !self.order.is_empty() {
            write!(f, "{gap}ORDER BY ")?;
            list(f, &self.order)?;
            gap = " ";
        }
        match self.at {
            None => Ok(()),
            Some(Moment::Seq(seq)) => write!(f, "{gap}AS OF {seq}"),
            Some(Moment::Time(time)) => write!(f, "{gap}AS OF '{time}'"),
        }
    }
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(all) => joined(f, all, " AND ", |one| {
                matches!(one, Self::All(_) | Self::Any(_)) || one.is_open()
            }),
            Self::Any(any) => joined(f, any, " OR ", |one| {
                matches!(one, Self::Any(_)) || one.is_open()
            }),
            Self::Not(one) => {
                f.write_str("NOT ")?;
                let is_open = matches!(**one, Self::All(_) | Self::Any(_)) || one.is_open();
                nested(f, one, is_open)
            }
            Self::Is(comparison) => comparison.fmt(f),
            Self::Exists(exists) => exists.fmt(f),
        }
    }
}

impl Expr {
    /// Reports whether what follows would belong to it: a WHERE takes all it can.
    fn is_open(&self) -> bool {
        matches!(
            self,
            Self::Exists(Exists::Has {
                filter: Some(_),
                ..
            })
        )
    }
}

impl Display for Exists {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Near {
                direction,
                within,
                of,
            } => {
                f.write_str(match direction {
                    Direction::Up => "EXISTS UPSTREAM",
                    Direction::Down => "EXISTS DOWNSTREAM",
                })?;
                if let Some(within) = within {
                    write!(f, " WITHIN {within}")?;
                }
                f.write_str(" OF ")?;
                quoted(f, '\'', &of.to_string())
            }
            Self::Has { kind, filter } => {
                write!(f, "EXISTS UPSTREAM HAS {kind}")?;
                match filter {
                    Some(filter) => write!(f, " WHERE {filter}"),
                    None => Ok(()),
                }
            }
        }
    }
}

fn joined(
    f: &mut Formatter<'_>,
    exprs: &[Expr],
    word: &str,
    in_parentheses: impl Fn(&Expr) -> bool,
) -> fmt::Result {
    for (place, expr) in exprs.iter().enumerate() {
        f.write_str(if place == 0 { "" } else { word })?;
        nested(f, expr, in_parentheses(expr))?;
    }
    Ok(())
}

fn nested(f: &mut Formatter<'_>, expr: &Expr, in_parentheses: bool) -> fmt::Result {
    if in_parentheses {
        write!(f, "({expr})")
    } else {
        expr.fmt(f)
    }
}

impl Display for Comparison {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.field.fmt(f)?;
        match &self.test {
            Test::IsNull => f.write_str(" IS NULL"),
            Test::IsNotNull => f.write_str(" IS NOT NULL"),
            Test::Compare(operator, operand) => write!(f, " {operator} {operand}"),
            Test::Between(from, to) => write!(f, " BETWEEN {from} AND {to}"),
            Test::NotBetween(from, to) => write!(f, " NOT BETWEEN {from} AND {to}"),
            Test::In(operands) => {
                f.write_str(" IN (")?;
                list(f, operands)?;
                f.write_char(')')
            }
            Test::NotIn(operands) => {
                f.write_str(" NOT IN (")?;
                list(f, operands)?;
                f.write_char(')')
            }
        }
    }
}

fn list<T: Display>(f: &mut Formatter<'_>, items: &[T]) -> fmt::Result {
    for (place, item) in items.iter().enumerate() {
        f.write_str(if place == 0 { "" } else { ", " })?;
        item.fmt(f)?;
    }
    Ok(())
}

impl Display for Field {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (kind, key) = match self {
            Self::Attribute(attribute) => return f.write_str(attribute.as_str()),
            Self::Tag(key) => ("tags", key),
            Self::Metric(key) => ("metrics", key),
            Self::Parameter(key) => ("params", key),
            Self::Seed(key) => ("seeds", key),
            Self::Gate(key) => ("gates", key),
            Self::Dataset(key) => ("datasets", key),
            Self::Digest(key) => ("digests", key),
            Self::Parent(key) => ("parents", key),
            Self::Alias(key) => ("alias", key),
            Self::Stage(key) => ("stage", key),
            Self::Eval(key) => ("eval", key),
            Self::Input(key) => ("signature.inputs", key),
            Self::Output(key) => ("signature.outputs", key),
        };
        write!(f, "{kind}.")?;
        quoted(f, '`', key)
    }
}

impl Display for Order {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let direction = if self.descending { " DESC" } else { "" };
        write!(f, "{}{direction}", self.field)
    }
}

impl Attribute {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Version | Self::Label => "version",
            Self::Ordinal => "ordinal",
            Self::Stage => "stage",
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Description => "description",
            Self::Artifact => "artifact",
            Self::Reproducibility => "reproducibility",
            Self::Environment => "environment",
            Self::Code => "code",
            Self::Repository => "repository",
            Self::Dirty => "dirty",
            Self::MadeBy => "run",
            Self::Step => "step",
            Self::Parent => "parent",
            Self::Author => "author",
            Self::Owner => "owner",
            Self::Purpose => "purpose",
            Self::Expires => "expires",
            Self::File => "file",
            Self::Bytes => "bytes",
            Self::Status => "status",
            Self::Ended => "ended",
            Self::Output => "output",
            Self::Alias => "alias",
            Self::Data => "data",
            Self::Served => "served",
            Self::Run => "run_id",
            Self::Source => "source_path",
        }
    }
}

impl Display for Operator {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Like => "LIKE",
            Self::NotLike => "NOT LIKE",
            Self::ILike => "ILIKE",
            Self::NotILike => "NOT ILIKE",
            Self::RLike => "RLIKE",
            Self::NotRLike => "NOT RLIKE",
            Self::Contains => "CONTAINS",
            Self::Satisfies => "SATISFIES",
        })
    }
}

impl Display for Operand {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) if number.value().is_finite() => write!(f, "{:?}", number.value()),
            // The name of what is not finite.
            Self::Number(number) => quoted(f, '\'', &number.to_string()),
            Self::Text(text) => quoted(f, '\'', text),
            Self::Version(version) => quoted(f, '\'', &version.to_string()),
            Self::Requirement(requirement) => quoted(f, '\'', &requirement.to_string()),
            Self::Time(time) => quoted(f, '\'', &time.to_string()),
            Self::Pattern(pattern) => quoted(f, '\'', pattern.as_str()),
        }
    }
}

/// Writes text in quotes; the quote itself twice.
fn quoted(f: &mut Formatter<'_>, quote: char, text: &str) -> fmt::Result {
    f.write_char(quote)?;
    for part in text.chars() {
        if part == quote {
            f.write_char(quote)?;
        }
        f.write_char(part)?;
    }
    f.write_char(quote)
}
