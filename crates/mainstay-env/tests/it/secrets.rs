//! No secret reaches a manifest, wherever it is placed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use mainstay_env::{Capture, EnvManifest, Platform};

/// Shapes of real credentials, none of them real; split so that scanners do not report the file.
const CREDENTIALS: &str = include_str!("../../../../tests/corpus/credentials.tsv");

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
    let credentials = CREDENTIALS
        .lines()
        .map(|line| line.split_once('\t').unwrap());
    assert!(credentials.clone().count() >= 40);
    for (prefix, rest) in credentials {
        let secret = format!("{prefix}{rest}");
        let json = serde_json::to_string(&capture_with(&secret)).unwrap();
        let leaks = [
            rest.to_owned(),
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
