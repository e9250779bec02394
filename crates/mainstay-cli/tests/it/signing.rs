//! `mainstay model sign` and `mainstay model verify`

use std::fs;

use crate::support::Shell;

/// Keys for tests alone.
macro_rules! key {
    ($name:literal) => {
        include_str!(concat!(
            "../../../mainstay-registry/tests/fixtures/model-signing/",
            $name
        ))
    };
}

fn with_a_model() -> Shell {
    let shell = Shell::new();
    shell.write("key.pem", key!("p256.key.pem"));
    shell.write("key.pub.pem", key!("p256.pub.pem"));
    shell.write("other.pub.pem", key!("p384.pub.pem"));
    shell.json("model register fraud model.bin");
    shell
}

#[test]
fn a_version_is_signed_once_and_verified_by_the_public_key_alone() {
    let shell = with_a_model();
    let before = shell.run("model verify fraud --key key.pub.pem");
    assert_eq!((before.code, before.out.contains("not signed")), (1, true));

    let signed = shell.json("model sign fraud --key key.pem");
    assert_eq!(signed["model"], "model:fraud@1.0.0");
    let again = shell.json("model sign fraud --key key.pem");
    assert!(again["seq"].is_null());
    let shown = shell.json("model show fraud");
    assert_eq!(shown["signatures"][0]["key"], signed["key"]);

    let found = shell.json("model verify fraud --key key.pub.pem");
    assert_eq!(found["verdict"], "verified");
    assert_eq!(shell.run("model verify fraud --key other.pub.pem").code, 1);
    let private = shell.run("model verify fraud --key key.pem");
    assert_eq!(private.code, 2, "{}", private.err);
}

#[test]
fn what_was_pulled_is_verified_beside_its_signature_and_a_change_is_named() {
    let shell = with_a_model();
    shell.json("model sign fraud --key key.pem");
    shell.json("model verify fraud --key key.pub.pem --export model.sig");
    shell.json("model pull fraud pulled");
    let verify = "model verify pulled --signature model.sig --key key.pub.pem";
    let good = shell.run(verify);
    assert_eq!(good.code, 0, "{}{}", good.out, good.err);

    fs::write(shell.path("pulled/model.bin"), "poisoned").unwrap();
    fs::write(shell.path("pulled/new.bin"), "new").unwrap();
    let bad = shell.run(verify);
    assert_eq!(bad.code, 1);
    assert!(bad.out.contains("model.bin: altered"), "{}", bad.out);
    assert!(bad.out.contains("new.bin: not signed"), "{}", bad.out);
}

#[test]
fn a_private_key_reaches_neither_output_nor_workspace() {
    let shell = with_a_model();
    let secret: String = key!("p256.key.pem").lines().nth(1).unwrap().to_owned();
    let signed = shell.run("model sign fraud --key key.pem");
    shell.write(
        "bad.pem",
        &key!("p256.key.pem").replace(&secret[4..8], "!!!!"),
    );
    let refused = shell.run("model sign fraud --key bad.pem");
    assert_eq!(refused.code, 2);
    for text in [signed.out, signed.err, refused.out, refused.err] {
        assert!(!text.contains(&secret[12..]), "{text}");
    }
}
