//! Amazon S3 and compatible servers.

use std::collections::BTreeMap;
use std::str::FromStr as _;
use std::sync::Arc;

use mainstay_core::Result;
use object_store::ClientConfigKey;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};

use super::configure::{Encryption, TIMEOUT, no_retries, not_built, with_options};
use super::{Client, Connected};
use crate::StoreProfile;

pub(super) const CLIENT: Client = Client {
    connect,
    is_option: |name| AmazonS3ConfigKey::from_str(name).is_ok(),
};

fn connect(bucket: &str, options: &BTreeMap<String, String>) -> Result<Connected> {
    let timeout = AmazonS3ConfigKey::Client(ClientConfigKey::Timeout);
    let builder = AmazonS3Builder::new()
        .with_config(timeout, TIMEOUT)
        // Not every compatible server has it, and its failures carry no HTTP status.
        .with_config(AmazonS3ConfigKey::DisableBulkDelete, "true");
    let builder = with_options(builder, options, AmazonS3Builder::with_config)?
        .with_bucket_name(bucket)
        .with_retry(no_retries());
    let endpoints = [AmazonS3ConfigKey::Endpoint, AmazonS3ConfigKey::S3Endpoint];
    let encryption = Encryption::of(
        endpoints.map(|key| builder.get_config_value(&key)),
        builder.get_config_value(&AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp)),
    );
    let store = builder
        .build()
        .map_err(|error| not_built(&error, options))?;
    encryption.check()?;
    // Directory buckets (S3 Express), told by their names, list in no order.
    let profile = if bucket.ends_with("--x-s3") {
        StoreProfile::s3().unordered()
    } else {
        StoreProfile::s3()
    };
    Ok((Arc::new(store), profile))
}
