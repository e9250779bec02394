//! Tensors of stored versions.

use std::sync::Arc;

use mainstay_core::{ErrorKind, SeededIds};
use mainstay_registry::tensor::{MAX_NAMED, TensorDiff, TensorSummary};
use mainstay_registry::{FileSpec, ModelSpec, Registry};
use mainstay_repo::{Repo, RepoOptions};
use mainstay_store::{MemoryStorage, MeterStorage};
use proptest::prelude::*;
use safetensors::tensor::{Dtype, TensorView};

use crate::fixture::{Fixture, ada, locator, name};

type Files = Vec<(&'static str, Vec<(&'static str, Dtype, Vec<u8>)>)>;

struct Models {
    repo: Repo,
    registry: Registry,
    storage: Arc<MeterStorage<MemoryStorage>>,
}

impl Models {
    async fn new() -> Self {
        let storage = Arc::new(MeterStorage::new(MemoryStorage::new()));
        let options = RepoOptions::default().with_ids(Arc::new(SeededIds::new(7)));
        let repo = Repo::create(Arc::<MeterStorage<_>>::clone(&storage) as _, options)
            .await
            .unwrap();
        let registry = Registry::new(repo.clone());
        Self {
            repo,
            registry,
            storage,
        }
    }

    async fn register(&self, files: Files) {
        let mut spec = ModelSpec::new(name("m"), ada(), "register");
        for (path, tensors) in files {
            let views = tensors.iter().map(|(name, dtype, bytes)| {
                let shape = vec![bytes.len() * 8 / dtype.bitsize()];
                (*name, TensorView::new(*dtype, shape, bytes).unwrap())
            });
            let bytes = safetensors::serialize(views, None).unwrap();
            spec = spec.with_file(FileSpec::from_bytes(path.parse().unwrap(), bytes));
        }
        self.registry.register(spec).await.unwrap();
    }

    /// Registers a file with one tensor of singles whose header begins with spaces, which whoever stores
    /// it takes for no header: the file is cut by its content, and the tensor begins anywhere.
    async fn register_elsewhere(&self, bytes: &[u8], spaces: usize) {
        let (space, elements, end) = (" ".repeat(spaces), bytes.len() / 4, bytes.len());
        let header = format!(
            r#"{space}{{"w":{{"dtype":"F32","shape":[{elements}],"data_offsets":[0,{end}]}}}}"#
        );
        let length = (header.len() as u64).to_le_bytes();
        let file = [&length[..], header.as_bytes(), bytes].concat();
        let spec = ModelSpec::new(name("m"), ada(), "register").with_file(FileSpec::from_bytes(
            "model.safetensors".parse().unwrap(),
            file,
        ));
        self.registry.register(spec).await.unwrap();
    }

    /// Compares two versions; also counts the bytes read from the storage.
    async fn diff(&self, before: &str, after: &str) -> (TensorDiff, u64) {
        let view = self.repo.view().await.unwrap();
        view.load("").await.unwrap();
        let start = self.storage.reading();
        let diff = self
            .registry
            .tensor_diff(&view, &locator(before), &locator(after))
            .await
            .unwrap();
        (diff, (self.storage.reading() - start).bytes_read)
    }

    /// Summarizes the difference of two versions; also counts the bytes read from the storage.
    async fn summary(&self, before: &str, after: &str) -> (Option<TensorSummary>, u64) {
        let view = self.repo.view().await.unwrap();
        view.load("").await.unwrap();
        let start = self.storage.reading();
        let summary = self
            .registry
            .tensor_summary(&view, &locator(before), &locator(after))
            .await
            .unwrap();
        (summary, (self.storage.reading() - start).bytes_read)
    }
}

/// Bytes that do not compress and repeat nowhere.
fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    let mut out = vec![0; bytes];
    hasher.finalize_xof().fill(&mut out);
    out
}

