use std::path::PathBuf;

use proptest::prelude::*;

use super::location::Location;
use super::names::spelled;
use super::records::{MlmodelFile, RunFile};
use super::series::point;
use super::text::{parse, without_credentials};

#[test]
fn names_are_spelled_as_names() {
    for (mlflow, name) in [
        ("churn", "churn"),
        ("price model", "price-model"),
        ("price forecasts (2026)", "price-forecasts-2026"),
        ("/Users/ada/exp..2", "Users-ada-exp.-2"),
        ("żółw, 龟", "żółw-龟"),
    ] {
        assert_eq!(spelled(mlflow).unwrap().as_str(), name, "{mlflow}");
    }
    for bad in ["", "//", "(...)"] {
        assert!(spelled(bad).is_err(), "{bad}");
    }
}

#[test]
fn points_are_read_in_each_form_that_mlflow_wrote() {
    for (line, value, step) in [
        ("1790001003000 1e-300 3", 1e-300, 3),
        ("1790001003000 inf -3", f64::INFINITY, -3),
        ("1790001003000 -inf 0", f64::NEG_INFINITY, 0),
        ("1790001003000 5", 5.0, 0),
        ("1790001003000 0.5 7 customers f1e2", 0.5, 7),
    ] {
        let point = point(line).unwrap();
        assert_eq!((point.value.value(), point.step), (value, step), "{line}");
        assert_eq!(point.time.as_unix_micros() % 1_000_000_000, 3_000_000);
    }
    assert!(point("0 nan 0").unwrap().value.value().is_nan());
    for bad in [
        "",
        "1",
        "x 1 1",
        "1 x 1",
        "1 1 x",
        "9223372036854775807 1 1",
        "1.5 1 1",
    ] {
        assert!(point(bad).is_err(), "{bad}");
    }
}

#[test]
fn credentials_in_urls_are_dropped() {
    for (text, clean) in [
        ("https://ada:s3cret@example.org/x", "https://example.org/x"),
        (
            r#"{"url": "s3://a:b@c@bucket/k"}"#,
            r#"{"url": "s3://bucket/k"}"#,
        ),
        ("git@example.org:x.git", "git@example.org:x.git"),
        ("https://example.org/@ada", "https://example.org/@ada"),
        ("no URL", "no URL"),
    ] {
        assert_eq!(without_credentials(text), clean);
    }
}

#[test]
fn locations_are_told_apart() {
    let local = |path: &str| Location::Local(path.into());
    for (uri, location) in [
        ("file:///srv/my%20ml/0", local("/srv/my ml/0")),
        ("file:/srv/ml/", local("/srv/ml")),
        ("./mlruns/0", local("./mlruns/0")),
        ("C:/mlruns", local("C:/mlruns")),
        (
            "file://host/srv",
            Location::Remote("file://host/srv".into()),
        ),
        ("s3://bucket/ml/", Location::Remote("s3://bucket/ml".into())),
    ] {
        assert_eq!(Location::parse(uri).unwrap(), location, "{uri}");
    }
    assert!(Location::parse("file:///%ff").is_err());
}

/// Ten levels of ten references each: ten thousand million nodes.
fn laughs() -> String {
    let level = |level: usize| {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        format!("a{level}: &a{level} [{below}]\n")
    };
    let levels: Vec<String> = (1..10).map(level).collect();
    format!("a0: &a0 [x]\n{}", levels.concat())
}

#[test]
fn yaml_that_would_grow_is_refused() {
    let deep = format!("signature: {}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let blocks: Vec<String> = (0..5_000).map(|depth| " ".repeat(depth) + "-\n").collect();
    let wide = format!("signature: [{}]", "1, ".repeat(200_000));
    let signed = format!("{}signature: *a9\n", laughs());
    for text in [deep, blocks.concat(), wide, signed, laughs()] {
        assert!(parse::<MlmodelFile>(&text).is_err(), "{text:.40}");
    }
}

#[test]
fn yaml_is_read_as_python_writes_it() {
    let file: RunFile = parse(
        "run_id: 12345678e90123456789012345678901\nexperiment_id: 0\nstatus: 3\nstart_time: 1\n\
         end_time: null\nuser_id: \"\\u017C\\xF3\\u0142w \\U0001F422\"\ntags: []\n",
    )
    .unwrap();
    assert_eq!(file.run_id.unwrap(), "12345678e90123456789012345678901");
    assert_eq!(
        (file.experiment_id.as_str(), file.status.as_deref()),
        ("0", Some("3"))
    );
    assert_eq!(
        (file.end_time, file.user_id.as_deref()),
        (None, Some("żółw 🐢"))
    );
}

proptest! {
    #[test]
    fn no_line_and_no_yaml_panics(text in "\\PC{0,64}", bytes in any::<Vec<u8>>()) {
        drop(point(&text));
        drop(Location::parse(&text));
        drop(spelled(&text));
        drop(parse::<RunFile>(&text));
        drop(parse::<MlmodelFile>(&String::from_utf8_lossy(&bytes)));
    }

    /// Real files with something else in the middle.
    #[test]
    fn no_damaged_file_panics(at in 0..1_200_usize, cut in 0..64_usize, junk in "[-:\\[\\]{}&*!|>'\" \n\t0-9a-z]{0,16}") {
        let corpus = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus/mlflow/MLmodel");
        let text = std::fs::read_to_string(corpus).unwrap();
        let mut text: Vec<char> = text.chars().collect();
        let from = at.min(text.len());
        let to = (from + cut).min(text.len());
        text.splice(from..to, junk.chars());
        let text: String = text.into_iter().collect();
        drop(parse::<MlmodelFile>(&text));
        drop(parse::<RunFile>(&text));
    }
}
