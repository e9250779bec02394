use mainstay_core::{EdgeKind, ErrorKind, Locator};
use mainstay_rollout::{UnitSpec, Units};

use crate::workshop::{Workshop, actor, full_unit, name, node};

#[tokio::test]
async fn equal_content_is_the_same_unit_and_other_content_the_next_version() {
    let workshop = Workshop::new().await;
    let create = |n| workshop.units.create(full_unit(n), actor(), "built");
    let first = create(1).await.unwrap();
    assert!(first.created);
    let again = create(1).await.unwrap();
    assert_eq!((again.node, again.created), (first.node, false));
    let second = create(2).await.unwrap();
    assert_eq!(second.node, node("unit:support@2"));
    // What was latest before is a new version, so that latest is what was created last.
    assert_eq!(create(1).await.unwrap().node, node("unit:support@3"));
}

#[tokio::test]
async fn the_configuration_is_content() {
    let workshop = Workshop::new().await;
    workshop.unit(1).await;
    let mut config = serde_json::Map::new();
    config.insert("timeout_ms".into(), 250.into());
    let spec = full_unit(1).with_config(config.clone());
    let created = workshop.units.create(spec, actor(), "tuned").await.unwrap();
    assert!(created.created);
    let unit = workshop.units.get(&created.node.into()).await.unwrap();
    assert_eq!(unit.config, config);
}

#[tokio::test]
async fn a_unit_carries_an_edge_to_each_component_in_its_slot() {
    let workshop = Workshop::new().await;
    workshop.unit(2).await;
    let view = workshop.view().await;
    let state = view
        .get(&node("unit:support@1").ref_path())
        .unwrap()
        .unwrap();
    let edges = &state.value.as_ref().unwrap().edges;
    assert_eq!(edges.len(), 4);
    assert!(edges.iter().all(|edge| edge.kind == EdgeKind::Contains));
    let model = edges.iter().find(|edge| edge.role == Some(name("model")));
    assert_eq!(model.unwrap().to, node("model:fraud@2"));
}

#[tokio::test]
async fn a_missing_component_is_named_and_nothing_is_written() {
    let workshop = Workshop::new().await;
    let before = workshop.view().await.seq();
    let spec = full_unit(1).with_component(name("model"), node("model:fraud@99"));
    let error = workshop
        .units
        .create(spec, actor(), "built")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("model:fraud@99"), "{error}");
    assert_eq!(workshop.view().await.seq(), before);
}

#[tokio::test]
async fn specs_without_a_meaning_are_refused() {
    let workshop = Workshop::new().await;
    let unit = || UnitSpec::new(name("support"));
    let mut large = serde_json::Map::new();
    large.insert("x".into(), "y".repeat(65 * 1_024).into());
    for (spec, why) in [
        (unit(), "no components"),
        (
            unit().with_component(name("model"), node("prompt:support@1")),
            "other kind",
        ),
        (
            unit().with_component(name("inner"), node("unit:support@1")),
            "a unit in a unit",
        ),
        (
            unit().with_component(name("latest"), node("model:fraud@1")),
            "reserved slot",
        ),
        (full_unit(1).with_config(large), "large configuration"),
    ] {
        let error = workshop
            .units
            .create(spec, actor(), "built")
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{why}: {error}");
    }
}

#[tokio::test]
async fn a_custom_slot_holds_any_kind_and_code_need_not_be_registered() {
    let workshop = Workshop::new().await;
    let spec = UnitSpec::new(name("support"))
        .with_component(name("reranker"), node("model:fraud@3"))
        .with_component(name("code"), node("code:service@9b1d"));
    assert!(workshop.units.create(spec, actor(), "built").await.is_ok());
}

#[tokio::test]
async fn units_are_found_by_number_digest_and_latest() {
    let workshop = Workshop::new().await;
    workshop.unit(1).await;
    workshop.unit(2).await;
    let view = workshop.view().await;
    let find = |locator: &str| Units::find(&view, &locator.parse::<Locator>().unwrap());
    let latest = find("support").unwrap();
    assert_eq!(latest.node, node("unit:support@2"));
    assert_eq!(find("unit:support@1").unwrap().node, node("unit:support@1"));
    let by_digest = find(&format!("support@{}", latest.digest)).unwrap();
    assert_eq!(by_digest, latest);
    assert_eq!(find("support@7").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(
        find("model:fraud@1").unwrap_err().kind(),
        ErrorKind::Invalid
    );
    let versions = Units::versions(&view, &name("support"));
    assert_eq!(versions.unwrap().len(), 2);
    assert_eq!(Units::names(&view).unwrap(), [name("support")]);
}
