//! The text in a URL.

use std::collections::BTreeMap;

use mainstay_core::{Error, Result};
use percent_encoding::percent_decode_str;

/// Undoes percent-encoding; what is not UTF-8, or holds NUL, is refused.
pub(super) fn decoded(text: &str) -> Result<String> {
    let refused = || Error::invalid("a part of the URL is not text");
    let text = percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| refused())?;
    if text.contains('\0') {
        return Err(refused());
    }
    Ok(text.into_owned())
}

/// Reads `name=value&…`; each name once, none of a secret.
pub(super) fn parameters(query: &str) -> Result<BTreeMap<String, String>> {
    let mut parameters = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| Error::invalid("an option in the URL has no value"))?;
        let name = decoded(name)?.to_ascii_lowercase();
        if name == "password" {
            return Err(Error::invalid(
                "a password does not belong in a URL: set PGPASSWORD or the option `password`",
            ));
        }
        if parameters.insert(name, decoded(value)?).is_some() {
            return Err(Error::invalid("an option is twice in the URL"));
        }
    }
    Ok(parameters)
}
