//! What a version is said to come from.

use mainstay_core::{ErrorKind, FilePath, Name, NodeRef};
use mainstay_registry::{Bump, Relation};
use semver::Version;
use serde_json::json;

use super::{Cost, refused};
use crate::fixture::{Fixture, ada, locator, name, node, spec};

#[tokio::test]
async fn references_to_nothing_or_to_something_else_are_refused_before_anything_is_stored() {
    let fixture = Fixture::new().await;
    let gone = fixture.weights("gone", "weights").await.node;
    fixture
        .registry
        .delete(&locator("gone"), ada(), "no use")
        .await
        .unwrap();
    fixture.record("data:here@1", json!({"rows": 1})).await;
    let base = || spec("x", "weights");
    let (missing, wrong) = (ErrorKind::NotFound, ErrorKind::Invalid);
    for (spec, kind, says) in [
        (
            base().with_data(name("train"), node("data:none@1")),
            missing,
            "data:none@1",
        ),
        (
            base().with_data(name("train"), node("data:here@2")),
            missing,
            "data:here@2",
        ),
        (
            base().with_environment(node("env:none@1")),
            missing,
            "env:none@1",
        ),
        (base().with_run(node("run:none@1")), missing, "run:none@1"),
        (
            base().with_metric_on("auc", 0.9, node("data:none@1")),
            missing,
            "data:none@1",
        ),
        (
            base().with_parent(gone.clone(), Relation::FineTune),
            missing,
            "model:gone@1.0.0",
        ),
        (
            base().with_merged(node("model:none@1.0.0"), 1.0),
            missing,
            "model:none@1.0.0",
        ),
        (
            base().with_data(name("train"), node("model:x@1.0.0")),
            wrong,
            "model:x@1.0.0",
        ),
        (
            base().with_environment(node("data:here@1")),
            wrong,
            "data:here@1",
        ),
        (base().with_run(node("data:here@1")), wrong, "data:here@1"),
        (
            base().with_metric_on("auc", 0.9, node("env:a@1")),
            wrong,
            "env:a@1",
        ),
        (
            base().with_parent(node("data:here@1"), Relation::Copy),
            wrong,
            "data:here@1",
        ),
        (
            base().with_code(name("repo"), name("latest")),
            wrong,
            "one commit",
        ),
    ] {
        refused(&fixture, vec![spec], kind, says, Cost::Nothing).await;
    }
    let absent = base().with_upload(name("none"));
    refused(&fixture, vec![absent], missing, "none", Cost::Files).await;
}

#[tokio::test]
async fn a_model_cannot_come_from_itself() {
    let fixture = Fixture::new().await;
    let exact = |model: &str, parent: &str| {
        let first = Bump::Exact(Version::new(1, 0, 0));
        spec(model, "weights")
            .with_bump(first)
            .with_parent(node(parent), Relation::Continue)
    };
    let kind = ErrorKind::NotFound;
    let itself = vec![exact("a", "model:a@1.0.0")];
    refused(&fixture, itself, kind, "model:a@1.0.0", Cost::Nothing).await;
    // In one transaction too, where each is there once both are.
    let each_other = vec![exact("a", "model:b@1.0.0"), exact("b", "model:a@1.0.0")];
    refused(&fixture, each_other, kind, "model:b@1.0.0", Cost::Nothing).await;
    let chain = vec![spec("a", "weights"), exact("b", "model:a@1.0.0")];
    refused(&fixture, chain, kind, "model:a@1.0.0", Cost::Nothing).await;
    // A version whose number was used is not there for its own successor of the same number.
    fixture.weights("a", "weights").await;
    fixture
        .registry
        .delete(&locator("a"), ada(), "again")
        .await
        .unwrap();
    let again = vec![exact("a", "model:a@1.0.0")];
    refused(&fixture, again, kind, "model:a@1.0.0", Cost::Nothing).await;
}

#[test]
fn names_and_paths_that_play_tricks_are_none() {
    for bad in [
        "",
        ".",
        "..",
        "../x",
        "a/b",
        "/etc/passwd",
        "a\\b",
        "a:b",
        "a@b",
        "-rf",
        ".hidden",
        "a..b",
        "a.",
        "a b",
        "a\0",
        "a\nb",
        "a\u{202e}b",
        "\u{feff}a",
        "\u{fb01}n",
        "\u{ff21}",
        "a\u{200b}",
        "~",
        "%2e%2e",
        "$HOME",
    ] {
        assert_eq!(
            bad.parse::<Name>().unwrap_err().kind(),
            ErrorKind::Invalid,
            "{bad:?}"
        );
        let reference = format!("model:{bad}@1.0.0").parse::<NodeRef>();
        assert!(reference.is_err(), "{bad:?}: {reference:?}");
    }
    for bad in [
        "",
        "/",
        "/etc/passwd",
        "../x",
        "a/../../x",
        "a/..",
        "./a",
        "a//b",
        "a/",
        "a\\..\\b",
        "a\0",
        "a\nb",
        "a\u{7f}",
    ] {
        assert_eq!(
            bad.parse::<FilePath>().unwrap_err().kind(),
            ErrorKind::Invalid,
            "{bad:?}"
        );
    }
    assert!("a".repeat(129).parse::<Name>().is_err());
    assert!("a/".repeat(513).parse::<FilePath>().is_err());
}
