//! S3, Google Cloud Storage, Azure and HTTP object stores for Mainstay, over the object_store crate.
