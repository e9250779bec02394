//! The shapes of credentials that vendors issue.

/// What follows a vendor's prefix.
#[derive(Clone, Copy)]
enum Rest {
    /// Letters, digits, `-`, `_` and `.`, with at least one digit.
    Token,
    /// Upper-case letters and digits.
    Upper,
    /// Lower-case hex digits.
    Hex,
    /// Any printable characters.
    Any,
}

/// A credential's prefix and the least it is followed by.
struct Shape(&'static str, usize, Rest);

const SHAPES: &[Shape] = &[
    // Amazon, Google, Azure, Alibaba, DigitalOcean, Databricks
    Shape("AKIA", 12, Rest::Upper),
    Shape("ASIA", 12, Rest::Upper),
    Shape("ABIA", 12, Rest::Upper),
    Shape("AIza", 20, Rest::Token),
    Shape("ya29.", 16, Rest::Token),
    Shape("GOCSPX-", 16, Rest::Token),
    Shape("SharedAccessSignature ", 4, Rest::Any),
    Shape("LTAI", 16, Rest::Token),
    Shape("dop_v1_", 16, Rest::Hex),
    Shape("doo_v1_", 16, Rest::Hex),
    Shape("dapi", 32, Rest::Hex),
    // Code hosting and package registries
    Shape("ghp_", 16, Rest::Token),
    Shape("gho_", 16, Rest::Token),
    Shape("ghu_", 16, Rest::Token),
    Shape("ghs_", 16, Rest::Token),
    Shape("ghr_", 16, Rest::Token),
    Shape("github_pat_", 16, Rest::Token),
    Shape("glpat-", 16, Rest::Token),
    Shape("gldt-", 16, Rest::Token),
    Shape("glrt-", 16, Rest::Token),
    Shape("ATATT", 16, Rest::Token),
    Shape("ATCTT", 16, Rest::Token),
    Shape("ATBB", 16, Rest::Token),
    Shape("npm_", 16, Rest::Token),
    Shape("pypi-", 24, Rest::Token),
    Shape("dckr_pat_", 16, Rest::Token),
    Shape("rubygems_", 16, Rest::Token),
    Shape("cio", 32, Rest::Token),
    // Model providers
    Shape("sk-", 18, Rest::Token),
    Shape("hf_", 16, Rest::Token),
    Shape("gsk_", 16, Rest::Token),
    Shape("xai-", 20, Rest::Token),
    Shape("r8_", 16, Rest::Token),
    Shape("pplx-", 16, Rest::Token),
    Shape("nvapi-", 16, Rest::Token),
    Shape("lsv2_", 16, Rest::Token),
    Shape("pk-lf-", 16, Rest::Token),
    Shape("sk-lf-", 16, Rest::Token),
    // Chat, payment, mail, telephony
    Shape("xox", 12, Rest::Token),
    Shape("xapp-", 12, Rest::Token),
    Shape("sk_live_", 12, Rest::Token),
    Shape("sk_test_", 12, Rest::Token),
    Shape("rk_live_", 12, Rest::Token),
    Shape("rk_test_", 12, Rest::Token),
    Shape("whsec_", 12, Rest::Token),
    Shape("sq0atp-", 12, Rest::Token),
    Shape("sq0csp-", 12, Rest::Token),
    Shape("shpat_", 16, Rest::Hex),
    Shape("shpss_", 16, Rest::Hex),
    Shape("SG.", 20, Rest::Token),
    Shape("key-", 32, Rest::Hex),
    Shape("AC", 32, Rest::Hex),
    Shape("SK", 32, Rest::Hex),
    Shape("EAACEdEose0cBA", 4, Rest::Any),
    // Operations
    Shape("hvs.", 16, Rest::Token),
    Shape("hvb.", 16, Rest::Token),
    Shape("glsa_", 16, Rest::Token),
    Shape("glc_", 16, Rest::Token),
    Shape("NRAK-", 16, Rest::Upper),
    Shape("PMAK-", 16, Rest::Token),
    Shape("dp.pt.", 16, Rest::Token),
    Shape("lin_api_", 16, Rest::Token),
    Shape("sntrys_", 16, Rest::Token),
    Shape("tskey-", 12, Rest::Token),
    Shape("FlyV1 ", 12, Rest::Any),
    Shape("AGE-SECRET-KEY-1", 16, Rest::Upper),
    // Formats
    Shape("eyJ", 16, Rest::Token),
    Shape("-----BEGIN ", 3, Rest::Any),
    Shape("Bearer ", 8, Rest::Any),
    Shape("Basic ", 8, Rest::Any),
];

/// Reports whether `text` holds a credential of a known vendor or format.
pub(super) fn holds_token(text: &str) -> bool {
    SHAPES.iter().any(|shape| shape.is_in(text))
}

/// Reports whether `text` holds a word like a key that has no prefix: base64 of all classes, 40
/// characters as a secret key of Amazon, or 86 before the padding as the key of an Azure account.
pub(super) fn holds_bare_key(text: &str) -> bool {
    let outside = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '/' | '+'));
    text.split(outside).any(|word| {
        let has = |class: fn(&u8) -> bool| word.as_bytes().iter().any(class);
        matches!(word.len(), 40 | 86)
            && has(u8::is_ascii_digit)
            && has(u8::is_ascii_uppercase)
            && has(u8::is_ascii_lowercase)
    })
}

impl Shape {
    fn is_in(&self, text: &str) -> bool {
        let Self(prefix, least, rest) = self;
        text.match_indices(prefix).any(|(at, _)| {
            let begins = !text[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
            begins && rest.length(&text[at + prefix.len()..]) >= *least
        })
    }
}

impl Rest {
    /// How many bytes at the beginning of `text` belong to the credential.
    fn length(self, text: &str) -> usize {
        let run = |class: fn(u8) -> bool| text.bytes().take_while(|byte| class(*byte)).count();
        match self {
            Self::Upper => run(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()),
            Self::Hex => run(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')),
            Self::Any => run(|byte| !byte.is_ascii_control()),
            Self::Token => {
                let length =
                    run(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
                let digit = text.as_bytes()[..length].iter().any(u8::is_ascii_digit);
                if digit { length } else { 0 }
            }
        }
    }
}

/// Reports whether `text` holds a URL with a password or token: `scheme://user:password@host`.
pub(super) fn holds_userinfo(text: &str) -> bool {
    text.split("://").skip(1).any(|rest| {
        let authority = rest.split(['/', '?', '#', ' ']).next().unwrap_or(rest);
        authority.contains('@')
    })
}

/// Reports whether `text` assigns something to a name that means a secret: `password=…`.
pub(super) fn holds_assignment(text: &str) -> bool {
    const NAMES: [&str; 12] = [
        "password",
        "passwd",
        "pwd",
        "secret",
        "token",
        "api_key",
        "apikey",
        "access_key",
        "accountkey",
        "sharedaccesskey",
        "private_key",
        "sig",
    ];
    let lower = text.to_ascii_lowercase();
    lower.match_indices(['=', ':']).any(|(at, _)| {
        let name = lower[..at].trim_end_matches(['"', '\'', ' ']);
        let value = lower[at + 1..].trim_start_matches(['"', '\'', ' ']);
        let long = value.bytes().take_while(u8::is_ascii_graphic).count() >= 6;
        long && !value.starts_with("//") && NAMES.iter().any(|secret| name.ends_with(secret))
    })
}
