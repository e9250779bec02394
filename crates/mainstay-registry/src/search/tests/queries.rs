//! A query is printed as what parses as the same query.

use mainstay_core::{NodeKind, Timestamp};
use proptest::prelude::*;
use semver::{Version, VersionReq};

use super::super::query::{
    Attribute, Comparison, Direction, Exists, Expr, Field, Moment, Operand, Operator, Order, Query,
    Test,
};
use crate::metric::Metric;
use crate::record::Relation;
use crate::search::pattern::Pattern;

fn texts() -> impl Strategy<Value = String> {
    prop_oneof!["[a'\"`%_. ]{0,4}", ".{0,5}"]
}

fn fields() -> impl Strategy<Value = Field> {
    use Attribute as A;
    let attributes = vec![
        A::Name,
        A::Version,
        A::Ordinal,
        A::Stage,
        A::Created,
        A::Updated,
        A::Description,
        A::Artifact,
        A::Reproducibility,
        A::Environment,
        A::Code,
        A::Alias,
        A::Data,
        A::Served,
        A::Repository,
        A::Dirty,
        A::MadeBy,
        A::Step,
        A::Parent,
        A::Owner,
        A::Purpose,
        A::Expires,
        A::File,
        A::Bytes,
        A::Run,
        A::Source,
    ];
    prop_oneof![
        prop::sample::select(attributes).prop_map(Field::Attribute),
        texts().prop_map(Field::Tag),
        texts().prop_map(Field::Metric),
        texts().prop_map(Field::Parameter),
        texts().prop_map(Field::Seed),
        texts().prop_map(Field::Gate),
        texts().prop_map(Field::Dataset),
        texts().prop_map(Field::Digest),
        prop::sample::select(Relation::ALL).prop_map(|way| Field::Parent(way.to_string())),
        texts().prop_map(Field::Alias),
        texts().prop_map(Field::Stage),
        (texts(), texts()).prop_map(|(name, metric)| Field::Eval(format!("{name}.{metric}"))),
        texts().prop_map(Field::Input),
        texts().prop_map(Field::Output),
    ]
}

fn times() -> impl Strategy<Value = Timestamp> {
    (0_i64..4_000_000_000_000_000).prop_map(Timestamp::from_unix_micros)
}

fn finite() -> impl Strategy<Value = Operand> {
    prop::num::f64::NORMAL.prop_map(|number| Operand::Number(Metric::new(number)))
}

/// A literal that the field compares with; one that has an order if it must.
fn operands(field: &Field, ordered: bool) -> BoxedStrategy<Operand> {
    let text = || texts().prop_map(Operand::Text);
    match field {
        Field::Metric(_) | Field::Eval(_) | Field::Parameter(_) if ordered => finite().boxed(),
        Field::Metric(_) | Field::Eval(_) => {
            let odd = prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY]);
            let odd = odd.prop_map(|number| Operand::Number(Metric::new(number)));
            prop_oneof![finite(), odd].boxed()
        }
        Field::Attribute(Attribute::Ordinal | Attribute::Step | Attribute::Bytes) => {
            finite().boxed()
        }
        Field::Parameter(_) => prop_oneof![finite(), text()].boxed(),
        Field::Attribute(Attribute::Created | Attribute::Updated | Attribute::Expires)
        | Field::Alias(_)
        | Field::Stage(_) => times().prop_map(Operand::Time).boxed(),
        Field::Attribute(Attribute::Version) => (0_u64..9, 0_u64..9, "(|-rc\\.[1-9])")
            .prop_map(|(major, minor, rest)| format!("{major}.{minor}.0{rest}"))
            .prop_map(|text| Operand::Version(Version::parse(&text).unwrap()))
            .boxed(),
        Field::Attribute(_)
        | Field::Tag(_)
        | Field::Seed(_)
        | Field::Gate(_)
        | Field::Dataset(_)
        | Field::Digest(_)
        | Field::Parent(_)
        | Field::Input(_)
        | Field::Output(_) => text().boxed(),
    }
}

fn is_ordered(field: &Field) -> bool {
    use Attribute as A;
    match field {
        Field::Attribute(attribute) => {
            matches!(
                attribute,
                A::Version | A::Ordinal | A::Created | A::Updated | A::Expires | A::Step | A::Bytes
            )
        }
        Field::Tag(_)
        | Field::Seed(_)
        | Field::Gate(_)
        | Field::Dataset(_)
        | Field::Digest(_)
        | Field::Parent(_)
        | Field::Input(_)
        | Field::Output(_) => false,
        Field::Metric(_)
        | Field::Eval(_)
        | Field::Parameter(_)
        | Field::Alias(_)
        | Field::Stage(_) => true,
    }
}

fn is_text(field: &Field) -> bool {
    match field {
        Field::Metric(_) | Field::Eval(_) | Field::Parameter(_) => false,
        field => !is_ordered(field),
    }
}

