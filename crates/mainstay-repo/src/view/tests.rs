use proptest::prelude::*;

use super::*;

fn view(paths: &[RefPath]) -> View {
    let mut view = View::empty();
    for (path, seq) in paths.iter().zip(1..) {
        let state = RefState {
            // Every other one is a tombstone.
            value: (seq % 2 == 0).then(|| crate::Value::new("note", &seq).unwrap()),
            generation: 1,
            seq,
            time: Timestamp::UNIX_EPOCH,
        };
        view.refs.insert_mut(path.clone(), Arc::new(state));
    }
    view
}

fn paths() -> impl Strategy<Value = Vec<RefPath>> {
    // Neighbours of the separators and of each other, in and beyond ASCII.
    let segment = prop::sample::select(vec![
        "0", "00", "A", "_", "a", "a+", "a-b", "a.b", "a0", "b", "é", "企",
    ]);
    let path =
        prop::collection::vec(segment, 2..5).prop_map(|names| names.join("/").parse().unwrap());
    prop::collection::vec(path, 0..40)
}

fn texts<'v>(refs: Result<impl Iterator<Item = (&'v RefPath, &'v RefState)>>) -> Vec<&'v str> {
    refs.unwrap().map(|(path, _)| path.as_str()).collect()
}

proptest! {
    #[test]
    fn below_is_a_filter_over_everything_in_order(paths in paths(), cut in 0_usize..5, slash: bool) {
        let view = view(&paths);
        let some = paths.first().map_or("a/b", RefPath::as_str);
        let mut prefix = some.split('/').take(cut).collect::<Vec<_>>().join("/");
        let plain = prefix.clone();
        if slash {
            prefix.push('/');
        }
        let all = texts(view.states_below(""));
        let parsed = all.iter().map(|path| path.parse::<RefPath>().unwrap());
        prop_assert!(parsed.is_sorted());
        let expected: Vec<&str> = all
            .into_iter()
            .filter(|path| path.parse::<RefPath>().unwrap().is_below(&plain))
            .collect();
        prop_assert_eq!(texts(view.states_below(&prefix)), &expected[..]);
        let live: Vec<&str> = expected
            .into_iter()
            .filter(|path| view.get(&path.parse().unwrap()).unwrap().is_some())
            .collect();
        prop_assert_eq!(texts(view.below(&prefix)), live);
    }

    #[test]
    fn any_text_is_a_prefix_of_something_or_nothing(prefix in ".*", paths in paths()) {
        let view = view(&paths);
        prop_assert!(view.states_below(&prefix).unwrap().count() <= paths.len());
    }
}

#[test]
fn a_prefix_ends_at_a_segment_border_and_is_normalized() {
    let paths = [
        "model/fraud/version/1",
        "model/fraud-2/version/1",
        "model/pingüino/version/1",
    ];
    let view = view(&paths.map(|path| path.parse().unwrap()));
    assert_eq!(texts(view.states_below("model/fraud")), [paths[0]]);
    assert_eq!(
        texts(view.states_below("model/pingu\u{308}ino/")),
        [paths[2]]
    );
    assert_eq!(texts(view.states_below("model")).len(), 3);
    for nothing in [
        "mode",
        "model/",
        "model//",
        "/model",
        "model/fraud/version/1",
        "../model",
        "@",
    ] {
        let expected = if nothing == "model/" { 3 } else { 0 };
        assert_eq!(
            texts(view.states_below(nothing)).len(),
            expected,
            "{nothing}"
        );
    }
}
