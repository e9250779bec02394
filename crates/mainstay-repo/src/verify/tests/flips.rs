//! Damage to every object that there is: each is detected, named, and never read as data.
//!
//! With `MAINSTAY_LONG=1` every bit of every metadata object and 10,000 places in data; otherwise some
//! that are drawn.

use std::collections::BTreeSet;
use std::sync::Arc;

use mainstay_core::Digest;
use mainstay_store::Key;

use super::rich::Rich;
use super::{Fault, LEVELS, is_damage, overwrite};
use crate::blobs::testing::random_bytes;
use crate::{RepairOptions, Repo, RepoOptions, VerifyLevel, repair, verify};

fn is_long() -> bool {
    std::env::var_os("MAINSTAY_LONG").is_some()
}

/// Numbers that a seed determines.
fn draws(seed: u64, count: usize) -> impl Iterator<Item = usize> {
    let bytes = random_bytes(count * 4, seed);
    let numbers = bytes.as_chunks::<4>().0.to_vec().into_iter();
    numbers.map(|bytes| u32::from_le_bytes(bytes) as usize)
}

/// The bits to flip: all, or as many as are drawn and one of each object.
fn bits(objects: &[(Key, usize)], drawn: usize) -> Vec<(Key, usize)> {
    let of_each = objects
        .iter()
        .map(|(key, len)| (0..len * 8).map(move |bit| (key.clone(), bit)));
    if is_long() {
        return of_each.flatten().collect();
    }
    let numbers: Vec<usize> = draws(1, objects.len() + drawn).collect();
    let (first, rest) = numbers.split_at(objects.len());
    let one_each = objects
        .iter()
        .zip(first)
        .map(|((key, len), number)| (key.clone(), number % (len * 8)));
    let all: Vec<_> = of_each.flatten().collect();
    let sample = rest.iter().map(|number| all[number % all.len()].clone());
    one_each.chain(sample).collect()
}

impl Rich {
    /// What is found by who has read the repository before, or by who has not.
    async fn faults(&self, has_read: bool) -> Vec<Fault> {
        let report = if has_read {
            self.repo.verify(VerifyLevel::Full).await
        } else {
            verify(Arc::clone(&self.storage), VerifyLevel::Full).await
        };
        report.unwrap().faults
    }

    /// Stores other bytes under a key; that has to be told, of this key. Returns what else is said of
    /// objects.
    async fn damage(&self, damaged: &[(&Key, Vec<u8>)], number: usize) -> BTreeSet<String> {
        for (key, bytes) in damaged {
            overwrite(&*self.storage, key, bytes.clone()).await;
        }
        let faults = self.faults(number.is_multiple_of(2)).await;
        let mut named: BTreeSet<String> = faults.iter().map(|fault| fault.object.clone()).collect();
        for (key, _) in damaged {
            assert!(named.remove(key.as_str()), "{key}, {number}: {faults:?}");
        }
        if number.is_multiple_of(13) {
            self.read_all().await;
        }
        for (key, _) in damaged {
            overwrite(&*self.storage, key, self.objects[*key].clone()).await;
        }
        named.retain(|object| !object.starts_with("blob "));
        named
    }

    async fn flip(&self, key: &Key, bit: usize, number: usize) -> BTreeSet<String> {
        let mut damaged = self.objects[key].to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        self.damage(&[(key, damaged)], number).await
    }

    /// Reads everything by a fresh handle: right bytes, or an error that says why not.
    async fn read_all(&self) {
        let read = async {
            let repo = Repo::open(Arc::clone(&self.storage), RepoOptions::default()).await?;
            for content in &self.contents {
                if let Some(blob) = repo.blob(&Digest::of(content)).await? {
                    assert_eq!(blob.bytes().await?, *content);
                }
            }
            Ok::<_, mainstay_core::Error>(())
        };
        if let Err(error) = read.await {
            assert!(is_damage(&error), "{error}");
        }
    }

    /// Flips bits of the objects below some directories, packs of chunks excepted.
    async fn flip_metadata(below: &[&str], drawn: usize) -> BTreeSet<String> {
        let rich = Self::new().await;
        let objects = rich.objects.iter().filter(|(key, _)| {
            let is_below = below.iter().any(|start| key.as_str().starts_with(start));
            is_below && !rich.data.contains(*key)
        });
        let objects: Vec<_> = objects
            .map(|(key, bytes)| (key.clone(), bytes.len()))
            .collect();
        assert!(objects.len() >= below.len());
        let mut others = BTreeSet::new();
        for (number, (key, bit)) in bits(&objects, drawn).into_iter().enumerate() {
            others.extend(rich.flip(&key, bit, number).await);
        }
        for has_read in [true, false] {
            assert_eq!(rich.faults(has_read).await, []);
        }
        others
    }
}

