use mainstay_core::{ErrorKind, WriteId};
use mainstay_store::Key;
use proptest::prelude::*;

use super::object::{Base, ObjectName, ReplicaId, ReplicaState, decode};
use super::registers::{Register, Registers};
use super::states::States;
use super::*;

fn name(text: &str) -> TallyName {
    text.parse().unwrap()
}

/// Registers of every kind, some of one name.
fn registers() -> impl Strategy<Value = Registers> {
    let name = prop_oneof![Just("a"), Just("a/b"), Just("z")].prop_map(name);
    let count = any::<u32>().prop_map(|n| (RegisterKind::Count, Register::Count(n.into())));
    let sum = (any::<i64>(), 0..3_u8).prop_map(|(units, bits)| {
        let scale = Scale::new(bits).unwrap();
        (RegisterKind::Sum(scale), Register::Sum(units.into()))
    });
    let values = proptest::collection::vec(-1e3..1e6_f64, 1..20);
    let sketch = (values, 1..4_u16).prop_map(|(values, percent)| {
        let accuracy = Accuracy::from_basis_points(100 * percent).unwrap();
        let mut bins = sketch::Bins::default();
        for value in values {
            bins.count(sketch::Mapping::new(accuracy).bin(value).unwrap(), value);
        }
        (RegisterKind::Sketch(accuracy), Register::Sketch(bins))
    });
    let register = (name, prop_oneof![count, sum, sketch]);
    proptest::collection::vec(register, 0..8).prop_map(|list| {
        let mut registers = Registers::default();
        for (name, (kind, register)) in list {
            registers.add(RegisterId::new(name, kind), register);
        }
        registers
    })
}

fn bytes(registers: &Registers) -> Vec<u8> {
    mainstay_core::canon::to_vec(&Totals(registers.clone())).unwrap()
}

fn merged<'a>(all: impl IntoIterator<Item = &'a Registers>) -> Registers {
    let mut merged = Registers::default();
    for registers in all {
        merged.merge(registers);
    }
    merged
}