const MIB: usize = 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn equal_tensors_are_found_without_reading_them_wherever_they_lie() {
    let models = Models::new().await;
    let (a, b, c) = (noise(4 * MIB, 1), noise(3 * MIB, 2), noise(MIB, 3));
    let mut moved = c.clone();
    moved[10..12].copy_from_slice(&[0; 2]);
    models
        .register(vec![(
            "model.safetensors",
            vec![
                ("a", Dtype::I8, a.clone()),
                ("b", Dtype::I8, b.clone()),
                ("c", Dtype::I8, c),
            ],
        )])
        .await;
    // The same in two files, with a tensor before them and one of them touched.
    let new = noise(50_000, 4);
    models
        .register(vec![
            (
                "one.safetensors",
                vec![("0", Dtype::U8, new), ("b", Dtype::I8, b)],
            ),
            (
                "two.safetensors",
                vec![("a", Dtype::I8, a), ("c", Dtype::I8, moved)],
            ),
        ])
        .await;
    let (diff, read) = models.diff("m@1.0.0", "m@1.1.0").await;
    let names: Vec<_> = diff
        .changed
        .iter()
        .map(|c| c.tensor.name.as_str())
        .collect();
    assert_eq!(names, ["c"]);
    let difference = diff.changed[0].difference.unwrap();
    assert!(
        difference.changed <= 2 && difference.changed > 0,
        "{difference:?}"
    );
    assert_eq!(diff.unchanged, 2);
    assert_eq!(diff.added.len(), 1);
    assert_eq!(diff.bytes.unchanged, 7 * MIB as u64);
    assert_eq!(diff.bytes.read, 2 * MIB as u64);
    assert!(read < 3 * MIB as u64, "{read} bytes");
    // Of what the second version is stored in, only the new tensor and one block are new.
    let added = diff.bytes.chunks - diff.bytes.shared_chunks;
    assert!(added < 300_000, "{added} bytes");

    let (same, read) = models.diff("m@1.1.0", "m@1.1.0").await;
    assert_eq!((same.unchanged, same.changed.len()), (4, 0));
    assert_eq!(same.bytes.chunks, same.bytes.shared_chunks);
    assert!(read < 200_000, "{read} bytes");
}

