//! Without faults it is a correct store.

use std::time::Duration;

use mainstay_hostile::{Conditions, Dialect, HostileServer, ServerOptions, Verb};

use crate::raw::{exchange, status};

const CREATE: [(&str, &str); 1] = [("if-none-match", "*")];

#[tokio::test]
async fn a_key_is_created_once_and_overwritten_and_deleted_at_will() {
    let server = HostileServer::start(Dialect::S3).await.unwrap();
    assert_eq!(
        status(&server, "PUT /bucket/a%20b", &CREATE, "1").await,
        200
    );
    assert_eq!(
        status(&server, "PUT /bucket/a%20b", &CREATE, "2").await,
        412
    );
    assert_eq!(server.objects()["a b"], "1");
    assert_eq!(status(&server, "PUT /bucket/a%20b", &[], "3").await, 200);
    assert_eq!(server.objects()["a b"], "3");
    for _ in 0..2 {
        assert_eq!(status(&server, "DELETE /bucket/a%20b", &[], "").await, 204);
    }
    assert_eq!(status(&server, "GET /bucket/a%20b", &[], "").await, 404);
    let verbs: Vec<_> = server.take_requests().iter().map(|r| r.verb).collect();
    assert_eq!(
        verbs,
        [
            Verb::Put,
            Verb::Put,
            Verb::Put,
            Verb::Delete,
            Verb::Delete,
            Verb::Get
        ]
    );
    assert_eq!(
        (server.request_count(), server.take_requests().len()),
        (6, 0)
    );
}

#[tokio::test]
async fn generations_of_gcs_are_never_repeated_and_tags_of_s3_are() {
    let gcs = HostileServer::start(Dialect::Gcs).await.unwrap();
    let if_generation = |generation| [("x-goog-if-generation-match", generation)];
    assert_eq!(
        status(&gcs, "PUT /bucket/k", &if_generation("0"), "A").await,
        200
    );
    assert_eq!(
        status(&gcs, "PUT /bucket/k", &if_generation("0"), "B").await,
        412
    );
    assert_eq!(
        status(&gcs, "PUT /bucket/k", &if_generation("1"), "B").await,
        200
    );
    assert_eq!(
        status(&gcs, "PUT /bucket/k", &if_generation("2"), "A").await,
        200
    );
    // The bytes are those of generation 1 again, and that does not help.
    assert_eq!(
        status(&gcs, "PUT /bucket/k", &if_generation("1"), "C").await,
        412
    );
    assert_eq!(status(&gcs, "DELETE /bucket/absent", &[], "").await, 404);

    let s3 = HostileServer::start(Dialect::S3).await.unwrap();
    let of_a = "\"7fc56270e7a70fa81a5935b72eacbe29\"";
    for body in ["A", "B", "A"] {
        assert_eq!(status(&s3, "PUT /bucket/k", &[], body).await, 200);
    }
    assert_eq!(
        status(&s3, "PUT /bucket/k", &[("if-match", of_a)], "C").await,
        200
    );
    assert_eq!(
        status(&s3, "PUT /bucket/k", &[("if-match", of_a)], "D").await,
        412
    );
}

