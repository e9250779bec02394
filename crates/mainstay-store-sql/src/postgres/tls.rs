//! Encryption.

use std::path::Path;
use std::sync::Arc;

use mainstay_core::{Error, ErrorKind, Result};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Makes a connector that trusts the certificates in a PEM file, or those of the system.
///
/// Reads files.
pub(super) fn connector(root_certificates: Option<&Path>) -> Result<MakeRustlsConnect> {
    let roots = match root_certificates {
        Some(file) => roots_in(file).map_err(|error| error.context("sslrootcert", file.display())),
        None => roots_of_system(),
    }?;
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(ErrorKind::Internal, "no TLS").with_source(error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn roots_in(file: &Path) -> Result<RootCertStore> {
    let pem = std::fs::read(file)?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let added = certificate.map(|certificate| roots.add(certificate));
        if !matches!(added, Ok(Ok(()))) {
            return Err(Error::invalid("a certificate in the file cannot be read"));
        }
    }
    if roots.is_empty() {
        return Err(Error::invalid("the file holds no certificate"));
    }
    Ok(roots)
}

/// Leaves out what cannot be read, as some of a system's certificates usually cannot.
fn roots_of_system() -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(Error::new(
            ErrorKind::Unavailable,
            "the system has no trusted certificates: name some with sslrootcert",
        ));
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("roots.pem");
        let absent = connector(Some(&file)).err().unwrap();
        assert_eq!(absent.kind(), ErrorKind::NotFound);
        let broken = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
        for pem in ["", "hello", broken] {
            std::fs::write(&file, pem).unwrap();
            let error = connector(Some(&file)).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{pem}");
        }
    }
}
