//! Which columns of two tables stand for each other, and how their values are compared.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions, UInt64Array};
use arrow::datatypes::{
    DECIMAL256_MAX_PRECISION, DataType, Field, FieldRef, Fields, Schema, SchemaRef,
};
use mainstay_core::{Error, Result};

use super::failure::immovable;
use super::plain::{plain_type, to_plain};
use super::side::{Both, Side};
use super::{Identity, RowDiffOptions};
use crate::digest::Profile;
use crate::logical::{check_names, logical_types};
use crate::slots::{Slots, slots, write_cell};

/// The columns of two tables.
#[derive(Debug)]
pub(super) struct Columns {
    /// Whether the key is all of a row, so that equal rows are counted.
    pub(super) whole_row: bool,
    /// What tells rows apart.
    pub(super) key: Vec<Pair>,
    /// The other columns that both have, where their values can be compared.
    pub(super) values: Vec<Pair>,
    /// The later names of columns whose types have no values in common.
    pub(super) incomparable: Vec<String>,
    pub(super) tables: Both<Table>,
}

/// A column that both tables have.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    /// Its later name.
    pub(super) name: String,
    pub(super) at: Both<usize>,
    /// A type that the values of both sides fit in, if there is one.
    pub(super) common: Option<DataType>,
    /// What counts as equal.
    pub(super) profile: Profile,
}

/// A table as it is given and as its rows are kept.
#[derive(Debug)]
pub(super) struct Table {
    given: SchemaRef,
    /// Plain; the last column is the row's number.
    kept: SchemaRef,
}

impl Columns {
    /// # Errors
    /// As [`RowDiff::new`](super::RowDiff::new).
    pub(super) fn pair(
        before: &Schema,
        after: &Schema,
        identity: &Identity,
        options: &RowDiffOptions,
    ) -> Result<Self> {
        let schemas = Both { before, after };
        Both::try_of(|side| {
            check_names(schemas[side]).map_err(|e| e.context("side", side.name()))
        })?;
        let types = |profile| Both::try_of(|side| logical_types(schemas[side], profile));
        let (strict, semantic) = (types(Profile::Strict)?, types(Profile::Semantic)?);
        let same = |types: &Both<Vec<String>>, at: Both<usize>| {
            types.before[at.before] == types.after[at.after]
        };
        let tables = Both::of(|side| Table::new(schemas[side]));
        let (mut values, mut incomparable) = (Vec::new(), Vec::new());
        for (index, field) in after.fields().iter().enumerate() {
            let Ok(earlier) = before.index_of(options.earlier_name(field.name())) else {
                continue;
            };
            let at = Both {
                before: earlier,
                after: index,
            };
            let profile = match () {
                () if same(&strict, at) => Profile::Strict,
                () if same(&semantic, at) => Profile::Semantic,
                () => {
                    incomparable.push(field.name().clone());
                    continue;
                }
            };
            values.push(Pair {
                name: field.name().clone(),
                at,
                common: common(
                    tables.before.kept.field(at.before).data_type(),
                    tables.after.kept.field(at.after).data_type(),
                ),
                profile,
            });
        }
        let key = match identity {
            Identity::WholeRow => std::mem::take(&mut values),
            Identity::Key(names) => {
                for name in names {
                    check_key_type(name, schemas, [&strict, &semantic], options)?;
                }
                take_key(names, &mut values)?
            }
        };
        if key.is_empty() {
            let why = match identity {
                Identity::Key(_) => "a key without columns tells no rows apart",
                Identity::WholeRow => "no column of one type that both tables have",
            };
            return Err(Error::invalid(why));
        }
        Ok(Self {
            whole_row: matches!(identity, Identity::WholeRow),
            key,
            values,
            incomparable,
            tables,
        })
    }

    /// Returns the columns of the key on one side.
    pub(super) fn key_of(&self, side: Side) -> Vec<(usize, Profile)> {
        on(&self.key, side)
    }

    /// Returns the compared columns on one side.
    pub(super) fn values_of(&self, side: Side) -> Vec<(usize, Profile)> {
        on(&self.values, side)
    }

    /// Returns the columns of the key; none when it is the whole row.
    pub(super) fn named_key(&self) -> &[Pair] {
        if self.whole_row { &[] } else { &self.key }
    }

    /// Returns the columns of one side that are not the key.
    pub(super) fn others(&self, side: Side) -> Vec<usize> {
        let is_key = |index: &usize| self.named_key().iter().any(|pair| pair.at[side] == *index);
        (0..self.tables[side].given.fields().len())
            .filter(|index| !is_key(index))
            .collect()
    }
}

fn on(pairs: &[Pair], side: Side) -> Vec<(usize, Profile)> {
    pairs
        .iter()
        .map(|pair| (pair.at[side], pair.profile))
        .collect()
}

