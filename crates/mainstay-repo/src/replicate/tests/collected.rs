//! Blobs that are no more, or about to be.

use super::*;

#[tokio::test]
async fn history_whose_blobs_were_collected_keeps_records_and_generations() {
    let mut pair = Pair::new();
    let (source, target) = pair.both().await;
    put(&source, "files/a", &[big(1), big(2)]).await;
    put(&source, "files/a", &[big(2), big(3)]).await;
    for _ in 0..3 {
        collect(&source).await;
    }
    assert_eq!(read(&source, &big(1)).await, None);
    let report = replicated(&source, &target).await;
    assert_eq!((report.blobs, report.blobs_collected), (2, 1));
    let (from, into) = (
        told(&source, "files/a").await,
        told(&target, "files/a").await,
    );
    assert_eq!(from[0], into[0]);
    let (from, into) = (from[1].4.as_ref().unwrap(), into[1].4.as_ref().unwrap());
    assert_eq!((&from.kind, &from.record), (&into.kind, &into.record));
    assert_eq!(into.blobs, [Digest::of(&big(2))]);
    assert_sound(&target).await;
    // What was left out is written down, and no reason to take the ref for another.
    let cursor = target.entries(0).try_next().await.unwrap().unwrap();
    let cursor = cursor.changes.iter().find(|c| c.path.is_below("replica"));
    let record = &cursor.unwrap().value.as_ref().unwrap().record;
    assert_eq!(record["collected"][0], Digest::of(&big(1)).to_string());
    let again = all().with_refs(["files"]);
    let again = run(&source, &target, &again).await.unwrap();
    assert_eq!((again.changes_already_there, again.transactions), (2, 0));
}

#[tokio::test]
async fn a_blob_that_the_target_has_is_kept_though_the_source_collected_it() {
    let mut pair = Pair::new();
    let (source, target) = pair.both().await;
    put(&source, "files/a", &[big(1)]).await;
    put(&source, "files/a", &[big(3)]).await;
    for _ in 0..3 {
        collect(&source).await;
    }
    put(&target, "own/a", &[big(1)]).await;
    let report = replicated(&source, &target).await;
    assert_eq!((report.blobs_collected, report.blobs_already_there), (0, 1));
    let told = told(&target, "files/a").await;
    assert_eq!(told[1].4.as_ref().unwrap().blobs, [Digest::of(&big(1))]);
}

#[tokio::test]
async fn a_live_ref_whose_blob_is_lost_ends_the_run_by_name() {
    let mut pair = Pair::new();
    let (source, target) = pair.both().await;
    commit(&source, "1", &[("note/x", note("1"))])
        .await
        .unwrap();
    put(&source, "files/a", &[big(1)]).await;
    let listed = pair.from.list(&Prefix::directory("index").unwrap(), None);
    let listed: Vec<_> = listed.try_collect().await.unwrap();
    for object in listed {
        pair.from.delete(&object.key).await.unwrap();
    }
    let source = pair.source().await;
    let error = run(&source, &target, &all()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let said = error.to_string();
    assert!(
        said.contains("files/a") && said.contains(&Digest::of(&big(1)).to_string()),
        "{said}"
    );
}

#[tokio::test]
async fn a_damaged_chunk_ends_the_run_and_nothing_names_its_blob() {
    let mut pair = Pair::new();
    let (source, target) = pair.both().await;
    put(&source, "files/a", &[big(1)]).await;
    let listed = pair.from.list(&Prefix::directory("pack").unwrap(), None);
    let packs: Vec<_> = listed.try_collect().await.unwrap();
    let largest: Key = packs
        .iter()
        .max_by_key(|pack| pack.size)
        .unwrap()
        .key
        .clone();
    let mut bytes = pair.from.get_all(&largest).await.unwrap().unwrap().to_vec();
    bytes[30_000] ^= 1;
    pair.from.delete(&largest).await.unwrap();
    pair.from
        .create(&largest, bytes.into())
        .await
        .map(drop)
        .unwrap();
    let source = pair.source().await;
    let error = run(&source, &target, &all()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(error.to_string().contains(largest.as_str()), "{error}");
    assert_eq!(target.view().await.unwrap().seq(), 0);
    assert_sound(&target).await;
}

#[tokio::test]
async fn a_manifest_that_names_other_chunks_is_refused_when_all_is_checked() {
    let mut pair = Pair::new();
    let (source, target) = pair.both().await;
    // A blob whose manifest, sound by itself, is that of another.
    put(&source, "files/true", &[big(1)]).await;
    let lie = Digest::of(b"what it is not");
    source
        .inner
        .blobs
        .forge(&Digest::of(&big(1)), lie)
        .await
        .unwrap();
    let value = Value::new("files", &"lie").unwrap().with_blobs([lie]);
    commit(&source, "lie", &[("files/lie", Some(value))])
        .await
        .unwrap();
    put(&target, "own/part", &[big(1)]).await;
    let whole = all().with_check(crate::BlobCheck::Whole);
    let error = run(&source, &target, &whole).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains(&lie.to_string()), "{error}");
    assert_eq!(
        target.blob(&lie).await.unwrap().map(|blob| blob.size()),
        None
    );
    let held = values(&target.view().await.unwrap()).await;
    assert!(!held.contains_key("files/lie"));
    assert_sound(&target).await;
}

#[tokio::test]
async fn packs_that_the_target_condemned_are_not_relied_on() {
    let mut pair = Pair::new();
    let (source, target) = pair.both().await;
    put(&source, "files/a", &[big(1), big(2)]).await;
    // The target has the bytes, in packs that nobody needs any more.
    put(&target, "own/a", &[big(1)]).await;
    commit(&target, "drop", &[("own/a", None)]).await.unwrap();
    collect(&target).await;
    collect(&target).await;
    let report = replicated(&source, &target).await;
    assert_eq!((report.blobs, report.read_bytes), (2, 120_000));
    collect(&target).await;
    for content in [big(1), big(2)] {
        assert_eq!(read(&target, &content).await, Some(content));
    }
    assert_sound(&target).await;
}
