//! The two sides of a comparison.

use std::ops::{Index, IndexMut};

/// A side of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a comparison has two sides")]
pub enum Side {
    /// The earlier table, the one compared with.
    Before,
    /// The later table, the one compared.
    After,
}

impl Side {
    pub(crate) const BOTH: [Self; 2] = [Self::Before, Self::After];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

/// Something of each side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Both<T> {
    pub(crate) before: T,
    pub(crate) after: T,
}

impl<T> Both<T> {
    pub(crate) fn of(mut each: impl FnMut(Side) -> T) -> Self {
        Self {
            before: each(Side::Before),
            after: each(Side::After),
        }
    }

    pub(crate) fn try_of<E>(mut each: impl FnMut(Side) -> Result<T, E>) -> Result<Self, E> {
        Ok(Self {
            before: each(Side::Before)?,
            after: each(Side::After)?,
        })
    }

    pub(crate) fn map<U>(self, mut each: impl FnMut(T) -> U) -> Both<U> {
        Both {
            before: each(self.before),
            after: each(self.after),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        [&self.before, &self.after].into_iter()
    }
}

impl<T> Index<Side> for Both<T> {
    type Output = T;

    fn index(&self, side: Side) -> &T {
        match side {
            Side::Before => &self.before,
            Side::After => &self.after,
        }
    }
}

impl<T> IndexMut<Side> for Both<T> {
    fn index_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Before => &mut self.before,
            Side::After => &mut self.after,
        }
    }
}
