use mainstay_core::ErrorKind;
use proptest::prelude::*;

use super::*;

#[test]
fn conditions_are_read_as_they_are_meant() {
    let mass = || Predicate::at_least("mass", 4_000);
    let adelie = || Predicate::equal("species", "Adelie");
    for (text, expected) in [
        ("mass >= 4000", mass()),
        (" mass>=+4000 AND species = 'Adelie' ", mass().and(adelie())),
        (
            "mass >= 4000 or species='Adelie' and not sex is null",
            mass().or(adelie().and(!Predicate::is_null("sex"))),
        ),
        (
            "(mass >= 4000 or species == \"Adelie\") and sex IS NOT NULL",
            mass().or(adelie()).and(!Predicate::is_null("sex")),
        ),
        (
            "x in (1, -2.5, 'it''s', true, inf)",
            Predicate::one_of(
                "x",
                [
                    Literal::Int(1),
                    Literal::Float(-2.5),
                    "it's".into(),
                    true.into(),
                    f64::INFINITY.into(),
                ],
            ),
        ),
        ("x not in ()", !Predicate::one_of::<Literal>("x", [])),
        (
            "x between 1e3 and 2 and y != -inf",
            Predicate::And(vec![
                Predicate::at_least("x", 1e3).and(Predicate::at_most("x", 2)),
                Predicate::different("y", f64::NEG_INFINITY),
            ]),
        ),
        (
            "\"body mass \"\"g\"\"\" < 1 and `and` > 1 and größe.cm-1 <= 1",
            Predicate::And(vec![
                Predicate::less("body mass \"g\"", 1),
                Predicate::greater("and", 1),
                Predicate::at_most("größe.cm-1", 1),
            ]),
        ),
        ("true", Predicate::And(vec![])),
        ("not false", !Predicate::Or(vec![])),
    ] {
        assert_eq!(text.parse::<Predicate>().unwrap(), expected, "{text}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_position() {
    for (text, position, why) in [
        ("", 1, "expected a column, found the end"),
        (
            "größe = ",
            9,
            "expected a number, true, false or 'text', found the end",
        ),
        ("species = Adelie", 11, "found 'Adelie'"),
        ("x = 1 y", 7, "expected and, or, or the end, found 'y'"),
        (
            "x 1",
            3,
            "expected = <> < <= > >=, in, between or is, found '1'",
        ),
        ("x = 'a", 5, "the quote is not closed"),
        ("x = 1 and null = 1", 11, "expected a column, found 'null'"),
        ("(x = 1", 7, "expected and, or, or ')', found the end"),
        ("x not = 1", 7, "expected in or between, found '='"),
        ("x in (1 2)", 9, "expected ',' or ')', found '2'"),
        ("x between 1 or 2", 13, "expected and, found 'or'"),
        ("x is 1", 6, "expected null, found '1'"),
        ("x = 9223372036854775808", 5, "not a number within 64 bits"),
        ("x = 1.2.3", 5, "not a number within 64 bits"),
        ("x = 1; drop", 6, "expected and, or, or the end, found ';'"),
    ] {
        let error = text.parse::<Predicate>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.message().contains(why), "{text}: {error}");
        let found = error.contexts().find(|(key, _)| *key == "position");
        let found = found.map(|(_, value)| value.to_owned());
        assert_eq!(found, Some(position.to_string()), "{text}: {error}");
    }
}

#[test]
fn conditions_are_bounded() {
    let nested = |depth: usize| format!("{}x = 1{}", "(".repeat(depth), ")".repeat(depth));
    assert!(nested(32).parse::<Predicate>().is_ok());
    assert!(nested(33).parse::<Predicate>().is_err());
    assert!(
        format!("{}true", "not ".repeat(33))
            .parse::<Predicate>()
            .is_err()
    );
    let long = |count: usize| vec!["x = 1"; count].join(" or ");
    assert!(long(256).parse::<Predicate>().is_ok());
    assert!(long(257).parse::<Predicate>().is_err());
    assert!(
        format!("x = '{}'", "a".repeat(16_384))
            .parse::<Predicate>()
            .is_err()
    );
}

fn columns() -> impl Strategy<Value = String> {
    prop_oneof!["[a-zß_][a-z0-9_.-]{0,4}", "and|TRUE|null|in", ".{0,5}"]
}

fn literals() -> impl Strategy<Value = Literal> {
    prop_oneof![
        any::<bool>().prop_map(Literal::Bool),
        any::<i64>().prop_map(Literal::Int),
        (proptest::num::f64::ANY)
            .prop_filter("NaN equals nothing", |number| !number.is_nan())
            .prop_map(Literal::Float),
        "['a\" ]{0,4}|.{0,5}".prop_map(Literal::Text),
    ]
}

fn comparisons() -> impl Strategy<Value = Predicate> {
    use Comparison as C;
    let signs = vec![
        C::Equal,
        C::Different,
        C::Less,
        C::AtMost,
        C::Greater,
        C::AtLeast,
    ];
    let signs = proptest::sample::select(signs);
    prop_oneof![
        (columns(), signs, literals())
            .prop_map(|(column, sign, value)| Predicate::compare(column, sign, value)),
        (columns(), proptest::collection::vec(literals(), 0..4))
            .prop_map(|(column, values)| Predicate::one_of(column, values)),
        columns().prop_map(Predicate::is_null),
    ]
}

fn conditions() -> impl Strategy<Value = Predicate> {
    comparisons().prop_recursive(5, 24, 4, |inner| {
        let several = || {
            let parts = proptest::collection::vec(inner.clone(), 0..4);
            parts.prop_filter("one is not combined", |parts| parts.len() != 1)
        };
        prop_oneof![
            several().prop_map(Predicate::And),
            several().prop_map(Predicate::Or),
            inner.clone().prop_map(|part| !part),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_printed_reads_as_the_same_condition(condition in conditions()) {
        let text = condition.to_string();
        let read = text.parse::<Predicate>();
        let read = read.map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        prop_assert_eq!(&read, &condition, "{}", text);
    }

    #[test]
    fn any_text_is_a_condition_or_refused_with_a_position(
        text in "([ab] |[<>=!()'\"`,.+-]|in|not |is |null|and |or |between |true|[0-9eE]|ß){0,24}"
    ) {
        match text.parse::<Predicate>() {
            Ok(condition) => {
                let again = condition.to_string().parse::<Predicate>();
                prop_assert!(again.is_ok(), "{}", condition);
            }
            Err(error) => {
                let position = error.contexts().find(|(key, _)| *key == "position");
                let position: usize = position.unwrap().1.parse().unwrap();
                prop_assert!((1..=text.chars().count() + 1).contains(&position));
            }
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,64}") {
        drop(text.parse::<Predicate>());
    }
}
