use mainstay_core::ErrorKind;
use mainstay_registry::{Bump, list, resolve, resolve_req, versions};

use crate::fixture::{Fixture, locator, name, spec};

async fn five_versions() -> Fixture {
    let fixture = Fixture::new().await;
    for version in ["1.0.0", "1.2.0", "1.3.0", "2.0.0-rc.1", "1.1.0"] {
        let exact = Bump::Exact(version.parse().unwrap());
        fixture
            .register(spec("fraud", version).with_bump(exact))
            .await;
    }
    fixture
}

#[tokio::test]
async fn every_way_of_naming_a_version_finds_it() {
    let fixture = five_versions().await;
    fixture.alias("fraud@1.2.0", "champion").await;
    fixture.produce("fraud@1.0.0").await;
    let digest = fixture
        .registry
        .show(&locator("fraud@1.3.0"))
        .await
        .unwrap()
        .digest;
    for (locator, version) in [
        ("fraud", Some("1.1.0")),
        ("model:fraud@latest", Some("1.1.0")),
        ("fraud@1.2.0", Some("1.2.0")),
        ("fraud@champion", Some("1.2.0")),
        ("fraud@production", Some("1.0.0")),
        // Of a stage with many, the one that entered it last.
        ("fraud@development", Some("1.1.0")),
        ("fraud@staging", None),
        ("fraud@1", Some("1.3.0")),
        ("fraud@1.1", Some("1.1.0")),
        ("fraud@2", None),
        ("fraud@3.0.0", None),
        ("fraud@nobody", None),
        ("other", None),
        (&format!("fraud@{digest}"), Some("1.3.0")),
        (&format!("other@{digest}"), None),
    ] {
        assert_eq!(fixture.find(locator).await.as_deref(), version, "{locator}");
    }
    let view = fixture.repo.view().await.unwrap();
    let error = resolve(&view, &locator("data:fraud")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn a_requirement_finds_the_highest_version_that_meets_it() {
    let fixture = five_versions().await;
    let view = fixture.repo.view().await.unwrap();
    for (requirement, version) in [
        ("^1.0", Some("1.3.0")),
        ("~1.2.0", Some("1.2.0")),
        (">=1, <1.2", Some("1.1.0")),
        ("=2.0.0-rc.1", Some("2.0.0-rc.1")),
        ("^3", None),
    ] {
        let found = resolve_req(&view, &name("fraud"), &requirement.parse().unwrap());
        let found = found.ok().map(|node| node.version().to_string());
        assert_eq!(found.as_deref(), version, "{requirement}");
    }
}

#[tokio::test]
async fn models_and_versions_are_listed_with_what_stands_beside_them() {
    let fixture = five_versions().await;
    fixture.weights("churn", "weights").await;
    fixture.alias("fraud@1.2.0", "champion").await;
    fixture.produce("fraud@1.0.0").await;
    let view = fixture.repo.view().await.unwrap();
    let models = list(&view).unwrap();
    let names: Vec<_> = models.iter().map(|model| model.model.as_str()).collect();
    assert_eq!(names, ["churn", "fraud"]);
    assert_eq!(models[1].versions, 5);
    assert_eq!(models[1].latest.version().as_str(), "1.1.0");
    assert_eq!(
        models[1].stages[&name("production")].version().as_str(),
        "1.0.0"
    );
    assert_eq!(
        models[1].aliases[&name("champion")].version().as_str(),
        "1.2.0"
    );
    let listed = versions(&view, &name("fraud")).unwrap();
    let ordinals: Vec<_> = listed.iter().map(|info| info.record.ordinal).collect();
    assert_eq!(ordinals, [1, 2, 3, 4, 5]);
    assert_eq!(listed[1].aliases, [name("champion")]);
    assert_eq!(listed[0].stage, name("production"));
    assert!(versions(&view, &name("nobody")).unwrap().is_empty());
}
