//! Storages composed of several.

use std::sync::Arc;

use futures::TryStreamExt as _;
use mainstay_core::ErrorKind;
use mainstay_store::fault::{Fault, FaultStorage, Trigger, Verb};
use mainstay_store::{
    Capabilities, Key, MemoryStorage, MeterStorage, Prefix, ReadOnlyStorage, RouteStorage, Storage,
    StorageExt as _,
};

fn prefix(directory: &str) -> Prefix {
    Prefix::directory(directory).unwrap()
}

async fn fill(storage: &dyn Storage, names: &[&str]) {
    for name in names {
        let key = Key::new(*name).unwrap();
        storage.create(&key, "".into()).await.map(drop).unwrap();
    }
}

async fn names(storage: &dyn Storage, prefix: &Prefix, after: Option<&str>) -> Vec<String> {
    let after = after.map(|name| Key::new(name).unwrap());
    let listing = storage.list(prefix, after.as_ref());
    let names = listing.map_ok(|object| object.key.to_string());
    names.try_collect().await.unwrap()
}

#[tokio::test]
async fn each_object_is_in_the_storage_of_its_prefix_under_its_whole_key() {
    let [metadata, packs, logs] = [(); 3].map(|()| Arc::new(MemoryStorage::new()));
    let storage = RouteStorage::new(Arc::<MemoryStorage>::clone(&metadata))
        .with(prefix("pack"), Arc::<MemoryStorage>::clone(&packs))
        .unwrap()
        .with(prefix("log/old"), Arc::<MemoryStorage>::clone(&logs))
        .unwrap();
    let all = [
        "log",
        "log/1",
        "log/old",
        "log/old/1",
        "pack",
        "pack-x",
        "pack/1",
        "pack/2/3",
    ];
    fill(&storage, &all).await;
    let everything = Prefix::all();
    for (part, wanted) in [
        (
            &metadata,
            &["log", "log/1", "log/old", "pack", "pack-x"][..],
        ),
        (&packs, &["pack/1", "pack/2/3"]),
        (&logs, &["log/old/1"]),
    ] {
        assert_eq!(names(&**part, &everything, None).await, wanted);
    }
    assert_eq!(names(&storage, &everything, None).await, all);
    storage.delete(&Key::new("pack/1").unwrap()).await.unwrap();
    assert_eq!(names(&*packs, &everything, None).await, ["pack/2/3"]);
}

#[tokio::test]
async fn a_listing_asks_only_the_storages_whose_keys_it_comes_to() {
    let [rest, b, d] = [(); 3].map(|()| Arc::new(MeterStorage::new(MemoryStorage::new())));
    let storage = RouteStorage::new(Arc::<MeterStorage<_>>::clone(&rest))
        .with(prefix("d"), Arc::<MeterStorage<_>>::clone(&d))
        .unwrap()
        .with(prefix("b"), Arc::<MeterStorage<_>>::clone(&b))
        .unwrap();
    fill(&storage, &["a", "b/1", "b/2", "c/1", "d/1", "e"]).await;
    let lists = || [&rest, &b, &d].map(|part| part.reading().lists);
    for (below, after, wanted, asked) in [
        (
            Prefix::all(),
            None,
            &["a", "b/1", "b/2", "c/1", "d/1", "e"][..],
            [1, 1, 1],
        ),
        (
            Prefix::all(),
            Some("b/1"),
            &["b/2", "c/1", "d/1", "e"],
            [1, 1, 1],
        ),
        (Prefix::all(), Some("b0"), &["c/1", "d/1", "e"], [1, 0, 1]),
        (Prefix::all(), Some("x"), &[], [1, 0, 0]),
        (prefix("b"), Some("b/1"), &["b/2"], [0, 1, 0]),
        (prefix("b/1"), None, &[], [0, 1, 0]),
        (prefix("c"), None, &["c/1"], [1, 0, 0]),
    ] {
        let before = lists();
        assert_eq!(names(&storage, &below, after).await, wanted);
        let cost: Vec<_> = lists()
            .iter()
            .zip(before)
            .map(|(now, then)| now - then)
            .collect();
        assert_eq!(cost, asked, "below {below:?} after {after:?}");
    }
}

#[tokio::test]
async fn keys_of_the_default_storage_below_a_route_are_out_of_sight() {
    let rest = Arc::new(MemoryStorage::new());
    fill(&*rest, &["a", "b/hidden", "c"]).await;
    let storage = RouteStorage::new(rest)
        .with(prefix("b"), Arc::new(MemoryStorage::new()))
        .unwrap();
    let hidden = Key::new("b/hidden").unwrap();
    assert!(storage.get_all(&hidden).await.unwrap().is_none());
    assert_eq!(names(&storage, &Prefix::all(), None).await, ["a", "c"]);
    fill(&storage, &["b/hidden"]).await;
    assert_eq!(
        names(&storage, &Prefix::all(), None).await,
        ["a", "b/hidden", "c"]
    );
}

#[tokio::test]
async fn a_listing_fails_when_one_of_the_storages_does() {
    for broken in [0, 1] {
        let parts = [(); 2].map(|()| Arc::new(FaultStorage::new(MemoryStorage::new())));
        let [rest, b] = parts.each_ref().map(Arc::<FaultStorage<_>>::clone);
        let storage = RouteStorage::new(rest).with(prefix("b"), b).unwrap();
        fill(&storage, &["a", "b/1", "c"]).await;
        let lists = Trigger::any().with_verb(Verb::List);
        parts[broken].fail_when(lists, Fault::Refuse(ErrorKind::Unavailable));
        let listed: Result<Vec<_>, _> = storage.list(&Prefix::all(), None).try_collect().await;
        assert_eq!(listed.unwrap_err().kind(), ErrorKind::Unavailable);
    }
}

#[test]
fn routes_that_overlap_or_cover_everything_are_refused() {
    let memory = || Arc::new(MemoryStorage::new());
    for (first, second) in [("a", "a"), ("a", "a/b"), ("a/b", "a")] {
        let storage = RouteStorage::new(memory()).with(prefix(first), memory());
        let error = storage.unwrap().with(prefix(second), memory()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("two routes overlap"), "{error}");
    }
    let apart = RouteStorage::new(memory()).with(prefix("a"), memory());
    assert!(apart.unwrap().with(prefix("a-b"), memory()).is_ok());
    let all = RouteStorage::new(memory()).with(Prefix::all(), memory());
    assert_eq!(all.unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn the_whole_can_do_what_every_part_can() {
    let alone = RouteStorage::new(Arc::new(MemoryStorage::new()));
    let memory = MemoryStorage::new().capabilities();
    let expected = Capabilities {
        backend: "routes",
        ..memory
    };
    assert_eq!(alone.capabilities(), expected);
    let part = Arc::new(ReadOnlyStorage::new(MemoryStorage::new()));
    let storage = alone.with(prefix("a"), part).unwrap();
    assert!(storage.capabilities().read_only);
}
