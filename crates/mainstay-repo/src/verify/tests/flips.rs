//! Damage to every object that there is: each is detected, named, and never read as data.
//!
//! With `MAINSTAY_LONG=1` every bit of every metadata object, of which there are 1.2 million, on all
//! processors, and 10,000 places in data; otherwise some that are drawn.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;

use mainstay_core::Digest;
use mainstay_store::Key;

use super::rich::Rich;
use super::{Fault, LEVELS, Objects, is_damage, overwrite};
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
fn bits(objects: &[(&Key, usize)], drawn: usize) -> Vec<(Key, usize)> {
    let of_each = objects
        .iter()
        .map(|(key, len)| (0..len * 8).map(|bit| (Key::clone(key), bit)));
    if is_long() {
        return of_each.flatten().collect();
    }
    let numbers: Vec<usize> = draws(1, objects.len() + drawn).collect();
    let (first, rest) = numbers.split_at(objects.len());
    let one_each = objects
        .iter()
        .zip(first)
        .map(|((key, len), number)| (Key::clone(key), number % (len * 8)));
    let all: Vec<_> = of_each.flatten().collect();
    let sample = rest.iter().map(|number| all[number % all.len()].clone());
    one_each.chain(sample).collect()
}

/// Metadata whose bits are flipped.
#[derive(Clone, Copy)]
struct Metadata {
    /// The directories; of packs only those without chunks count.
    below: &'static [&'static str],
    /// How many bits, unless all.
    drawn: usize,
}

impl Metadata {
    /// Flips bits, one at a time; returns what else is named than the object.
    fn flip(self) -> BTreeSet<String> {
        let all = thread::available_parallelism().map_or(1, usize::from);
        let workers = if is_long() { all } else { 1 };
        let mut others = BTreeSet::new();
        let mut flipped: Option<Objects> = None;
        thread::scope(|scope| {
            let work = |worker| move || self.flip_some(worker, workers);
            let threads: Vec<_> = (0..workers)
                .map(|worker| scope.spawn(work(worker)))
                .collect();
            for thread in threads {
                let (objects, others_of_thread) = thread.join().unwrap();
                others.extend(others_of_thread);
                // Otherwise they would not have flipped all bits of any.
                assert!(
                    flipped
                        .replace(objects.clone())
                        .is_none_or(|other| other == objects)
                );
            }
        });
        others
    }

    /// Flips each bit whose number is the worker's, in a repository of its own, which is returned.
    fn flip_some(self, worker: usize, workers: usize) -> (Objects, BTreeSet<String>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let rich = Rich::new().await;
            let objects = rich.objects.iter().filter(|(key, _)| {
                let is_below = self
                    .below
                    .iter()
                    .any(|start| key.as_str().starts_with(start));
                is_below && !rich.data.contains(*key)
            });
            let objects: Vec<_> = objects.map(|(key, bytes)| (key, bytes.len())).collect();
            assert!(objects.len() >= self.below.len());
            let bits = bits(&objects, self.drawn).into_iter().enumerate();
            let mut others = BTreeSet::new();
            for (number, (key, bit)) in bits.skip(worker).step_by(workers) {
                let level = rich.level(&key);
                others.extend(rich.flip((&key, bit), level, number).await);
            }
            for has_read in [true, false] {
                assert_eq!(rich.faults(has_read, VerifyLevel::Full).await, []);
            }
            (rich.objects, others)
        })
    }
}

impl Rich {
    /// The level of verification that has to read every byte of an object: the quick one, but for packs and
    /// for shards of which nothing is made any more.
    fn level(&self, key: &Key) -> VerifyLevel {
        if key.as_str().starts_with("pack/") || self.loose.contains(key) {
            VerifyLevel::Full
        } else {
            VerifyLevel::Quick
        }
    }

    /// What is found by who has read the repository before, or by who has not.
    async fn faults(&self, has_read: bool, level: VerifyLevel) -> Vec<Fault> {
        let report = if has_read {
            self.repo.verify(level).await
        } else {
            verify(Arc::clone(&self.storage), level).await
        };
        report.unwrap().faults
    }

    /// Stores other bytes under a key; that has to be told, of this key. Returns what else is said of
    /// objects.
    async fn damage(
        &self,
        damaged: &[(&Key, Vec<u8>)],
        level: VerifyLevel,
        number: usize,
    ) -> BTreeSet<String> {
        for (key, bytes) in damaged {
            overwrite(&*self.storage, key, bytes.clone()).await;
        }
        let has_read = (number / 2).is_multiple_of(2);
        let faults = self.faults(has_read, level).await;
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

    async fn flip(
        &self,
        (key, bit): (&Key, usize),
        level: VerifyLevel,
        number: usize,
    ) -> BTreeSet<String> {
        let mut damaged = self.objects[key].to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        self.damage(&[(key, damaged)], level, number).await
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

#[test]
fn a_flipped_bit_of_the_log_is_named() {
    let log = Metadata {
        below: &["log/", "mainstay.json"],
        drawn: 60,
    };
    // The chain is broken there, too.
    let mut others = log.flip().into_iter();
    assert!(others.all(|other| other.starts_with("log/")));
}

#[test]
fn a_flipped_bit_of_a_checkpoint_is_named_and_nothing_else_is() {
    let checkpoints = Metadata {
        below: &["checkpoint/", "shard/"],
        drawn: 60,
    };
    assert_eq!(checkpoints.flip(), BTreeSet::new());
}

#[test]
fn a_flipped_bit_of_the_index_is_named_and_nothing_else_is() {
    let index = Metadata {
        below: &["index/"],
        drawn: 40,
    };
    assert_eq!(index.flip(), BTreeSet::new());
}

#[test]
fn a_flipped_bit_of_manifests_is_named_and_nothing_else_is() {
    let manifests = Metadata {
        below: &["pack/"],
        drawn: 40,
    };
    assert_eq!(manifests.flip(), BTreeSet::new());
}

#[test]
fn a_flipped_bit_of_a_tally_or_beat_is_named_and_nothing_else_is() {
    let counts = Metadata {
        below: &["tally/", "beat/"],
        drawn: 60,
    };
    assert_eq!(counts.flip(), BTreeSet::new());
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
        let others = rich.flip((key, bit), VerifyLevel::Full, number).await;
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
            rich.damage(&[(key, cut)], VerifyLevel::Full, number).await;
        } else {
            let exchanged = [(key, rich.objects[other].to_vec()), (other, bytes.to_vec())];
            rich.damage(&exchanged, VerifyLevel::Full, number).await;
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
    assert_eq!(rich.faults(true, VerifyLevel::Full).await, []);
}
