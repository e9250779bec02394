//! The `index.json` of a layout: which images it has, by name.

use mainstay_core::{Error, ErrorKind, Result, canon};
use oci_spec::image::{ANNOTATION_REF_NAME, Descriptor, ImageIndex, MediaType, SCHEMA_VERSION};
use serde_json::{Value, json};

use super::MAX_MANIFEST_BYTES;

/// An index that another program may have written.
#[derive(Debug)]
pub(super) struct Index {
    /// What is in it.
    typed: ImageIndex,
    /// All of it, also what is not known here and has to stay.
    whole: Value,
}

impl Index {
    /// An index of nothing.
    pub(super) fn empty() -> Result<Self> {
        let empty = json!({
            "schemaVersion": SCHEMA_VERSION,
            "mediaType": MediaType::ImageIndex.to_string(),
            "manifests": [],
        });
        Self::parse(&canon::to_vec(&empty)?)
    }

    /// Reads an index.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when it is none, [`ErrorKind::Unsupported`] when it is of another version.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        let refused =
            |error| Error::invalid("index.json is not an OCI image index").with_source(error);
        let typed: ImageIndex = serde_json::from_slice(bytes).map_err(refused)?;
        if typed.schema_version() != SCHEMA_VERSION {
            let error = Error::new(ErrorKind::Unsupported, "an OCI index of another version");
            return Err(error.context("version", typed.schema_version()));
        }
        let other = typed.media_type().as_ref();
        if let Some(other) = other.filter(|other| **other != MediaType::ImageIndex) {
            return Err(Error::invalid("index.json is not an OCI image index")
                .context("media_type", other.to_string().escape_debug()));
        }
        let whole = serde_json::from_slice(bytes).map_err(refused)?;
        Ok(Self { typed, whole })
    }

    /// Returns the index with one image more; `None` when it has it already.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] when it has another image of this name, [`ErrorKind::Invalid`] when
    /// it gets too large.
    pub(super) fn with(&self, image: &Descriptor) -> Result<Option<Vec<u8>>> {
        let name = name(image);
        let mut named = self
            .typed
            .manifests()
            .iter()
            .filter(|one| self::name(one) == name);
        if named.clone().any(|one| one.digest() == image.digest()) {
            return Ok(None);
        }
        if let Some(other) = named.next() {
            let error = Error::new(
                ErrorKind::AlreadyExists,
                "the layout has another image of this name",
            );
            return Err(error
                .context("name", name.unwrap_or_default())
                .context("manifest", other.digest()));
        }
        let mut whole = self.whole.clone();
        let manifests = whole.get_mut("manifests").and_then(Value::as_array_mut);
        let manifests =
            manifests.ok_or_else(|| Error::invalid("index.json has no list of manifests"))?;
        let image = serde_json::to_value(image).map_err(|error| {
            Error::new(ErrorKind::Internal, "a descriptor is not JSON").with_source(error)
        })?;
        manifests.push(image);
        let bytes = canon::to_vec(&whole)?;
        if bytes.len() as u64 > MAX_MANIFEST_BYTES {
            return Err(Error::invalid(format!(
                "the index of the layout would exceed {MAX_MANIFEST_BYTES} bytes"
            )));
        }
        Ok(Some(bytes))
    }
}

fn name(image: &Descriptor) -> Option<&str> {
    let annotations = image.annotations().as_ref()?;
    annotations.get(ANNOTATION_REF_NAME).map(String::as_str)
}

#[cfg(test)]
mod tests;
