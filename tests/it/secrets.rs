//! No credential comes back out of opening a storage: not in errors, not in `Debug`, not in logs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Debug, Write as _};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use mainstay::{Location, Workspace};
use mainstay_store_object::{open, options_from_env};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Shapes of real credentials, none of them real; split so that scanners do not report the file.
const CREDENTIALS: &str = include_str!("../corpus/credentials.tsv");

/// Every option that can hold a credential, and those that are parsed or shown more than others.
const OPTIONS: [(&str, &[&str]); 3] = [
    (
        "s3://bucket/a",
        &[
            "aws_access_key_id",
            "aws_secret_access_key",
            "aws_session_token",
            "aws_endpoint",
            "aws_region",
            "aws_sse_customer_key_base64",
            "aws_container_authorization_token_file",
            "user_agent",
            "proxy_url",
            "timeout",
        ],
    ),
    (
        "gs://bucket/a",
        &[
            "google_service_account",
            "google_service_account_key",
            "google_application_credentials",
            "google_base_url",
            "proxy_url",
            "timeout",
        ],
    ),
    (
        "az://container/a",
        &[
            "azure_storage_account_name",
            "azure_storage_account_key",
            "azure_storage_sas_key",
            "azure_storage_token",
            "azure_storage_client_id",
            "azure_storage_client_secret",
            "azure_storage_tenant_id",
            "azure_storage_endpoint",
            "azure_federated_token_file",
            "proxy_url",
        ],
    ),
];

/// What makes the services' clients complete, so that they get as far as to hold the credential.
fn complete(url: &str) -> BTreeMap<String, String> {
    let options: &[(&str, &str)] = match &url[..2] {
        "s3" => &[
            ("aws_access_key_id", "id"),
            ("aws_secret_access_key", "key"),
            ("aws_region", "eu-north-1"),
        ],
        "az" => &[
            ("azure_storage_account_name", "account"),
            ("azure_storage_client_id", "client"),
            ("azure_storage_tenant_id", "tenant"),
        ],
        _ => &[],
    };
    let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
    options.iter().map(owned).collect()
}

/// A credential and all that has been told since it was planted.
struct Planted {
    secret: String,
    needles: Vec<String>,
    told: String,
}

impl Planted {
    fn new(line: &str) -> Self {
        let (prefix, rest) = line.split_once('\t').unwrap();
        let bytes = format!("{:?}", rest.as_bytes());
        Self {
            secret: format!("{prefix}{rest}"),
            needles: vec![
                rest.to_owned(),
                rest.to_lowercase(),
                rest.escape_debug().to_string(),
                encoded(rest),
                // A list of bytes is as readable.
                bytes.trim_matches(['[', ']']).to_owned(),
            ],
            told: String::new(),
        }
    }

    /// Notes whatever can be seen of the outcome of a call.
    fn tell<T: Debug>(&mut self, outcome: mainstay::Result<T>) {
        match outcome {
            Ok(value) => write!(self.told, "{value:?} {value:#?}").unwrap(),
            Err(error) => {
                write!(self.told, "{error} {error:?} {error:#?}").unwrap();
                let mut cause = std::error::Error::source(&error);
                while let Some(error) = cause {
                    write!(self.told, "{error} {error:?}").unwrap();
                    cause = error.source();
                }
            }
        }
    }

    fn check(&self, log: &str, at: &str) {
        for needle in &self.needles {
            for text in [&self.told, log] {
                assert!(!text.contains(needle), "{} at {at} in {text}", self.secret);
            }
        }
    }
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

/// A log that can be read.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }

    /// Runs `work` and logs all that it traces.
    fn during(&self, work: impl FnOnce()) {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(LevelFilter::TRACE)
            .with_span_events(FmtSpan::FULL)
            .with_writer(move || log.clone())
            .finish();
        let _restored_when_dropped = subscriber.set_default();
        work();
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn credentials() -> impl Iterator<Item = &'static str> {
    let lines = CREDENTIALS.lines();
    assert!(lines.clone().count() >= 40);
    lines
}

/// URLs that hold `secret` where it does not belong.
fn urls(secret: &str) -> Vec<String> {
    let mut urls = Vec::new();
    for scheme in ["s3", "gs", "az", "file", "https", "postgres", "sqlite"] {
        for secret in [secret.to_owned(), encoded(secret)] {
            // A database's user name is not a secret.
            if scheme != "postgres" {
                urls.push(format!("{scheme}://{secret}@bucket/a"));
            }
            urls.extend([
                format!("{scheme}://user:{secret}@bucket/a"),
                format!("{scheme}://bucket/a?password={secret}"),
                format!("{scheme}://bucket/a#{secret}"),
                format!("{scheme}://bucket:{secret}/a"),
            ]);
        }
    }
    if secret.contains("://") {
        urls.push(secret.to_owned());
    }
    urls
}

#[test]
fn a_credential_in_a_url_is_never_repeated() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    for line in credentials() {
        let secret = Planted::new(line).secret;
        for url in urls(&secret) {
            let mut planted = Planted::new(line);
            let log = Log::default();
            log.during(|| {
                planted.tell(Location::parse(&url));
                planted.tell(open(&url, &BTreeMap::new()));
                planted.tell(options_from_env(&url, []));
                if Location::parse(&url).is_err() {
                    planted.tell(runtime.block_on(Workspace::open(&url)));
                    planted.tell(runtime.block_on(Workspace::create(&url)));
                }
            });
            planted.check(&log.text(), &url);
        }
    }
}

#[test]
fn a_credential_in_an_option_is_never_repeated() {
    for (number, line) in credentials().enumerate() {
        for (url, names) in OPTIONS {
            // A third of all pairs: making clients takes its time.
            for name in names.iter().skip(number % 3).step_by(3) {
                let mut planted = Planted::new(line);
                let secret = planted.secret.clone();
                let log = Log::default();
                log.during(|| {
                    let variables = [(name.to_ascii_uppercase(), secret.clone())];
                    planted.tell(options_from_env(url, variables).map(drop));
                    let mut options = complete(url);
                    options.insert((*name).to_owned(), secret.clone());
                    planted.tell(open(url, &options));
                    // A name that no service has.
                    let wrong = [(format!("{name}_x"), secret)].into();
                    planted.tell(open(url, &wrong));
                });
                planted.check(&log.text(), name);
            }
        }
    }
}

/// Otherwise the test above would look at refusals only.
#[cfg(feature = "backends")]
#[test]
fn clients_that_hold_a_credential_are_opened_and_shown_without_it() {
    for (url, name, value) in [
        ("s3://bucket/a", "aws_secret_access_key", "c2VjcmV0"),
        ("az://container/a", "azure_storage_account_key", "c2VjcmV0"),
        ("az://container/a", "azure_storage_sas_key", "sig=c2VjcmV0"),
        ("az://container/a", "azure_storage_token", "c2VjcmV0"),
        (
            "az://container/a",
            "azure_storage_client_secret",
            "c2VjcmV0",
        ),
    ] {
        let mut options = complete(url);
        options.insert(name.to_owned(), value.to_owned());
        let shown = format!("{:?}", open(url, &options).unwrap());
        assert!(
            shown.contains("ObjectStorage") && !shown.contains("c2VjcmV0"),
            "{shown}"
        );
        assert!(!shown.contains("115, 101, 99, 114, 101, 116"), "{shown}");
    }
}

/// What `docs/threat-model.md` says is kept by a test is kept by one.
#[test]
fn every_test_that_the_threat_model_names_exists() {
    let page = include_str!("../../docs/threat-model.md");
    let quoted = page.split('`').skip(1).step_by(2);
    let mut named: BTreeSet<_> = quoted
        .filter(|text| text.matches('_').count() >= 2 && text.bytes().all(is_of_a_name))
        .collect();
    assert!(named.len() >= 20, "{named:?}");
    named.retain(|name| !name.contains("allow_"));

    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut directories = vec![root.join("crates"), root.join("tests")];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = std::fs::read_to_string(path).unwrap();
                named.retain(|name| !source.contains(&format!("fn {name}(")));
            }
        }
    }
    assert!(named.is_empty(), "no such tests: {named:?}");
}

fn is_of_a_name(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_lowercase() || byte.is_ascii_digit()
}
