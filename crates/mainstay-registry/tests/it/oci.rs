//! Versions as OCI image layouts, read back as another program reads them.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use mainstay_core::{Digest, ErrorKind};
use mainstay_registry::oci::{MAX_MANIFEST_BYTES, OciReport};
use mainstay_registry::{FileSpec, ModelSpec, Registry};
use mainstay_repo::{Repo, RepoOptions};
use mainstay_store::fault::{Applied, FaultStorage};
use mainstay_store::{MemoryStorage, NoWait};
use oci_spec::image::{ANNOTATION_REF_NAME, Descriptor, ImageIndex, ImageManifest, OciLayout};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;

use crate::fixture::{Fixture, ada, check_golden, file, locator, name, spec};

/// An image of a layout, every byte of it checked.
#[derive(Debug)]
struct Image {
    manifest: ImageManifest,
    config: Value,
    /// Path → media type and bytes.
    files: BTreeMap<String, (String, Vec<u8>)>,
    untested: Vec<String>,
}

/// Reads every image that the index names; none where there is no index.
fn images(layout: &Path) -> BTreeMap<String, Image> {
    let index = layout.join("index.json");
    if !index.exists() {
        return BTreeMap::new();
    }
    let marker = OciLayout::from_file(layout.join("oci-layout")).unwrap();
    assert_eq!(marker.image_layout_version(), "1.0.0");
    let index = ImageIndex::from_file(index).unwrap();
    let named = index.manifests().iter().map(|one| {
        let name = one.annotations().as_ref().unwrap()[ANNOTATION_REF_NAME].clone();
        (name, image(layout, one))
    });
    named.collect()
}

