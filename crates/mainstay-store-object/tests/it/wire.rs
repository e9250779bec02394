//! The S3 client against a server of canned answers: what really comes over the wire becomes the
//! right error.

use std::collections::BTreeMap;
use std::io::{BufReader, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

use mainstay_core::{Error, ErrorKind};
use mainstay_store::{ByteRange, Key, PutMode, PutOutcome, Storage as _, StorageExt as _};
use mainstay_store_object::object_store::RetryConfig;
use mainstay_store_object::object_store::aws::AmazonS3Builder;
use mainstay_store_object::{ObjectStorage, StoreProfile, open};

/// A server that gives each request the next answer and closes the connection.
struct Canned {
    endpoint: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Canned {
    fn answering(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        thread::spawn(move || {
            for answer in answers {
                let (stream, _) = listener.accept().unwrap();
                let mut reader = BufReader::new(stream);
                log.lock().unwrap().push(read_request(&mut reader));
                reader.get_mut().write_all(answer.as_bytes()).unwrap();
            }
        });
        Self { endpoint, requests }
    }

    fn storage(&self) -> ObjectStorage {
        let retry = RetryConfig {
            max_retries: 0,
            ..RetryConfig::default()
        };
        let store = AmazonS3Builder::new()
            .with_bucket_name("bucket")
            .with_endpoint(&self.endpoint)
            .with_allow_http(true)
            .with_access_key_id("id")
            .with_secret_access_key("5ec7e7")
            .with_retry(retry)
            .build()
            .unwrap();
        ObjectStorage::new(Arc::new(store), StoreProfile::s3())
    }
}

/// Reads a request and returns its first line and headers.
fn read_request(reader: &mut impl std::io::BufRead) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap() == 0 {
            break;
        }
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse().unwrap())
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    head
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
}

fn key() -> Key {
    Key::new("log/1").unwrap()
}

async fn create(answers: Vec<String>) -> Result<PutOutcome, Error> {
    Canned::answering(answers)
        .storage()
        .create(&key(), "mine".into())
        .await
}

#[tokio::test]
async fn answers_to_a_create_become_outcomes_and_kinds() {
    let etag = "etag: \"1\"\r\n";
    assert_eq!(
        create(vec![answer("200 OK", etag, "")]).await.unwrap(),
        PutOutcome::Written
    );
    let lost = answer("412 Precondition Failed", "", "");
    assert_eq!(create(vec![lost]).await.unwrap(), PutOutcome::Exists);
    for (status, kind, ambiguous) in [
        ("400 Bad Request", ErrorKind::Invalid, false),
        ("401 Unauthorized", ErrorKind::PermissionDenied, false),
        ("403 Forbidden", ErrorKind::PermissionDenied, false),
        ("404 Not Found", ErrorKind::NotFound, false),
        ("429 Too Many Requests", ErrorKind::RateLimited, false),
        ("500 Internal Server Error", ErrorKind::Unavailable, true),
        ("503 Service Unavailable", ErrorKind::Unavailable, true),
    ] {
        let error = create(vec![answer(status, "", "<Secret>5ec7e7</Secret>")])
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.is_ambiguous()),
            (kind, ambiguous),
            "{status}"
        );
        assert!(!format!("{error:?}").contains("5ec7e7"), "{error:?}");
    }
}

#[tokio::test]
async fn a_conflict_is_looked_into() {
    let conflict = || {
        answer(
            "409 Conflict",
            "",
            "<Code>ConditionalRequestConflict</Code>",
        )
    };
    let headers = "last-modified: Tue, 24 Nov 2026 17:00:00 GMT\r\netag: \"1\"\r\n";
    let exists = create(vec![conflict(), answer("200 OK", headers, "")]).await;
    assert_eq!(exists.unwrap(), PutOutcome::Exists);
    let absent = create(vec![conflict(), answer("404 Not Found", "", "")]).await;
    assert!(absent.unwrap_err().is_retryable());
}

#[tokio::test]
async fn a_cut_connection_is_ambiguous_and_one_never_made_is_not() {
    let error = create(vec![String::new()]).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.is_ambiguous()),
        (ErrorKind::Unavailable, true)
    );

    let unused = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let nobody = Canned {
        endpoint: format!("http://{unused}"),
        requests: Arc::default(),
    };
    let error = nobody
        .storage()
        .create(&key(), "mine".into())
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.is_ambiguous()),
        (ErrorKind::Unavailable, false)
    );
}

