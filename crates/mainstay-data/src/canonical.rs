//! How files are laid out: table files written anew share what versions have in common, whatever wrote them.

use arrow::datatypes::SchemaRef;
use mainstay_core::{FilePath, Result, Telling};

use crate::format::parquet::write;
use crate::format::{TableFormat, TableReader};
use crate::input::{InputFile, Origin, in_path_order};
use crate::passing::told;
use crate::report::NullLike;
use crate::scan::{TableFile, infer};
use crate::{CsvOptions, FileLayout};

/// Lays out files that were just found, as the user said; CSV is spelled as `csv` says. Returns which columns
/// were text for the sake of a few fields, where files were read. Blocks.
///
/// # Errors
/// Where they are written anew, those of decoding and of [`write::encode`], naming the file;
/// [`Invalid`](mainstay_core::ErrorKind::Invalid) when two files would have one path then.
pub(crate) fn lay_out(
    files: &mut [InputFile],
    layout: FileLayout,
    csv: &CsvOptions,
    telling: &Telling,
) -> Result<Vec<NullLike>> {
    match layout {
        FileLayout::Verbatim => Ok(Vec::new()),
        FileLayout::Canonical => rewrite(files, csv, telling),
        FileLayout::Plain => {
            for file in files.iter_mut().filter(|file| !file.is_canonical()) {
                file.layout = layout;
            }
            Ok(Vec::new())
        }
    }
}

/// Writes every table file anew by the writer profile.
fn rewrite(files: &mut [InputFile], csv: &CsvOptions, telling: &Telling) -> Result<Vec<NullLike>> {
    let tables: Vec<TableFile<'_>> = files.iter().filter_map(TableFile::of).collect();
    // Found, written anew and described.
    let (types, null_like) = infer(&tables, csv, (telling, 3))?;
    for file in files.iter_mut().filter(|file| !file.is_canonical()) {
        let Some(format) = file.table_format() else {
            continue;
        };
        let encoded = TableReader::open(file.origin.open()?, format, &types, None)
            .and_then(|rows| {
                let schema = SchemaRef::clone(rows.schema());
                write::encode_table(&schema, told(rows, telling))
            })
            .map_err(|error| error.context("file", &file.path))?;
        file.origin.check_unchanged(file.origin.bytes())?;
        file.path = canonical_path(&file.path)?;
        file.origin = Origin::Spooled(encoded);
        file.layout = FileLayout::Canonical;
    }
    in_path_order(files)?;
    Ok(null_like)
}

/// Names a Parquet file after a table file.
fn canonical_path(path: &FilePath) -> Result<FilePath> {
    if TableFormat::of(path) == Some(TableFormat::Parquet) {
        return Ok(path.clone());
    }
    let text = path.as_str();
    let stem = text.len() - path.extension().len();
    FilePath::new(&format!("{}parquet", &text[..stem]))
}
