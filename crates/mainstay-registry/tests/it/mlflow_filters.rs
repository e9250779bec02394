//! Filter strings as MLflow's documentation and client write them: each parses unchanged, says the same as one
//! spelling of Mainstay's, and runs.

use mainstay_core::ErrorKind;
use mainstay_registry::search::{Page, Query};

use crate::fixture::{Fixture, name, spec};

/// Filters of registered models, versions and runs, and how Mainstay spells them.
const FILTERS: &[(&str, &str)] = &[
    // search_registered_models
    ("name = 'my_model'", "name = 'my_model'"),
    (
        "name='CordobaWeatherForecastModel'",
        "name = 'CordobaWeatherForecastModel'",
    ),
    ("name = \"my_model\"", "name = 'my_model'"),
    ("name != 'my_model'", "name != 'my_model'"),
    ("name LIKE 'Boston%'", "name LIKE 'Boston%'"),
    ("name like '%Boston_'", "name LIKE '%Boston_'"),
    ("name ILIKE '%boston%'", "name ILIKE '%boston%'"),
    ("name ilike \"MOD%\"", "name ILIKE 'MOD%'"),
    ("attribute.name = 'm'", "name = 'm'"),
    ("attributes.name IN ('a', 'b')", "name IN ('a', 'b')"),
    ("name NOT IN ('a','b')", "name NOT IN ('a', 'b')"),
    (
        "name = 'a_model_name' and tag.key = 'value1'",
        "name = 'a_model_name' AND tags.`key` = 'value1'",
    ),
    (
        "tag.`mlflow.prompt.is_prompt` != 'true'",
        "tags.`mlflow.prompt.is_prompt` != 'true'",
    ),
    (
        "tags.`mlflow.prompt.is_prompt` = 'true'",
        "tags.`mlflow.prompt.is_prompt` = 'true'",
    ),
    (
        "name ILIKE 'a%' AND tag.`mlflow.prompt.is_prompt` != 'true'",
        "name ILIKE 'a%' AND tags.`mlflow.prompt.is_prompt` != 'true'",
    ),
    // search_model_versions
    (
        "name = 'm' AND version_number > 3",
        "name = 'm' AND ordinal > 3.0",
    ),
    ("version_number = 1", "ordinal = 1.0"),
    ("attributes.version_number <= 10", "ordinal <= 10.0"),
    ("run_id = 'f00ba7'", "run_id = 'f00ba7'"),
    (
        "run_id IN ('e14afa2f47a040728060c1699968fd43','x')",
        "run_id IN ('e14afa2f47a040728060c1699968fd43', 'x')",
    ),
    ("run_id IN (\"a\")", "run_id IN ('a')"),
    ("run_id NOT IN ('a')", "run_id NOT IN ('a')"),
    ("attribute.run_id = 'a'", "run_id = 'a'"),
    (
        "source_path = 's3://bucket/model'",
        "source_path = 's3://bucket/model'",
    ),
    ("source_path LIKE 's3://%'", "source_path LIKE 's3://%'"),
    ("tags.`a b` = 'x'", "tags.`a b` = 'x'"),
    ("tags.\"a b\" = 'x'", "tags.`a b` = 'x'"),
    (
        "tags.key LIKE 'va%' and tags.other ILIKE 'VA_'",
        "tags.`key` LIKE 'va%' AND tags.`other` ILIKE 'VA_'",
    ),
    (
        "tag.validation_status != \"approved\"",
        "tags.`validation_status` != 'approved'",
    ),
    ("tags.`it's` = \"it's\"", "tags.`it's` = 'it''s'"),
    ("tags.a = ''", "tags.`a` = ''"),
    // search_runs
    ("metrics.f1 > 0.9", "metrics.`f1` > 0.9"),
    ("metric.rmse <= 1e-3", "metrics.`rmse` <= 0.001"),
    ("metrics.accuracy > .92", "metrics.`accuracy` > 0.92"),
    ("metrics.loss >= -1", "metrics.`loss` >= -1.0"),
    ("metrics.auc != 1.0", "metrics.`auc` != 1.0"),
    (
        "metrics.`f1 score` < 1 and metrics.accuracy > 0.72",
        "metrics.`f1 score` < 1.0 AND metrics.`accuracy` > 0.72",
    ),
    (
        "metrics.\"cross-entropy\" < 0.5",
        "metrics.`cross-entropy` < 0.5",
    ),
    ("metrics.m=1", "metrics.`m` = 1.0"),
    (
        "params.model = 'LogisticRegression'",
        "params.`model` = 'LogisticRegression'",
    ),
    ("param.lr != '0.1'", "params.`lr` != '0.1'"),
    ("parameter.lr ILIKE '0.%'", "params.`lr` ILIKE '0.%'"),
    (
        "parameters.`batch size` = \"64\"",
        "params.`batch size` = '64'",
    ),
    ("params.lr IS NULL", "params.`lr` IS NULL"),
    ("tags.env is not null", "tags.`env` IS NOT NULL"),
    (
        "tags.mlflow.parentRunId = 'abc'",
        "tags.`mlflow.parentRunId` = 'abc'",
    ),
    ("tags.`mlflow.user` = 'ada'", "tags.`mlflow.user` = 'ada'"),
    ("attr.run_id = 'a'", "run_id = 'a'"),
    ("run.run_id IN ('a', 'b')", "run_id IN ('a', 'b')"),
    (
        "datasets.name = 'custom' AND datasets.context LIKE '%train'",
        "datasets.`name` = 'custom' AND datasets.`context` LIKE '%train'",
    ),
    (
        "dataset.digest IN ('s8ds293b', 'jks834s2')",
        "datasets.`digest` IN ('s8ds293b', 'jks834s2')",
    ),
    (
        "params.alpha = '0.3'\n\tAND  metrics.rmse<0.5  and tags.t!='x'",
        "params.`alpha` = '0.3' AND metrics.`rmse` < 0.5 AND tags.`t` != 'x'",
    ),
    ("", ""),
    ("   ", ""),
];

