//! `mainstay model sign`

use std::path::PathBuf;

use clap::Args;
use mainstay::registry::signing::{Signed, SigningKey};
use mainstay::{Locator, Result};

use crate::args;
use crate::cli::Global;
use crate::output::Answer;
use crate::text::bytes;

/// Sign a version with a private key, as OpenSSF Model Signing 1.0 says
///
/// Reads none of its files: their digests are known. The signature is kept with the version; `model pull`
/// and `model verify` need nothing else. Signing again with the same key changes nothing.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  openssl ecparam -name prime256v1 -genkey -noout -out key.pem
  openssl ec -in key.pem -pubout -out key.pub.pem
  mainstay model sign fraud@1.2.0 --key key.pem
  mainstay model verify fraud@1.2.0 --key key.pub.pem")]
pub(crate) struct Sign {
    /// The model version, as name@selector
    #[arg(value_name = "REF", value_parser = args::model)]
    reference: Locator,
    /// The private key, in PEM: P-256, P-384 or P-521
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

impl Sign {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let key = SigningKey::read(&self.key).await?;
        let (actor, reason) = (global.actor()?, global.reason("sign model version"));
        let models = global.open().await?.models();
        let document = models.sign(&self.reference, &key, actor, reason).await?;
        global.output().result(&document, |out| {
            let Signed {
                model, signature, ..
            } = &document;
            let (key, size) = (signature.key, bytes(signature.bytes));
            writeln!(out, "{model}: signed by key {key}, {size}")
        })?;
        if document.seq.is_none() {
            global.output().note("this key had signed it already");
        }
        Ok(Answer::Yes)
    }
}