fn tests_of(field: &Field) -> BoxedStrategy<Test> {
    use Operator as O;
    let any = |field: &Field| operands(field, false);
    let equal = prop::sample::select(vec![O::Equal, O::NotEqual]);
    let list = || prop::collection::vec(operands(field, false), 1..4);
    let mut all = vec![
        Just(Test::IsNull).boxed(),
        Just(Test::IsNotNull).boxed(),
        (equal, any(field))
            .prop_map(|(o, operand)| Test::Compare(o, operand))
            .boxed(),
        list().prop_map(Test::In).boxed(),
        list().prop_map(Test::NotIn).boxed(),
    ];
    if is_ordered(field) {
        let orders = vec![O::Less, O::LessOrEqual, O::Greater, O::GreaterOrEqual];
        let ordered = || operands(field, true);
        let orders = prop::sample::select(orders);
        all.push(
            (orders, ordered())
                .prop_map(|(o, operand)| Test::Compare(o, operand))
                .boxed(),
        );
        all.push(
            (ordered(), ordered())
                .prop_map(|(a, b)| Test::Between(a, b))
                .boxed(),
        );
        all.push(
            (ordered(), ordered())
                .prop_map(|(a, b)| Test::NotBetween(a, b))
                .boxed(),
        );
    }
    if is_text(field) {
        let patterns = prop::sample::select(vec!["^a.*'b$", "[0-9]+", "", "(?i)x|y"]);
        let pattern = |text: &str| Operand::Pattern(Pattern::new(text).unwrap());
        let rlikes = prop::sample::select(vec![O::RLike, O::NotRLike]);
        all.push(
            (rlikes, patterns)
                .prop_map(move |(o, text)| Test::Compare(o, pattern(text)))
                .boxed(),
        );
        let likes = vec![O::Like, O::NotLike, O::ILike, O::NotILike, O::Contains];
        let likes = prop::sample::select(likes);
        all.push(
            (likes, any(field))
                .prop_map(|(o, operand)| Test::Compare(o, operand))
                .boxed(),
        );
    }
    if *field == Field::Attribute(Attribute::Version) {
        let requirements =
            prop::sample::select(vec!["^1.2", "*", ">=1.0, <2", "~0.3.1", "=1.0.0-rc.1"]);
        let requirement = |text: &str| Operand::Requirement(VersionReq::parse(text).unwrap());
        all.push(
            requirements
                .prop_map(move |text| Test::Compare(O::Satisfies, requirement(text)))
                .boxed(),
        );
    }
    prop::strategy::Union::new(all).boxed()
}

fn comparisons() -> impl Strategy<Value = Expr> {
    fields().prop_flat_map(|field| {
        tests_of(&field).prop_map(move |test| {
            Expr::Is(Comparison {
                field: field.clone(),
                test,
            })
        })
    })
}

fn near() -> impl Strategy<Value = Expr> {
    let directions = prop::sample::select(vec![Direction::Up, Direction::Down]);
    let references = vec![
        "data:d@3",
        "model:m",
        "model:m@champion",
        "code:c@1f0c",
        "run:r@x",
    ];
    let references = prop::sample::select(references);
    let within = prop::option::of(1_u32..9);
    (directions, within, references).prop_map(|(direction, within, of)| {
        let of = of.parse().unwrap();
        Expr::Exists(Exists::Near {
            direction,
            within,
            of,
        })
    })
}

/// That the version came from something of a kind, `filter` being about models.
fn has(filter: impl Strategy<Value = Expr>) -> impl Strategy<Value = Expr> {
    let of_models = (Just(NodeKind::Model), filter);
    let fields = [Attribute::Name, Attribute::Label, Attribute::Created].map(Field::Attribute);
    let of_things = prop::sample::select(fields.to_vec()).prop_flat_map(|field| {
        tests_of(&field).prop_map(move |test| {
            let field = field.clone();
            Expr::Is(Comparison { field, test })
        })
    });
    let of_things = (
        prop::sample::select(vec![NodeKind::Data, NodeKind::Run]),
        of_things,
    );
    (prop_oneof![of_models, of_things], any::<bool>()).prop_map(|((kind, filter), filtered)| {
        let filter = filtered.then(|| Box::new(filter));
        Expr::Exists(Exists::Has { kind, filter })
    })
}

fn exprs() -> impl Strategy<Value = Expr> {
    let leaves = prop_oneof![4 => comparisons(), 1 => near()];
    leaves.prop_recursive(5, 24, 4, |inner| {
        prop_oneof![
            has(inner.clone()),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expr::All),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expr::Any),
            inner.prop_map(|one| Expr::Not(Box::new(one))),
        ]
    })
}

fn queries() -> impl Strategy<Value = Query> {
    let orders = fields().prop_filter("one value a version", |field| !field.is_several());
    let orders =
        (orders, any::<bool>()).prop_map(|(field, descending)| Order { field, descending });
    let moments = prop_oneof![
        (0_u64..1 << 50).prop_map(Moment::Seq),
        times().prop_map(Moment::Time),
    ];
    let parts = (
        prop::option::of(exprs()),
        prop::collection::vec(orders, 0..4),
        prop::option::of(moments),
    );
    parts.prop_map(|(filter, order, at)| Query { filter, order, at })
}

proptest! {
    #[test]
    fn what_is_printed_parses_as_the_same_query(query in queries()) {
        let text = query.to_string();
        let parsed = Query::parse(&text).map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        prop_assert_eq!(&parsed, &query, "{}", text);
        prop_assert_eq!(parsed.to_string(), text);
    }
}