#[tokio::test]
async fn an_absent_object_is_none_and_deleting_it_a_success() {
    let server = Canned::answering(vec![
        answer("404 Not Found", "", "<Code>NoSuchKey</Code>"),
        answer("404 Not Found", "", "<Code>NoSuchKey</Code>"),
    ]);
    assert!(server.storage().get_all(&key()).await.unwrap().is_none());
    let server = Canned::answering(vec![answer("204 No Content", "", "")]);
    let storage = open("s3://bucket", &options_of(&server)).unwrap();
    storage.delete(&key()).await.unwrap();
    // Not the bulk request, whose failures have no status.
    assert!(server.requests.lock().unwrap()[0].starts_with("DELETE /bucket/log/1 "));
}

#[tokio::test]
async fn a_range_beyond_the_end_is_empty() {
    let headers = "last-modified: Tue, 24 Nov 2026 17:00:00 GMT\r\netag: \"1\"\r\n";
    let size =
        format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n{headers}\r\n");
    let server = Canned::answering(vec![answer("416 Range Not Satisfiable", "", ""), size]);
    let object = server.storage().get(&key(), ByteRange::Offsets(7..9)).await;
    let object = object.unwrap().unwrap();
    assert_eq!((object.bytes.len(), object.size), (0, 5));
}

fn options_of(server: &Canned) -> BTreeMap<String, String> {
    [
        ("aws_endpoint", server.endpoint.as_str()),
        ("aws_allow_http", "true"),
        ("aws_access_key_id", "id"),
        ("aws_secret_access_key", "5ec7e7"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

#[tokio::test]
async fn credentials_come_from_where_the_options_say_and_sign_the_requests() {
    let credentials = r#"{"AccessKeyId":"ROLE","SecretAccessKey":"5ec7e7","Token":"t0ken",
        "Expiration":"2099-01-01T00:00:00Z"}"#;
    let role = Canned::answering(vec![answer("200 OK", "", credentials)]);
    let server = Canned::answering(vec![answer("404 Not Found", "", "")]);
    let token = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(token.path(), "pod").unwrap();
    let uri = format!("{}/credentials", role.endpoint);
    let options = [
        ("aws_endpoint", server.endpoint.as_str()),
        ("aws_allow_http", "true"),
        ("aws_region", "eu-north-1"),
        ("aws_container_credentials_full_uri", &uri),
        (
            "aws_container_authorization_token_file",
            token.path().to_str().unwrap(),
        ),
    ];
    let options = options
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let storage = open("s3://bucket", &options).unwrap();
    assert_eq!(storage.get_all(&key()).await.unwrap(), None);
    let asked = role.requests.lock().unwrap()[0].clone();
    assert!(
        asked.starts_with("GET /credentials") && asked.contains("authorization: pod"),
        "{asked}"
    );
    let signed = server.requests.lock().unwrap()[0].clone();
    assert!(
        signed.contains("Credential=ROLE/") && signed.contains("/eu-north-1/s3/"),
        "{signed}"
    );
    assert!(
        signed.contains("x-amz-security-token: t0ken") && !signed.contains("5ec7e7"),
        "{signed}"
    );
}

#[tokio::test]
async fn an_opened_store_sends_a_create_once_and_then_looks_whether_it_arrived() {
    let headers = "last-modified: Tue, 24 Nov 2026 17:00:00 GMT\r\netag: \"1\"\r\n";
    let server = Canned::answering(vec![
        answer("500 Internal Server Error", "", ""),
        answer("200 OK", headers, "mine"),
    ]);
    let storage = open("s3://bucket/Team%20A", &options_of(&server)).unwrap();
    let outcome = storage
        .put(&key(), "mine".into(), PutMode::Create)
        .await
        .unwrap();
    assert_eq!(outcome, PutOutcome::Written);
    let requests = server.requests.lock().unwrap().clone();
    let [put, get] = requests.as_slice() else {
        panic!("{requests:?}");
    };
    assert!(put.starts_with("PUT /bucket/Team%20A/log/1 "), "{put}");
    assert!(
        put.to_ascii_lowercase().contains("if-none-match: *"),
        "{put}"
    );
    assert!(get.starts_with("GET /bucket/Team%20A/log/1 "), "{get}");
}
