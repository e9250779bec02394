//! Tensors of stored versions.

use std::sync::Arc;

use mainstay_core::{ErrorKind, SeededIds};
use mainstay_registry::tensor::TensorDiff;
use mainstay_registry::{FileSpec, ModelSpec, Registry};
use mainstay_repo::{Repo, RepoOptions};
use mainstay_store::{MemoryStorage, MeterStorage};
use safetensors::tensor::{Dtype, TensorView};

use crate::fixture::{ada, locator, name};

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
