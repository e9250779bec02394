use mainstay_core::ErrorKind;

use crate::fixture::{Fixture, file, locator, spec};

#[tokio::test]
async fn a_pulled_model_is_what_was_registered() {
    let fixture = Fixture::new().await;
    let model = spec("fraud", "weights").with_file(file("tokenizer/vocab.json", "{}"));
    fixture.register(model).await;
    let view = fixture.repo.view().await.unwrap();
    let parent = tempfile::tempdir().unwrap();
    let target = parent.path().join("pulled");
    let registry = &fixture.registry;
    let report = registry
        .pull(&view, &locator("fraud"), &target)
        .await
        .unwrap();
    assert_eq!((report.files.len(), report.bytes), (2, 9));
    assert_eq!(
        std::fs::read_to_string(target.join("model.bin")).unwrap(),
        "weights"
    );
    assert_eq!(
        std::fs::read_to_string(target.join("tokenizer/vocab.json")).unwrap(),
        "{}"
    );
    // Nothing else is left, and what is there is not touched.
    assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 1);
    let error = registry
        .pull(&view, &locator("fraud"), &target)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    let empty = parent.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    registry
        .pull(&view, &locator("fraud"), &empty)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_pull_that_fails_leaves_nothing_behind() {
    let fixture = Fixture::new().await;
    fixture.weights("fraud", "weights").await;
    let view = fixture.repo.view().await.unwrap();
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("file");
    std::fs::write(&file, "in the way").unwrap();
    let registry = &fixture.registry;
    for target in [file.clone(), file.join("below")] {
        let error = registry
            .pull(&view, &locator("fraud"), &target)
            .await
            .unwrap_err();
        assert_eq!(error.operation_name(), Some("pull model"));
    }
    let target = parent.path().join("x");
    let error = registry
        .pull(&view, &locator("gone"), &target)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 1);
}