proptest! {
    #[test]
    fn any_order_and_any_grouping_give_identical_bytes(
        all in proptest::collection::vec(registers(), 1..6)
            .prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        cut in 0..6_usize,
    ) {
        let (all, shuffled) = all;
        let expected = bytes(&merged(&all));
        prop_assert_eq!(&bytes(&merged(&shuffled)), &expected);
        let (left, right) = shuffled.split_at(cut.min(shuffled.len()));
        let mut grouped = merged(right);
        grouped.merge(&merged(left));
        prop_assert_eq!(&bytes(&grouped), &expected);
    }

    #[test]
    fn states_of_replicas_in_any_order_and_however_often_give_identical_bytes(
        base in registers(),
        // What each replica counts from one state to the next.
        replicas in proptest::collection::vec(proptest::collection::vec(registers(), 1..4), 1..5),
        picks in proptest::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let (mut all, mut newest) = (Vec::new(), base.clone());
        for (replica, steps) in (0..).zip(&replicas) {
            let id = ReplicaId { era: 1, replica: WriteId::from_bytes([replica; 16]) };
            for taken in 1..=steps.len() {
                let (sequence, registers) = (taken as u64, merged(&steps[..taken]));
                all.push(ReplicaState { id, sequence, registers });
            }
            newest.merge(&merged(steps));
        }
        let drawn = picks.iter().map(|pick| pick.get(&all));
        let (mut forwards, mut backwards) = (States::default(), States::default());
        for state in drawn.clone().chain(&all) {
            forwards.insert(state.clone());
        }
        for state in all.iter().rev().chain(drawn) {
            backwards.insert(state.clone());
        }
        let expected = bytes(&newest);
        prop_assert_eq!(&bytes(&forwards.total(base.clone())), &expected);
        prop_assert_eq!(&bytes(&backwards.total(base)), &expected);
    }

    #[test]
    fn objects_are_read_back_as_written_under_their_key_alone(
        registers in registers(), era in 1..1_000_u64, sequence in 1..1_000_u64, id: [u8; 16]
    ) {
        let subject = name("experiment/checkout");
        let id = ReplicaId { era, replica: WriteId::from_bytes(id) };
        let state = ReplicaState { id, sequence, registers: registers.clone() };
        let base = Base { through: era, registers };
        let (base_name, base_bytes) = base.encode(&subject).unwrap();
        for (object, encoded) in [(state.name(), state.encode(&subject).unwrap()), (base_name, base_bytes)] {
            let key = object.key(&subject).unwrap();
            prop_assert_eq!(ObjectName::parse(&key), Some(object));
            prop_assert_eq!(decode(&key, &encoded).unwrap().0, subject.clone());
            let elsewhere = object.key(&name("other")).unwrap();
            prop_assert_eq!(decode(&elsewhere, &encoded).unwrap_err().kind(), ErrorKind::Corrupt);
        }
        let key = state.name().key(&subject).unwrap();
        let (_, read) = decode(&key, &state.encode(&subject).unwrap()).unwrap();
        prop_assert!(matches!(read, object::Decoded::Replica(read) if read == state));
    }

    #[test]
    fn damaged_and_hostile_bytes_are_refused(
        registers in registers(), at: prop::sample::Index, bit in 0..8_u8, noise: Vec<u8>
    ) {
        let subject = name("s");
        let id = ReplicaId { era: 1, replica: WriteId::from_bytes([7; 16]) };
        let state = ReplicaState { id, sequence: 1, registers };
        let key = state.name().key(&subject).unwrap();
        let good = state.encode(&subject).unwrap();
        let mut flipped = good.to_vec();
        flipped[at.index(good.len())] ^= 1 << bit;
        let cut = good.slice(..at.index(good.len()));
        for bad in [flipped, cut.to_vec(), noise] {
            // Damage to the number of the format looks like a newer one.
            let kinds = [ErrorKind::Corrupt, ErrorKind::Incompatible];
            prop_assert!(kinds.contains(&decode(&key, &bad).unwrap_err().kind()));
        }
    }

    #[test]
    fn hostile_records_under_a_good_seal_are_refused_or_read_whole(
        kind in prop_oneof![Just("count"), Just("sum"), Just("sketch"), Just("x")],
        text in "[-+0-9a]{0,45}", bits: u16, bin: (i32, u64), min: f64, max: f64,
    ) {
        let subject = name("s");
        let id = ReplicaId { era: 1, replica: WriteId::from_bytes([7; 16]) };
        let state = ReplicaState { id, sequence: 1, registers: Registers::default() };
        let register = serde_json::json!({
            "accuracy": bits, "kind": kind, "name": "a",
            "bins": { "max": max, "min": min, "negative": [], "positive": [bin], "zeros": 0 },
        });
        let mut register = register.as_object().unwrap().clone();
        if kind != "sketch" {
            register.retain(|member, _| ["kind", "name"].contains(&member.as_str()));
            register.insert(if kind == "sum" { "units" } else { "count" }.into(), text.into());
        }
        if kind == "sum" {
            register.insert("scale".into(), bits.into());
        }
        let body = serde_json::json!({
            "format": 1, "subject": "s", "era": 1, "sequence": 1,
            "replica": id.replica.to_string(), "registers": [register],
        });
        // Numbers beyond those of canonical JSON do not come this far.
        if let Ok(sealed) = crate::seal::encode(&body) {
            let key = state.name().key(&subject).unwrap();
            match decode(&key, &sealed) {
                Ok((_, object::Decoded::Replica(read))) => {
                    prop_assert_eq!(read.encode(&subject).unwrap(), sealed);
                }
                Ok(_) => prop_assert!(false, "another object"),
                Err(error) => prop_assert_eq!(error.kind(), ErrorKind::Corrupt),
            }
        }
    }

    #[test]
    fn any_key_is_of_a_tally_or_not(text in "tally/[a-z%]{1,5}/[0-9a-f-]{0,80}") {
        if let Ok(key) = Key::new(text) {
            ObjectName::parse(&key);
        }
    }
}

#[test]
fn a_newer_format_is_incompatible() {
    let subject = name("s");
    let id = ReplicaId {
        era: 1,
        replica: WriteId::from_bytes([7; 16]),
    };
    let state = ReplicaState {
        id,
        sequence: 1,
        registers: Registers::default(),
    };
    let key = state.name().key(&subject).unwrap();
    let newer = crate::seal::encode(&serde_json::json!({ "format": 2, "new": [] })).unwrap();
    assert_eq!(
        decode(&key, &newer).unwrap_err().kind(),
        ErrorKind::Incompatible
    );
}

#[test]
fn what_cannot_be_stored_is_refused_by_name() {
    let check = |kind, register| {
        let mut registers = Registers::default();
        registers.add(RegisterId::new(name("a/b"), kind), register);
        let error = registers.to_records().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("a/b"), "{error}");
    };
    let scale = Scale::BITS_32;
    check(
        RegisterKind::Sum(scale),
        Register::Sum(fixed::MAX_UNITS + 1),
    );
    check(RegisterKind::Sum(scale), Register::Sum(i128::MIN));
    check(
        RegisterKind::Sketch(Accuracy::ONE_PERCENT),
        Register::Sketch(sketch::Bins::default()),
    );
}

#[test]
fn the_4097th_register_is_refused() {
    let stripes = stripes::Stripes::default();
    let id = |n: usize| RegisterId::new(name(&format!("r{n}")), RegisterKind::Count);
    for n in 0..registers::MAX_REGISTERS {
        assert_eq!(stripes.slot(id(n)).unwrap(), n);
    }
    assert_eq!(
        stripes.slot(id(4_096)).unwrap_err().kind(),
        ErrorKind::Invalid
    );
    assert_eq!(stripes.slot(id(17)).unwrap(), 17);
}
