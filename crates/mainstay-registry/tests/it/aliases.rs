use std::collections::BTreeSet;

use mainstay_core::ErrorKind;
use mainstay_registry::{AliasSpec, Expect, aliases};
use semver::Version;

use crate::fixture::{Fixture, ada, locator, name, node};

fn alias(model: &str, alias: &str) -> AliasSpec {
    AliasSpec::new(locator(model), name(alias), ada(), "because")
}

async fn two_versions() -> Fixture {
    let fixture = Fixture::new().await;
    fixture.weights("fraud", "one").await;
    fixture.weights("fraud", "two").await;
    fixture
}

#[tokio::test]
async fn an_alias_moves_keeps_its_history_and_can_be_removed() {
    let fixture = two_versions().await;
    let registry = &fixture.registry;
    let set = registry
        .set_alias(alias("fraud@1.0.0", "champion"))
        .await
        .unwrap();
    assert_eq!((set.from, set.to), (None, Some(node("model:fraud@1.0.0"))));
    let again = registry
        .set_alias(alias("fraud@1.0.0", "champion"))
        .await
        .unwrap();
    assert_eq!(again.seq, None);
    let moved = registry
        .set_alias(alias("fraud@latest", "champion"))
        .await
        .unwrap();
    assert_eq!(moved.from, Some(node("model:fraud@1.0.0")));
    assert_eq!(fixture.find("fraud@champion").await.unwrap(), "1.1.0");
    let view = fixture.repo.view().await.unwrap();
    let held = aliases(&view, &name("fraud")).unwrap();
    assert_eq!(held, [(name("champion"), node("model:fraud@1.1.0"))].into());
    assert_eq!(aliases(&view, &name("nobody")).unwrap(), [].into());

    let (model, champion) = (name("fraud"), name("champion"));
    let removed = registry
        .remove_alias(&model, &champion, ada(), &BTreeSet::new(), "retired")
        .await
        .unwrap();
    assert_eq!(removed.from, Some(node("model:fraud@1.1.0")));
    let nothing = registry
        .remove_alias(&model, &champion, ada(), &BTreeSet::new(), "retired")
        .await
        .unwrap();
    assert_eq!(nothing.seq, None);
    assert_eq!(fixture.find("fraud@champion").await, None);
    let history = registry.alias_history(&model, &champion).await.unwrap();
    let told: Vec<_> = history
        .iter()
        .map(|change| {
            (
                change.to.as_ref().map(ToString::to_string),
                change.reason.as_str(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (None, "retired"),
            (Some("model:fraud@1.1.0".into()), "because"),
            (Some("model:fraud@1.0.0".into()), "because"),
        ]
    );
}

#[tokio::test]
async fn a_wrong_belief_about_an_alias_is_a_conflict() {
    let fixture = two_versions().await;
    fixture.alias("fraud@1.0.0", "champion").await;
    for belief in [Expect::Nothing, Expect::Version(Version::new(1, 1, 0))] {
        let spec = alias("fraud@1.1.0", "champion").with_expect(belief);
        let error = fixture.registry.set_alias(spec).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
    }
    let spec = alias("fraud@1.1.0", "champion").with_expect(Expect::Version(Version::new(1, 0, 0)));
    assert!(fixture.registry.set_alias(spec).await.is_ok());
}

#[tokio::test]
async fn names_that_mean_something_else_are_refused() {
    let fixture = two_versions().await;
    for bad in [
        "latest",
        "1.0.0",
        "2.0.0-rc.1",
        "1",
        "1.2",
        "production",
        "archived",
    ] {
        let error = fixture
            .registry
            .set_alias(alias("fraud", bad))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{bad}");
    }
    let error = fixture
        .registry
        .set_alias(alias("gone", "champion"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
