//! Of which records blobs are made, in little memory.
//!
//! Versions share most of their records, in much the same order. So records are numbered as they are met,
//! and what blobs share is kept as runs of numbers: memory grows with what differs.

use std::collections::BTreeMap;

use mainstay_core::{Digest, Result};

use super::catalog::Catalog;
use super::sequence::Sequence;
use crate::blobs::pack::PackId;
use crate::blobs::record::RecordId;

const NONE: u32 = u32::MAX;

/// What a manifest or a list names.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// The numbers of the records.
    numbers: Sequence,
    /// Whether it names any that no index object knows.
    is_missing_some: bool,
}

/// The manifests of a blob that count.
#[derive(Debug)]
pub(super) struct Made {
    /// The packs that they lie in.
    pub(super) packs: Vec<PackId>,
    pub(super) manifests: Vec<Named>,
}

/// Of which records blobs are made.
#[derive(Debug)]
pub(super) struct Parts {
    /// The number of each record, by its place in the catalog.
    numbers: Vec<u32>,
    /// The place in the catalog of each record, by its number.
    places: Vec<u32>,
    /// What each list names that has been read.
    lists: BTreeMap<u32, Named>,
    /// What each blob is made of, or that no manifest of it can be read.
    pub(super) blobs: BTreeMap<Digest, Result<Made>>,
}

impl Parts {
    pub(super) fn new(catalog: &Catalog) -> Self {
        Self {
            numbers: vec![NONE; catalog.len()],
            places: Vec::new(),
            lists: BTreeMap::new(),
            blobs: BTreeMap::new(),
        }
    }

    /// Numbers the records that a manifest or list names.
    pub(super) fn name(&mut self, catalog: &Catalog, ids: impl Iterator<Item = RecordId>) -> Named {
        let mut named = Named::default();
        for id in ids {
            match self.number(catalog, &id) {
                Some(number) => named.numbers.push(number),
                None => named.is_missing_some = true,
            }
        }
        named.numbers.shrink();
        named
    }

    fn number(&mut self, catalog: &Catalog, id: &RecordId) -> Option<u32> {
        let place = catalog.place(id)?;
        let number = self.numbers.get_mut(place as usize)?;
        if *number == NONE {
            *number = u32::try_from(self.places.len()).ok()?;
            self.places.push(place);
        }
        Some(*number)
    }

    /// Notes what a list names.
    pub(super) fn add_list(
        &mut self,
        catalog: &Catalog,
        list: &RecordId,
        chunks: impl Iterator<Item = RecordId>,
    ) {
        let named = self.name(catalog, chunks);
        if let Some(number) = self.number(catalog, list) {
            self.lists.insert(number, named);
        }
    }

    /// Reports whether a list has been read.
    pub(super) fn has_list(&self, catalog: &Catalog, list: &RecordId) -> bool {
        let number = catalog
            .place(list)
            .map(|place| self.numbers[place as usize]);
        number.is_some_and(|number| self.lists.contains_key(&number))
    }

    /// Finds which records are held, by their numbers; a list with all that it names.
    pub(super) fn held(&self, is_held: impl Fn(u32) -> bool) -> Held {
        let mut held: Vec<bool> = self.places.iter().map(|place| is_held(*place)).collect();
        for (list, named) in &self.lists {
            let is_whole = Held::all(&held, named);
            held[*list as usize] &= is_whole;
        }
        Held(held)
    }

    /// The records that manifests name, and the lists that these do, by their places in the catalog; lists come
    /// before chunks.
    pub(super) fn of(&self, made: &Made) -> impl Iterator<Item = u32> {
        let manifests = made.manifests.iter();
        let numbers = manifests.flat_map(|named| {
            let lists = named
                .numbers
                .iter()
                .filter_map(|list| self.lists.get(&list));
            let chunks = lists.flat_map(|named| named.numbers.iter());
            named.numbers.iter().chain(chunks)
        });
        numbers.map(|number| self.places[number as usize])
    }

    /// Reports whether what a blob is made of has a property, all of it being known.
    pub(super) fn all(&self, made: &Made, is_so: impl Fn(u32) -> bool) -> bool {
        let named = made.manifests.iter().flat_map(|named| {
            let lists = named
                .numbers
                .iter()
                .filter_map(|list| self.lists.get(&list));
            lists.chain([named])
        });
        let mut missing = named.filter(|named| named.is_missing_some);
        missing.next().is_none() && self.of(made).all(is_so)
    }
}

/// Which records are held, by their numbers.
pub(super) struct Held(Vec<bool>);

impl Held {
    /// Reports whether all is held that a manifest names.
    pub(super) fn holds(&self, named: &Named) -> bool {
        Self::all(&self.0, named)
    }

    fn all(held: &[bool], named: &Named) -> bool {
        !named.is_missing_some && named.numbers.iter().all(|number| held[number as usize])
    }
}
