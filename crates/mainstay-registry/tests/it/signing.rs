//! Signatures of versions and of files on disk, beside those of the reference implementation.

use std::path::{Path, PathBuf};
use std::process::Command;

use mainstay_core::{Digest, ErrorKind, Result, canon};
use mainstay_registry::ModelSpec;
use mainstay_registry::signing::{
    Bundle, FaultKind, Signed, SigningKey, Verdict, Verification, VerifyingKey, signatures,
    verify_files,
};
use mainstay_repo::{Expectation, Step, Transaction, Value};
use serde_json::json;

use crate::fixture::{Fixture, ada, file, locator, spec, without_author};

fn fixture(name: &str) -> PathBuf {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/model-signing");
    Path::new(root).join(name)
}

async fn private(curve: &str) -> SigningKey {
    let path = fixture(&format!("{curve}.key.pem"));
    SigningKey::read(&path).await.unwrap()
}

async fn public(curve: &str) -> VerifyingKey {
    let path = fixture(&format!("{curve}.pub.pem"));
    VerifyingKey::read(&path).await.unwrap()
}

/// What lies in `tests/fixtures/model-signing/model`, as a version.
fn model(name: &str) -> ModelSpec {
    spec(name, "weights")
        .with_file(file("README.md", "readme"))
        .with_file(file("sub/config.json", "{}"))
        .with_file(file("sub.txt", "x"))
}

impl Fixture {
    async fn found(&self, model: &str, key: &VerifyingKey) -> (Verification, Option<Bundle>) {
        let view = self.repo.view().await.unwrap();
        let model = locator(model);
        let found = self.registry.verify_signature(&view, &model, key).await;
        found.unwrap()
    }

    async fn verify(&self, model: &str, key: &VerifyingKey) -> Verification {
        self.found(model, key).await.0
    }

    async fn bundle(&self, model: &str, key: &VerifyingKey) -> Bundle {
        self.found(model, key).await.1.unwrap()
    }

    async fn sign(&self, model: &str, key: &SigningKey) -> Option<u64> {
        let model = locator(model);
        let signed = self.registry.sign(&model, key, ada(), "release").await;
        signed.unwrap().seq
    }

    async fn attach(&self, model: &str, bundle: &Bundle, key: &VerifyingKey) -> Result<Signed> {
        let (model, registry) = (locator(model), &self.registry);
        registry
            .attach_signature(&model, bundle, key, ada(), "received")
            .await
    }

    async fn pull(&self, model: &str, directory: &Path) {
        let view = self.repo.view().await.unwrap();
        let model = locator(model);
        self.registry.pull(&view, &model, directory).await.unwrap();
    }

    /// Puts a bundle where `key`'s would be, as somebody who can write the log may.
    async fn forge(&self, version: &str, key: &VerifyingKey, bundle: &Bundle) {
        let mut session = self.repo.ingest();
        let stored = session.bytes(bundle.bytes().clone()).await.unwrap();
        session.finish().await.unwrap();
        let record = json!({"format": 1, "signatures": [
            {"key": key.fingerprint(), "bundle": stored.digest, "bytes": stored.size},
        ]});
        let value = Value::new("model.signing", &record).unwrap();
        let value = value.with_blobs([stored.digest]);
        let path: mainstay_core::RefPath =
            format!("model/fraud/signing/{version}").parse().unwrap();
        let build = |_: &_| {
            let mut transaction = Transaction::new(ada(), "forge");
            transaction.set(path.clone(), value.clone(), Expectation::Any);
            Ok(Step::Commit(transaction, ()))
        };
        self.repo.transact(build).await.unwrap();
    }
}

#[tokio::test]
async fn signatures_of_the_reference_implementation_are_verified() {
    let model = fixture("model");
    for (file, curve, signed) in [
        ("files-p256.sig", "p256", 4),
        ("files-p384.sig", "p384", 4),
        ("files-p521.sig", "p521", 4),
        ("shards.sig", "p256", 6),
        ("blake3.sig", "p256", 4),
    ] {
        let key = public(curve).await;
        let found = verify_files(&model, &fixture(file), &key).await.unwrap();
        let expected = (Verdict::Verified, signed, None);
        assert_eq!(
            (found.verdict, found.signed, found.version),
            expected,
            "{file}"
        );
        // And with no other key.
        let other = public(if curve == "p384" { "p256" } else { "p384" }).await;
        let found = verify_files(&model, &fixture(file), &other).await.unwrap();
        assert_eq!(found.verdict, Verdict::NotSigned, "{file}");
    }
    let key = public("p256").await;
    let found = verify_files(&model.join("model.bin"), &fixture("one-file.sig"), &key).await;
    assert!(found.unwrap().is_verified());
    // Signed with `--ignore-paths sub`.
    let found = verify_files(&model, &fixture("ignored.sig"), &key).await;
    assert!(found.unwrap().is_verified());
}

