use proptest::prelude::*;

use super::*;
use crate::blobs::testing::random_bytes;

/// The lengths of the chunks when the bytes arrive in slices of the given sizes, over and over.
fn chunks(layout: &Layout, bytes: &[u8], slices: &[usize]) -> Vec<usize> {
    let mut cutter = Cutter::new(layout.clone());
    let (mut chunks, mut open) = (Vec::new(), 0);
    let mut rest = bytes;
    for size in slices.iter().cycle() {
        let (mut slice, behind) = rest.split_at((*size).min(rest.len()));
        while let Some(cut) = cutter.next_cut(slice) {
            chunks.push(open + cut);
            open = 0;
            slice = &slice[cut..];
        }
        open += slice.len();
        rest = behind;
        if rest.is_empty() {
            break;
        }
    }
    chunks.extend(Some(open).filter(|open| *open > 0));
    chunks
}

fn safetensors(tensors: &[(&str, u64)]) -> Vec<u8> {
    let mut start = 0;
    let entries = tensors.iter().map(|(name, bytes)| {
        let end = start + bytes;
        let entry = format!(
            r#""{name}":{{"dtype":"U8","shape":[{bytes}],"data_offsets":[{start},{end}]}}"#
        );
        start = end;
        entry
    });
    let header = format!("{{{}}}", entries.collect::<Vec<_>>().join(","));
    [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat()
}

fn layout_of(header: &[u8]) -> Option<Layout> {
    safetensors::layout(&header[..safetensors::header_end(header)?])
}

#[test]
fn a_tensor_is_a_run_of_blocks_and_small_ones_share_one() {
    let header = safetensors(&[
        ("a", 300_000),
        ("bias", 10),
        ("scale", 20),
        ("empty", 0),
        ("c", 131_072),
        ("d", 8192),
    ]);
    let layout = layout_of(&header).unwrap();
    let mut bytes = header.clone();
    bytes.extend(random_bytes(300_000 + 30 + 131_072 + 8192, 1));
    let expected = [
        header.len(),
        131_072,
        131_072,
        300_000 - 262_144,
        30,
        131_072,
        8192,
    ];
    assert_eq!(chunks(&layout, &bytes, &[bytes.len()]), expected);
    // What follows is cut by content, and what ends too early is taken as it is.
    bytes.extend(random_bytes(1_000_000, 0));
    let longer = chunks(&layout, &bytes, &[bytes.len()]);
    assert_eq!(
        longer[..9],
        [&expected[..], &[84493, 134_421 - 84493]].concat()
    );
    assert_eq!(
        chunks(&layout, &bytes[..200_000], &[999])[..2],
        expected[..2]
    );
}

#[test]
fn headers_that_lie_are_not_followed() {
    let good = safetensors(&[("a", 10), ("b", 20)]);
    assert!(layout_of(&good).is_some());
    let text = String::from_utf8(good[8..].to_vec()).unwrap();
    let with = |header: &str, length: u64| {
        let header = [&length.to_le_bytes(), header.as_bytes()].concat();
        safetensors::header_end(&header)
            .filter(|end| *end <= header.len())
            .and_then(|end| safetensors::layout(&header[..end]))
    };
    let swapped = |from: &str, to: &str| {
        let header = text.replace(from, to);
        with(&header, header.len() as u64)
    };
    assert!(swapped("nothing", "").is_some());
    for (from, to) in [
        ("[10,30]", "[9,30]"),
        ("[10,30]", "[11,30]"),
        ("[10,30]", "[10,9]"),
        ("[10,30]", "[10,-1]"),
        ("[10,30]", "[10,1e99]"),
        ("\"b\"", "\"a\""),
        ("data_offsets", "offsets"),
        ("}}", "}"),
    ] {
        assert_eq!(swapped(from, to), None, "{from} to {to}");
    }
    for length in [0, 1, text.len() as u64 - 1, 17 << 20, u64::MAX] {
        assert_eq!(with(&text, length), None, "{length}");
    }
    let nested = format!("{{{}", r#""a":{"#.repeat(10_000));
    assert_eq!(with(&nested, nested.len() as u64), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn chunks_end_with_sections_and_do_not_depend_on_the_slices(
        seed: u64,
        sections in prop::collection::vec((0_u64..300_000, any::<bool>()), 0..6),
        len in 1_usize..600_000,
        slices in prop::collection::vec(prop_oneof![1_usize..200, 1000_usize..300_000], 1..8),
    ) {
        let mut layout = Layout::new();
        let mut ends = Vec::new();
        for (bytes, blocks) in sections {
            layout.push(bytes, if blocks { Cut::Blocks } else { Cut::Content });
            ends.push(ends.last().unwrap_or(&0) + bytes);
        }
        let bytes = random_bytes(len, seed);
        let whole = chunks(&layout, &bytes, &[len]);
        prop_assert_eq!(&chunks(&layout, &bytes, &slices), &whole);
        prop_assert!(whole.iter().all(|chunk| (1..=128 * 1024).contains(chunk)));
        let cuts: Vec<u64> = whole
            .iter()
            .scan(0, |end, chunk| {
                *end += *chunk as u64;
                Some(*end)
            })
            .collect();
        prop_assert_eq!(cuts.last(), Some(&(len as u64)));
        for end in ends.into_iter().filter(|end| (1..=len as u64).contains(end)) {
            prop_assert!(cuts.contains(&end));
        }
    }

    #[test]
    fn any_header_is_survived(
        mut bytes in prop::collection::vec(any::<u8>(), 0..200),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        real: bool,
    ) {
        if real {
            bytes = safetensors(&[("a", 10), ("b", 20)]);
        }
        for (at, byte) in edits {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        if let Some(end) = safetensors::header_end(&bytes).filter(|end| *end <= bytes.len()) {
            let _layout = safetensors::layout(&bytes[..end]);
        }
    }
}
