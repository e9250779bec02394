//! Random operations against a sorted map.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt as _;

use super::payload::payload;
use super::{Failure, Outcome, check};
use crate::mix::mix;
use crate::{ByteRange, Key, Object, ObjectMeta, Prefix, PutMode, PutOutcome, Storage};

const STEPS: u64 = 500;
const NAMES: [&str; 10] = [
    "a-b", "a.b", "a/b-1", "a/b.1", "a/b/1", "a/b/2", "a0", "b/a", "b/c/d", "c",
];
const PREFIXES: [&str; 4] = ["a", "a/b", "b", "x"];

/// Draws numbers from a seed.
struct Dice {
    seed: u64,
    drawn: u64,
}

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.drawn += 1;
        mix(self.seed ^ mix(self.drawn)) % bound
    }

    fn pick<T: Copy>(&mut self, among: &[T]) -> Option<T> {
        let index = self.below(among.len() as u64);
        usize::try_from(index)
            .ok()
            .and_then(|index| among.get(index))
            .copied()
    }

    fn key(&mut self) -> Result<Key, Failure> {
        Ok(Key::new(self.pick(&NAMES).unwrap_or("c"))?)
    }

    fn range(&mut self) -> ByteRange {
        let (start, len) = (self.below(60), self.below(60));
        match self.below(3) {
            0 => ByteRange::Full,
            1 => ByteRange::Offsets(start..start + len),
            _ => ByteRange::Last(len),
        }
    }
}

pub(super) async fn random_operations_do_what_a_sorted_map_does(
    storage: Arc<dyn Storage>,
    seed: u64,
) -> Outcome {
    let mut dice = Dice { seed, drawn: 0 };
    let mut model = BTreeMap::new();
    for number in 0..STEPS {
        step(&storage, &mut model, &mut dice)
            .await
            .map_err(|failure| Failure::new(format!("seed {seed}, step {number}: {failure}")))?;
    }
    Ok(())
}

async fn step(
    storage: &Arc<dyn Storage>,
    model: &mut BTreeMap<Key, Bytes>,
    dice: &mut Dice,
) -> Outcome {
    match dice.below(5) {
        0 | 1 => put(storage, model, dice).await,
        2 => {
            let (key, range) = (dice.key()?, dice.range());
            let wanted = model.get(&key).map(|bytes| Object::cut(bytes, &range));
            let found = storage.get(&key, range.clone()).await?;
            check!(
                found == wanted,
                "{range:?} of {key} is {found:?} instead of {wanted:?}"
            );
            Ok(())
        }
        3 => {
            let key = dice.key()?;
            model.remove(&key);
            Ok(storage.delete(&key).await?)
        }
        _ => list(storage, model, dice).await,
    }
}

async fn put(
    storage: &Arc<dyn Storage>,
    model: &mut BTreeMap<Key, Bytes>,
    dice: &mut Dice,
) -> Outcome {
    let key = dice.key()?;
    let mode = dice
        .pick(&[PutMode::Create, PutMode::Overwrite])
        .unwrap_or(PutMode::Create);
    let bytes = match dice.below(64) {
        0 => Bytes::new(),
        len => payload(dice.below(u64::MAX), usize::try_from(len).unwrap_or(0)),
    };
    let wanted = if mode == PutMode::Create && model.contains_key(&key) {
        PutOutcome::Exists
    } else {
        model.insert(key.clone(), bytes.clone());
        PutOutcome::Written
    };
    let outcome = storage.put(&key, bytes, mode).await?;
    check!(
        outcome == wanted,
        "{mode:?} of {key}: {outcome:?} instead of {wanted:?}"
    );
    Ok(())
}

async fn list(
    storage: &Arc<dyn Storage>,
    model: &BTreeMap<Key, Bytes>,
    dice: &mut Dice,
) -> Outcome {
    let prefix = match dice.below(2) {
        0 => Prefix::all(),
        _ => Prefix::directory(dice.pick(&PREFIXES).unwrap_or("a"))?,
    };
    let after = match dice.below(2) {
        0 => None,
        _ => Some(dice.key()?),
    };
    let wanted: Vec<_> = model
        .iter()
        .filter(|(key, _)| prefix.covers(key) && after.as_ref().is_none_or(|after| *key > after))
        .map(|(key, bytes)| ObjectMeta {
            key: key.clone(),
            size: bytes.len() as u64,
        })
        .collect();
    let listing = storage.list(&prefix, after.as_ref());
    let listed: Vec<_> = listing.try_collect().await?;
    check!(
        listed == wanted,
        "below {prefix:?} after {after:?} are {listed:?} instead of {wanted:?}"
    );
    Ok(())
}