/// Orders, which MLflow takes beside the filter.
const ORDERS: &[(&str, &str)] = &[
    ("name", "name"),
    ("name ASC", "name"),
    ("name DESC", "name DESC"),
    ("version_number DESC", "ordinal DESC"),
    ("creation_timestamp ASC", "created"),
    ("last_updated_timestamp DESC", "updated DESC"),
    ("timestamp", "updated"),
    ("metrics.rmse ASC", "metrics.`rmse`"),
    ("metrics.`f1 score` desc", "metrics.`f1 score` DESC"),
    ("params.lr", "params.`lr`"),
    ("tags.team DESC", "tags.`team` DESC"),
    ("attributes.name DESC", "name DESC"),
];

#[test]
fn filters_parse_unchanged_and_print_in_one_spelling() {
    let orders = ORDERS
        .iter()
        .map(|(order, printed)| (format!("ORDER BY {order}"), format!("ORDER BY {printed}")));
    let filters = FILTERS
        .iter()
        .map(|(filter, printed)| ((*filter).to_owned(), (*printed).to_owned()));
    for (text, printed) in filters.chain(orders) {
        let query = Query::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(query.to_string(), printed, "{text}");
        assert_eq!(Query::parse(&printed).unwrap(), query, "{text}");
    }
}

#[tokio::test]
async fn a_filter_finds_what_its_one_spelling_finds() {
    let fixture = Fixture::new().await;
    let data = fixture
        .record("data:custom@1", serde_json::json!({"rows": 1}))
        .await;
    let model = spec("my_model", "weights")
        .with_data(name("train"), data)
        .with_metric("f1", 0.95)
        .with_metric("accuracy", 0.93)
        .with_metric("f1 score", 0.9)
        .with_parameter("model", "LogisticRegression")
        .with_parameter("batch size", 64)
        .with_tag("a b", "x")
        .with_tag("mlflow.run_id", "f00ba7")
        .with_tag("key", "value1");
    fixture.register(model).await;
    let mut found = 0;
    for (filter, printed) in FILTERS {
        let search = |query| {
            let registry = fixture.registry.clone();
            async move {
                registry
                    .search(query, &Page::default())
                    .await
                    .unwrap()
                    .results
            }
        };
        let results = search(filter).await;
        assert_eq!(results, search(printed).await, "{filter}");
        found += results.len();
    }
    assert!(found > 15, "{found}");
    // A value of a parameter is text for MLflow, whatever it was when it was registered.
    for filter in [
        "parameters.`batch size` = \"64\"",
        "metrics.accuracy > .92",
        "datasets.name = 'custom'",
    ] {
        let page = fixture
            .registry
            .search(filter, &Page::default())
            .await
            .unwrap();
        assert_eq!(page.results.len(), 1, "{filter}");
    }
}

#[test]
fn what_mlflow_refuses_or_only_runs_have_is_refused_by_column() {
    for (filter, column) in [
        ("name == 'a'", 7),
        ("tags.a > 'x'", 8),
        ("metrics.f1 = 'high'", 14),
        ("version_number LIKE 1", 16),
        ("name = a", 8),
        ("run_id IN ()", 12),
        ("metrics.f1 > 0.9 metrics.f1 < 1", 18),
        // Of runs, and there is no such thing of a version.
        ("attributes.status = 'FINISHED'", 1),
        ("attribute.start_time >= 1664067852747", 1),
        ("run_name = 'tuning'", 1),
    ] {
        let error = Query::parse(filter).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        let context: Vec<_> = error.contexts().collect();
        assert_eq!(
            context,
            [("column", column.to_string().as_str())],
            "{filter}: {error}"
        );
    }
}
