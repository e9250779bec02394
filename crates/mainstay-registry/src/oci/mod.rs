//! Export of versions as OCI image layouts: [ModelPack](https://github.com/modelpack/model-spec) artifacts,
//! which container tools copy to registries and Kubernetes mounts.
//!
//! A [layout](https://github.com/opencontainers/image-spec/blob/main/image-layout.md) is a directory. Each
//! file of a version is one layer as it is, neither archived nor compressed, so that its digest there is
//! its digest here; [`Registry::export_oci`](crate::Registry::export_oci) hashes nothing anew.
//!
//! ```
//! # use std::sync::Arc;
//! # use mainstay_core::{Actor, Digest, Locator};
//! # use mainstay_registry::{FileSpec, ModelSpec, Registry};
//! # use mainstay_repo::{Repo, RepoOptions};
//! # use mainstay_store::MemoryStorage;
//! # tokio::runtime::Builder::new_multi_thread().build().unwrap().block_on(async {
//! # let repo = Repo::create(Arc::new(MemoryStorage::new()), RepoOptions::default()).await?;
//! # let registry = Registry::new(repo.clone());
//! # let spec = ModelSpec::new("fraud".parse()?, Actor::new("ada")?, "train")
//! #     .with_file(FileSpec::from_bytes("model.onnx".parse()?, "weights"));
//! # registry.register(spec).await?;
//! # let directory = tempfile::tempdir()?;
//! let layout = directory.path().join("layout");
//! let view = repo.view().await?;
//! let fraud: Locator = "fraud@1.0.0".parse()?;
//! let report = registry.export_oci(&view, &fraud, &layout).await?;
//! // skopeo copy oci:layout:1.0.0 docker://registry.example/fraud:1.0.0
//! assert_eq!(report.reference, "1.0.0");
//! let weights = layout.join("blobs/sha256").join(Digest::of(b"weights").to_hex());
//! assert_eq!(std::fs::read(weights)?, b"weights");
//! # Ok::<(), mainstay_core::Error>(()) }).unwrap();
//! ```
//!
//! What is written is described in `docs/formats/oci-layout.md`. Signatures are not: export them with the
//! files, see `signing`. Pushing to a registry is left to tools that do it.

mod config;
mod disk;
mod index;
mod layer;
mod layout;
mod manifest;

use std::path::{Path, PathBuf};

use mainstay_core::{Digest, Locator, NodeRef, Result};
use mainstay_repo::{Repo, View};
use serde::Serialize;

use self::config::Configuration;
use self::layout::Layout;
use self::manifest::Image;
use crate::artifact::ArtifactFile;
use crate::info::{ModelInfo, show};

/// The largest manifest and index that are written or read: what registries accept.
pub const MAX_MANIFEST_BYTES: u64 = 4 * 1024 * 1024;

/// What was exported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OciReport {
    /// The version.
    pub model: NodeRef,
    /// The layout.
    pub directory: PathBuf,
    /// Its name in the layout, `org.opencontainers.image.ref.name`: the version number.
    pub reference: String,
    /// The digest of the manifest.
    pub manifest: Digest,
    /// The layers: the files.
    pub files: Vec<ArtifactFile>,
    /// Their bytes.
    pub bytes: u64,
    /// Whether the index lacked it; otherwise the layout held it already.
    pub added: bool,
}

/// Adds a version to the layout at `directory`, which is made where there is none.
pub(crate) async fn export(
    repo: &Repo,
    view: &View,
    locator: &Locator,
    directory: &Path,
) -> Result<OciReport> {
    let model = view.read(|view| show(view, locator)).await?;
    let exported = write(repo, &model, directory).await;
    let (manifest, added) = exported.map_err(|error| {
        error
            .context("model", &model.node)
            .context("directory", directory.display())
    })?;
    Ok(OciReport {
        directory: directory.to_owned(),
        reference: model.version().to_string(),
        manifest,
        bytes: model.record.artifact.bytes(),
        files: model.record.artifact.files.clone(),
        added,
        model: model.node.clone(),
    })
}

/// The index comes last, so that it never names what is not there.
async fn write(repo: &Repo, model: &ModelInfo, directory: &Path) -> Result<(Digest, bool)> {
    let config = Configuration::of(repo, model).await?;
    let image = Image::new(&model.record, &config)?;
    let layout = Layout::open(directory).await?;
    let index = layout.index.with(&image.descriptor)?;
    layout.prepare().await?;
    for file in &model.record.artifact.files {
        layout.put_file(repo, file).await?;
    }
    for document in [&image.config, &image.manifest] {
        layout.put_bytes(document).await?;
    }
    let added = index.is_some();
    if let Some(index) = index {
        layout.replace_index(index).await?;
    }
    Ok((Digest::of(&image.manifest), added))
}
