//! SQLite, in files of temporary directories.

mod conformance;
mod damage;
mod format;
mod model;
mod objects;
mod processes;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use mainstay_core::Result;
use mainstay_store::Storage;
use mainstay_store_sql::DatabaseUrl;

async fn open_with(file: &Path, options: &[(&str, &str)]) -> Result<Arc<dyn Storage>> {
    let options: BTreeMap<_, _> = options
        .iter()
        .map(|&(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    mainstay_store_sql::open(&DatabaseUrl::parse(&url(file))?, &options).await
}

async fn open(file: &Path) -> Arc<dyn Storage> {
    open_with(file, &[]).await.unwrap()
}

fn url(file: &Path) -> String {
    format!("sqlite://{}", file.display())
}

/// The names in the directory of a file, in order.
fn beside(file: &Path) -> Vec<String> {
    let entries = file.parent().unwrap().read_dir().unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}
