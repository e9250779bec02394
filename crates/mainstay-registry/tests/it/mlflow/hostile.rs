//! Stores that somebody made to do harm, or that are damaged.

use std::fs;
use std::path::Path;

use mainstay_core::ErrorKind::{self, Invalid, NotFound};
use mainstay_registry::mlflow::{ImportSpec, Outcome};

use super::tiny::{self, Tiny};
use crate::fixture::{Fixture, ada};

const RUN: &str = "0/r1/meta.yaml";
const VERSION: &str = "models/m/version-1/meta.yaml";
const LINE: &str = "0/r1/metrics/loss";
const MLMODEL: &str = "0/r1/artifacts/model/MLmodel";

/// Replaces a file, and says which file the error has to name.
fn damaged() -> Vec<(&'static str, Vec<u8>, ErrorKind, &'static str)> {
    let bytes = |text: &str| text.as_bytes().to_vec();
    let source = |source: &str| bytes(&tiny::version(1, source));
    let run = tiny::run("r1", 3);
    let laugh = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b, *d]\n";
    vec![
        ("0/meta.yaml", bytes("{"), Invalid, "0/meta.yaml"),
        ("0/meta.yaml", bytes("name: e\n"), Invalid, "0/meta.yaml"),
        (RUN, bytes(laugh), Invalid, RUN),
        (RUN, bytes(&"[".repeat(1 << 20)), Invalid, RUN),
        (RUN, vec![b'x'; 5 << 20], Invalid, RUN),
        (RUN, vec![0xff, 0xfe], Invalid, RUN),
        (RUN, bytes(&run.replace("r1", "r2")), Invalid, RUN),
        (RUN, bytes(&run.replace("'0'", "'7'")), Invalid, RUN),
        (
            RUN,
            bytes(&run.replace("status: 3", "status: 9")),
            Invalid,
            RUN,
        ),
        (
            RUN,
            bytes(&run.replace("2000", "9223372036854775807")),
            Invalid,
            RUN,
        ),
        (RUN, bytes(&run.replace("2000", "-1")), Invalid, RUN),
        (LINE, bytes("1000 0.5 0\n1000 half 1\n"), Invalid, LINE),
        (LINE, bytes("1000 0.5 9223372036854775807\n"), Invalid, RUN),
        (
            "0/r1/params/rate",
            vec![b'1'; 100_001],
            Invalid,
            "0/r1/params/rate",
        ),
        ("0/r1/tags/ spaced ", bytes("x"), Invalid, RUN),
        (
            MLMODEL,
            bytes("signature: {inputs: '[{}]'}\n"),
            Invalid,
            MLMODEL,
        ),
        (MLMODEL, bytes("signature: *nothing\n"), Invalid, MLMODEL),
        (
            "models/m/meta.yaml",
            bytes("name: ../m\n"),
            Invalid,
            "models/m/meta.yaml",
        ),
        (
            VERSION,
            source("runs:/r1/gone"),
            NotFound,
            "0/r1/artifacts/gone",
        ),
        (VERSION, source("runs:/r1/../../../etc"), Invalid, VERSION),
        (VERSION, source("runs:/r1/a//b"), Invalid, VERSION),
        (VERSION, source("file:///%ff"), Invalid, VERSION),
        (VERSION, source("models:/m/1"), Invalid, VERSION),
    ]
}

#[tokio::test]
async fn a_damaged_file_is_named_and_the_import_goes_on_once_it_is_repaired() {
    for (path, content, kind, named) in damaged() {
        let (fixture, tiny) = (Fixture::new().await, Tiny::new());
        let spec = ImportSpec::new(tiny.path(), ada(), "import");
        let before = fs::read(tiny.path().join(path)).ok();
        tiny.write(path, content);
        for spec in [spec.clone().dry_run(), spec.clone()] {
            let error = fixture.registry.import_mlflow(&spec).await.unwrap_err();
            let told = error.to_string();
            assert_eq!(error.kind(), kind, "{path}: {told}");
            let names = told.contains(named) || named == RUN && told.contains("r1");
            let names = names || named == VERSION && told.contains("m/1");
            assert!(names, "{path}: {told}");
        }
        let view = fixture.repo.view().await.unwrap();
        assert_eq!(view.below("model").unwrap().count(), 0, "{path}");
        match before {
            Some(before) => tiny.write(path, before),
            None => fs::remove_file(tiny.path().join(path)).unwrap(),
        }
        let report = fixture.registry.import_mlflow(&spec).await.unwrap();
        assert_eq!(report.conflicts, [], "{path}");
        assert_eq!(report.versions[0].outcome, Outcome::New, "{path}");
    }
}

#[tokio::test]
async fn files_outside_of_the_store_are_not_read() {
    let outside = tempfile::TempDir::new().unwrap();
    fs::write(outside.path().join("secret"), "s3cret").unwrap();
    let uri = format!("file://{}", outside.path().display());
    let plain = outside.path().display().to_string();
    let sly = format!("/x/0/../../../{}", outside.path().display());
    for source in [
        uri.as_str(),
        plain.as_str(),
        sly.as_str(),
        "C:/windows",
        "../..",
        "http://127.0.0.1/x",
    ] {
        let (fixture, tiny) = (Fixture::new().await, Tiny::new());
        tiny.write(VERSION, tiny::version(1, source));
        let spec = ImportSpec::new(tiny.path(), ada(), "import");
        let report = fixture.registry.import_mlflow(&spec).await.unwrap();
        assert_eq!(report.versions, [], "{source}");
        let remark = report
            .left_out
            .iter()
            .find(|remark| remark.what == "m/1")
            .unwrap();
        assert!(
            remark.why.contains("not in the store"),
            "{source}: {remark:?}"
        );
    }
}

#[cfg(unix)]
#[tokio::test]
async fn links_are_not_followed() {
    let outside = tempfile::TempDir::new().unwrap();
    fs::write(outside.path().join("meta.yaml"), tiny::run("r2", 3)).unwrap();
    let links: [(&str, &Path); 7] = [
        (
            "0/r1/artifacts/model/link",
            &outside.path().join("meta.yaml"),
        ),
        ("0/r1/artifacts/all", outside.path()),
        ("0/r1/metrics/key", &outside.path().join("meta.yaml")),
        ("0/r2", outside.path()),
        ("0/r1/tags/key", &outside.path().join("meta.yaml")),
        ("models/m/version-2", outside.path()),
        ("models/m/aliases/second", &outside.path().join("meta.yaml")),
    ];
    for (link, target) in links {
        let (fixture, tiny) = (Fixture::new().await, Tiny::new());
        std::os::unix::fs::symlink(target, tiny.path().join(link)).unwrap();
        let spec = ImportSpec::new(tiny.path(), ada(), "import");
        let error = fixture.registry.import_mlflow(&spec).await.unwrap_err();
        assert_eq!(error.kind(), Invalid, "{link}");
        assert!(error.to_string().contains(link), "{link}: {error}");
    }
}

#[tokio::test]
async fn what_is_no_store_is_refused() {
    let (fixture, empty) = (Fixture::new().await, tempfile::TempDir::new().unwrap());
    fs::create_dir(empty.path().join("src")).unwrap();
    fs::write(empty.path().join("file"), "").unwrap();
    for (path, kind) in [("", Invalid), ("file", Invalid), ("absent", NotFound)] {
        let spec = ImportSpec::new(empty.path().join(path), ada(), "import");
        let error = fixture.registry.import_mlflow(&spec).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{path}: {error}");
    }
}