#[tokio::test]
async fn what_cannot_be_verified_is_refused_as_such() {
    let key = public("p256").await;
    for file in ["blake2b.sig", "certificate.sig"] {
        let refused = verify_files(&fixture("model"), &fixture(file), &key).await;
        assert_eq!(
            refused.unwrap_err().kind(),
            ErrorKind::Unsupported,
            "{file}"
        );
    }
    for (model, bundle, kind) in [
        ("model", "p256.pub.pem", ErrorKind::Invalid),
        ("model", "none.sig", ErrorKind::NotFound),
        ("none", "files-p256.sig", ErrorKind::NotFound),
    ] {
        let refused = verify_files(&fixture(model), &fixture(bundle), &key).await;
        assert_eq!(refused.unwrap_err().kind(), kind, "{model} {bundle}");
    }
}

#[tokio::test]
async fn every_file_that_differs_is_named() {
    let key = public("p256").await;
    let directory = tempfile::tempdir().unwrap();
    let model = directory.path();
    std::fs::create_dir(model.join("sub")).unwrap();
    for (path, content) in [
        ("model.bin", "weights"),
        ("sub/config.json", "{\"other\": 1}"),
        ("sub.txt", "x"),
        ("sub/extra", "y"),
        (".gitignore", "left out"),
    ] {
        std::fs::write(model.join(path), content).unwrap();
    }
    // The signature may lie beside what it signs.
    let bundle = model.join("model.sig");
    std::fs::copy(fixture("files-p256.sig"), &bundle).unwrap();
    let found = verify_files(model, &bundle, &key).await.unwrap();
    assert_eq!(found.verdict, Verdict::OtherFiles);
    let faults: Vec<_> = found
        .faults
        .iter()
        .map(|fault| (fault.resource.as_str(), fault.fault))
        .collect();
    assert_eq!(
        faults,
        [
            ("README.md", FaultKind::Missing),
            ("sub/config.json", FaultKind::Altered),
            ("sub/extra", FaultKind::Unsigned),
        ]
    );
    // A shard says which part of the file it is.
    std::fs::copy(fixture("shards.sig"), &bundle).unwrap();
    std::fs::write(model.join("model.bin"), "weighty matters").unwrap();
    let found = verify_files(model, &bundle, &key).await.unwrap();
    let named = |resource| found.faults.iter().any(|fault| fault.resource == resource);
    assert!(
        named("model.bin:4:7") && named("model.bin:4:8"),
        "{found:?}"
    );
    assert!(!named("model.bin:0:4"));
}

