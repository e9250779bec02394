//! The signature that an `MLmodel` among the files of a version states.

use std::time::Duration;

use mainstay_core::ErrorKind;
use mainstay_registry::signature::{ColSpec, DataType, Schema, Signature};
use mainstay_registry::{FileSpec, ModelSpec, UploadSpec};

use crate::fixture::{Fixture, ada, file, name, spec};

const STATED: &str = r#"
flavors:
  python_function:
    loader_module: mlflow.sklearn
mlflow_version: 3.17.2
signature:
  inputs: '[{"type": "double", "name": "mass", "required": true}]'
  outputs: '[{"type": "string", "required": true}]'
  params: null
"#;

fn mass_to_text() -> Signature {
    Signature::new(
        Some(Schema::Columns(vec![ColSpec::new(
            "mass",
            DataType::Double,
        )])),
        Some(Schema::Columns(vec![ColSpec::unnamed(DataType::String)])),
    )
}

#[tokio::test]
async fn it_is_read_from_memory_a_disk_and_an_upload() {
    let fixture = Fixture::new().await;
    let registry = &fixture.registry;
    let in_memory = spec("m", "weights").with_file(file("MLmodel", STATED));
    let read = registry.mlmodel_signature(&in_memory).await.unwrap();
    assert_eq!(read, Some(mass_to_text()));

    let directory = tempfile::tempdir().unwrap();
    let disk = directory.path().join("MLmodel");
    std::fs::write(&disk, STATED).unwrap();
    let on_disk = FileSpec::from_disk("MLmodel".parse().unwrap(), &disk);
    let on_disk = spec("m", "weights").with_file(on_disk);
    let read = registry.mlmodel_signature(&on_disk).await.unwrap();
    assert_eq!(read, Some(mass_to_text()));
    std::fs::remove_file(&disk).unwrap();
    let gone = registry.mlmodel_signature(&on_disk).await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);

    let expires = fixture.now().saturating_add(Duration::from_hours(1));
    let begin = UploadSpec::new(name("m"), name("job"), expires, ada(), "begin");
    registry.begin_upload(begin).await.unwrap();
    let uploaded = ModelSpec::new(name("m"), ada(), "register").with_upload(name("job"));
    assert_eq!(registry.mlmodel_signature(&uploaded).await.unwrap(), None);
    let files = [file("MLmodel", STATED), file("model.pkl", "weights")];
    let (model, id) = (name("m"), name("job"));
    let add = registry.upload(&model, &id, &files, ada(), "add");
    add.await.unwrap();
    let read = registry.mlmodel_signature(&uploaded).await.unwrap();
    assert_eq!(read, Some(mass_to_text()));
}

#[tokio::test]
async fn none_is_read_where_none_is_stated_or_the_file_lies_deeper() {
    let fixture = Fixture::new().await;
    for files in [
        vec![],
        vec![file("MLmodel", "flavors: {}\n")],
        vec![file("MLmodel", "flavors: {}\nsignature: null\n")],
        vec![file("model/MLmodel", STATED)],
    ] {
        let spec = spec("m", "weights").with_files(files);
        let read = fixture.registry.mlmodel_signature(&spec).await.unwrap();
        assert_eq!(read, None, "{spec:?}");
    }
}

#[tokio::test]
async fn what_is_no_signature_is_refused_by_name_and_registering_does_not_look() {
    let fixture = Fixture::new().await;
    let long = format!("# {}\n", "x".repeat(4 << 20));
    let anchors = "a: &a [1, 2]\nb: &b [*a, *a]\nsignature: [*b".to_owned();
    for text in [
        "signature: {inputs: 7}".to_owned(),
        "signature: {inputs: '[{\"type\": \"complex\"}]'}".to_owned(),
        "signature: {inputs: '[]', guesses: '[]'}".to_owned(),
        "\t: not yaml".to_owned(),
        anchors,
        long,
    ] {
        let spec = spec("m", "weights").with_file(file("MLmodel", &text));
        let error = fixture.registry.mlmodel_signature(&spec).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        let named = error
            .contexts()
            .any(|(key, value)| (key, value) == ("file", "MLmodel"));
        assert!(named, "{error}");
    }
    let stated = spec("m", "weights").with_file(file("MLmodel", STATED));
    fixture.register(stated).await;
    let shown = fixture.registry.show(&"m".parse().unwrap()).await.unwrap();
    assert_eq!(shown.record.signature, None);
}
