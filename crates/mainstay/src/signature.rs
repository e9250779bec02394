//! What a model takes and gives, by the table that it was trained on.

mod logical;

use std::collections::BTreeSet;

use mainstay_core::{Error, NodeRef, Result};
use mainstay_data::{Column, Manifest};
use mainstay_registry::signature::{ColSpec, Schema, Signature};

use crate::Workspace;

/// Which columns of a dataset a model takes and gives.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SignatureColumns {
    /// What it takes, in this order; when empty, every column that it does not give.
    pub inputs: Vec<String>,
    /// What it gives, in this order; when empty, that is not stated.
    pub outputs: Vec<String>,
}

impl SignatureColumns {
    /// Sets what it takes.
    #[must_use]
    pub fn with_inputs<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.inputs = columns.into_iter().map(Into::into).collect();
        self
    }

    /// Sets what it gives.
    #[must_use]
    pub fn with_outputs<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.outputs = columns.into_iter().map(Into::into).collect();
        self
    }
}

impl Workspace {
    /// Derives the signature of a model from the schema of a dataset version, as MLflow does from a table.
    ///
    /// A column is required where this version has no null in it. Reads no row: schema and counts are stored
    /// with the version.
    ///
    /// | logical type | type in the signature |
    /// |---|---|
    /// | `bool`, `utf8`, `binary` | `boolean`, `string`, `binary` |
    /// | `int8`, `int16`, `int32`, `uint8`, `uint16` | `integer` |
    /// | `int64`, `uint32` | `long` |
    /// | `float16`, `float32` | `float` |
    /// | `float64` | `double` |
    /// | dates and timestamps | `datetime` |
    /// | `list`, `struct`, `map` by text | `array`, `object` with every property required, `map` |
    /// | `null` | `any` |
    ///
    /// ```
    /// use mainstay::data::arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
    /// use mainstay::data::SnapshotSpec;
    /// use mainstay::registry::signature::{ColSpec, DataType, Schema};
    /// use mainstay::{Actor, SignatureColumns, Workspace};
    /// use std::sync::Arc;
    ///
    /// # tokio::runtime::Builder::new_multi_thread().build().unwrap().block_on(async {
    /// let workspace = Workspace::create("mem:").await?;
    /// let mass: ArrayRef = Arc::new(Float64Array::from(vec![3750.0, 5000.0]));
    /// let species: ArrayRef = Arc::new(StringArray::from(vec!["Adelie", "Gentoo"]));
    /// let batch = RecordBatch::try_from_iter([("mass", mass), ("species", species)]).unwrap();
    /// let spec = SnapshotSpec::new("penguins".parse()?, Actor::new("ada")?, "first season")
    ///     .with_batches("penguins.parquet".parse()?, vec![batch]);
    /// let penguins = workspace.data().snapshot(spec).await?.node;
    ///
    /// let columns = SignatureColumns::default().with_outputs(["species"]);
    /// let signature = workspace.signature_of(&penguins, &columns).await?;
    /// let taken = Schema::Columns(vec![ColSpec::new("mass", DataType::Double)]);
    /// assert_eq!(signature.inputs, Some(taken));
    /// # Ok::<(), mainstay::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// * [`NotFound`](mainstay_core::ErrorKind::NotFound): no such version.
    /// * [`Invalid`](mainstay_core::ErrorKind::Invalid): it has no table or no such column; a column is named
    ///   twice, or none is left to take; or no type of a signature is that of a column: decimals, times of
    ///   day, durations, `uint64`.
    pub async fn signature_of(
        &self,
        data: &NodeRef,
        columns: &SignatureColumns,
    ) -> Result<Signature> {
        let manifest = self.data().manifest(data).await?;
        derive(&manifest, columns).map_err(|error| {
            let error = error.operation("derive signature");
            error.context("data", data)
        })
    }
}

fn derive(manifest: &Manifest, chosen: &SignatureColumns) -> Result<Signature> {
    if manifest.table.is_none() {
        return Err(Error::invalid("the dataset has no table"));
    }
    let mut given = BTreeSet::new();
    for name in chosen.inputs.iter().chain(&chosen.outputs) {
        if !given.insert(name.as_str()) {
            return Err(Error::invalid("a column named twice").context("column", shown(name)));
        }
    }
    let outputs = chosen.outputs.iter().map(|name| named(manifest, name));
    let outputs = outputs.collect::<Result<Vec<_>>>()?;
    let inputs = if chosen.inputs.is_empty() {
        let rest = manifest.columns().iter();
        rest.filter(|column| !given.contains(column.name.as_str()))
            .collect()
    } else {
        let inputs = chosen.inputs.iter().map(|name| named(manifest, name));
        inputs.collect::<Result<Vec<_>>>()?
    };
    if inputs.is_empty() {
        return Err(Error::invalid("no column is left that the model takes"));
    }
    let stated = !outputs.is_empty();
    let outputs = schema(&outputs)?;
    Ok(Signature::new(
        Some(schema(&inputs)?),
        stated.then_some(outputs),
    ))
}

fn named<'m>(manifest: &'m Manifest, name: &str) -> Result<&'m Column> {
    let column = manifest.column(name);
    column.ok_or_else(|| Error::invalid("no such column").context("column", shown(name)))
}

fn schema(columns: &[&Column]) -> Result<Schema> {
    let columns = columns.iter().map(|column| {
        let data_type = logical::data_type(&column.logical_type).ok_or_else(|| {
            Error::invalid("a signature has no type for the column")
                .context("column", shown(&column.name))
                .context("type", &column.logical_type)
        })?;
        let spec = ColSpec::new(&column.name, data_type);
        Ok(if column.stats.nulls == 0 {
            spec
        } else {
            spec.optional()
        })
    });
    columns.collect::<Result<_>>().map(Schema::Columns)
}

fn shown(name: &str) -> String {
    name.escape_debug().to_string()
}