/// Checks that both sides have a column of the key, of types that have values in common.
fn check_key_type(
    name: &str,
    schemas: Both<&Schema>,
    [strict, semantic]: [&Both<Vec<String>>; 2],
    options: &RowDiffOptions,
) -> Result<()> {
    let names = Both {
        before: options.earlier_name(name),
        after: name,
    };
    let at = Both::try_of(|side| {
        schemas[side].index_of(names[side]).map_err(|_| {
            Error::not_found("column", names[side].escape_debug()).context("side", side.name())
        })
    })?;
    if semantic.before[at.before] == semantic.after[at.after] {
        return Ok(());
    }
    Err(Error::invalid("a key of two types tells no rows apart")
        .context("column", name.escape_debug())
        .context("before", &strict.before[at.before])
        .context("after", &strict.after[at.after]))
}

/// Moves the pairs of these names out of `pairs`.
fn take_key(names: &[String], pairs: &mut Vec<Pair>) -> Result<Vec<Pair>> {
    let mut key: Vec<Pair> = Vec::with_capacity(names.len());
    for name in names {
        let at = pairs.iter().position(|pair| pair.name == *name);
        let at = at.ok_or_else(|| {
            Error::invalid("a column of the key is named twice")
                .context("column", name.escape_debug())
        })?;
        let pair = pairs.remove(at);
        if pair.common.is_none() {
            return Err(Error::invalid(
                "a column of the key has two types, and none holds the values of both",
            )
            .context("column", name.escape_debug()));
        }
        key.push(pair);
    }
    Ok(key)
}

impl Table {
    fn new(schema: &Schema) -> Self {
        let fields = schema.fields().iter().map(|field| {
            let plain = plain_type(field.data_type());
            Arc::new(Field::new(field.name(), plain, true))
        });
        let number = Arc::new(Field::new("row number", DataType::UInt64, false));
        Self {
            given: SchemaRef::new(schema.clone()),
            kept: SchemaRef::new(Schema::new(fields.chain([number]).collect::<Fields>())),
        }
    }

    /// Returns the schema of kept rows.
    pub(super) fn kept(&self) -> &SchemaRef {
        &self.kept
    }

    /// Returns where the row's number is in kept rows.
    pub(super) fn number_at(&self) -> usize {
        self.given.fields().len()
    }

    /// Makes a batch ready to be kept; its rows have these numbers.
    ///
    /// # Errors
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) when it is of another schema.
    pub(super) fn keep(&self, batch: &RecordBatch, numbers: UInt64Array) -> Result<RecordBatch> {
        let found = batch.schema();
        let same =
            |(a, b): (&FieldRef, &FieldRef)| a.name() == b.name() && a.data_type() == b.data_type();
        let (ours, theirs) = (self.given.fields(), found.fields());
        if ours.len() != theirs.len() || !ours.iter().zip(theirs).all(same) {
            return Err(Error::invalid("a batch of another schema"));
        }
        let mut columns = Vec::with_capacity(ours.len() + 1);
        for array in batch.columns() {
            columns.push(to_plain(array)?);
        }
        columns.push(Arc::new(numbers));
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.kept), columns, &options)
            .map_err(immovable)
    }
}

/// Finds a type for the values of two encodings of one semantic type.
fn common(a: &DataType, b: &DataType) -> Option<DataType> {
    match (a, b) {
        (a, b) if a == b => Some(a.clone()),
        (a, b) if is_text(a) && is_text(b) => Some(DataType::LargeUtf8),
        (a, b) if is_binary(a) && is_binary(b) => Some(DataType::LargeBinary),
        (a, b) if a.is_integer() && b.is_integer() => common_integer(a, b),
        (a, b) if a.is_floating() && b.is_floating() => Some(DataType::Float64),
        (a, b) => decimal_scale(a)
            .filter(|scale| decimal_scale(b) == Some(*scale))
            .map(|scale| DataType::Decimal256(DECIMAL256_MAX_PRECISION, scale)),
    }
}

fn common_integer(a: &DataType, b: &DataType) -> Option<DataType> {
    let unsigned = [a, b].map(DataType::is_unsigned_integer);
    let widest = [a, b].contains(&&DataType::UInt64);
    match unsigned {
        [true, true] => Some(DataType::UInt64),
        _ if widest => None,
        _ => Some(DataType::Int64),
    }
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8)
}

fn is_binary(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Binary | DataType::LargeBinary | DataType::FixedSizeBinary(_)
    )
}

fn decimal_scale(data_type: &DataType) -> Option<i8> {
    match data_type {
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => Some(*scale),
        _ => None,
    }
}

/// Opens some columns of a batch.
pub(super) fn open<'a>(
    batch: &'a RecordBatch,
    columns: &[(usize, Profile)],
) -> Result<Vec<Box<dyn Slots + 'a>>> {
    let columns = columns.iter();
    columns
        .map(|&(index, profile)| slots(batch.column(index).as_ref(), profile))
        .collect()
}

/// Hands out the canonical bytes of some columns of each row, in order. Equal bytes mean equal values.
pub(super) fn each_row(
    batch: &RecordBatch,
    columns: &[(usize, Profile)],
    mut take: impl FnMut(usize, &[u8]) -> Result<()>,
) -> Result<()> {
    let columns = open(batch, columns)?;
    let mut bytes: Vec<u8> = Vec::new();
    for row in 0..batch.num_rows() {
        bytes.clear();
        for column in &columns {
            write_cell(column.as_ref(), row, &mut bytes);
        }
        take(row, &bytes)?;
    }
    Ok(())
}
