//! The documents of an image: its configuration, its manifest, and what an index says of it.

use std::collections::HashMap;
use std::str::FromStr as _;

use mainstay_core::{Digest, Error, ErrorKind, Result, canon};
use oci_spec::image::{
    ANNOTATION_REF_NAME, Descriptor, ImageManifestBuilder, MediaType, SCHEMA_VERSION, Sha256Digest,
};

use super::MAX_MANIFEST_BYTES;
use super::config::Configuration;
use super::layer::Layer;
use crate::artifact::ArtifactFile;
use crate::record::ModelVersion;

const ARTIFACT_TYPE: &str = "application/vnd.cncf.model.manifest.v1+json";
const CONFIG_TYPE: &str = "application/vnd.cncf.model.config.v1+json";
const FILE_PATH: &str = "org.cncf.model.filepath";
const UNTESTED: &str = "org.cncf.model.file.mediatype.untested";

/// An image without its layers. The documents are canonical JSON: the same version has the same bytes.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) config: Vec<u8>,
    pub(super) manifest: Vec<u8>,
    /// What the index of a layout says of it.
    pub(super) descriptor: Descriptor,
}

impl Image {
    pub(super) fn new(record: &ModelVersion, config: &Configuration) -> Result<Self> {
        let files = &record.artifact.files;
        let layers: Result<Vec<_>> = files.iter().map(|file| layer(file, files.len())).collect();
        let config = canon::to_vec(config)?;
        let manifest = ImageManifestBuilder::default()
            .schema_version(SCHEMA_VERSION)
            .media_type(MediaType::ImageManifest)
            .artifact_type(MediaType::Other(ARTIFACT_TYPE.to_owned()))
            .config(document(MediaType::Other(CONFIG_TYPE.to_owned()), &config)?)
            .layers(layers?)
            .build()
            .map_err(|error| defect("a manifest lacks something", error))?;
        let manifest = canon::to_vec(&manifest)?;
        if manifest.len() as u64 > MAX_MANIFEST_BYTES {
            return Err(Error::invalid(format!(
                "so many files that the manifest exceeds {MAX_MANIFEST_BYTES} bytes"
            ))
            .context("files", files.len()));
        }
        let mut descriptor = document(MediaType::ImageManifest, &manifest)?;
        descriptor.set_artifact_type(Some(MediaType::Other(ARTIFACT_TYPE.to_owned())));
        let name = (ANNOTATION_REF_NAME.to_owned(), record.version.to_string());
        descriptor.set_annotations(Some(HashMap::from([name])));
        Ok(Self {
            config,
            manifest,
            descriptor,
        })
    }
}

fn layer(file: &ArtifactFile, files: usize) -> Result<Descriptor> {
    let layer = Layer::of(file, files);
    let mut annotations = HashMap::from([(FILE_PATH.to_owned(), file.path.to_string())]);
    if layer.guessed {
        annotations.insert(UNTESTED.to_owned(), "true".to_owned());
    }
    let mut descriptor = describe(layer.role.media_type(), file.bytes, file.digest)?;
    descriptor.set_annotations(Some(annotations));
    Ok(descriptor)
}

fn document(media_type: MediaType, bytes: &[u8]) -> Result<Descriptor> {
    describe(media_type, bytes.len() as u64, Digest::of(bytes))
}

fn describe(media_type: MediaType, bytes: u64, digest: Digest) -> Result<Descriptor> {
    let digest = Sha256Digest::from_str(&digest.to_hex())
        .map_err(|error| defect("a digest has another form", error))?;
    Ok(Descriptor::new(media_type, bytes, digest))
}

fn defect(message: &str, error: oci_spec::OciSpecError) -> Error {
    Error::new(ErrorKind::Internal, message).with_source(error)
}