#[tokio::test]
async fn a_sound_repository_of_everything_gives_no_false_alarm() {
    let rich = Rich::new().await;
    let mut alarms = Vec::new();
    for level in LEVELS {
        alarms.extend(rich.repo.verify(level).await.unwrap().faults);
        let fresh = Repo::open(Arc::clone(&rich.storage), RepoOptions::default());
        let report = fresh.await.unwrap().verify(level).await.unwrap();
        assert!(report.checked > rich.objects.len() as u64);
        alarms.extend(report.faults);
        let report = verify(Arc::clone(&rich.storage), level).await.unwrap();
        alarms.extend(report.faults);
    }
    assert_eq!(alarms.len(), 0, "{alarms:?}");
    for content in &rich.contents {
        let blob = rich.repo.blob(&Digest::of(content)).await.unwrap().unwrap();
        assert_eq!(blob.bytes().await.unwrap(), *content);
    }
}

#[tokio::test]
async fn a_flipped_bit_of_the_log_is_named() {
    let others = Rich::flip_metadata(&["log/", "mainstay.json"], 60).await;
    // The chain is broken there, too.
    assert!(others.iter().all(|other| other.starts_with("log/")));
}

#[tokio::test]
async fn a_flipped_bit_of_a_checkpoint_is_named_and_nothing_else_is() {
    let others = Rich::flip_metadata(&["checkpoint/", "shard/"], 60).await;
    assert_eq!(others, BTreeSet::new());
}

#[tokio::test]
async fn a_flipped_bit_of_index_or_manifests_is_named_and_nothing_else_is() {
    let others = Rich::flip_metadata(&["index/", "pack/"], 80).await;
    assert_eq!(others, BTreeSet::new());
}

#[tokio::test]
async fn a_flipped_bit_of_a_tally_or_beat_is_named_and_nothing_else_is() {
    let others = Rich::flip_metadata(&["tally/", "beat/"], 60).await;
    assert_eq!(others, BTreeSet::new());
}

#[tokio::test]
async fn a_flipped_bit_of_data_is_named_and_nothing_else_is() {
    let rich = Rich::new().await;
    let flips = if is_long() { 10_000 } else { 100 };
    let packs: Vec<&Key> = rich.data.iter().collect();
    let bits: Vec<usize> = draws(2, flips).collect();
    for (number, bit) in bits.into_iter().enumerate() {
        let key = packs[number % packs.len()];
        let bit = bit % (rich.objects[key].len() * 8);
        let others = rich.flip(key, bit, number).await;
        assert_eq!(others, BTreeSet::new(), "{key}, bit {bit}");
    }
}

#[tokio::test]
async fn packs_cut_anywhere_and_packs_exchanged_are_named() {
    let rich = Rich::new().await;
    let count = if is_long() { 10_000 } else { 60 };
    let keys = rich.objects.keys();
    let packs: Vec<&Key> = keys
        .filter(|key| key.as_str().starts_with("pack/"))
        .collect();
    let drawn: Vec<usize> = draws(3, count).collect();
    for (number, draw) in drawn.into_iter().enumerate() {
        let (key, other) = (packs[number % packs.len()], packs[draw % packs.len()]);
        let bytes = &rich.objects[key];
        if number.is_multiple_of(2) || key == other {
            let cut = bytes[..draw % bytes.len()].to_vec();
            rich.damage(&[(key, cut)], number).await;
        } else {
            let exchanged = [(key, rich.objects[other].to_vec()), (other, bytes.to_vec())];
            rich.damage(&exchanged, number).await;
        }
    }
}

#[tokio::test]
async fn a_damaged_checkpoint_that_a_collection_has_condemned_is_deleted_by_repair() {
    let rich = Rich::new().await;
    for key in &rich.condemned {
        overwrite(&*rich.storage, key, "damaged").await;
    }
    let options = RepairOptions::default().with_apply(true);
    let report = repair(Arc::clone(&rich.storage), &options).await.unwrap();
    let deleted = report.actions.into_iter().map(|action| action.object);
    assert!(deleted.eq(rich.condemned.iter().map(Key::to_string)));
    assert_eq!(rich.faults(true).await, []);
}
