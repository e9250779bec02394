use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::artifact::ArtifactFile;
use crate::signing::{Bundle, SigningKey};

fn key() -> SigningKey {
    let pem = include_str!("../../../tests/fixtures/model-signing/p256.key.pem");
    SigningKey::from_pem(pem).unwrap()
}

fn artifact(paths: &[&str]) -> Artifact {
    let file = |path: &&str| ArtifactFile {
        path: path.parse().unwrap(),
        digest: Digest::of(path.as_bytes()),
        bytes: 1,
        media_type: "text/plain".into(),
    };
    Artifact::of(paths.iter().map(file).collect()).unwrap()
}

fn manifest(paths: &[&str]) -> Manifest {
    let node = "model:fraud@1.2.0".parse().unwrap();
    Manifest::of(&node, Digest::of(b"record"), &artifact(paths)).unwrap()
}

fn statement(paths: &[&str]) -> Value {
    serde_json::from_slice(&manifest(paths).to_statement().unwrap()).unwrap()
}

fn read(statement: &Value) -> Result<Manifest> {
    Manifest::from_statement(statement.to_string().as_bytes())
}

#[test]
fn a_statement_lists_the_files_by_code_point_and_the_digest_is_over_theirs() {
    let statement = statement(&["sub/config.json", "sub.txt", "model.bin"]);
    let resources = statement["predicate"]["resources"].as_array().unwrap();
    let names: Vec<_> = resources.iter().map(|resource| &resource["name"]).collect();
    assert_eq!(names, ["model.bin", "sub.txt", "sub/config.json"]);
    let mut all = Vec::new();
    for name in ["model.bin", "sub.txt", "sub/config.json"] {
        all.extend_from_slice(Digest::of(name.as_bytes()).as_bytes());
    }
    assert_eq!(
        statement["subject"],
        json!([{
            "name": "fraud",
            "digest": {"sha256": Digest::of(&all).to_hex()},
            "annotations": {
                "mainstay.version": "model:fraud@1.2.0",
                "mainstay.record": Digest::of(b"record"),
            },
        }])
    );
}

#[test]
fn what_git_keeps_beside_a_model_is_left_out_at_the_top_only() {
    let manifest = manifest(&[
        "model.bin",
        ".gitattributes",
        ".git/config",
        ".github/workflows/a.yml",
        "sub/.gitignore",
        ".gitmodules",
    ]);
    let names: Vec<_> = manifest.resources().keys().collect();
    assert_eq!(names, [".gitmodules", "model.bin", "sub/.gitignore"]);
    let node = "model:fraud@1.2.0".parse().unwrap();
    let nothing = Manifest::of(&node, Digest::of(b""), &artifact(&[".gitignore"]));
    assert_eq!(nothing.unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn a_statement_that_contradicts_itself_is_refused() {
    let good = statement(&["a", "b"]);
    assert_eq!(read(&good).unwrap(), manifest(&["a", "b"]));
    let change = |pointer: &str, value: Value| {
        let mut changed = good.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        (pointer.to_owned(), changed)
    };
    let resources = "/predicate/resources";
    for (what, bad) in [
        change("/_type", json!("https://in-toto.io/Statement/v2")),
        change("/predicateType", json!("https://slsa.dev/provenance/v1")),
        change("/predicate/serialization/method", json!("tensors")),
        change("/predicate/serialization/hash_type", json!("blake2b")),
        change(&format!("{resources}/0/algorithm"), json!("blake3")),
    ] {
        assert_eq!(
            read(&bad).unwrap_err().kind(),
            ErrorKind::Unsupported,
            "{what}"
        );
    }
    for (what, bad) in [
        change("/subject", json!([])),
        change("/subject", json!([good["subject"][0], good["subject"][0]])),
        change("/subject/0/digest/sha256", json!("00".repeat(32))),
        change(resources, json!([])),
        change(&format!("{resources}/1/name"), json!("a")),
        change(&format!("{resources}/0/digest"), json!("A".repeat(64))),
        change(&format!("{resources}/0/digest"), json!("0a")),
        change("/predicate/serialization/method", json!("shards")),
        change(
            "/predicate",
            json!({"serialization": good["predicate"]["serialization"]}),
        ),
    ] {
        assert_eq!(read(&bad).unwrap_err().kind(), ErrorKind::Invalid, "{what}");
    }
    let mut shards = change("/predicate/serialization/method", json!("shards")).1;
    for (size, readable) in [
        (json!(4), true),
        (json!(4.0), true),
        (json!(0), false),
        (json!(-4), false),
        (json!(1.5), false),
        (json!(1e300), false),
    ] {
        shards["predicate"]["serialization"]["shard_size"] = size.clone();
        assert_eq!(read(&shards).is_ok(), readable, "{size}");
    }
}

#[test]
fn annotations_of_others_do_not_name_a_version() {
    let mut statement = statement(&["a"]);
    for annotations in [json!(null), json!("x"), json!({"mainstay.version": 1})] {
        statement["subject"][0]["annotations"] = annotations;
        assert_eq!(read(&statement).unwrap().version(), None);
    }
}

#[test]
fn hostile_json_is_refused_without_harm() {
    let deep = "[".repeat(1 << 20);
    for bytes in ["", "null", "{}", &deep] {
        assert_eq!(
            Bundle::parse(bytes.to_owned()).unwrap_err().kind(),
            ErrorKind::Invalid
        );
        let error = Manifest::from_statement(bytes.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
    let long = vec![b' '; (16 << 20) + 1];
    assert_eq!(Bundle::parse(long).unwrap_err().kind(), ErrorKind::Invalid);
}

proptest! {
    // Signatures take their time in a build that is not optimized.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_bytes_are_refused_without_panic(bytes: Vec<u8>) {
        prop_assert!(Bundle::parse(bytes.clone()).is_err());
        prop_assert!(Manifest::from_statement(&bytes).is_err());
    }

    #[test]
    fn a_bundle_that_was_tampered_with_never_says_anything_else(
        at: prop::sample::Index,
        byte: u8,
        cut: Option<prop::sample::Index>,
    ) {
        let key = key();
        let manifest = manifest(&["a/b", "c"]);
        let mut bytes = Bundle::sign(&manifest, &key).unwrap().bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(bundle) = Bundle::parse(bytes)
            && let Some(read) = bundle.verify(key.verifying_key()).unwrap()
        {
            prop_assert_eq!(read, manifest);
        }
    }

    #[test]
    fn what_is_signed_is_read_back(paths in prop::collection::btree_set("[a-z]{1,8}(/[0-9]{1,3}){0,3}\\.x", 1..20)) {
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let manifest = manifest(&paths);
        let key = key();
        let bundle = Bundle::sign(&manifest, &key).unwrap();
        let bundle = Bundle::parse(bundle.bytes().clone()).unwrap();
        prop_assert_eq!(bundle.verify(key.verifying_key()).unwrap(), Some(manifest));
    }
}
