use std::path::PathBuf;

use super::*;

fn fixture(name: &str) -> PathBuf {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/model-signing");
    PathBuf::from(root).join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(fixture(name)).unwrap()
}

#[tokio::test]
async fn a_key_of_every_curve_is_read_and_its_fingerprint_is_the_digest_of_the_public_file() {
    for (curve, name) in [
        (Curve::P256, "p256"),
        (Curve::P384, "p384"),
        (Curve::P521, "p521"),
    ] {
        let public = fixture(&format!("{name}.pub.pem"));
        let expected = Digest::of(&std::fs::read(&public).unwrap());
        let public = VerifyingKey::read(&public).await.unwrap();
        let private = SigningKey::read(&fixture(&format!("{name}.key.pem"))).await;
        let private = private.unwrap();
        assert_eq!(private.verifying_key(), &public);
        assert_eq!((public.curve(), public.fingerprint()), (curve, expected));

        let signature = private.sign(b"message");
        assert_eq!(signature, private.sign(b"message"), "deterministic");
        assert!(public.verifies(b"message", &signature));
        assert!(!public.verifies(b"massage", &signature));
        assert!(!public.verifies(b"message", &signature[1..]));
    }
}

#[test]
fn the_form_that_openssl_writes_by_default_is_read_parameters_and_all() {
    let key = SigningKey::from_pem(&text("p256.sec1.pem")).unwrap();
    let same = SigningKey::from_pem(&text("p256.key.pem")).unwrap();
    assert_eq!(key.verifying_key(), same.verifying_key());
}

#[test]
fn what_is_no_key_is_refused_and_not_repeated() {
    let secret = text("p256.key.pem");
    let damaged = secret.replace('B', "C");
    for (bad, kind) in [
        (text("p256.encrypted.pem"), ErrorKind::Unsupported),
        (text("k256.key.pem"), ErrorKind::Invalid),
        (text("p256.pub.pem"), ErrorKind::Invalid),
        (damaged.clone(), ErrorKind::Invalid),
        (secret[..secret.len() / 2].to_owned(), ErrorKind::Invalid),
        (String::new(), ErrorKind::Invalid),
    ] {
        let error = SigningKey::from_pem(&bad).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        let shown = format!("{error:?} {error}");
        for line in bad.lines().filter(|line| line.len() > 8) {
            assert!(!shown.contains(line), "{shown}");
        }
    }
    for bad in [&secret, &damaged, "", "-----BEGIN PUBLIC KEY-----"] {
        let error = VerifyingKey::from_pem(bad).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(!format!("{error:?}").contains(&secret[40..60]));
    }
}

#[test]
fn a_private_key_is_never_shown() {
    let text = text("p256.key.pem");
    let shown = format!("{:?}", SigningKey::from_pem(&text).unwrap());
    assert!(shown.contains("P-256 sha256:"), "{shown}");
    let scalar: [u8; 32] = match &SigningKey::from_pem(&text).unwrap().secret {
        Secret::P256(key) => key.to_bytes().into(),
        _ => panic!("another curve"),
    };
    let hex = Digest::from_bytes(scalar).to_hex();
    assert!(!shown.contains(&hex[..16]), "{shown}");
}

#[tokio::test]
async fn a_file_that_is_too_long_for_a_key_is_not_read_to_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.pem");
    std::fs::write(&path, vec![b'-'; 1 << 20]).unwrap();
    for error in [
        SigningKey::read(&path).await.unwrap_err(),
        VerifyingKey::read(&path).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("too long"), "{error}");
    }
    let missing = SigningKey::read(&directory.path().join("none")).await;
    assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound);
}
