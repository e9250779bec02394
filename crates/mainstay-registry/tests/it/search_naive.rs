//! Random queries against an evaluator that reads the rules aloud.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::Result;
use mainstay_registry::search::Page;
use mainstay_registry::{AnnotateSpec, ModelSpec, Registered};
use proptest::prelude::*;

use crate::fixture::{Fixture, ada, locator, spec};

/// What a query can see of a version.
#[derive(Debug, Clone)]
struct Version {
    id: String,
    tag: Option<&'static str>,
    metric: Option<f64>,
    depth: Option<i32>,
    alias: bool,
    stage: &'static str,
}

const TAGS: [&str; 3] = ["a", "ab", "B"];
const METRICS: [f64; 6] = [-1.0, 0.5, 2.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];

/// Versions of every kind, and the fixture that has them.
async fn shelf() -> (Fixture, Vec<Version>) {
    let fixture = Fixture::new().await;
    let mut versions = Vec::new();
    for number in 0..14_usize {
        let tag = TAGS.get(number % 4).copied();
        let metric = METRICS.get(number % 7).copied();
        let depth = (number % 3 != 0).then(|| i32::try_from(number % 5).unwrap());
        let mut model: ModelSpec = spec(["m", "n"][number % 2], &format!("weights {number}"));
        if let Some(tag) = tag {
            model = model.with_tag("t", tag);
        }
        if let Some(metric) = metric {
            model = model.with_metric("x", metric);
        }
        if let Some(depth) = depth {
            model = model.with_parameter("d", depth);
        }
        let Registered { node, .. } = fixture.register(model).await;
        let id = format!("{}@{}", node.name(), node.version());
        let (alias, stage) = match number {
            3 | 6 => (true, "development"),
            4 => (false, "production"),
            5 | 9 => (false, "staging"),
            _ => (false, "development"),
        };
        if alias {
            fixture.alias(&id, "champion").await;
        }
        match stage {
            "production" => fixture.produce(&id).await,
            "staging" => drop(fixture.promote(&id, "staging").await),
            _ => {}
        }
        versions.push(Version {
            id,
            tag,
            metric,
            depth,
            alias,
            stage,
        });
    }
    (fixture, versions)
}

/// A condition as text, and what it says.
#[derive(Debug, Clone)]
enum Node {
    Tag(&'static str, &'static str),
    TagIn(Vec<&'static str>),
    TagMissing,
    Metric(&'static str, f64),
    MetricIs(f64),
    MetricBetween(f64, f64),
    Depth(&'static str, i32),
    Alias(bool),
    Stage(&'static str),
    Not(Box<Node>),
    All(Vec<Node>),
    Any(Vec<Node>),
}

impl Node {
    fn text(&self) -> String {
        let joined = |nodes: &[Node], word| {
            let texts: Vec<_> = nodes
                .iter()
                .map(|node| format!("({})", node.text()))
                .collect();
            texts.join(word)
        };
        match self {
            Self::Tag(operator, value) => format!("tags.t {operator} '{value}'"),
            Self::TagIn(values) => format!("tag.\"t\" IN ('{}')", values.join("','")),
            Self::TagMissing => "tags.t IS NULL".to_owned(),
            Self::Metric(operator, value) => format!("metrics.`x` {operator} {value}"),
            Self::MetricIs(value) => {
                let name = mainstay_registry::Metric::new(*value);
                format!("metric.x = '{name}'")
            }
            Self::MetricBetween(from, to) => format!("metrics.x between {from} and {to}"),
            Self::Depth(operator, value) => format!("params.d {operator} {value}"),
            Self::Alias(is) => format!("alias {} 'champion'", if *is { "=" } else { "!=" }),
            Self::Stage(stage) => format!("attributes.stage = '{stage}'"),
            Self::Not(node) => format!("NOT ({})", node.text()),
            Self::All(nodes) => joined(nodes, " AND "),
            Self::Any(nodes) => joined(nodes, " or "),
        }
    }

    fn holds(&self, version: &Version) -> bool {
        match self {
            Self::Tag(operator, value) => version.tag.is_some_and(|tag| match *operator {
                "=" | "LIKE" => tag == *value,
                "!=" | "NOT LIKE" => tag != *value,
                "ILIKE" => tag.eq_ignore_ascii_case(value),
                "CONTAINS" => tag.contains(value),
                other => panic!("{other}"),
            }),
            Self::TagIn(values) => version.tag.is_some_and(|tag| values.contains(&tag)),
            Self::TagMissing => version.tag.is_none(),
            Self::Metric(operator, value) => version.metric.is_some_and(|metric| {
                if !metric.is_finite() {
                    return *operator == "!=";
                }
                compares(operator, metric, *value)
            }),
            Self::MetricIs(value) => version
                .metric
                .is_some_and(|metric| metric.to_bits() == value.to_bits()),
            Self::MetricBetween(from, to) => version
                .metric
                .is_some_and(|metric| metric.is_finite() && *from <= metric && metric <= *to),
            Self::Depth(operator, value) => version
                .depth
                .is_some_and(|depth| compares(operator, depth.into(), (*value).into())),
            Self::Alias(is) => version.alias == *is,
            Self::Stage(stage) => version.stage == *stage,
            Self::Not(node) => !node.holds(version),
            Self::All(nodes) => nodes.iter().all(|node| node.holds(version)),
            Self::Any(nodes) => nodes.iter().any(|node| node.holds(version)),
        }
    }
}

fn compares(operator: &str, a: f64, b: f64) -> bool {
    let ordering = a.partial_cmp(&b).unwrap();
    match operator {
        "=" => ordering.is_eq(),
        "!=" => ordering.is_ne(),
        "<" => ordering.is_lt(),
        "<=" => ordering.is_le(),
        ">" => ordering.is_gt(),
        ">=" => ordering.is_ge(),
        other => panic!("{other}"),
    }
}

fn nodes() -> impl Strategy<Value = Node> {
    use prop::sample::select;
    let orders = || select(vec!["=", "!=", "<", "<=", ">", ">="]);
    let texts = || select(vec!["=", "!=", "LIKE", "ILIKE", "NOT LIKE", "CONTAINS"]);
    let tags = || select(vec!["a", "ab", "B", "b", "c"]);
    let numbers = || select(vec![-1.0, 0.5, 1.0, 2.0, 1e300]);
    let leaf = prop_oneof![
        (texts(), tags()).prop_map(|(operator, tag)| Node::Tag(operator, tag)),
        prop::collection::vec(tags(), 1..3).prop_map(Node::TagIn),
        Just(Node::TagMissing),
        (orders(), numbers()).prop_map(|(operator, number)| Node::Metric(operator, number)),
        select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY]).prop_map(Node::MetricIs),
        (numbers(), numbers()).prop_map(|(from, to)| Node::MetricBetween(from, to)),
        (orders(), 0..5).prop_map(|(operator, depth)| Node::Depth(operator, depth)),
        any::<bool>().prop_map(Node::Alias),
        select(vec!["development", "staging", "production"]).prop_map(Node::Stage),
    ];
    leaf.prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|node| Node::Not(Box::new(node))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Node::All),
            prop::collection::vec(inner, 2..4).prop_map(Node::Any),
        ]
    })
}

