//! Equal inputs and other bytes: the tensors that differ are named.

use mainstay_registry::tensor::{MAX_NAMED, TensorSummary};
use mainstay_registry::{FileSpec, ModelSpec, Reproduced};
use safetensors::tensor::{Dtype, TensorView};

use crate::fixture::{Fixture, ada, file, name};

/// A training whose inputs are always the same.
fn trained(files: impl IntoIterator<Item = FileSpec>) -> ModelSpec {
    ModelSpec::new(name("m"), ada(), "train")
        .with_code(name("training"), name("9f31c2a"))
        .with_seed("torch", 7)
        .with_files(files)
}

/// A safetensors file of tensors of bytes.
fn weights(path: &str, tensors: &[(&str, Vec<u8>)]) -> FileSpec {
    let views = tensors.iter().map(|(name, bytes)| {
        let view = TensorView::new(Dtype::U8, vec![bytes.len()], bytes).unwrap();
        (*name, view)
    });
    let bytes = safetensors::serialize(views, None).unwrap();
    FileSpec::from_bytes(path.parse().unwrap(), bytes)
}

fn differing(reproduced: &Reproduced) -> Option<&TensorSummary> {
    match reproduced {
        Reproduced::Differs { of, tensors } => {
            assert_eq!(of.to_string(), "1.0.0");
            tensors.as_deref()
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn those_that_changed_came_and_went_are_told_with_the_registration() {
    let fixture = Fixture::new().await;
    let body = vec![7; 300_000];
    let first = [
        ("body", body.clone()),
        ("head", vec![1; 4]),
        ("old", vec![3]),
    ];
    let first = fixture.register(trained([weights("a.safetensors", &first)]));
    assert_eq!(first.await.reproduced, Reproduced::New);
    let second = [
        ("body", body.clone()),
        ("head", vec![2; 4]),
        ("new", vec![3]),
    ];
    let second = trained([weights("a.safetensors", &second), file("log.txt", "2")]);
    let second = fixture.register(second).await;
    let told = differing(&second.reproduced).unwrap();
    assert_eq!(told.added.names, ["new"]);
    assert_eq!(told.removed.names, ["old"]);
    // Small ones are stored together with the header: that they differ takes reading them.
    let perhaps = [&told.changed.names[..], &told.undecided.names[..]].concat();
    assert_eq!(perhaps, ["head"]);
    assert!(told.other_files);
    let json = serde_json::to_value(&second.reproduced).unwrap();
    assert_eq!(json["differs"]["of"], "1.0.0");
    assert_eq!(json["differs"]["tensors"]["added"]["count"], 1);
}

#[tokio::test]
async fn the_list_is_bounded_and_none_where_there_are_no_other_tensors() {
    let fixture = Fixture::new().await;
    let names: Vec<String> = (0..100).map(|i| format!("t{i:03}")).collect();
    let all = |value: u8| {
        let tensors = names.iter().map(|name| (name.as_str(), vec![value]));
        weights("a.safetensors", &tensors.collect::<Vec<_>>())
    };
    fixture.register(trained([all(0)])).await;
    let other = fixture.register(trained([all(1)])).await;
    let told = differing(&other.reproduced).unwrap();
    assert_eq!(told.changed.count, 100);
    assert_eq!(told.changed.names, names[..MAX_NAMED]);
    let same = fixture
        .register(trained([all(0), file("log.txt", "1")]))
        .await;
    assert_eq!(differing(&same.reproduced), None);
    // What it cannot read does not undo the registration.
    let broken = file("a.safetensors", "no safetensors");
    let broken = fixture.register(trained([broken])).await;
    assert_eq!(differing(&broken.reproduced), None);
    assert_eq!(fixture.find("m").await.unwrap(), broken.version.to_string());
}

#[tokio::test]
async fn versions_of_one_batch_are_compared_too() {
    let fixture = Fixture::new().await;
    let batch = [0, 1].map(|value| trained([weights("a.safetensors", &[("w", vec![value])])]));
    let batch = fixture
        .registry
        .register_many(batch.to_vec())
        .await
        .unwrap();
    assert_eq!(batch[0].reproduced, Reproduced::New);
    let told = differing(&batch[1].reproduced).unwrap();
    assert_eq!(told.changed.names, ["w"]);
}
