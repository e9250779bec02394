//! `mainstay model verify`

use std::path::{Path, PathBuf};

use clap::Args;
use mainstay::registry::signing::{
    Bundle, FaultKind, Verdict, Verification, VerifyingKey, verify_files,
};
use mainstay::{Digest, Error, Locator, Result};
use serde::Serialize;

use crate::args;
use crate::cli::Global;
use crate::output::Answer;

/// Tell whether a key signed a version, or the files of a directory
///
/// A directory or file is verified against a signature beside it, which any program may have made that
/// follows OpenSSF Model Signing 1.0; every file is read. Says no, with exit code 1, when the key did not
/// sign, or signed something else. Tells the fingerprint of the key, the SHA-256 of the signature, and the
/// version and record that were signed where the signature names them.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay model verify fraud@production --key key.pub.pem
  mainstay model verify ./fraud --signature model.sig --key key.pub.pem")]
pub(crate) struct Verify {
    /// The model version, as name@selector; with --signature, a directory or a file
    #[arg(value_name = "REF|DIR")]
    subject: String,
    /// The public key, in PEM
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The signature of the files at DIR
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
    /// Write the signature of the version there, for other programs: model.sig
    #[arg(long, value_name = "FILE", conflicts_with = "signature")]
    export: Option<PathBuf>,
}

#[derive(Serialize)]
struct Document {
    #[serde(flatten)]
    found: Verification,
    /// The digest of the signature; `None` where there is none of the key.
    signature: Option<Digest>,
}

impl Verify {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let key = VerifyingKey::read(&self.key).await?;
        let document = match &self.signature {
            Some(signature) => Document {
                found: verify_files(Path::new(&self.subject), signature, &key).await?,
                signature: Some(Digest::of(Bundle::read(signature).await?.bytes())),
            },
            None => self.verify_version(global, &key).await?,
        };
        let found = &document.found;
        global.output().result(&document, |out| {
            writeln!(out, "{}: {}", self.subject, words(found))?;
            writeln!(out, "  key {}", found.key)?;
            if let Some(signature) = document.signature {
                writeln!(out, "  signature {signature}")?;
            }
            if let Some(signed) = &found.version {
                writeln!(out, "  signs {}, record {}", signed.node, signed.record)?;
            }
            for fault in &found.faults {
                let what = match fault.fault {
                    FaultKind::Missing => "missing",
                    FaultKind::Altered => "altered",
                    FaultKind::Unsigned => "not signed",
                    _ => "differs",
                };
                writeln!(out, "  {}: {what}", fault.resource)?;
            }
            Ok(())
        })?;
        Ok(Answer::of(found.is_verified()))
    }

    async fn verify_version(&self, global: &Global, key: &VerifyingKey) -> Result<Document> {
        let reference: Locator = args::model(&self.subject)?;
        let workspace = global.open().await?;
        let (view, models) = (workspace.repo().view().await?, workspace.models());
        let (found, bundle) = models.verify_signature(&view, &reference, key).await?;
        let signature = bundle.as_ref().map(|bundle| Digest::of(bundle.bytes()));
        if let Some(path) = &self.export {
            let bundle = bundle.ok_or_else(|| Error::not_found("signature", &reference))?;
            std::fs::write(path, bundle.bytes())
                .map_err(|error| Error::from(error).context("file", path.display()))?;
        }
        Ok(Document { found, signature })
    }
}

fn words(found: &Verification) -> String {
    match found.verdict {
        Verdict::Verified => format!("verified, {} files signed", found.signed),
        Verdict::NotSigned => "not signed by this key".to_owned(),
        Verdict::BadSignature => "a signature that claims to be of this key is not".to_owned(),
        Verdict::OtherFiles => "the key signed other files".to_owned(),
        Verdict::OtherVersion => "the key signed another version".to_owned(),
        _ => "not verified".to_owned(),
    }
}
