//! Objects ordered by their last use.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;

use crate::Key;

/// At most so many bytes of objects and their keys; the one used longest ago goes first. Every
/// operation is O(log n) for each object it displaces.
#[derive(Debug)]
pub(super) struct Lru {
    max_bytes: u64,
    bytes: u64,
    uses: u64,
    objects: HashMap<Key, (Bytes, u64)>,
    by_use: BTreeMap<u64, Key>,
}

impl Lru {
    pub(super) fn new(max_bytes: u64) -> Self {
        Self {
            max_bytes,
            bytes: 0,
            uses: 0,
            objects: HashMap::new(),
            by_use: BTreeMap::new(),
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn get(&mut self, key: &Key) -> Option<Bytes> {
        let (bytes, last_use) = self.objects.get_mut(key)?;
        self.uses += 1;
        if let Some(key) = self.by_use.remove(last_use) {
            self.by_use.insert(self.uses, key);
        }
        *last_use = self.uses;
        Some(bytes.clone())
    }

    pub(super) fn insert(&mut self, key: Key, bytes: Bytes) {
        self.remove(&key);
        let size = size(&key, &bytes);
        if size > self.max_bytes {
            return;
        }
        while self.bytes + size > self.max_bytes
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            self.remove(&oldest);
        }
        self.uses += 1;
        self.bytes += size;
        self.by_use.insert(self.uses, key.clone());
        self.objects.insert(key, (bytes, self.uses));
    }

    pub(super) fn remove(&mut self, key: &Key) {
        if let Some((bytes, last_use)) = self.objects.remove(key) {
            self.bytes -= size(key, &bytes);
            self.by_use.remove(&last_use);
        }
    }
}

/// Counts keys too, so that many empty objects do not fill the memory.
fn size(key: &Key, bytes: &Bytes) -> u64 {
    (key.as_str().len() + bytes.len()) as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        Get(u8),
        Insert(u8, usize),
        Remove(u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        let key = 0_u8..6;
        prop_oneof![
            key.clone().prop_map(Step::Get),
            (key.clone(), 0_usize..12).prop_map(|(key, len)| Step::Insert(key, len)),
            key.prop_map(Step::Remove),
        ]
    }

    proptest! {
        #[test]
        fn it_holds_what_a_list_in_order_of_use_holds(
            max_bytes in 0_u64..30,
            steps in prop::collection::vec(step(), 0..80),
        ) {
            let key = |n: u8| Key::new(format!("k{n}")).unwrap();
            let mut lru = Lru::new(max_bytes);
            // Last used last, each with its size, of which the key takes two bytes.
            let mut model: Vec<(u8, usize)> = Vec::new();
            let total = |model: &[(u8, usize)]| model.iter().map(|entry| entry.1).sum::<usize>() as u64;
            for step in steps {
                match step {
                    Step::Get(n) => {
                        let at = model.iter().position(|entry| entry.0 == n);
                        let expected = at.map(|at| model.remove(at));
                        model.extend(expected);
                        prop_assert_eq!(lru.get(&key(n)).map(|bytes| bytes.len() + 2), expected.map(|e| e.1));
                    }
                    Step::Insert(n, len) => {
                        lru.insert(key(n), vec![n; len].into());
                        model.retain(|entry| entry.0 != n);
                        let size = len + 2;
                        if size as u64 <= max_bytes {
                            while total(&model) + size as u64 > max_bytes {
                                model.remove(0);
                            }
                            model.push((n, size));
                        }
                    }
                    Step::Remove(n) => {
                        lru.remove(&key(n));
                        model.retain(|entry| entry.0 != n);
                    }
                }
                prop_assert_eq!(lru.bytes(), total(&model));
                let held: Vec<_> = lru.by_use.values().cloned().collect();
                prop_assert_eq!(held.len(), lru.objects.len());
                let expected: Vec<_> = model.iter().map(|entry| key(entry.0)).collect();
                prop_assert_eq!(held, expected);
            }
        }
    }
}
