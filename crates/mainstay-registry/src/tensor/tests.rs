//! Headers against the safetensors crate, and differences against plain arithmetic.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use safetensors::tensor::{Dtype, TensorView};

use super::difference::Tally;
use super::header::parse;
use super::summary::summary;
use super::*;
use crate::Artifact;

fn read(file: &[u8]) -> mainstay_core::Result<Vec<Tensor>> {
    let (length, rest) = file.split_first_chunk().unwrap();
    let length = usize::try_from(u64::from_le_bytes(*length)).unwrap();
    let start = 8 + length as u64;
    let path = Arc::new("model.safetensors".parse().unwrap());
    parse(&rest[..length], &path, start..file.len() as u64)
}

fn within(file: &[u8], range: Range<u64>) -> &[u8] {
    let at = |place: u64| usize::try_from(place).unwrap();
    &file[at(range.start)..at(range.end)]
}

fn dtypes() -> impl Strategy<Value = Dtype> {
    use Dtype as D;
    prop::sample::select(vec![
        D::BOOL,
        D::U8,
        D::I8,
        D::F8_E5M2,
        D::F8_E4M3,
        D::F8_E8M0,
        D::F8_E4M3FNUZ,
        D::F8_E5M2FNUZ,
        D::I16,
        D::U16,
        D::F16,
        D::BF16,
        D::I32,
        D::U32,
        D::F32,
        D::C64,
        D::F64,
        D::I64,
        D::U64,
    ])
}

fn files() -> impl Strategy<Value = BTreeMap<String, (Dtype, Vec<usize>, u8)>> {
    let tensor = (
        dtypes(),
        prop::collection::vec(0_usize..4, 0..4),
        any::<u8>(),
    );
    prop::collection::btree_map("[a-z.\\\\\"é]{0,6}", tensor, 0..6)
}

fn written(tensors: &BTreeMap<String, (Dtype, Vec<usize>, u8)>) -> Vec<u8> {
    let bytes = tensors.values().map(|(dtype, shape, fill)| {
        vec![*fill; shape.iter().product::<usize>() * dtype.bitsize() / 8]
    });
    let bytes: Vec<Vec<u8>> = bytes.collect();
    let views = tensors
        .iter()
        .zip(&bytes)
        .map(|((name, (dtype, shape, _)), bytes)| {
            (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap())
        });
    safetensors::serialize(views, None).unwrap()
}