fn bytes_of(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// Numbers in 0..1 from bytes that repeat nowhere.
fn fractions(count: usize, seed: u64) -> Vec<f32> {
    let random = noise(2 * count, seed);
    let pairs = random.as_chunks().0.iter();
    pairs
        .map(|pair| f32::from(u16::from_le_bytes(*pair)) / 65_536.0)
        .collect()
}

/// More than is read at once, with what is not finite where one reading ends and the next begins.
#[tokio::test(flavor = "multi_thread")]
async fn a_tensor_of_several_requests_is_compared_whole() {
    let models = Models::new().await;
    let count = 4 * MIB / 4 + 3;
    let (mut before, mut after) = (fractions(count, 1), fractions(count, 2));
    before[count - 4] = f32::NAN;
    after[count - 3] = f32::INFINITY;
    for numbers in [&before, &after] {
        let tensors = vec![("w", Dtype::F32, bytes_of(numbers))];
        models.register(vec![("model.safetensors", tensors)]).await;
    }
    let (diff, _) = models.diff("m@1.0.0", "m@1.1.0").await;
    let found = diff.changed[0].difference.unwrap();
    let pairs = || before.iter().zip(&after);
    let changed = pairs().filter(|(a, b)| a.to_bits() != b.to_bits()).count();
    assert_eq!(
        (found.elements, found.changed),
        (count as u64, changed as u64)
    );
    assert_eq!((found.nan_before, found.infinite_after), (1, 1));
    let moved = pairs().map(|(a, b)| f64::from(*b) - f64::from(*a));
    let moved = || moved.clone().filter(|moved| moved.is_finite());
    let norm = moved().map(|moved| moved * moved).sum::<f64>().sqrt();
    let error = (found.norm.value() - norm).abs();
    assert!(
        error <= 1e-11 * norm,
        "{} is not {norm}",
        found.norm.value()
    );
    let max = moved().fold(0.0, |max, moved| f64::max(max, moved.abs()));
    assert_eq!(found.max.value().to_bits(), max.to_bits());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_difference_has_the_same_digits_wherever_the_tensors_lie() {
    let models = Models::new().await;
    let (before, after) = (
        bytes_of(&fractions(300_000, 1)),
        bytes_of(&fractions(300_000, 2)),
    );
    for bytes in [&before, &after] {
        let tensors = vec![("w", Dtype::F32, bytes.clone())];
        models.register(vec![("model.safetensors", tensors)]).await;
        models.register_elsewhere(bytes, 1).await;
        models.register_elsewhere(bytes, 4_099).await;
    }
    let view = models.repo.view().await.unwrap();
    let known = mainstay_registry::versions(&view, &name("m")).unwrap();
    let known: Vec<String> = known.iter().map(|info| info.node.to_string()).collect();
    let mut found = Vec::new();
    for old in &known[..3] {
        for new in &known[3..] {
            found.push(models.diff(old, new).await.0.changed[0].difference.unwrap());
        }
    }
    assert!(found.iter().all(|other| *other == found[0]), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_chunk_is_told_with_the_tensors_that_were_read() {
    let fixture = Fixture::new().await;
    for seed in [1, 3] {
        let [a, b] = [seed, seed + 1].map(|seed| noise(300_000, seed));
        let tensors = [("a", &a), ("b", &b)];
        let views = tensors.map(|(name, bytes)| {
            let view = TensorView::new(Dtype::U8, vec![bytes.len()], bytes);
            (name, view.unwrap())
        });
        let file = FileSpec::from_bytes(
            "model.safetensors".parse().unwrap(),
            safetensors::serialize(views, None).unwrap(),
        );
        let spec = ModelSpec::new(name("m"), ada(), "register").with_file(file);
        fixture.register(spec).await;
    }
    let objects = fixture.objects().await.into_iter();
    let large = objects.filter(|(key, bytes)| key.starts_with("pack/") && bytes.len() > 500_000);
    for (key, bytes) in large {
        let mut bytes = bytes.to_vec();
        let middle = bytes.len() / 4;
        bytes[middle] ^= 1;
        fixture.damage(&key, Some(bytes.into())).await;
    }
    let view = fixture.repo.view().await.unwrap();
    let (before, after) = (locator("m@1.0.0"), locator("m@1.1.0"));
    let compared = fixture.registry.tensor_diff(&view, &before, &after).await;
    let error = compared.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("tensors: a to b"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tensors_are_added_removed_and_reshaped() {
    let models = Models::new().await;
    let one = |tensors| vec![("model.safetensors", tensors)];
    models
        .register(one(vec![
            ("gone", Dtype::F32, vec![0; 8]),
            ("longer", Dtype::F32, vec![0; 8]),
            ("typed", Dtype::F32, vec![0; 8]),
            ("kept", Dtype::F32, vec![7; 8]),
        ]))
        .await;
    models
        .register(one(vec![
            ("new", Dtype::F32, vec![0; 8]),
            ("longer", Dtype::F32, vec![0; 16]),
            ("typed", Dtype::I32, vec![0; 8]),
            ("kept", Dtype::F32, vec![7; 8]),
        ]))
        .await;
    let (diff, _) = models.diff("m@1.0.0", "m@1.1.0").await;
    assert_eq!(diff.added[0].name, "new");
    assert_eq!(diff.removed[0].name, "gone");
    let reshaped: Vec<_> = diff
        .reshaped
        .iter()
        .map(|r| (r.after.name.as_str(), r.before.shape[0], r.after.shape[0]))
        .collect();
    assert_eq!(reshaped, [("longer", 2, 4), ("typed", 2, 2)]);
    assert_eq!((diff.unchanged, diff.changed.len()), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_in_several_files_is_told_apart_by_the_file() {
    let models = Models::new().await;
    let files = |b: u8| {
        vec![
            ("base.safetensors", vec![("w", Dtype::U8, vec![1; 9])]),
            ("lora.safetensors", vec![("w", Dtype::U8, vec![b; 9])]),
        ]
    };
    models.register(files(2)).await;
    models.register(files(5)).await;
    let (diff, _) = models.diff("m@1.0.0", "m@1.1.0").await;
    assert_eq!(diff.unchanged, 1);
    assert_eq!(diff.changed[0].tensor.file.as_str(), "lora.safetensors");
    let difference = diff.changed[0].difference.unwrap();
    assert_eq!((difference.fraction, difference.norm.value()), (1.0, 9.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_says_what_a_tensor_is_and_not_where_it_lies() {
    let models = Models::new().await;
    let weights = noise(300_000, 1);
    let half = |bytes: &[u8]| bytes[..200_000].to_vec();
    models
        .register(vec![
            ("a.safetensors", vec![("x", Dtype::F32, weights.clone())]),
            (
                "b.safetensors",
                vec![
                    ("first", Dtype::F64, half(&noise(200_000, 9))),
                    ("same", Dtype::F32, weights.clone()),
                    ("typed", Dtype::I32, weights.clone()),
                ],
            ),
        ])
        .await;
    let view = models.repo.view().await.unwrap();
    let digests = models
        .registry
        .tensor_digests(&view, &locator("m"))
        .await
        .unwrap();
    let digest = |name: &str| {
        let mut found = digests.iter().filter(|(tensor, _)| tensor.name == name);
        found.next().unwrap().1
    };
    assert_eq!(digest("x"), digest("same"));
    assert_ne!(digest("x"), digest("typed"));
    let mut expected = b"tensor/v1\0F32\0".to_vec();
    expected.extend(1_u64.to_le_bytes());
    expected.extend(75_000_u64.to_le_bytes());
    expected.extend(weights);
    assert_eq!(digest("x").as_bytes(), blake3::hash(&expected).as_bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_safetensors_is_named() {
    let models = Models::new().await;
    for (number, bytes) in [
        b"short".to_vec(),
        u64::MAX.to_le_bytes().to_vec(),
        [&9_u64.to_le_bytes()[..], b"{}"].concat(),
        [&2_u64.to_le_bytes()[..], b"{}data"].concat(),
    ]
    .into_iter()
    .enumerate()
    {
        let path = "deep/model.safetensors".parse().unwrap();
        let spec = ModelSpec::new(name("m"), ada(), "register")
            .with_file(FileSpec::from_bytes(path, bytes));
        models.registry.register(spec).await.unwrap();
        let view = models.repo.view().await.unwrap();
        let at = locator(&format!("m@1.{number}.0"));
        let error = models.registry.tensors(&view, &at).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(
            error.to_string().contains("deep/model.safetensors"),
            "{error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_summary_tells_large_tensors_apart_without_reading_one() {
    let models = Models::new().await;
    let (kept, touched) = (noise(4 * MIB, 1), noise(2 * MIB, 2));
    let shard = |touched: Vec<u8>| {
        let tensors = vec![
            ("kept", Dtype::I8, kept.clone()),
            ("touched", Dtype::I8, touched),
        ];
        ("one.safetensors", tensors)
    };
    let same = (
        "two.safetensors",
        vec![("other", Dtype::I8, noise(3 * MIB, 3))],
    );
    models
        .register(vec![shard(touched.clone()), same.clone()])
        .await;
    let mut next = touched;
    next[MIB] ^= 1;
    models.register(vec![shard(next), same]).await;

    let (summary, read) = models.summary("m@1.0.0", "m@1.1.0").await;
    let summary = summary.unwrap();
    assert_eq!(summary.changed.names, ["touched"]);
    assert!(summary.is_same_architecture() && !summary.is_same_tensors());
    assert_eq!((summary.undecided.count, summary.other_files), (0, false));
    assert!(summary.bytes >= 9 * MIB as u64, "{summary:?}");
    let added = summary.bytes - summary.shared_bytes;
    assert!(added > 0 && added < 300_000, "{added} bytes");
    assert!(read < 100_000, "{read} bytes");

    let (nothing, read) = models.summary("m@1.1.0", "m@1.1.0").await;
    assert_eq!((nothing, read), (None, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_tensors_in_other_files_are_the_same() {
    let models = Models::new().await;
    let tensors = [("a", noise(MIB, 1)), ("b", noise(9_000, 2))]
        .map(|(name, bytes)| (name, Dtype::I8, bytes));
    models
        .register(vec![("model.safetensors", tensors.to_vec())])
        .await;
    let shards = ["one.safetensors", "two.safetensors"];
    let files = shards.into_iter().zip(tensors.map(|tensor| vec![tensor]));
    models.register(files.collect()).await;
    let (summary, _) = models.summary("m@1.0.0", "m@1.1.0").await;
    assert!(summary.unwrap().is_same_tensors());
}

/// What tensors random versions have: by the number of the name the file, the size and the content.
fn versions() -> impl Strategy<Value = [Vec<(usize, usize, u64)>; 2]> {
    let size = prop::sample::select(vec![0, 1, 700, 3_000, 9_000, 140_000]);
    let version = prop::collection::vec((0_usize..2, size, 0_u64..2), 12);
    let edits = prop::collection::vec((0_usize..12, 0_usize..2, 0_u64..2, any::<bool>()), 0..4);
    (version, edits, 0_usize..=12, 0_usize..=12)
        .prop_map(|(first, edits, had, has)| {
            let mut second = first.clone();
            for (name, file, content, grows) in edits {
                let size = second[name].1 + usize::from(grows);
                second[name] = (file, size, content);
            }
            [first[..had].to_vec(), second[..has].to_vec()]
        })
        // A registration of the same files is no other version.
        .prop_filter("two versions", |[a, b]| laid_out(a) != laid_out(b))
}

fn laid_out(version: &[(usize, usize, u64)]) -> Files {
    const NAMES: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
    let mut files: Files = ["one.safetensors", "two.safetensors"]
        .map(|path| (path, Vec::new()))
        .into();
    for (name, (file, size, content)) in NAMES.into_iter().zip(version) {
        files[*file]
            .1
            .push((name, Dtype::U8, noise(*size, *content)));
    }
    files
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if std::env::var_os("MAINSTAY_LONG").is_some() { 2_000 } else { 16 }))]

    /// What a summary says is what reading everything says, and what it leaves open is little.
    #[test]
    fn a_summary_agrees_with_the_difference([before, after] in versions()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
        runtime.block_on(async {
            let models = Models::new().await;
            for version in [&before, &after] {
                models.register(laid_out(version)).await;
            }
            let view = models.repo.view().await.unwrap();
            let known = mainstay_registry::versions(&view, &name("m")).unwrap();
            let [first, second] = [0, 1].map(|at| known[at].node.to_string());
            let (diff, _) = models.diff(&first, &second).await;
            let summary = models.summary(&first, &second).await.0.unwrap_or_default();

            let mut changed: Vec<&str> = diff.changed.iter().map(|c| c.tensor.name.as_str()).collect();
            let listed = |names: &mut dyn Iterator<Item = &str>| -> Vec<String> {
                names.map(str::to_owned).take(MAX_NAMED).collect()
            };
            assert_eq!(summary.added.count, diff.added.len() as u64);
            assert_eq!(summary.added.names, listed(&mut diff.added.iter().map(|t| t.name.as_str())));
            assert_eq!(summary.removed.names, listed(&mut diff.removed.iter().map(|t| t.name.as_str())));
            assert_eq!(summary.reshaped.names, listed(&mut diff.reshaped.iter().map(|r| r.after.name.as_str())));
            assert!(summary.shared_bytes <= summary.bytes);
            // Twelve tensors are all named: those told as changed are, the others may be.
            for name in &summary.changed.names {
                let at = changed.iter().position(|known| known == name);
                changed.remove(at.unwrap_or_else(|| panic!("{name} is unchanged")));
            }
            for name in changed {
                let open = summary.undecided.count > MAX_NAMED as u64 || summary.undecided.names.iter().any(|open| open == name);
                let unlisted = summary.changed.count > MAX_NAMED as u64;
                assert!(open || unlisted, "{name} changed: {summary:?}");
            }
            for large in &summary.undecided.names {
                let at = usize::from(large.as_bytes()[0] - b'a');
                assert!(after[at].1 < 8 * 1024, "{large} is left open");
            }
        });
    }
}