async fn found(fixture: &Fixture, query: &str) -> Result<BTreeSet<String>> {
    let page = fixture.registry.search(query, &Page::default()).await?;
    let id = |hit: &mainstay_registry::search::SearchHit| format!("{}@{}", hit.model, hit.version);
    Ok(page.results.iter().map(id).collect())
}

#[test]
fn any_query_finds_what_its_conditions_say() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let (fixture, versions) = runtime.block_on(shelf());
    proptest!(|(node in nodes())| {
        let query = node.text();
        let expected = versions.iter().filter(|version| node.holds(version));
        let expected: BTreeSet<String> = expected.map(|version| version.id.clone()).collect();
        let found = runtime.block_on(found(&fixture, &query)).unwrap();
        prop_assert_eq!(found, expected, "{}", query);
    });
}

/// Gives a version a tag, takes it away, or deletes the version.
#[derive(Debug, Clone)]
enum Change {
    Tag(usize, &'static str),
    Untag(usize),
    Delete(usize),
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_tag_finds_whoever_has_it_however_it_came_to_it(
        changes in prop::collection::vec(
            prop_oneof![
                4 => (0_usize..4, prop::sample::select(vec!["a", "b"]))
                    .prop_map(|(version, tag)| Change::Tag(version, tag)),
                2 => (0_usize..4).prop_map(Change::Untag),
                1 => (0_usize..4).prop_map(Change::Delete),
            ],
            1..12,
        )
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let fixture = Fixture::new().await;
            let mut tags = BTreeMap::new();
            for number in 0..4 {
                let model = spec(["m", "n"][number % 2], &format!("weights {number}"));
                let tag = (number < 3).then_some("a");
                let model = tag.into_iter().fold(model, |model, tag| model.with_tag("t", tag));
                let Registered { node, .. } = fixture.register(model).await;
                tags.insert(format!("{}@{}", node.name(), node.version()), tag);
            }
            let ids: Vec<String> = tags.keys().cloned().collect();
            for change in changes {
                let (Change::Tag(at, _) | Change::Untag(at) | Change::Delete(at)) = change;
                let id = &ids[at];
                if tags.contains_key(id) {
                    let annotate = AnnotateSpec::new(locator(id), ada(), "test");
                    let done = match change {
                        Change::Tag(_, tag) => fixture.registry.annotate(annotate.with_tag("t", tag)).await.map(drop),
                        Change::Untag(_) => fixture.registry.annotate(annotate.without_tag("t")).await.map(drop),
                        Change::Delete(_) => fixture.registry.delete(&locator(id), ada(), "test").await.map(drop),
                    };
                    done.unwrap();
                    match change {
                        Change::Tag(_, tag) => tags.insert(id.clone(), Some(tag)),
                        Change::Untag(_) => tags.insert(id.clone(), None),
                        Change::Delete(_) => tags.remove(id),
                    };
                }
                for tag in ["a", "b"] {
                    for (query, model) in [("", None), ("name = 'm' AND ", Some("m@"))] {
                        let of_model = |id: &str| model.is_none_or(|model| id.starts_with(model));
                        let mut expected = BTreeSet::new();
                        for (id, of) in &tags {
                            if *of == Some(tag) && of_model(id) {
                                expected.insert(id.clone());
                            }
                        }
                        let found = found(&fixture, &format!("{query}tags.t = '{tag}'")).await.unwrap();
                        assert_eq!(found, expected, "{query}{tag}");
                    }
                }
            }
        });
    }
}
