//! Listings.

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use tokio::task::JoinSet;

use super::scratch::for_each;
use super::{Failure, Outcome, check};
use crate::{Key, Prefix, Storage, StorageExt as _};

type Shared = Arc<dyn Storage>;

/// In byte order, which no walk in order of names gives: `%`, `-` and `.` come before `/`, digits
/// and letters after it. No key is the directory of another.
const ORDERED: [&str; 14] = [
    "a%", "a-", "a-b", "a-c/d", "a.b", "a/b-c", "a/b.c", "a/b/0", "a/b0", "a/c", "a0", "a1/b",
    "b/a", "b0",
];

pub(super) async fn an_empty_storage_lists_nothing(storage: Shared, _seed: u64) -> Outcome {
    for prefix in [Prefix::all(), Prefix::directory("absent")?] {
        let listed = keys(&storage, &prefix, None).await?;
        check!(listed.is_empty(), "an empty storage lists {listed:?}");
    }
    Ok(())
}

pub(super) async fn keys_are_listed_in_byte_order_of_the_whole_key(
    storage: Shared,
    _seed: u64,
) -> Outcome {
    // Written in an order that is neither that of the keys nor its reverse.
    for name in ORDERED
        .iter()
        .skip(1)
        .step_by(2)
        .chain(ORDERED.iter().step_by(2))
    {
        let bytes = Bytes::from(vec![0; name.len()]);
        let _written = storage.create(&Key::new(*name)?, bytes).await?;
    }
    let listed: Vec<_> = storage.list(&Prefix::all(), None).try_collect().await?;
    let found: Vec<_> = listed.iter().map(|object| object.key.as_str()).collect();
    check!(found == ORDERED, "listed {found:?} instead of {ORDERED:?}");
    for object in &listed {
        let size = object.key.as_str().len() as u64;
        check!(object.size == size, "{object:?} has {size} bytes");
    }
    Ok(())
}

pub(super) async fn a_prefix_covers_only_what_is_below_it(storage: Shared, _seed: u64) -> Outcome {
    for name in [
        "log/1", "log/2/3", "log-1", "log.1", "log0", "logs/1", "lo", "xlog/1",
    ] {
        let _written = storage.create(&Key::new(name)?, "".into()).await?;
    }
    for (directory, wanted) in [
        ("log", &["log/1", "log/2/3"][..]),
        ("log/2", &["log/2/3"]),
        ("log/1", &[]),
        ("lo", &[]),
        ("l", &[]),
        ("logs", &["logs/1"]),
    ] {
        let listed = keys(&storage, &Prefix::directory(directory)?, None).await?;
        let listed: Vec<_> = listed.iter().map(Key::as_str).collect();
        check!(
            listed == wanted,
            "below {directory}/ are {listed:?} instead of {wanted:?}"
        );
    }
    Ok(())
}

pub(super) async fn pages_joined_are_the_whole_listing(storage: Shared, _seed: u64) -> Outcome {
    for name in ORDERED {
        let _written = storage.create(&Key::new(name)?, "".into()).await?;
    }
    for prefix in [
        Prefix::all(),
        Prefix::directory("a")?,
        Prefix::directory("b")?,
    ] {
        let whole = keys(&storage, &prefix, None).await?;
        // After each key that is there, and after some that are not or lie outside of the prefix.
        let absent = [
            "0", "a", "a-b/z", "a.z", "a/b", "a/b/z", "a/z", "a0/b", "zz",
        ];
        let absent = absent.into_iter().filter_map(|name| Key::new(name).ok());
        for after in whole.iter().cloned().chain(absent) {
            let page = keys(&storage, &prefix, Some(&after)).await?;
            let wanted: Vec<_> = whole.iter().filter(|key| **key > after).cloned().collect();
            check!(
                page == wanted,
                "after {after} below {prefix:?} come {page:?}"
            );
        }
        let mut paged = Vec::new();
        while let Some(page) = next_page(&storage, &prefix, paged.last()).await? {
            paged.extend(page);
        }
        check!(paged == whole, "pages give {paged:?} instead of {whole:?}");
    }
    Ok(())
}

