//! The stored format: what `docs/formats/environment.md` specifies, held by a fixture.

use std::path::Path;

use mainstay_core::{Digest, canon};
use mainstay_env::EnvManifest;
use serde::{Deserialize, Serialize};

/// The record as stored, in canonical JSON.
#[derive(Serialize, Deserialize)]
struct Record {
    format: u64,
    digest: Digest,
    manifest: EnvManifest,
}

#[test]
fn version_1_is_read_hashed_and_written_as_it_was() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/environment/v1/record.json");
    let bytes = std::fs::read(path).unwrap();
    // Reading demands the canonical spelling, so this also shows that writing gives the same bytes.
    let record: Record = canon::from_slice(&bytes).unwrap();
    assert_eq!(record.format, 1);
    assert_eq!(record.manifest.digest().unwrap(), record.digest);
}