#[cfg(unix)]
#[tokio::test]
async fn links_are_not_followed() {
    let directory = tempfile::tempdir().unwrap();
    let model = directory.path();
    std::os::unix::fs::symlink(fixture("model/model.bin"), model.join("model.bin")).unwrap();
    let key = public("p256").await;
    let refused = verify_files(model, &fixture("files-p256.sig"), &key).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn a_version_is_signed_once_by_each_key() {
    let fixture = Fixture::new().await;
    fixture.register(model("fraud")).await;
    let (first, second) = (private("p256").await, private("p384").await);
    let (p256, p384) = (public("p256").await, public("p384").await);
    assert_eq!(
        fixture.verify("fraud", &p256).await.verdict,
        Verdict::NotSigned
    );
    assert!(fixture.sign("fraud", &first).await.is_some());
    let found = fixture.verify("fraud", &p256).await;
    assert!(found.is_verified());
    assert_eq!(found.version.unwrap().node.to_string(), "model:fraud@1.0.0");
    assert_eq!(
        fixture.verify("fraud", &p384).await.verdict,
        Verdict::NotSigned
    );
    assert!(fixture.sign("fraud", &second).await.is_some());
    assert_eq!(fixture.sign("fraud", &first).await, None, "nothing changes");
    for key in [&p256, &p384] {
        assert!(fixture.verify("fraud", key).await.is_verified());
    }
    let view = fixture.repo.view().await.unwrap();
    let kept = signatures(&view, &locator("fraud")).unwrap();
    let mut keys = [p256.fingerprint(), p384.fingerprint()];
    keys.sort();
    assert_eq!(kept.iter().map(|kept| kept.key).collect::<Vec<_>>(), keys);
}

#[tokio::test]
async fn a_signature_of_one_version_is_none_of_another() {
    let fixture = Fixture::new().await;
    fixture.register(model("fraud")).await;
    let (key, public) = (private("p256").await, public("p256").await);
    fixture.sign("fraud", &key).await;
    let bundle = fixture.bundle("fraud", &public).await;
    // The same files with another hyperparameter.
    fixture
        .register(model("fraud").with_parameter("depth", 7))
        .await;
    let attached = fixture.attach("fraud@1.1.0", &bundle, &public).await;
    assert_eq!(attached.unwrap_err().kind(), ErrorKind::Invalid);
    fixture.forge("1.1.0", &public, &bundle).await;
    let found = fixture.verify("fraud@1.1.0", &public).await;
    assert_eq!(found.verdict, Verdict::OtherVersion);
    // Nor is one of another key one of this.
    let other = private("p384").await;
    fixture.sign("fraud@1.0.0", &other).await;
    let other = fixture.bundle("fraud@1.0.0", other.verifying_key()).await;
    fixture.forge("1.0.0", &public, &other).await;
    let found = fixture.verify("fraud@1.0.0", &public).await;
    assert_eq!(found.verdict, Verdict::BadSignature);
}

#[tokio::test]
async fn a_signature_made_elsewhere_is_kept_once_it_is_verified() {
    let registry = Fixture::new().await;
    registry.register(model("fraud")).await;
    registry.weights("single", "weights").await;
    registry.weights("other", "other weights").await;
    let key = public("p256").await;
    for (model, file, accepted) in [
        ("fraud", "files-p256.sig", true),
        ("fraud", "shards.sig", true),
        ("fraud", "blake3.sig", true),
        ("fraud", "ignored.sig", true),
        ("fraud", "files-p384.sig", false),
        ("fraud", "one-file.sig", false),
        ("single", "one-file.sig", true),
        ("other", "files-p256.sig", false),
    ] {
        let bundle = Bundle::read(&fixture(file)).await.unwrap();
        match registry.attach(model, &bundle, &key).await {
            Ok(signed) => {
                assert!(accepted && signed.seq.is_some(), "{model} {file}");
                let found = registry.verify(model, &key).await;
                assert!(found.is_verified() && found.version.is_none());
            }
            Err(error) => {
                assert!(!accepted, "{model} {file}: {error}");
                assert_eq!(error.kind(), ErrorKind::Invalid);
            }
        }
    }
}

#[tokio::test]
async fn a_pulled_directory_is_verified_by_the_exported_signature() {
    let fixture = Fixture::new().await;
    fixture.register(model("fraud")).await;
    let (key, public) = (private("p521").await, public("p521").await);
    fixture.sign("fraud", &key).await;
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("fraud");
    fixture.pull("fraud", &directory).await;
    let bundle = fixture.bundle("fraud", &public).await;
    let path = directory.join("model.sig");
    std::fs::write(&path, bundle.bytes()).unwrap();
    let found = verify_files(&directory, &path, &public).await.unwrap();
    assert!(found.is_verified());
    assert_eq!(found.version.unwrap().node.to_string(), "model:fraud@1.0.0");
    std::fs::write(directory.join("model.bin"), "Weights").unwrap();
    let found = verify_files(&directory, &path, &public).await.unwrap();
    assert_eq!(found.verdict, Verdict::OtherFiles);
}

#[tokio::test]
async fn a_deleted_version_takes_its_signatures_along() {
    let fixture = Fixture::new().await;
    fixture.register(model("fraud")).await;
    fixture.sign("fraud", &private("p256").await).await;
    let version = locator("fraud@1.0.0");
    let deleted = fixture.registry.delete(&version, ada(), "gone").await;
    deleted.unwrap();
    let view = fixture.repo.view().await.unwrap();
    let path = "model/fraud/signing/1.0.0".parse().unwrap();
    assert!(view.get(&path).unwrap().is_none());
    let key = private("p256").await;
    let refused = fixture.registry.sign(&version, &key, ada(), "late").await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::NotFound);
}

