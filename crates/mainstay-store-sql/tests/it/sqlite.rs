//! SQLite, in files of temporary directories.

mod conformance;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use mainstay_core::Result;
use mainstay_store::Storage;

fn url(file: &Path) -> String {
    format!("sqlite://{}", file.display())
}

async fn open_with(file: &Path, options: &[(&str, &str)]) -> Result<Arc<dyn Storage>> {
    let options: BTreeMap<_, _> = options
        .iter()
        .map(|&(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    mainstay_store_sql::open(&url(file), &options).await
}

async fn open(file: &Path) -> Arc<dyn Storage> {
    open_with(file, &[]).await.unwrap()
}