#[tokio::test]
async fn ranges_are_served_and_those_beyond_the_end_refused() {
    let server = HostileServer::start(Dialect::S3).await.unwrap();
    server.insert("k", "0123456789");
    let ranged = async |range| exchange(&server, "GET /bucket/k", &[("range", range)], "").await;
    let part = ranged("bytes=2-4").await;
    assert!(part.starts_with("HTTP/1.1 206"), "{part}");
    assert!(part.contains("content-range: bytes 2-4/10") && part.ends_with("\r\n\r\n234"));
    assert!(ranged("bytes=-3").await.ends_with("\r\n\r\n789"));
    assert!(ranged("bytes=8-").await.ends_with("\r\n\r\n89"));
    assert!(ranged("bytes=10-").await.starts_with("HTTP/1.1 416"));
    let head = exchange(&server, "HEAD /bucket/k", &[], "").await;
    assert!(
        head.contains("content-length: 10") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
}

#[tokio::test]
async fn listings_are_paged_in_order_and_escaped() {
    let options = ServerOptions::default().with_page(2);
    let server = HostileServer::start_with(Dialect::S3, options)
        .await
        .unwrap();
    for key in ["p/1", "p/2", "p/3&4", "q/1"] {
        server.insert(key, "x");
    }
    let first = exchange(&server, "GET /bucket?list-type=2&prefix=p/", &[], "").await;
    assert!(first.contains("<Key>p/1</Key>") && first.contains("<Key>p/2</Key>"));
    assert!(first.contains("<NextContinuationToken>p/2</NextContinuationToken>"));
    let query = "GET /bucket?list-type=2&prefix=p/&continuation-token=p/2";
    let second = exchange(&server, query, &[], "").await;
    assert!(
        second.contains("<Key>p/3&amp;4</Key>") && !second.contains("Token"),
        "{second}"
    );
    assert!(!second.contains("q/1"));
    let after = exchange(&server, "GET /bucket?list-type=2&start-after=p/3", &[], "").await;
    assert!(after.contains("p/3&amp;4") && after.contains("q/1") && !after.contains("p/2"));
}

#[tokio::test]
async fn azure_speaks_of_blobs() {
    let server = HostileServer::start(Dialect::Azure).await.unwrap();
    let create = [("if-none-match", "*"), ("x-ms-blob-type", "BlockBlob")];
    let key = "PUT /devstoreaccount1/bucket/k";
    assert_eq!(status(&server, key, &create, "1").await, 201);
    let refused = exchange(&server, key, &create, "2").await;
    assert!(refused.starts_with("HTTP/1.1 409") && refused.contains("BlobAlreadyExists"));
    let list = "GET /devstoreaccount1/bucket?restype=container&comp=list&startFrom=k";
    assert!(
        exchange(&server, list, &[], "")
            .await
            .contains("<Name>k</Name>")
    );
}

#[tokio::test]
async fn what_it_does_not_know_is_refused_and_nothing_is_larger_than_it_takes() {
    let options = ServerOptions::default().with_max_object_bytes(3);
    let server = HostileServer::start_with(Dialect::S3, options)
        .await
        .unwrap();
    for line in [
        "POST /bucket?delete",
        "GET /bucket?list-type=2&delimiter=/",
        "GET /other/k",
        "PUT /bucket/%ff",
    ] {
        assert_eq!(status(&server, line, &[], "").await, 501, "{line}");
    }
    assert_eq!(status(&server, "PUT /bucket/k", &[], "four").await, 400);
    assert!(server.objects().is_empty());
}

#[tokio::test]
async fn each_kind_of_condition_breaks_its_promise() {
    let server = HostileServer::start(Dialect::S3).await.unwrap();
    let put = async |key: &str, body: &str| {
        status(&server, &format!("PUT /bucket/{key}"), &CREATE, body).await
    };
    server.set_conditions(Conditions::Ignored);
    assert_eq!((put("a", "1").await, put("a", "2").await), (200, 200));
    assert_eq!(server.objects()["a"], "2");
    server.set_conditions(Conditions::NeverMatching);
    assert_eq!(put("b", "1").await, 412);
    server.set_conditions(Conditions::Forgotten);
    assert_eq!(put("b", "1").await, 200);
    assert!(!server.objects().contains_key("b"));

    server.set_conditions(Conditions::Racy(Duration::from_mins(1)));
    let both = tokio::join!(put("c", "1"), put("c", "2"));
    assert_eq!(both, (200, 200));
    // One after the other it looks right.
    assert_eq!(put("c", "3").await, 412);
    server.set_conditions(Conditions::Racy(Duration::ZERO));
    assert_eq!((put("d", "1").await, put("d", "2").await), (200, 412));
}

#[tokio::test]
async fn the_server_ends_when_it_is_dropped() {
    let server = HostileServer::start(Dialect::S3).await.unwrap();
    let address = server.endpoint().replace("http://", "");
    let mut open = tokio::net::TcpStream::connect(&address).await.unwrap();
    drop(server);
    let mut rest = Vec::new();
    let _end = tokio::io::AsyncReadExt::read_to_end(&mut open, &mut rest).await;
    assert!(rest.is_empty());
}

#[tokio::test]
async fn bytes_that_are_no_request_do_not_take_it_down() {
    let server = HostileServer::start(Dialect::S3).await.unwrap();
    let address = server.endpoint().replace("http://", "");
    let mut state = 1_u64;
    for round in 0..200 {
        let mut bytes = match round % 3 {
            0 => b"PUT /bucket/k HTTP/1.1\r\ncontent-length: 5\r\n\r\n12345".to_vec(),
            1 => {
                b"GET /bucket?list-type=2&max-keys=9&prefix=%00 HTTP/1.1\r\nrange: bytes=-\r\n\r\n"
                    .to_vec()
            }
            _ => b"POST /bucket HTTP/1.1\r\n\r\n".to_vec(),
        };
        for _ in 0..=round % 5 {
            // Knuth's linear congruential generator.
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let [place, byte, ..] = state.to_be_bytes();
            let length = bytes.len();
            bytes[usize::from(place) % length] = byte;
        }
        let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        // It may hang up before all is written.
        let _written = tokio::io::AsyncWriteExt::write_all(&mut stream, &bytes).await;
    }
    assert_eq!(
        status(&server, "PUT /bucket/after", &CREATE, "1").await,
        200
    );
}
