mod known;
mod queries;

use proptest::prelude::*;

use super::cursor::{Cursor, Key, Position};

fn any_key() -> impl Strategy<Value = Key> {
    prop_oneof![
        Just(Key::Missing),
        proptest::num::f64::ANY.prop_map(Key::Number),
        ".{0,4}".prop_map(Key::Text),
        (0_u64..3, 0_u64..3).prop_map(|(a, b)| Key::Version(semver::Version::new(a, b, 0))),
    ]
}

fn any_position() -> impl Strategy<Value = Position> {
    (any_key(), any_key(), "[ab]", 1_u64..4).prop_map(|(first, second, name, ordinal)| Position {
        keys: vec![first, second],
        name,
        ordinal,
    })
}

proptest! {
    #[test]
    fn a_cursor_is_read_back_as_the_same_place(
        seq: u64, last in any_position(), query in ".{0,8}"
    ) {
        let text = Cursor { seq, last: last.clone() }.encode(&query).unwrap();
        let read = Cursor::decode(&text, &query).unwrap();
        prop_assert_eq!(read.seq, seq);
        prop_assert!(read.last.compare(&last, &[false, true]).is_eq());
        let other = query + " ";
        prop_assert!(Cursor::decode(&text, &other).is_err());
    }

    #[test]
    fn any_text_is_a_cursor_or_refused(text in ".{0,64}") {
        drop(Cursor::decode(&text, ""));
    }

    #[test]
    fn places_have_a_total_order(
        a in any_position(), b in any_position(), c in any_position(), down: [bool; 2]
    ) {
        let order = |a: &Position, b: &Position| a.compare(b, &down);
        prop_assert_eq!(order(&a, &b), order(&b, &a).reverse());
        if order(&a, &b).is_le() && order(&b, &c).is_le() {
            prop_assert!(order(&a, &c).is_le());
        }
    }
}
