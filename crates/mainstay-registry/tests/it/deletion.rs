//! Deleting versions.

use mainstay_core::ErrorKind;
use mainstay_registry::{AnnotateSpec, Relation};

use crate::fixture::{Fixture, ada, locator, name, spec};

#[tokio::test]
async fn a_version_that_is_in_use_is_not_deleted() {
    let fixture = Fixture::new().await;
    fixture.weights("fraud", "one").await;
    fixture.weights("fraud", "two").await;
    fixture.produce("fraud@1.0.0").await;
    fixture.alias("fraud@1.1.0", "champion").await;
    let registry = &fixture.registry;
    for (version, context) in [
        ("fraud@1.0.0", ("stage", "production")),
        ("fraud@1.1.0", ("alias", "champion")),
        ("fraud@champion", ("alias", "champion")),
    ] {
        let error = registry
            .delete(&locator(version), ada(), "gone")
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(error.contexts().any(|found| found == context), "{error}");
    }
    let error = registry
        .delete(&locator("fraud@9.0.0"), ada(), "gone")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn what_is_deleted_is_gone_and_leaves_its_number_and_history() {
    let fixture = Fixture::new().await;
    fixture.weights("fraud", "one").await;
    fixture.weights("fraud", "two").await;
    let registry = &fixture.registry;
    fixture.promote("fraud@1.1.0", "staging").await;
    let tagged = AnnotateSpec::new(locator("fraud@1.1.0"), ada(), "tag").with_tag("k", "v");
    registry.annotate(tagged).await.unwrap();
    let before = fixture.repo.view().await.unwrap();
    let (node, _) = registry
        .delete(&locator("fraud"), ada(), "wrong data")
        .await
        .unwrap();
    assert_eq!(node.to_string(), "model:fraud@1.1.0");

    assert_eq!(fixture.find("fraud@1.1.0").await, None);
    assert_eq!(fixture.find("fraud").await.as_deref(), Some("1.0.0"));
    let after = fixture.repo.view().await.unwrap();
    after.load("").await.unwrap();
    let left: Vec<_> = after
        .below("model/fraud")
        .unwrap()
        .map(|(path, _)| path.to_string())
        .collect();
    assert_eq!(left, ["model/fraud/version/1.0.0"]);
    let old = before
        .read(|view| mainstay_registry::show(view, &locator("fraud@1.1.0")))
        .await
        .unwrap();
    assert_eq!(old.stage, name("staging"));
    let next = fixture.weights("fraud", "three").await;
    assert_eq!((next.ordinal, next.version.minor), (3, 2));
}

#[tokio::test]
async fn a_version_that_others_were_made_from_is_deleted_only_when_that_is_said() {
    let fixture = Fixture::new().await;
    let base = fixture.weights("base", "one").await.node;
    let child = spec("fraud", "two").with_parent(base.clone(), Relation::FineTune);
    fixture.register(child).await;
    let registry = &fixture.registry;
    let error = registry.delete(&base.clone().into(), ada(), "gone").await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("model:fraud@1.0.0"), "{error}");
    registry
        .delete_used(&base.clone().into(), ada(), "gone")
        .await
        .unwrap();
    assert_eq!(fixture.find("base").await, None);
    // Nothing was made from the child.
    registry
        .delete(&locator("fraud"), ada(), "gone")
        .await
        .unwrap();
}