proptest! {
    #[test]
    fn what_the_safetensors_crate_writes_is_read(tensors in files()) {
        let file = written(&tensors);
        let read = read(&file).unwrap();
        prop_assert_eq!(read.len(), tensors.len());
        for tensor in read {
            let (dtype, shape, fill) = &tensors[&tensor.name];
            prop_assert_eq!(tensor.dtype.to_string(), dtype.to_string());
            let expected: Vec<u64> = shape.iter().map(|length| *length as u64).collect();
            prop_assert_eq!(&tensor.shape, &expected);
            let range = tensor.range();
            let bytes = within(&file, range);
            prop_assert!(bytes.iter().all(|byte| byte == fill));
        }
    }

    /// What is accepted lies in the file and fits its shape; what the reference refuses is refused.
    #[test]
    fn a_damaged_header_is_read_as_the_safetensors_crate_does_or_refused(
        tensors in files(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in 0_usize..3,
    ) {
        let mut file = written(&tensors);
        let header = usize::try_from(u64::from_le_bytes(*file.first_chunk().unwrap())).unwrap();
        for (place, byte) in damage {
            file[8 + place.index(header)] = byte;
        }
        file.truncate(file.len().saturating_sub(cut).max(8 + header));
        if let Ok(tensors) = read(&file) {
            let reference = safetensors::SafeTensors::deserialize(&file).unwrap();
            prop_assert_eq!(reference.len(), tensors.len());
            for tensor in tensors {
                let theirs = reference.tensor(&tensor.name).unwrap();
                let range = tensor.range();
                prop_assert_eq!(within(&file, range), theirs.data());
            }
        }
    }

    #[test]
    fn any_header_is_read_or_refused(
        json in prop_oneof![
            ".{0,64}",
            r#"\{"[ab]":\{"dtype":"(U8|F4|F64|X)","shape":\[(0|1|7|18446744073709551615)?(,2)?\],"data_offsets":\[[0-9]{1,20},[0-9]{1,20}\]\}\}"#,
        ],
        bytes in 0_u64..20,
    ) {
        let path = Arc::new("a".parse().unwrap());
        let start = 8 + json.len() as u64;
        if let Ok(tensors) = parse(json.as_bytes(), &path, start..start + bytes) {
            prop_assert_eq!(tensors.iter().map(|tensor| tensor.bytes).sum::<u64>(), bytes);
        }
    }

    #[test]
    fn pieces_add_up_to_the_whole(
        a in prop::collection::vec(any::<u8>(), 48),
        b in prop::collection::vec(any::<u8>(), 48),
        cut in 0_usize..=6,
        dtype in prop::sample::select(ElementType::ALL),
    ) {
        let mut whole = Tally::new(dtype);
        whole.add(&a, &b);
        let mut pieces = Tally::new(dtype);
        let cut = 8 * 3 * cut / 3;
        pieces.add(&a[..cut], &b[..cut]);
        pieces.add(&a[cut..], &b[cut..]);
        match (whole.difference(), pieces.difference()) {
            (Some(whole), Some(pieces)) => {
                prop_assert_eq!(whole.elements, 48 * 8 / dtype.bits());
                prop_assert_eq!(whole.changed, pieces.changed);
                prop_assert_eq!(whole.max, pieces.max);
                prop_assert_eq!(whole.nan_after, pieces.nan_after);
                let (x, y) = (whole.norm.value(), pieces.norm.value());
                prop_assert!(x.to_bits() == y.to_bits() || (x - y).abs() <= 1e-12 * x, "{x} {y}");
            }
            (whole, pieces) => prop_assert_eq!(whole, pieces),
        }
    }

    #[test]
    fn differences_of_singles_agree_with_the_definition(
        pairs in prop::collection::vec((any::<f32>(), any::<f32>()), 1..40)
    ) {
        let bytes = |values: Vec<f32>| values.into_iter().flat_map(f32::to_le_bytes).collect::<Vec<_>>();
        let mut tally = Tally::new(ElementType::F32);
        let (a, b): (Vec<f32>, Vec<f32>) = pairs.iter().copied().unzip();
        tally.add(&bytes(a), &bytes(b));
        let found = tally.difference().unwrap();
        let finite = pairs.iter().filter(|(a, b)| a.is_finite() && b.is_finite());
        let squares: f64 = finite.map(|(a, b)| (f64::from(*b) - f64::from(*a)).powi(2)).sum();
        let norm = squares.sqrt();
        prop_assert!((found.norm.value() - norm).abs() <= 1e-9 * norm);
        let changed = pairs.iter().filter(|(a, b)| a.to_bits() != b.to_bits()).count();
        prop_assert_eq!(found.changed, changed as u64);
    }
}

fn difference(dtype: ElementType, before: &[u8], after: &[u8]) -> Difference {
    let mut tally = Tally::new(dtype);
    tally.add(before, after);
    tally.difference().unwrap()
}

#[test]
fn every_type_is_measured_in_its_own_numbers() {
    use ElementType as E;
    let check = |dtype, before: &[u8], after: &[u8], changed, norm: f64| {
        let found = difference(dtype, before, after);
        assert_eq!(
            (found.changed, found.norm.value()),
            (changed, norm),
            "{dtype}"
        );
    };
    check(E::Bool, &[0, 1], &[1, 1], 1, 1.0);
    check(E::U8, &[3, 255], &[0, 251], 2, 5.0);
    check(E::I8, &[0xff, 0], &[2, 4], 2, 5.0);
    check(
        E::I16,
        &(-1_i16).to_le_bytes(),
        &1_i16.to_le_bytes(),
        1,
        2.0,
    );
    check(E::U16, &[0, 1], &[0, 0], 1, 256.0);
    check(
        E::I32,
        &i32::MIN.to_le_bytes(),
        &0_i32.to_le_bytes(),
        1,
        2_147_483_648.0,
    );
    check(E::U32, &[0; 4], &[0, 0, 0, 1], 1, 16_777_216.0);
    // 1.0 and 2.0 in each format.
    check(E::F32, &1_f32.to_le_bytes(), &2_f32.to_le_bytes(), 1, 1.0);
    check(E::F64, &1_f64.to_le_bytes(), &2_f64.to_le_bytes(), 1, 1.0);
    check(E::F16, &[0x00, 0x3c], &[0x00, 0x40], 1, 1.0);
    check(E::Bf16, &[0x80, 0x3f], &[0x00, 0x40], 1, 1.0);
    check(E::F8E4M3, &[0x38], &[0x40], 1, 1.0);
    check(E::F8E5M2, &[0x3c], &[0x40], 1, 1.0);
    check(E::F8E4M3Fnuz, &[0x40], &[0x48], 1, 1.0);
    check(E::F8E5M2Fnuz, &[0x40], &[0x44], 1, 1.0);
    check(E::F8E8M0, &[127], &[128], 1, 1.0);
    check(E::F4, &[0x52], &[0x50], 1, 1.0);
    check(E::F4, &[0x02], &[0x54], 2, f64::hypot(1.0, 3.0));
    // A double does not hold these integers, but it holds their difference.
    check(
        E::I64,
        &i64::MAX.to_le_bytes(),
        &(i64::MAX - 1).to_le_bytes(),
        1,
        1.0,
    );
    check(
        E::U64,
        &u64::MAX.to_le_bytes(),
        &(u64::MAX - 3).to_le_bytes(),
        1,
        3.0,
    );
    // The real part moves by 3, the imaginary one by 4: one element.
    let complex = |re: f32, im: f32| [re.to_le_bytes(), im.to_le_bytes()].concat();
    check(E::C64, &complex(1.0, 1.0), &complex(4.0, 5.0), 1, 5.0);
}

#[test]
fn what_is_not_finite_is_counted_and_left_out_of_the_norms() {
    let bytes = |values: [f32; 5]| values.map(f32::to_le_bytes).concat();
    let before = bytes([1.0, f32::NAN, 2.0, f32::INFINITY, 3.0]);
    let after = bytes([1.5, f32::NAN, f32::NAN, f32::NEG_INFINITY, 3.0]);
    let found = difference(ElementType::F32, &before, &after);
    assert_eq!((found.changed, found.elements), (3, 5));
    assert_eq!((found.nan_before, found.nan_after), (1, 2));
    assert_eq!((found.infinite_before, found.infinite_after), (1, 1));
    assert_eq!((found.norm.value(), found.max.value()), (0.5, 0.5));
    assert_eq!(found.norm_before, f64::hypot(1.0, 3.0).into());
}

#[test]
fn a_header_that_breaks_a_rule_is_refused_by_name() {
    let check = |json: &str, bytes: u64, expected: &str| {
        let path = Arc::new("model.safetensors".parse().unwrap());
        let error = parse(json.as_bytes(), &path, 100..100 + bytes).unwrap_err();
        assert!(format!("{error:?}").contains(expected), "{json}: {error:?}");
    };
    let one = |dtype: &str, shape: &str, offsets: &str| {
        format!(r#"{{"w":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}"#)
    };
    check(&one("U8", "[4]", "[0,4]"), 5, "do not end");
    check(&one("U8", "[4]", "[1,5]"), 5, "hole");
    check(&one("U8", "[4]", "[0,5]"), 5, "does not fit its shape");
    check(&one("U8", "[4]", "[4,0]"), 4, "does not fit its shape");
    check(
        &one("U8", "[18446744073709551615,2]", "[0,4]"),
        4,
        "does not fit its shape",
    );
    check(
        &one("U8", "[4]", "[18446744073709551612,18446744073709551616]"),
        4,
        "JSON",
    );
    check(
        &one("U8", "[4]", "[18446744073709551611,18446744073709551615]"),
        4,
        "fit its shape",
    );
    check(&one("F4", "[3]", "[0,2]"), 2, "does not fit its shape");
    check(&one("F7", "[4]", "[0,4]"), 4, "F7");
    check(&one("U8", "[-1]", "[0,4]"), 4, "JSON");
    check(
        &one("U8", &format!("[{}1]", "1,".repeat(MAX_RANK)), "[0,1]"),
        1,
        "dimensions",
    );
    let twice = one("U8", "[]", "[0,1]").replace(
        "}}",
        r#"},"w":{"dtype":"U8","shape":[],"data_offsets":[1,2]}}"#,
    );
    check(&twice, 2, "twice");
    check(&"[".repeat(100_000), 0, "JSON");
    check(r#"{"__metadata__":{}} x"#, 0, "JSON");
}

#[tokio::test]
async fn a_summary_of_more_chunks_than_its_limit_is_refused() {
    let options = mainstay_repo::RepoOptions::default();
    let storage = Arc::new(mainstay_store::MemoryStorage::new());
    let repo = mainstay_repo::Repo::create(storage, options).await.unwrap();
    let mut artifacts = Vec::new();
    for fill in [1_u8, 2] {
        let tensors = [("a", fill), ("b", fill)]
            .map(|(name, fill)| (name.to_owned(), (Dtype::U8, vec![400_000], fill)));
        let file = crate::FileSpec::from_bytes(
            "model.safetensors".parse().unwrap(),
            written(&tensors.into_iter().collect()),
        );
        let stored = crate::artifact::ingest(&repo, [&[file][..]]).await.unwrap();
        artifacts.extend(stored.into_iter().map(|files| Artifact::of(files).unwrap()));
    }
    let [before, after] = &artifacts[..] else {
        panic!("two versions")
    };
    let found = summary(&repo, before, after, 1_000).await.unwrap().unwrap();
    assert_eq!(found.changed.count, 2);
    let refused = summary(&repo, before, after, 2).await.unwrap_err();
    assert_eq!(refused.kind(), mainstay_core::ErrorKind::Unsupported);
    assert!(
        refused.to_string().contains("more than 2 chunks"),
        "{refused}"
    );
}
