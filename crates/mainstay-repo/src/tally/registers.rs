//! Registers: what is counted, and how it merges.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use mainstay_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::TallyName;
use super::fixed::{MAX_UNITS, Scale};
use super::sketch::{Accuracy, Bins, BinsRecord};

/// How many registers a subject has at most.
pub(super) const MAX_REGISTERS: usize = 4_096;

/// How a register counts. Registers of one name that count differently are different registers: so
/// that versions of a program which disagree merge all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum RegisterKind {
    /// A number of events.
    Count,
    /// A sum of numbers.
    Sum(Scale),
    /// A distribution.
    Sketch(Accuracy),
}

/// A register of a subject.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct RegisterId {
    /// What it is called.
    pub name: TallyName,
    /// How it counts.
    pub kind: RegisterKind,
}

impl RegisterId {
    pub(super) fn new(name: TallyName, kind: RegisterKind) -> Self {
        Self { name, kind }
    }
}

/// What a register holds; its kind is that of its [`RegisterId`].
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Register {
    Count(u64),
    Sum(i128),
    Sketch(Bins),
}

impl Register {
    /// Adds what another register of the same kind holds.
    ///
    /// Commutative and associative: counts stop at the greatest number, which is so in any order,
    /// and sums of what can be stored are far from their end.
    pub(super) fn merge(&mut self, other: &Self) {
        match (self, other) {
            (Self::Count(mine), Self::Count(other)) => *mine = mine.saturating_add(*other),
            (Self::Sum(mine), Self::Sum(other)) => *mine = mine.saturating_add(*other),
            (Self::Sketch(mine), Self::Sketch(other)) => mine.merge(other),
            _ => debug_assert!(false, "registers of one id are of one kind"),
        }
    }
}

/// A set of registers.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Registers(BTreeMap<RegisterId, Register>);

impl Registers {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn get(&self, id: &RegisterId) -> Option<&Register> {
        self.0.get(id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&RegisterId, &Register)> {
        self.0.iter()
    }

    /// Adds what one register holds.
    pub(super) fn add(&mut self, id: RegisterId, register: Register) {
        match self.0.entry(id) {
            Entry::Occupied(mut held) => held.get_mut().merge(&register),
            Entry::Vacant(free) => drop(free.insert(register)),
        }
    }

    /// Adds what other registers hold. Complexity: linear in both.
    pub(super) fn merge(&mut self, other: &Self) {
        let mut new = Vec::new();
        let mut mine = self.0.iter_mut().peekable();
        for (id, register) in &other.0 {
            while mine.next_if(|(held, _)| *held < id).is_some() {}
            match mine.next_if(|(held, _)| *held == id) {
                Some((_, held)) => held.merge(register),
                None => new.push((id.clone(), register.clone())),
            }
        }
        self.0.extend(new);
    }

    /// # Errors
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) naming what is beyond what can be stored.
    pub(super) fn to_records(&self) -> Result<Vec<RegisterRecord>> {
        if self.0.len() > MAX_REGISTERS {
            return Err(too_many(self.0.len()));
        }
        let records = self.0.iter().map(|(id, register)| {
            RegisterRecord::of(id, register).map_err(|error| error.context("register", &id.name))
        });
        records.collect()
    }

    /// # Errors
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) when these are not what
    /// [`to_records`](Self::to_records) makes of any registers.
    pub(super) fn from_records(records: &[RegisterRecord]) -> Result<Self> {
        if records.len() > MAX_REGISTERS {
            return Err(too_many(records.len()));
        }
        let registers = records.iter().map(RegisterRecord::register);
        let registers = registers.collect::<Result<Vec<_>>>()?;
        if !registers.is_sorted_by(|(a, _), (b, _)| a < b) {
            return Err(Error::invalid("registers are not in order"));
        }
        Ok(Self(registers.into_iter().collect()))
    }
}

pub(super) fn too_many(registers: usize) -> Error {
    Error::invalid(format!("a subject has at most {MAX_REGISTERS} registers"))
        .context("registers", registers)
}

/// How a register is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum RegisterRecord {
    Count {
        name: TallyName,
        /// In decimal: JSON has no such integers.
        count: String,
    },
    Sum {
        name: TallyName,
        scale: Scale,
        /// In decimal.
        units: String,
    },
    Sketch {
        name: TallyName,
        accuracy: Accuracy,
        bins: BinsRecord,
    },
}

impl RegisterRecord {
    fn of(id: &RegisterId, register: &Register) -> Result<Self> {
        let name = id.name.clone();
        match (id.kind, register) {
            (RegisterKind::Count, Register::Count(count)) => Ok(Self::Count {
                name,
                count: count.to_string(),
            }),
            (RegisterKind::Sum(scale), Register::Sum(units)) => {
                if !(-MAX_UNITS..=MAX_UNITS).contains(units) {
                    return Err(Error::invalid("a sum beyond 2^104 units"));
                }
                let units = units.to_string();
                Ok(Self::Sum { name, scale, units })
            }
            (RegisterKind::Sketch(accuracy), Register::Sketch(bins)) => Ok(Self::Sketch {
                name,
                accuracy,
                bins: BinsRecord::of(bins)?,
            }),
            _ => Err(Error::invalid(
                "a register of another kind than its name says",
            )),
        }
    }

    fn register(&self) -> Result<(RegisterId, Register)> {
        let (name, kind, register) = match self {
            Self::Count { name, count } => {
                (name, RegisterKind::Count, Register::Count(decimal(count)?))
            }
            Self::Sum { name, scale, units } => {
                let units: i128 = decimal(units)?;
                if !(-MAX_UNITS..=MAX_UNITS).contains(&units) {
                    return Err(Error::invalid("a sum beyond 2^104 units"));
                }
                (name, RegisterKind::Sum(*scale), Register::Sum(units))
            }
            Self::Sketch {
                name,
                accuracy,
                bins,
            } => {
                let bins = bins.to_bins(*accuracy)?;
                (
                    name,
                    RegisterKind::Sketch(*accuracy),
                    Register::Sketch(bins),
                )
            }
        };
        Ok((RegisterId::new(name.clone(), kind), register))
    }
}

/// Reads a number in its one spelling.
fn decimal<T: std::str::FromStr + ToString>(text: &str) -> Result<T> {
    let number = text.parse::<T>().ok();
    number
        .filter(|number| number.to_string() == text)
        .ok_or_else(|| Error::invalid("not a decimal number within its bounds"))
}