/// Runs `tests/reference/oms.py`; `None` where the package is not installed.
fn reference(arguments: &[&str]) -> Option<bool> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/reference/oms.py");
    let python = std::env::var("MAINSTAY_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let ran = Command::new(python)
        .arg("-B")
        .arg(script)
        .args(arguments)
        .output();
    match ran {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => panic!("python3 does not start: {error}"),
        Ok(output) => match output.status.code() {
            Some(0) => Some(true),
            Some(3) => Some(false),
            Some(77) => None,
            _ => panic!(
                "the reference fails: {}",
                String::from_utf8_lossy(&output.stderr)
            ),
        },
    }
}

#[tokio::test]
async fn the_reference_implementation_verifies_what_is_signed_here_and_the_other_way_round() {
    let registry = Fixture::new().await;
    registry
        .register(model("fraud").with_file(file("ünïcode/a.b", "u")))
        .await;
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("fraud");
    registry.pull("fraud", &directory).await;
    let signature = parent.path().join("model.sig");
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    for curve in ["p256", "p384", "p521"] {
        let (key, public) = (private(curve).await, public(curve).await);
        registry.sign("fraud", &key).await;
        let bundle = registry.bundle("fraud", &public).await;
        std::fs::write(&signature, bundle.bytes()).unwrap();
        let files = [
            &directory,
            &signature,
            &fixture(&format!("{curve}.pub.pem")),
        ];
        let [model, sig, pem] = files.map(|path| text(path));
        let Some(verified) = reference(&["verify", &model, &sig, &pem]) else {
            #[expect(clippy::print_stderr, reason = "a skipped test says so")]
            {
                eprintln!("SKIPPED: no Python with the package model-signing");
            }
            return;
        };
        assert!(verified, "{curve}");
        std::fs::write(directory.join("extra"), "unsigned").unwrap();
        assert_eq!(reference(&["verify", &model, &sig, &pem]), Some(false));
        std::fs::remove_file(directory.join("extra")).unwrap();

        let private = text(&fixture(&format!("{curve}.key.pem")));
        assert_eq!(reference(&["sign", &model, &sig, &private]), Some(true));
        let found = verify_files(&directory, &signature, &public).await.unwrap();
        assert!(found.is_verified(), "{curve}");
        let bundle = Bundle::read(&signature).await.unwrap();
        let attached = registry.attach("fraud", &bundle, &public).await;
        assert!(attached.unwrap().seq.is_some());
    }
}

#[tokio::test]
async fn signatures_are_stored_as_the_first_release_stored_them() {
    let fixture = Fixture::new().await;
    fixture
        .register(model("species").with_tag("team", "ecology"))
        .await;
    without_author(&fixture, "model/species/version/1.0.0").await;
    for curve in ["p256", "p384"] {
        fixture.sign("species", &private(curve).await).await;
    }
    let view = fixture.repo.view().await.unwrap();
    let path = "model/species/signing/1.0.0".parse().unwrap();
    let value = view.get(&path).unwrap().unwrap().value.as_ref().unwrap();
    check_golden("signing.json", &canon::to_vec(value).unwrap());
    let bundle = fixture.bundle("species", &public("p256").await).await;
    check_golden("model.sig", bundle.bytes());
    assert_eq!(value.blobs.len(), 2);
    assert!(value.blobs.contains(&Digest::of(bundle.bytes())));
    // A newer format is refused.
    let mut newer = value.clone();
    newer.record["format"] = json!(2);
    let build = |_: &_| {
        let mut transaction = Transaction::new(ada(), "another program");
        transaction.set(path.clone(), newer.clone(), Expectation::Any);
        Ok(Step::Commit(transaction, ()))
    };
    fixture.repo.transact(build).await.unwrap();
    let view = fixture.repo.view().await.unwrap();
    let refused = signatures(&view, &locator("species")).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Incompatible);
}

/// Compares with a golden file, or writes it where it is missing.
fn check_golden(name: &str, bytes: &[u8]) {
    let directory = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/golden/model-signing/v1"
    );
    let path = Path::new(directory).join(name);
    if !path.exists() {
        std::fs::create_dir_all(directory).unwrap();
        std::fs::write(&path, bytes).unwrap();
    }
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "{name}");
}
