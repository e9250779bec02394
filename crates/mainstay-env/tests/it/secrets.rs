//! No secret reaches a manifest, wherever it is placed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use mainstay_env::{Capture, EnvManifest, Platform};

/// Shapes of real credentials, none of them real. Split so that scanners do not report this file.
const TOKENS: &[(&str, &str)] = &[
    ("AKIA", "IOSFODNN7EXAMPLE"),
    ("ASIA", "Y34FZKBOKMUTVV7A"),
    ("wJalrXUtnFEMI/", "K7MDENG/bPxRfiCYEXAMPLEKEY"),
    ("AIza", "SyDaGmWKa4JsXZHjGw7ISLn3namBGewQe"),
    ("ya29.", "a0AfH6SMBx7Yz1234567890abcdef"),
    ("GOCSPX-", "4FHSDF89sdf7gh34kjhk3h4k5j"),
    ("LTAI", "5tQ8hTmzGkLnB7hJxyz12345"),
    (
        "dop_v1_",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    ),
    ("dapi", "0123456789abcdef0123456789abcdef"),
    ("ghp_", "16C7e42F292c6912E7710c838347Ae178B4a"),
    ("gho_", "16C7e42F292c6912E7710c838347Ae178B4a"),
    ("ghs_", "16C7e42F292c6912E7710c838347Ae178B4a"),
    ("ghu_", "16C7e42F292c6912E7710c838347Ae178B4a"),
    ("ghr_", "16C7e42F292c6912E7710c838347Ae178B4a"),
    (
        "github_pat_",
        "11ABCDEFG0123456789_abcdefghijklmnopqrstuvwxyz",
    ),
    ("glpat-", "1234567890abcdefghij"),
    ("glrt-", "1234567890abcdefghij"),
    ("ATATT", "3xFfGF0T4JVjdMf1234567890"),
    ("npm_", "1234567890abcdefghijklmnopqrstuvwxyz"),
    ("pypi-", "AgEIcHlwaS5vcmcCJDU2Njg4MDc4LTk"),
    ("dckr_pat_", "1234567890abcdefghijklmnopq"),
    (
        "rubygems_",
        "1234567890abcdef1234567890abcdef1234567890abcdef",
    ),
    ("sk-", "proj-1234567890abcdefghijklmnop"),
    ("sk-ant-", "api03-1234567890abcdefghijklmnopqrstuvwxyz"),
    ("hf_", "1234567890abcdefghijklmnopqrstuvwx"),
    ("gsk_", "1234567890abcdefghijklmnopqrstuvwx"),
    ("r8_", "1234567890abcdefghijklmnopqrstuvwxyza"),
    ("nvapi-", "1234567890abcdefghijklmnopqrstuvwx"),
    ("lsv2_", "pt_1234567890abcdef1234567890abcdef_1234567890"),
    ("pk-lf-", "12345678-1234-1234-1234-123456789abc"),
    (
        "xoxb-",
        "123456789012-1234567890123-abcdefghijklmnopqrstuvwx",
    ),
    ("xoxp-", "123456789012-123456789012-abcdef1234567890"),
    ("xapp-", "1-A0123456789-1234567890123-abcdef"),
    ("sk_live_", "1234567890abcdefghijklmn"),
    ("rk_test_", "1234567890abcdefghijklmn"),
    ("whsec_", "1234567890abcdefghijklmnopqrstuv"),
    ("sq0atp-", "1234567890abcdefghijkl"),
    ("shpat_", "1234567890abcdef1234567890abcdef"),
    (
        "SG.",
        "1234567890abcdefghijkl.1234567890abcdefghijklmnopqrstuvwxyzABCDEFG",
    ),
    ("key-", "0123456789abcdef0123456789abcdef"),
    ("AC", "0123456789abcdef0123456789abcdef"),
    ("hvs.", "CAESIJ1234567890abcdefghijklmnop"),
    ("glsa_", "1234567890abcdefghijklmnopqrstuv_12345678"),
    ("NRAK-", "ABCDEFGHIJ1234567890ABCDEFG"),
    ("dp.pt.", "1234567890abcdefghijklmnopqrstuvwxyzABCDEFG"),
    ("tskey-", "auth-k1234567890-abcdefghijklmnop"),
    ("AGE-SECRET-KEY-1", "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"),
    (
        "eyJhbGciOiJIUzI1NiJ9.",
        "eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
    ),
    ("-----BEGIN RSA PRIVATE", " KEY-----MIIEowIBAAKCAQEA1234"),
    ("postgres://ada:hunter2-", "pass@db.example.org/prod"),
    ("https://oauth2:plain", "password@git.example.org/x"),
    (
        "DefaultEndpointsProtocol=https;AccountKey=",
        "Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA==",
    ),
    ("Bearer ", "1234567890abcdefghij"),
    ("password=", "correct-horse-battery"),
];

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Captures a tree that holds `secret` wherever a capture reads text.
fn capture_with(secret: &str) -> EnvManifest {
    let root = tempfile::tempdir().unwrap();
    let tree = root.path().join("tree");
    write(
        &tree,
        "etc/os-release",
        &format!("ID={secret}\nVERSION_ID=\"{secret}\"\n"),
    );
    write(&tree, "etc/timezone", secret);
    write(&tree, "proc/sys/kernel/osrelease", secret);
    write(
        &tree,
        "proc/cpuinfo",
        &format!("processor: 0\nvendor_id: {secret}\nmodel name: {secret}\n"),
    );
    write(
        &tree,
        "proc/driver/nvidia/version",
        &format!("Kernel Module {secret} 1.0"),
    );
    write(&tree, "sys/module/nvidia/version", secret);
    write(
        &tree,
        "proc/driver/nvidia/gpus/0/information",
        &format!("Model: {secret}\n"),
    );
    write(
        &tree,
        "venv/pyvenv.cfg",
        &format!("home = {secret}\nversion = {secret}\n"),
    );
    let site = "venv/lib/python3.11/site-packages";
    write(
        &tree,
        &format!("{site}/odd.egg-info/PKG-INFO"),
        &format!("Name: odd\nVersion: {secret}\n"),
    );
    write(
        &tree,
        &format!("{site}/name.egg-info/PKG-INFO"),
        &format!("Name: {secret}\nVersion: 1\n"),
    );
    write(&tree, &format!("{site}/x-1.dist-info/INSTALLER"), secret);
    let quoted = serde_json::to_string(secret).unwrap();
    let urls = [
        format!("https://{secret}@pypi.example.org/x"),
        format!("https://user:{secret}@pypi.example.org/x"),
        format!("https://pypi.example.org/x?token={secret}#{secret}"),
        format!("https://pypi.example.org/{}/x", secret.replace('/', "%2F")),
        secret.to_owned(),
    ];
    for (index, url) in urls.iter().enumerate() {
        let url = serde_json::to_string(url).unwrap();
        let forms = [
            format!(r#"{{"url":{url},"archive_info":{{"hash":{quoted}}}}}"#),
            format!(r#"{{"url":{url},"vcs_info":{{"vcs":{quoted},"commit_id":{quoted}}}}}"#),
            format!(
                r#"{{"url":{url},"vcs_info":{{"vcs":"git","commit_id":"{}"}}}}"#,
                "a".repeat(40)
            ),
        ];
        for (form, json) in forms.iter().enumerate() {
            write(
                &tree,
                &format!("{site}/p{index}{form}-1.dist-info/direct_url.json"),
                json,
            );
        }
    }
    let project = root.path().join("project");
    write(&project, "rust-toolchain", secret);
    write(&project, ".git/HEAD", secret);
    write(
        &project,
        ".git/config",
        &format!("[remote \"origin\"]\nurl = {}\n", urls[1]),
    );
    let names = ["OMP_NUM_THREADS", "LANG", "LC_ALL", "MY_SETTING"];
    let variables: BTreeMap<String, String> = names
        .iter()
        .map(|name| ((*name).to_owned(), secret.to_owned()))
        .collect();
    Capture::new()
        .with_root(&tree)
        .with_platform(Platform::new("linux", "x86_64"))
        .with_variables(variables)
        .allow_variable("MY_SETTING")
        .with_python("/venv")
        .with_project(project)
        .with_container_image(format!("user:{secret}@registry.example.org/{secret}"))
        .run()
}

#[test]
fn no_token_of_the_corpus_is_in_a_manifest() {
    assert!(TOKENS.len() >= 40);
    for (prefix, rest) in TOKENS {
        let secret = format!("{prefix}{rest}");
        let json = serde_json::to_string(&capture_with(&secret)).unwrap();
        let leaks = [
            (*rest).to_owned(),
            rest.replace('/', "%2F"),
            rest.to_lowercase(),
        ];
        for leak in leaks {
            assert!(!json.contains(&leak), "{secret} in {json}");
        }
    }
}

#[test]
fn what_is_not_secret_is_kept() {
    let json = serde_json::to_string(&capture_with("3.11.2")).unwrap();
    for kept in [
        r#""kernel":{"known":"3.11.2"}"#,
        r#""MY_SETTING":"3.11.2""#,
        "pypi.example.org/3.11.2/x",
    ] {
        assert!(json.contains(kept), "{kept} not in {json}");
    }
}