fn image(layout: &Path, descriptor: &Descriptor) -> Image {
    let manifest = ImageManifest::from_reader(&blob(layout, descriptor)[..]).unwrap();
    assert_eq!(descriptor.artifact_type(), manifest.artifact_type());
    let config: Value = serde_json::from_slice(&blob(layout, manifest.config())).unwrap();
    let diff_ids: Vec<_> = config["modelfs"]["diffIds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_str().unwrap().to_owned())
        .collect();
    let digests = manifest
        .layers()
        .iter()
        .map(|layer| layer.digest().to_string());
    assert_eq!(diff_ids, digests.collect::<Vec<_>>());
    let (mut files, mut untested) = (BTreeMap::new(), Vec::new());
    for layer in manifest.layers() {
        let annotations = layer.annotations().as_ref().unwrap();
        let path = annotations["org.cncf.model.filepath"].clone();
        if annotations.contains_key("org.cncf.model.file.mediatype.untested") {
            untested.push(path.clone());
        }
        files.insert(path, (layer.media_type().to_string(), blob(layout, layer)));
    }
    Image {
        manifest,
        config,
        files,
        untested,
    }
}

fn blob(layout: &Path, descriptor: &Descriptor) -> Vec<u8> {
    let hex = descriptor.as_digest_sha256().unwrap();
    let bytes = std::fs::read(layout.join("blobs/sha256").join(hex)).unwrap();
    assert_eq!(bytes.len() as u64, descriptor.size());
    assert_eq!(Digest::of(&bytes).to_hex(), hex);
    bytes
}

/// Every file below a directory, with its bytes.
fn everything(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(everything(&path));
        } else {
            found.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    found
}

fn tensors(dtype: Dtype) -> Vec<u8> {
    let bytes = [7; 16];
    let shape = vec![bytes.len() * 8 / dtype.bitsize()];
    let view = TensorView::new(dtype, shape, &bytes).unwrap();
    safetensors::serialize([("w", view)], None).unwrap()
}

/// A version with a file of every kind.
fn rich() -> ModelSpec {
    let mut spec = ModelSpec::new(name("fraud"), ada(), "register")
        .with_code(name("training"), name("9f31c2a"))
        .with_owner("risk@example.org")
        .with_tag("license", "Apache-2.0")
        .with_tag("family", "gbm")
        .with_description("finds fraud");
    let weights = FileSpec::from_bytes("model.safetensors".parse().unwrap(), tensors(Dtype::BF16));
    spec = spec.with_file(weights);
    for (path, content) in [
        ("README.md", "# Fraud"),
        ("config.json", "{}"),
        ("empty.txt", ""),
        ("eval/sample.csv", "a,b\n1,2\n"),
        ("predict.py", "print()"),
        ("tokenizer/tokenizer.model", "{}"),
    ] {
        spec = spec.with_file(file(path, content));
    }
    spec
}

async fn export(fixture: &Fixture, model: &str, layout: &Path) -> mainstay_core::Result<OciReport> {
    let view = fixture.repo.view().await?;
    let registry = &fixture.registry;
    registry.export_oci(&view, &locator(model), layout).await
}

#[tokio::test]
async fn a_layout_holds_the_files_and_what_is_known_of_the_model() {
    let fixture = Fixture::new().await;
    fixture.register(rich()).await;
    let parent = tempfile::tempdir().unwrap();
    let layout = parent.path().join("deep/layout");
    let report = export(&fixture, "fraud", &layout).await.unwrap();
    assert!(report.added);
    assert_eq!(report.reference, "1.0.0");

    let images = images(&layout);
    let image = &images["1.0.0"];
    let kinds: Vec<_> = image
        .files
        .iter()
        .map(|(path, (media_type, _))| (path.as_str(), media_type.as_str()))
        .collect();
    assert_eq!(
        kinds,
        [
            ("README.md", "application/vnd.cncf.model.doc.v1.raw"),
            (
                "config.json",
                "application/vnd.cncf.model.weight.config.v1.raw"
            ),
            (
                "empty.txt",
                "application/vnd.cncf.model.weight.config.v1.raw"
            ),
            (
                "eval/sample.csv",
                "application/vnd.cncf.model.dataset.v1.raw"
            ),
            (
                "model.safetensors",
                "application/vnd.cncf.model.weight.v1.raw"
            ),
            ("predict.py", "application/vnd.cncf.model.code.v1.raw"),
            (
                "tokenizer/tokenizer.model",
                "application/vnd.cncf.model.weight.config.v1.raw"
            ),
        ]
    );
    assert_eq!(image.untested, [""; 0]);
    // What a pull writes, file for file.
    let pulled = parent.path().join("pulled");
    let view = fixture.repo.view().await.unwrap();
    let registry = &fixture.registry;
    registry
        .pull(&view, &locator("fraud"), &pulled)
        .await
        .unwrap();
    let files: BTreeMap<_, _> = image
        .files
        .iter()
        .map(|(path, (_, bytes))| (pulled.join(path), bytes.clone()))
        .collect();
    assert_eq!(files, everything(&pulled));

    assert_eq!(
        image.manifest.artifact_type().as_ref().unwrap().to_string(),
        "application/vnd.cncf.model.manifest.v1+json"
    );
    let documents = layout.join("blobs/sha256");
    let read = |digest: &str| std::fs::read(documents.join(digest)).unwrap();
    let config = image.manifest.config().as_digest_sha256().unwrap();
    check_golden(&read(config), "oci-layout/v1/config.json");
    check_golden(
        &read(&report.manifest.to_hex()),
        "oci-layout/v1/manifest.json",
    );
    let index = std::fs::read(layout.join("index.json")).unwrap();
    check_golden(&index, "oci-layout/v1/index.json");
}

#[tokio::test]
async fn what_is_not_known_is_not_said() {
    let fixture = Fixture::new().await;
    let mixed = FileSpec::from_bytes("a.safetensors".parse().unwrap(), tensors(Dtype::F32));
    let other = FileSpec::from_bytes("b.safetensors".parse().unwrap(), tensors(Dtype::I8));
    let broken = file("model.safetensors", "no header");
    let parent = tempfile::tempdir().unwrap();
    let layout = |model: &str| parent.path().join(model);
    let of = |model: &str| ModelSpec::new(name(model), ada(), "register");
    for (spec, model, config) in [
        (spec("opaque", "weights"), "opaque", "{}"),
        (
            of("mixed")
                .with_file(mixed)
                .with_file(other)
                .with_code(name("training"), name("9f31c2a"))
                .with_dirty_code(),
            "mixed",
            r#"{"format":"safetensors","precision":"mixed"}"#,
        ),
        (
            of("broken").with_file(broken),
            "broken",
            r#"{"format":"safetensors"}"#,
        ),
        (
            of("trees").with_file(file("model.json", "{}")),
            "trees",
            "{}",
        ),
        (of("odd").with_file(file("weights.xyz", "1")), "odd", "{}"),
    ] {
        fixture.register(spec).await;
        export(&fixture, model, &layout(model)).await.unwrap();
        let image = images(&layout(model)).remove("1.0.0").unwrap();
        assert_eq!(image.config["config"].to_string(), config, "{model}");
        let descriptor = image.config["descriptor"].as_object().unwrap();
        let keys: Vec<_> = descriptor.keys().collect();
        assert_eq!(keys, ["createdAt", "name", "version"], "{model}");
        // A model has weights, whatever they are called; that it was a guess is said.
        let guessed = ["trees", "odd"].contains(&model);
        assert_eq!(image.untested.len(), usize::from(guessed), "{model}");
        let mut kinds = image.files.values().map(|(media_type, _)| media_type);
        assert!(
            kinds.all(|kind| kind.ends_with(".weight.v1.raw")),
            "{model}"
        );
    }
}

#[tokio::test]
async fn versions_share_a_layout_and_the_same_again_changes_nothing() {
    let fixture = Fixture::new().await;
    fixture.register(rich()).await;
    let second = rich().with_file(file("extra.bin", "more"));
    fixture.register(second).await;
    let parent = tempfile::tempdir().unwrap();
    let layout = parent.path().join("layout");
    for version in ["fraud@1.0.0", "fraud"] {
        assert!(export(&fixture, version, &layout).await.unwrap().added);
    }
    let images = images(&layout);
    let names: Vec<_> = images.keys().collect();
    assert_eq!(names.len(), 2);
    assert_eq!(
        images[names[1]].files.len(),
        images[names[0]].files.len() + 1
    );

    let before = everything(&layout);
    // Tags that came later are not of the version.
    let later = mainstay_registry::AnnotateSpec::new(locator("fraud@1.0.0"), ada(), "annotate");
    let later = later.with_tag("license", "MIT");
    fixture.registry.annotate(later).await.unwrap();
    let again = export(&fixture, "fraud@1.0.0", &layout).await.unwrap();
    assert!(!again.added);
    assert_eq!(everything(&layout), before);
    // Another directory gets the same bytes.
    let other = parent.path().join("other");
    let elsewhere = export(&fixture, "fraud@1.0.0", &other).await.unwrap();
    assert_eq!(elsewhere.manifest, again.manifest);

    // A blob that was damaged meanwhile is mended.
    let blob = layout
        .join("blobs/sha256")
        .join(Digest::of(b"print()").to_hex());
    std::fs::write(&blob, "PRINT()").unwrap();
    export(&fixture, "fraud@1.0.0", &layout).await.unwrap();
    assert_eq!(everything(&layout), before);
}

#[tokio::test]
async fn another_image_of_the_name_stays() {
    let fixture = Fixture::new().await;
    fixture.weights("fraud", "weights").await;
    fixture.weights("churn", "others").await;
    let layout = tempfile::tempdir().unwrap();
    export(&fixture, "fraud", layout.path()).await.unwrap();
    let before = everything(layout.path());
    let error = export(&fixture, "churn", layout.path()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(error.operation_name(), Some("export model"));
    assert_eq!(everything(layout.path()), before);
}

#[tokio::test]
async fn what_is_no_sound_layout_is_refused_and_left_alone() {
    let fixture = Fixture::new().await;
    fixture.weights("fraud", "weights").await;
    let marker = r#"{"imageLayoutVersion":"1.0.0"}"#;
    let large = " ".repeat(usize::try_from(MAX_MANIFEST_BYTES).unwrap() + 1);
    let deep = format!(
        r#"{{"schemaVersion":2,"manifests":[],"x":{}"#,
        "[".repeat(100_000)
    );
    let manifest = |digest: &str| {
        format!(
            r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"a/b","size":1,"digest":"{digest}"}}]}}"#
        )
    };
    let (up, short) = (manifest("sha256:../../etc/passwd"), manifest("sha256:abc"));
    for (marker, index, kind) in [
        ("", "", ErrorKind::Invalid),
        (r#"{"imageLayoutVersion":7}"#, "", ErrorKind::Invalid),
        (
            r#"{"imageLayoutVersion":"2.0.0"}"#,
            "",
            ErrorKind::Unsupported,
        ),
        (marker, "", ErrorKind::Invalid),
        (marker, "[]", ErrorKind::Invalid),
        (marker, r#"{"schemaVersion":2}"#, ErrorKind::Invalid),
        (
            marker,
            r#"{"schemaVersion":3,"manifests":[]}"#,
            ErrorKind::Unsupported,
        ),
        (
            marker,
            r#"{"schemaVersion":2,"mediaType":"text/plain","manifests":[]}"#,
            ErrorKind::Invalid,
        ),
        (
            marker,
            r#"{"schemaVersion":2,"manifests":{}}"#,
            ErrorKind::Invalid,
        ),
        (marker, &up, ErrorKind::Invalid),
        (marker, &short, ErrorKind::Invalid),
        (marker, &deep, ErrorKind::Invalid),
        (marker, &large, ErrorKind::Invalid),
    ] {
        let layout = tempfile::tempdir().unwrap();
        std::fs::write(layout.path().join("oci-layout"), marker).unwrap();
        std::fs::write(layout.path().join("index.json"), index).unwrap();
        let before = everything(layout.path());
        let error = export(&fixture, "fraud", layout.path()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{index:.60}: {error}");
        assert_eq!(everything(layout.path()), before);
    }
    let other = tempfile::tempdir().unwrap();
    std::fs::write(other.path().join("notes.txt"), "mine").unwrap();
    let error = export(&fixture, "fraud", other.path()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    let file = other.path().join("notes.txt");
    assert!(export(&fixture, "fraud", &file).await.is_err());
    assert_eq!(everything(other.path()).len(), 1);
}

#[cfg(unix)]
#[tokio::test]
async fn nothing_is_written_outside_of_the_directory() {
    use std::os::unix::fs::symlink;

    let fixture = Fixture::new().await;
    fixture.weights("fraud", "weights").await;
    let outside = tempfile::tempdir().unwrap();
    for link in ["blobs", "blobs/sha256", "index.json", "oci-layout"] {
        let layout = tempfile::tempdir().unwrap();
        export(&fixture, "fraud", layout.path()).await.unwrap();
        let place = layout.path().join(link);
        let target = outside.path().join(link.replace('/', "-"));
        std::fs::rename(&place, &target).unwrap();
        symlink(&target, &place).unwrap();
        let before = everything(outside.path());
        let error = export(&fixture, "fraud", layout.path()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{link}");
        assert_eq!(everything(outside.path()), before);
    }
    // A blob that leads elsewhere is replaced, not written through.
    let layout = tempfile::tempdir().unwrap();
    export(&fixture, "fraud", layout.path()).await.unwrap();
    let hex = Digest::of(b"weights").to_hex();
    let blob = layout.path().join("blobs/sha256").join(hex);
    let target = outside.path().join("target");
    std::fs::write(&target, "precious").unwrap();
    std::fs::remove_file(&blob).unwrap();
    symlink(&target, &blob).unwrap();
    export(&fixture, "fraud", layout.path()).await.unwrap();
    assert_eq!(std::fs::read(&target).unwrap(), b"precious");
    assert!(std::fs::symlink_metadata(&blob).unwrap().is_file());
}

#[tokio::test]
async fn a_blob_that_cannot_be_written_is_in_no_index() {
    let fixture = Fixture::new().await;
    fixture.register(rich()).await;
    fixture
        .register(rich().with_file(file("extra.bin", "more")))
        .await;
    let layout = tempfile::tempdir().unwrap();
    export(&fixture, "fraud@1.0.0", layout.path())
        .await
        .unwrap();
    let hex = Digest::of(b"more").to_hex();
    let blocked = layout.path().join("blobs/sha256").join(hex);
    std::fs::create_dir_all(blocked.join("in the way")).unwrap();
    assert!(export(&fixture, "fraud", layout.path()).await.is_err());
    assert_eq!(images(layout.path()).len(), 1);
    std::fs::remove_dir_all(&blocked).unwrap();
    export(&fixture, "fraud", layout.path()).await.unwrap();
    assert_eq!(images(layout.path()).len(), 2);
}

/// A repository that remembers nothing, as of a new process.
async fn reopened(storage: &Arc<FaultStorage<MemoryStorage>>) -> Repo {
    let options = RepoOptions::default().with_timer(Arc::new(NoWait::default()));
    let shared = Arc::<FaultStorage<_>>::clone(storage);
    Repo::open(shared as _, options).await.unwrap()
}

#[tokio::test]
async fn wherever_reading_ends_the_index_names_what_is_there() {
    let storage = Arc::new(FaultStorage::new(MemoryStorage::new()));
    let shared = Arc::<FaultStorage<_>>::clone(&storage);
    let options = RepoOptions::default().with_timer(Arc::new(NoWait::default()));
    let repo = Repo::create(shared as _, options).await.unwrap();
    Registry::new(repo).register(rich()).await.unwrap();
    let parent = tempfile::tempdir().unwrap();
    let mut crash = 0;
    let mut ended = 0;
    loop {
        crash += 1;
        let layout = parent.path().join(crash.to_string());
        let repo = reopened(&storage).await;
        let view = repo.view().await.unwrap();
        storage.crash_at(storage.operations() + crash, Applied::No);
        let registry = Registry::new(repo);
        let first = registry.export_oci(&view, &locator("fraud"), &layout).await;
        storage.revive();
        storage.clear();
        assert_eq!(images(&layout).len(), usize::from(first.is_ok()));
        if first.is_ok() {
            break;
        }
        ended += 1;
        let registry = Registry::new(reopened(&storage).await);
        let again = registry.export_oci(&view, &locator("fraud"), &layout).await;
        assert!(again.unwrap().added);
        assert_eq!(images(&layout)["1.0.0"].files.len(), 7);
    }
    assert!(ended > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_export_left_that_was_killed_at_its_first_file_is_in_nobodys_way() {
    let fixture = Fixture::new().await;
    fixture.register(rich()).await;
    let layout = tempfile::tempdir().unwrap();
    std::fs::write(layout.path().join(".mainstay-a1B2c3.tmp"), "{").unwrap();
    export(&fixture, "fraud", layout.path()).await.unwrap();
    assert_eq!(images(layout.path())["1.0.0"].files.len(), 7);
}

/// Gives a future up after so many polls.
async fn polled<T>(future: impl Future<Output = T>, times: usize) -> Option<T> {
    let mut future = pin!(future);
    let mut left = times;
    poll_fn(move |context| {
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wherever_an_export_is_given_up_the_index_names_what_is_there() {
    let fixture = Fixture::new().await;
    fixture.register(rich()).await;
    let parent = tempfile::tempdir().unwrap();
    let mut given_up = 0;
    for times in 1.. {
        let layout = parent.path().join(times.to_string());
        let done = polled(export(&fixture, "fraud", &layout), times).await;
        images(&layout);
        if let Some(done) = done {
            done.unwrap();
            break;
        }
        given_up += 1;
        export(&fixture, "fraud", &layout).await.unwrap();
        assert_eq!(images(&layout)["1.0.0"].files.len(), 7);
    }
    assert!(given_up > 0);
}
