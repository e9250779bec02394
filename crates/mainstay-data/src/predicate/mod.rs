//! Which rows are wanted: conditions on columns.

use std::collections::BTreeSet;
use std::ops::Not;

mod evaluate;
mod literal;
mod parse;
mod print;
#[cfg(test)]
mod tests;

pub(crate) use evaluate::Bounds;
pub use literal::Literal;

/// A condition on the rows of a table, for [`ReadOptions::with_filter`](crate::ReadOptions::with_filter).
///
/// As in SQL, a comparison with a null is neither true nor false, and only rows are wanted for which the
/// whole condition is true. Floats compare as IEEE 754 says: zeros are equal, and NaN differs from every
/// number and is not less or greater than any. Text compares by its bytes in UTF-8.
///
/// | column | compares with |
/// |---|---|
/// | booleans | [`Literal::Bool`] |
/// | integers | [`Literal::Int`] |
/// | decimals | [`Literal::Int`], [`Literal::Float`] of no more digits behind the point, and of 15 digits in all |
/// | floats | [`Literal::Int`], [`Literal::Float`] |
/// | text | [`Literal::Text`] |
/// | dates, times | [`Literal::Text`] as in ISO 8601; what is finer than the unit of the column is cut off |
///
/// ```
/// use mainstay_data::Predicate;
///
/// let heavy = Predicate::at_least("mass", 4000).and(Predicate::one_of("sex", ["female", "male"]));
/// let unknown = Predicate::is_null("mass");
/// assert_eq!(heavy.or(!unknown).columns(), ["mass", "sex"]);
/// ```
///
/// # As text
/// A condition is read by [`FromStr`](std::str::FromStr) and printed as what reads as the same one:
///
/// ```text
/// condition  := all ("or" all)*
/// all        := term ("and" term)*
/// term       := "not" term | "(" condition ")" | "true" | "false" | comparison
/// comparison := column sign literal
///             | column ["not"] "in" "(" [literal ("," literal)*] ")"
///             | column ["not"] "between" literal "and" literal
///             | column "is" ["not"] "null"
/// column     := word | "any name" | `any name`
/// sign       := = | == | <> | != | < | <= | > | >=
/// literal    := number | true | false | NaN | [-]inf | 'text' | "text"
/// ```
///
/// A word begins with a letter or `_` and goes on with letters, digits, `_`, `-` and `.`; words of the grammar
/// are columns only in quotes. A quote is written twice inside its kind. `between` includes both ends. A
/// number without point and exponent is an integer. Words of the grammar are written in any case.
///
/// ```
/// use mainstay_data::Predicate;
///
/// let heavy: Predicate = "mass >= 4000 and species in ('Adelie', 'Gentoo')".parse()?;
/// let same = Predicate::at_least("mass", 4000)
///     .and(Predicate::one_of("species", ["Adelie", "Gentoo"]));
/// assert_eq!(heavy, same);
/// assert_eq!(same.to_string(), "mass >= 4000 and species in ('Adelie', 'Gentoo')");
/// # Ok::<(), mainstay_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Predicate {
    /// The value of a column compares so with another one.
    Compare {
        /// The name of the column.
        column: String,
        /// How.
        comparison: Comparison,
        /// With what.
        value: Literal,
    },
    /// The value of a column equals one of these.
    OneOf {
        /// The name of the column.
        column: String,
        /// The values; none of them makes the condition false.
        values: Vec<Literal>,
    },
    /// A column has no value.
    IsNull {
        /// The name of the column.
        column: String,
    },
    /// All of these are true; none of them makes the condition true.
    And(Vec<Predicate>),
    /// One of these is true; none of them makes the condition false.
    Or(Vec<Predicate>),
    /// This is false.
    Not(Box<Predicate>),
}

/// How two values compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are no others")]
pub enum Comparison {
    /// `=`
    Equal,
    /// `<>`
    Different,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

impl Comparison {
    /// Returns what is true of two values of one order when this is false.
    pub(crate) fn negated(self) -> Self {
        match self {
            Self::Equal => Self::Different,
            Self::Different => Self::Equal,
            Self::Less => Self::AtLeast,
            Self::AtMost => Self::Greater,
            Self::Greater => Self::AtMost,
            Self::AtLeast => Self::Less,
        }
    }
}

impl Predicate {
    fn compare(
        column: impl Into<String>,
        comparison: Comparison,
        value: impl Into<Literal>,
    ) -> Self {
        Self::Compare {
            column: column.into(),
            comparison,
            value: value.into(),
        }
    }

    /// `column = value`
    pub fn equal(column: impl Into<String>, value: impl Into<Literal>) -> Self {
        Self::compare(column, Comparison::Equal, value)
    }

    /// `column <> value`
    pub fn different(column: impl Into<String>, value: impl Into<Literal>) -> Self {
        Self::compare(column, Comparison::Different, value)
    }

    /// `column < value`
    pub fn less(column: impl Into<String>, value: impl Into<Literal>) -> Self {
        Self::compare(column, Comparison::Less, value)
    }

    /// `column <= value`
    pub fn at_most(column: impl Into<String>, value: impl Into<Literal>) -> Self {
        Self::compare(column, Comparison::AtMost, value)
    }

    /// `column > value`
    pub fn greater(column: impl Into<String>, value: impl Into<Literal>) -> Self {
        Self::compare(column, Comparison::Greater, value)
    }

    /// `column >= value`
    pub fn at_least(column: impl Into<String>, value: impl Into<Literal>) -> Self {
        Self::compare(column, Comparison::AtLeast, value)
    }

    /// `column in (values)`
    pub fn one_of<L: Into<Literal>>(
        column: impl Into<String>,
        values: impl IntoIterator<Item = L>,
    ) -> Self {
        Self::OneOf {
            column: column.into(),
            values: values.into_iter().map(Into::into).collect(),
        }
    }

    /// `column is null`
    pub fn is_null(column: impl Into<String>) -> Self {
        Self::IsNull {
            column: column.into(),
        }
    }

    /// Both this and `other`.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::And(vec![self, other])
    }

    /// This or `other`, or both.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self::Or(vec![self, other])
    }

    /// Returns the names of the columns it looks at, in order.
    #[must_use]
    pub fn columns(&self) -> Vec<&str> {
        let mut found = BTreeSet::new();
        self.add_columns(&mut found);
        found.into_iter().collect()
    }

    fn add_columns<'p>(&'p self, found: &mut BTreeSet<&'p str>) {
        match self {
            Self::Compare { column, .. } | Self::OneOf { column, .. } | Self::IsNull { column } => {
                found.insert(column);
            }
            Self::And(parts) | Self::Or(parts) => {
                for part in parts {
                    part.add_columns(found);
                }
            }
            Self::Not(part) => part.add_columns(found),
        }
    }
}

impl Not for Predicate {
    type Output = Self;

    fn not(self) -> Self {
        Self::Not(Box::new(self))
    }
}
