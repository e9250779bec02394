//! Counting in a process: many threads, hardly a wait.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use mainstay_core::Result;

use super::registers::{MAX_REGISTERS, Register, RegisterId, Registers, too_many};
use super::sketch::{Bin, Bins};

const STRIPES: usize = 16;

/// What was counted since it was last collected.
///
/// Each thread counts in one of several stripes, so that threads seldom wait for each other. What is
/// counted at once is counted in one stripe at once, and so collected together.
#[derive(Debug, Default)]
pub(super) struct Stripes {
    ids: RwLock<Ids>,
    stripes: [Stripe; STRIPES],
}

#[derive(Debug, Default)]
struct Ids {
    by_slot: Vec<RegisterId>,
    slots: BTreeMap<RegisterId, usize>,
}

/// A stripe, in a cache line of its own: by slot, where anything was counted.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe(Mutex<Vec<Option<Register>>>);

/// What to add to a register.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Amount {
    Count(u64),
    Sum(i128),
    Value(Bin, f64),
}

impl Stripes {
    /// The slot of a register; the same whenever it is asked for.
    pub(super) fn slot(&self, id: RegisterId) -> Result<usize> {
        let mut ids = self.ids.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = ids.slots.get(&id) {
            return Ok(*slot);
        }
        let slot = ids.by_slot.len();
        if slot == MAX_REGISTERS {
            return Err(too_many(slot + 1));
        }
        ids.by_slot.push(id.clone());
        ids.slots.insert(id, slot);
        Ok(slot)
    }

    /// Adds amounts to slots of this value, all at once.
    pub(super) fn add(&self, amounts: impl IntoIterator<Item = (usize, Amount)>) {
        let mut stripe = self.mine().lock();
        for (slot, amount) in amounts {
            if stripe.len() <= slot {
                stripe.resize(slot + 1, None);
            }
            let register = &mut stripe[slot];
            match amount {
                Amount::Count(events) => match register {
                    Some(Register::Count(count)) => *count = count.saturating_add(events),
                    _ => *register = Some(Register::Count(events)),
                },
                Amount::Sum(units) => match register {
                    Some(Register::Sum(sum)) => *sum = sum.saturating_add(units),
                    _ => *register = Some(Register::Sum(units)),
                },
                Amount::Value(bin, value) => {
                    if let Register::Sketch(bins) =
                        register.get_or_insert_with(|| Register::Sketch(Bins::default()))
                    {
                        bins.count(bin, value);
                    }
                }
            }
        }
    }

    /// Takes all that was counted since the last time.
    pub(super) fn collect(&self) -> Registers {
        let mut registers = Registers::default();
        for stripe in &self.stripes {
            let counted = std::mem::take(&mut *stripe.lock());
            let ids = self.ids.read().unwrap_or_else(PoisonError::into_inner);
            for (id, register) in ids.by_slot.iter().zip(counted) {
                if let Some(register) = register {
                    registers.add(id.clone(), register);
                }
            }
        }
        registers
    }

    fn mine(&self) -> &Stripe {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static STRIPE: Cell<Option<usize>> = const { Cell::new(None) };
        }
        let number = STRIPE.with(|stripe| {
            stripe.get().unwrap_or_else(|| {
                let number = THREADS.fetch_add(1, Ordering::Relaxed) % STRIPES;
                stripe.set(Some(number));
                number
            })
        });
        &self.stripes[number]
    }
}

impl Stripe {
    fn lock(&self) -> MutexGuard<'_, Vec<Option<Register>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
