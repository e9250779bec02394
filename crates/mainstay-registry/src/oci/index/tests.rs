use proptest::prelude::*;

use super::*;

fn image(version: &str, digit: char) -> Descriptor {
    serde_json::from_value(json!({
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": format!("sha256:{}", digit.to_string().repeat(64)),
        "size": 7,
        "annotations": {ANNOTATION_REF_NAME: version},
    }))
    .unwrap()
}

#[test]
fn what_another_program_wrote_stays() {
    let theirs = json!({
        "schemaVersion": 2,
        "manifests": [{
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": format!("sha512:{}", "a".repeat(128)),
            "size": 3,
            "annotations": {"org.example": "x"},
            "org.example.unknown": [1, {"deep": null}],
        }],
        "annotations": {"org.example": "y"},
        "unknown": {"member": 1.5},
    });
    let index = Index::parse(theirs.to_string().as_bytes()).unwrap();
    let bytes = index.with(&image("1.0.0", 'b')).unwrap().unwrap();
    let mut ours: Value = serde_json::from_slice(&bytes).unwrap();
    let added = ours["manifests"].as_array_mut().unwrap().pop().unwrap();
    assert_eq!(ours, theirs);
    assert_eq!(added["annotations"][ANNOTATION_REF_NAME], "1.0.0");
}

#[test]
fn a_name_is_of_one_image() {
    let index = Index::empty().unwrap();
    let bytes = index.with(&image("1.0.0", 'a')).unwrap().unwrap();
    let index = Index::parse(&bytes).unwrap();
    assert_eq!(index.with(&image("1.0.0", 'a')).unwrap(), None);
    let error = index.with(&image("1.0.0", 'b')).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    // The same image may have two names.
    assert!(index.with(&image("1.0.1", 'a')).unwrap().is_some());
}

proptest! {
    #[test]
    fn damaged_indexes_are_read_or_refused(
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let index = Index::empty().unwrap();
        let mut bytes = index.with(&image("1.0.0", 'a')).unwrap().unwrap();
        for (at, byte) in cuts {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        match Index::parse(&bytes) {
            // Whatever is read can be added to.
            Ok(index) => prop_assert!(index.with(&image("2.0.0", 'b')).is_ok()),
            Err(error) => prop_assert!(
                matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Unsupported)
            ),
        }
    }
}
