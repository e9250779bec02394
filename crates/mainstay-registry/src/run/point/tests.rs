use proptest::prelude::*;

use super::*;

fn at(micros: i64) -> Timestamp {
    Timestamp::from_unix_micros(micros)
}

fn points() -> impl Strategy<Value = BTreeMap<String, Vec<Point>>> {
    let number = -((1_i64 << 53) - 1)..(1 << 53);
    let time = -62_135_596_800_000_i64..253_402_300_799_000;
    let point = (number, time, proptest::num::f64::ANY)
        .prop_map(|(step, time, value)| Point::new(step, at(time), value));
    proptest::collection::btree_map(
        "[a-z][a-z/ ]{0,6}x",
        proptest::collection::vec(point, 0..5),
        0..5,
    )
}

fn of(points: &BTreeMap<String, Vec<Point>>) -> Block {
    Block::of(points).unwrap()
}

/// The summary of a series as its documentation says.
fn summary(points: &[Point]) -> Option<SeriesInfo> {
    let latest = points
        .iter()
        .enumerate()
        .max_by_key(|(place, point)| (point.step, point.time, *place))?
        .1;
    Some(SeriesInfo {
        points: points.len() as u64,
        first_step: points.iter().map(|point| point.step).min()?,
        last_step: points.iter().map(|point| point.step).max()?,
        latest: *latest,
    })
}

#[test]
fn what_canonical_json_cannot_hold_is_refused() {
    let limit = 1_i64 << 53;
    for (step, micros) in [(limit, 0), (-limit, 0), (i64::MIN, 0), (0, limit)] {
        let points = BTreeMap::from([("loss".to_owned(), vec![Point::new(step, at(micros), 1.0)])]);
        let error = Block::of(&points).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("loss"), "{error}");
    }
    let many = vec![Point::new(0, at(0), 1.0); MAX_BATCH_POINTS + 1];
    let error = Block::of(&BTreeMap::from([("loss".to_owned(), many)])).unwrap_err();
    assert!(error.to_string().contains("100000"), "{error}");
}

#[test]
fn another_format_and_damage_are_refused() {
    for bad in [
        r#"{"format":2,"points":{}}"#,
        r#"{"format":1,"points":{"a":[[1,2]]}}"#,
        r#"{"format":1,"points":{"a":[[1,2,"nan"]]}}"#,
        r#"{"format":1, "points":{}}"#,
        r#"{"format":1,"points":{},"x":1}"#,
        "",
    ] {
        let error = Block::decode(bad.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{bad}");
    }
}

proptest! {
    #[test]
    fn a_block_survives_its_bytes_and_is_summed_up(points in points()) {
        let block = of(&points);
        prop_assert_eq!(&Block::decode(&block.encode().unwrap()).unwrap(), &block);
        for (key, points) in &points {
            prop_assert_eq!(block.info().get(key).copied(), summary(points));
            let all = (Bound::Unbounded, Bound::Unbounded);
            prop_assert_eq!(&block.within(key, all).collect::<Vec<_>>(), points);
        }
    }

    #[test]
    fn summaries_add_up(a in points(), b in points()) {
        let (a, b) = (of(&a), of(&b));
        let mut both = a.clone();
        both.extend(&b);
        for (key, info) in both.info() {
            let sum = match (a.info().get(&key), b.info().get(&key)) {
                (Some(a), Some(b)) => a.followed_by(*b),
                (Some(one), None) | (None, Some(one)) => *one,
                (None, None) => unreachable!(),
            };
            prop_assert_eq!(info, sum);
        }
    }

    #[test]
    fn a_segment_is_skipped_only_when_it_holds_nothing(points in points(), from: i64, len in 0..1000_i64) {
        let block = of(&points);
        let segment = Segment::of(mainstay_core::Digest::of(b"x"), &block);
        let steps = (Bound::Included(from), Bound::Excluded(from.saturating_add(len)));
        for key in points.keys() {
            let found = block.within(key, steps).count();
            prop_assert!(found == 0 || segment.holds(key, steps));
        }
    }

    #[test]
    fn any_bytes_are_points_or_corrupt(bytes: Vec<u8>) {
        if let Err(error) = Block::decode(&bytes) {
            prop_assert_eq!(error.kind(), ErrorKind::Corrupt);
        }
    }
}