async fn next_page(
    storage: &Shared,
    prefix: &Prefix,
    after: Option<&Key>,
) -> Result<Option<Vec<Key>>, Failure> {
    let page = storage
        .list(prefix, after)
        .take(3)
        .map_ok(|object| object.key);
    let page: Vec<_> = page.try_collect().await?;
    Ok(Some(page).filter(|page| !page.is_empty()))
}

/// More than any server puts in one answer.
pub(super) async fn thousands_of_keys_are_listed_whole_and_in_pages(
    storage: Shared,
    _seed: u64,
) -> Outcome {
    let names = (0..2000).map(|n| Key::new(format!("dir-{}/{n:04}", n / 900)));
    let written = names.collect::<Result<Vec<_>, _>>()?;
    for_each(&written, async |key| {
        let _written = storage.create(key, Bytes::new()).await?;
        Ok::<_, Failure>(())
    })
    .await?;
    for (prefix, range) in [
        (Prefix::all(), 0..2000),
        (Prefix::directory("dir-0")?, 0..900),
        (Prefix::directory("dir-2")?, 1800..2000),
    ] {
        let wanted = written.get(range).unwrap_or_default();
        let listed = keys(&storage, &prefix, None).await?;
        check!(
            listed == wanted,
            "{} keys below {prefix:?} instead of {}, or others",
            listed.len(),
            wanted.len()
        );
        for skipped in [1, 150, 899, 1200] {
            let Some(after) = wanted.get(skipped) else {
                continue;
            };
            let page = keys(&storage, &prefix, Some(after)).await?;
            let wanted = wanted.get(skipped + 1..).unwrap_or_default();
            check!(page == wanted, "after {after} come {} keys", page.len());
        }
    }
    Ok(())
}

pub(super) async fn a_listing_sees_what_was_done_before_it(storage: Shared, _seed: u64) -> Outcome {
    let mut writers = JoinSet::new();
    for writer in 0..8 {
        let storage = Arc::clone(&storage);
        writers.spawn(async move {
            for n in 0..12 {
                let key = Key::new(format!("log/{writer}-{n}"))?;
                let _written = storage.create(&key, "".into()).await?;
                let listed = keys(&storage, &Prefix::directory("log")?, None).await?;
                check!(listed.contains(&key), "{key} was written but is not listed");
                if n % 3 == 0 {
                    storage.delete(&key).await?;
                    let listed = keys(&storage, &Prefix::directory("log")?, None).await?;
                    check!(!listed.contains(&key), "{key} was deleted but is listed");
                }
            }
            Ok(())
        });
    }
    while let Some(outcome) = writers.join_next().await {
        outcome??;
    }
    let left = keys(&storage, &Prefix::all(), None).await?.len();
    check!(left == 8 * 8, "{left} keys are left of 64");
    Ok(())
}

pub(super) async fn keys_deleted_while_listing_do_not_disturb_the_others(
    storage: Shared,
    _seed: u64,
) -> Outcome {
    let name = |n: u32| Key::new(format!("dir-{}/{n:03}", n / 10));
    for n in 0..60 {
        let _written = storage.create(&name(n)?, "".into()).await?;
    }
    let mut listing = storage.list(&Prefix::all(), None);
    let mut listed = Vec::new();
    let mut deleted = Vec::new();
    while let Some(object) = listing.try_next().await? {
        let n = u32::try_from(listed.len()).unwrap_or(u32::MAX);
        listed.push(object.key);
        // What was listed, and now and then something still to come.
        if n % 4 == 0 {
            for victim in [name(n)?, name(59 - n / 4)?] {
                storage.delete(&victim).await?;
                deleted.push(victim);
            }
        }
    }
    check!(
        listed.is_sorted_by(|a, b| a < b),
        "{listed:?} is out of order or repeats keys"
    );
    for n in 0..60 {
        let key = name(n)?;
        check!(
            listed.contains(&key) || deleted.contains(&key),
            "{key} was there all the time but is not listed"
        );
    }
    Ok(())
}

pub(super) async fn keys(
    storage: &Shared,
    prefix: &Prefix,
    after: Option<&Key>,
) -> Result<Vec<Key>, Failure> {
    let listing = storage.list(prefix, after).map_ok(|object| object.key);
    Ok(listing.try_collect().await?)
}
