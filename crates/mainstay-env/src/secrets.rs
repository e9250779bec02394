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
        || tokens::holds_bare_key(text)
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
    // Cut before the search: beyond is dropped anyway, and the search may be quadratic.
    let text = cut(text.trim(), 4 * MAX_BYTES);
    let line: String = text.chars().filter(|c| !c.is_control()).collect();
    if holds_credential(&line) {
        return format!("redacted:{}", fingerprint(&line));
    }
    cut(&line, MAX_BYTES).to_owned()
}

/// Returns the beginning of `text`, at most `bytes` long.
fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// Reduces a URL to what names the place: scheme, host, port and path.
///
/// Credentials, query and fragment are dropped; a path segment that may be a secret becomes
/// `redacted`. `None` for local paths, for what is no URL or longer than 4,096 bytes, and where credentials cannot be told from
/// the place. The scp-like `user@host:path` of git
/// becomes `ssh://host/path`.
pub(crate) fn clean_url(text: &str) -> Option<String> {
    const MAX_BYTES: usize = 4_096;
    let text = text.trim();
    if text.len() > MAX_BYTES {
        return None;
    }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_url_is_reduced_to_the_place_it_names() {
        let check = |text, expected: Option<&str>| {
            assert_eq!(clean_url(text).as_deref(), expected, "{text}");
        };
        check(
            "https://example.org/a/b.git",
            Some("https://example.org/a/b.git"),
        );
        check(
            "https://ada:pw@example.org:8443/a?k=v#f",
            Some("https://example.org:8443/a"),
        );
        check("git@example.org:a/b.git", Some("ssh://example.org/a/b.git"));
        check(
            "git+ssh://git@example.org/a",
            Some("git+ssh://example.org/a"),
        );
        check(
            "https://example.org/@scope/x",
            Some("https://example.org/@scope/x"),
        );
        for none in [
            "file:///home/ada/x",
            "/home/ada/x",
            "C:\\x",
            "../x",
            "",
            "x",
        ] {
            check(none, None);
        }
    }

    #[test]
    fn variables_are_secret_by_whole_words_of_their_name() {
        for secret in ["API_KEY", "github_token", "DB_PASSWORD", "AUTH"] {
            assert!(names_secret(secret), "{secret}");
        }
        for plain in ["TOKENIZERS_PARALLELISM", "OMP_NUM_THREADS", "KEYBOARD"] {
            assert!(!names_secret(plain), "{plain}");
        }
    }

    #[test]
    fn settings_of_numeric_libraries_do_not_look_like_secrets() {
        for plain in [
            "--xla_gpu_deterministic_ops=true --xla_cpu_multi_thread_eigen=false",
            "intra_op_parallelism_threads=1",
            "max_split_size_mb:128,garbage_collection_threshold:0.8",
            ":4096:8",
            "AVX512_CORE_AMX",
            "America/Argentina/Buenos_Aires",
            "0,1,2,3,4,5,6,7",
            "en_US.UTF-8",
        ] {
            assert!(!may_be_secret(plain), "{plain}");
        }
    }

    #[test]
    fn long_text_is_cut_before_it_is_searched() {
        assert_eq!(clean(&"=".repeat(1 << 20)).len(), 256);
        assert_eq!(
            clean_url(&format!("https://example.org/{}", "=".repeat(1 << 20))),
            None
        );
    }

    proptest! {
        #[test]
        fn cleaning_gives_one_bounded_line_and_is_stable(
            text in "(\\PC|\n|=|://|@|ghp_|[0-9a-f]{8}){0,80}"
        ) {
            let cleaned = clean(&text);
            prop_assert!(cleaned.len() <= 256 && !cleaned.contains(char::is_control));
            prop_assert!(!holds_credential(&cleaned));
            if let Some(url) = clean_url(&text) {
                prop_assert!(!holds_credential(&url), "{}", url);
            }
        }
    }
}
