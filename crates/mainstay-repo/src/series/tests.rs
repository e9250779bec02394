use std::sync::Arc;

use mainstay_core::{ErrorKind, Timestamp, canon};
use proptest::prelude::*;

use super::*;
use crate::{Projection as _, Value};

fn hold(view: &mut View, path: &str, seq: u64, value: Option<Value>) {
    let state = RefState {
        value,
        generation: 1,
        seq,
        time: Timestamp::UNIX_EPOCH,
    };
    view.refs.insert_mut(path.parse().unwrap(), Arc::new(state));
}

fn note(text: &str) -> Value {
    Value::new("note", &text).unwrap()
}

fn to(node: &str) -> Value {
    Value::pointer(&node.parse().unwrap())
}

fn fraud() -> Series {
    Series::new(NodeKind::Model, "fraud".parse().unwrap())
}

fn resolve(view: &View, selector: &str, families: &[&str]) -> Result<String> {
    let locator: mainstay_core::Locator = format!("fraud@{selector}").parse().unwrap();
    let (node, state) = fraud().resolve(view, &locator.selector, families)?;
    assert!(state.value.is_some());
    Ok(node.version().to_string())
}

fn world() -> View {
    let mut view = View::empty();
    for (path, seq, value) in [
        ("model/fraud/version/1", 1, note("a")),
        ("model/fraud/version/9", 3, note("b")),
        ("model/fraud/version/10", 3, note("c")),
        ("model/fraud/version/1.0.0", 2, note("b")),
        ("model/fraud/version/7/extra", 9, note("not a version")),
        ("model/fraud/alias/best", 5, to("model:fraud@9")),
        ("model/fraud/alias/gone", 5, to("model:fraud@12")),
        ("model/fraud/alias/odd", 5, note("not a pointer")),
        ("model/fraud/alias/best/extra", 5, to("model:fraud@1")),
        ("model/fraud/tag/best", 5, to("model:fraud@1")),
        ("model/fraud-2/version/3", 6, note("a")),
        ("model/none/tag/x", 6, to("model:fraud@1")),
        ("data/fraud/version/77", 7, note("a")),
    ] {
        hold(&mut view, path, seq, Some(value));
    }
    hold(&mut view, "model/fraud/version/12", 4, None);
    view
}

#[test]
fn versions_come_in_commit_order_then_by_number() {
    let view = world();
    let versions = fraud().versions(&view).unwrap();
    let texts: Vec<String> = versions.iter().map(|(node, _)| node.to_string()).collect();
    assert_eq!(
        texts,
        [
            "model:fraud@1",
            "model:fraud@1.0.0",
            "model:fraud@9",
            "model:fraud@10"
        ]
    );
}

#[test]
fn names_have_a_version_and_are_of_the_kind() {
    let view = world();
    let names = Series::names(&view, NodeKind::Model).unwrap();
    assert_eq!(
        names.iter().map(Name::as_str).collect::<Vec<_>>(),
        ["fraud", "fraud-2"]
    );
    assert!(Series::names(&view, NodeKind::Prompt).unwrap().is_empty());
}

#[test]
fn numbers_of_deleted_versions_are_not_given_again() {
    assert_eq!(fraud().next_number(&world()).unwrap(), 13);
    assert_eq!(fraud().next_number(&View::empty()).unwrap(), 1);
}

#[test]
fn a_name_is_a_version_first_then_a_pointer_in_family_order() {
    let view = world();
    assert_eq!(resolve(&view, "1", &[]).unwrap(), "1");
    assert_eq!(resolve(&view, "best", &["alias", "tag"]).unwrap(), "9");
    assert_eq!(resolve(&view, "best", &["tag", "alias"]).unwrap(), "1");
    assert_eq!(resolve(&view, "latest", &[]).unwrap(), "10");
}

#[test]
fn a_digest_means_the_newest_version_with_that_record() {
    let digest = canon::digest("b").unwrap();
    assert_eq!(resolve(&world(), &digest.to_string(), &[]).unwrap(), "9");
}

#[test]
fn what_cannot_be_resolved_is_not_found_or_corrupt() {
    let view = world();
    for missing in [
        "2",
        "12",
        "gone",
        "best",
        &canon::digest("x").unwrap().to_string(),
    ] {
        let families: &[&str] = if missing == "best" { &[] } else { &["alias"] };
        let error = resolve(&view, missing, families).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{missing}");
        assert!(error.to_string().contains("model:fraud@"), "{error}");
    }
    let error = resolve(&view, "odd", &["alias"]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let error = resolve(&View::empty(), "latest", &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn pointers_are_listed_with_their_targets() {
    let view = world();
    let pointers = fraud().pointers(&view, "alias").unwrap();
    let texts: Vec<String> = pointers
        .iter()
        .map(|(name, node, state)| format!("{name} {node} {}", state.seq))
        .collect();
    assert_eq!(texts, ["best model:fraud@9 5", "gone model:fraud@12 5"]);
}

#[test]
fn reserved_pointers_are_refused() {
    let name = |text: &str| text.parse::<Name>().unwrap();
    for (family, pointer) in [("version", "x"), ("tag", "latest"), ("a/b", "x"), ("", "x")] {
        let error = fraud().pointer(family, &name(pointer)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{family} {pointer}");
    }
    assert_eq!(
        fraud().pointer("tag", &name("v1")).unwrap().as_str(),
        "model/fraud/tag/v1"
    );
}

proptest! {
    #[test]
    fn the_next_number_is_above_all_that_were_used(numbers in prop::collection::btree_set(1_u64..2_000, 0..30)) {
        let mut view = View::empty();
        for number in &numbers {
            hold(&mut view, fraud().numbered(*number).ref_path().as_str(), 1, None);
        }
        let next = fraud().next_number(&view).unwrap();
        prop_assert_eq!(next, numbers.last().map_or(1, |last| last + 1));
    }

    #[test]
    fn ages_that_learn_of_changes_know_what_a_scan_finds(
        changes in prop::collection::vec((0_usize..6, any::<bool>(), 1_usize..3), 0..40),
    ) {
        const VERSIONS: [&str; 6] = ["1", "2", "10", "1.0.0", "b", "a"];
        let mut view = View::empty();
        let mut learnt = Ages::default();
        // Several changes have the same entry, some are told twice.
        for (at, (version, set, times)) in changes.into_iter().enumerate() {
            let path = format!("model/fraud/version/{}", VERSIONS[version]);
            hold(&mut view, &path, at as u64 / 3 + 1, set.then(|| note("x")));
            let path = path.parse().unwrap();
            let state = view.state(&path).unwrap().unwrap();
            (0..times).try_for_each(|_| learnt.note(&path, state)).unwrap();
            let ordered = fraud().versions(&view).unwrap();
            let newest = ordered.last().map(|(node, _)| node.version().as_str());
            prop_assert_eq!(learnt.newest(), newest);
            prop_assert_eq!(fraud().newest(&view).unwrap(), ordered.last().map(|(node, _)| node.clone()));
            prop_assert_eq!(learnt.count(), ordered.len());
            prop_assert_eq!(fraud().next_number(&view).unwrap(), learnt.next_number());
        }
    }
}
