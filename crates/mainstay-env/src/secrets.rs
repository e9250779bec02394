//! Secrets: recognizes them, and keeps them out of manifests.

use mainstay_core::Digest;
use url::Url;

mod tokens;

/// The first 16 hex digits of the SHA-256: enough to tell a change, useless to log in with.
pub(crate) fn fingerprint(secret: &str) -> String {
    let mut hex = Digest::of(secret.as_bytes()).to_hex();
    hex.truncate(16);
    hex
}

/// Reports whether `text` holds something with the shape of a known credential.
pub(crate) fn holds_credential(text: &str) -> bool {
    tokens::holds_token(text)
        || tokens::holds_aws_secret(text)
        || tokens::holds_userinfo(text)
        || tokens::holds_assignment(text)
}

/// Reports whether `text` may be a secret: a credential, or a long random-looking word.
pub(crate) fn may_be_secret(text: &str) -> bool {
    holds_credential(text) || text.split(is_word_border).any(is_random)
}

/// Reports whether an environment variable of this name holds a secret by its name.
pub(crate) fn names_secret(variable: &str) -> bool {
    const WORDS: [&str; 13] = [
        "TOKEN",
        "TOKENS",
        "SECRET",
        "SECRETS",
        "PASSWORD",
        "PASSWD",
        "PASS",
        "PWD",
        "KEY",
        "APIKEY",
        "CREDENTIAL",
        "CREDENTIALS",
        "AUTH",
    ];
    let upper = variable.to_ascii_uppercase();
    upper.split('_').any(|word| WORDS.contains(&word))
}

/// Makes text from a file fit for a manifest: one bounded line, credentials replaced.
pub(crate) fn clean(text: &str) -> String {
    const MAX_BYTES: usize = 256;
    let mut line: String = text.trim().chars().filter(|c| !c.is_control()).collect();
    if holds_credential(&line) {
        return format!("redacted:{}", fingerprint(&line));
    }
    if line.len() > MAX_BYTES {
        line.truncate(line.floor_char_boundary(MAX_BYTES));
    }
    line
}

/// Reduces a URL to what names the place: scheme, host, port and path.
///
/// Credentials, query and fragment are dropped; a path segment that may be a secret becomes
/// `redacted`. `None` for local paths, for what is no URL, and where credentials cannot be told from
/// the place. The scp-like `user@host:path` of git
/// becomes `ssh://host/path`.
pub(crate) fn clean_url(text: &str) -> Option<String> {
    let text = text.trim();
    let url = match Url::parse(text) {
        Ok(url) if url.has_host() => url,
        _ => Url::parse(&scp_like(text)?).ok()?,
    };
    if url.scheme().ends_with("file") {
        return None;
    }
    let host = url.host_str()?;
    // A password that holds a slash moves the rest of itself into the path.
    let torn = |segment: &str| segment.rfind('@').is_some_and(|at| at > 0);
    if may_be_secret(host) || url.path().split('/').any(torn) {
        return None;
    }
    let port = url
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    let segments: Vec<&str> = url
        .path()
        .split('/')
        .map(|segment| {
            if may_be_secret(segment) {
                "redacted"
            } else {
                segment
            }
        })
        .collect();
    Some(clean(&format!(
        "{}://{host}{port}{}",
        url.scheme(),
        segments.join("/")
    )))
}

fn scp_like(text: &str) -> Option<String> {
    if text.contains("://") {
        return None;
    }
    let (host, path) = text.split_once(':')?;
    let host = host.rsplit('@').next()?;
    let named = host.len() > 1 && !host.contains(['/', '\\']) && !path.is_empty();
    named.then(|| format!("ssh://{host}/{}", path.trim_start_matches('/')))
}

fn is_word_border(c: char) -> bool {
    !(c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '_' | '-' | '=' | '%'))
}

/// Reports whether a word looks random: 32 hex digits; or 20 characters of upper and lower case with
/// a digit, or 24 lower-case letters and digits with 4, of a Shannon entropy of 3.5 bits or more.
fn is_random(word: &str) -> bool {
    let count = |class: fn(&u8) -> bool| word.bytes().filter(class).count();
    if word.len() >= 32 && count(u8::is_ascii_hexdigit) == word.len() {
        return true;
    }
    let (digits, lower) = (count(u8::is_ascii_digit), count(u8::is_ascii_lowercase));
    let mixed = word.len() >= 20 && digits >= 1 && lower > 0 && count(u8::is_ascii_uppercase) > 0;
    let plain = word.len() >= 24 && digits >= 4 && digits + lower == word.len();
    (mixed || plain) && entropy_bits(word) >= 3.5
}

/// The Shannon entropy of a word in bits a byte.
fn entropy_bits(word: &str) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in word.bytes() {
        counts[usize::from(byte)] += 1;
    }
    let total: f64 = counts.iter().copied().map(f64::from).sum();
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| f64::from(*count) / total)
        .map(|share| -share * share.log2())
        .sum()
}
