//! Each fault does what it says.

use std::time::Duration;

use mainstay_hostile::{Boundary, Chaos, Dialect, Fault, HostileServer, Rule, Verb};

use crate::raw::{exchange, status};

const CREATE: [(&str, &str); 1] = [("if-none-match", "*")];

async fn server() -> HostileServer {
    HostileServer::start(Dialect::S3).await.unwrap()
}

#[tokio::test]
async fn an_answer_is_cut_where_it_is_told_to() {
    let server = server().await;
    server.insert("k", "0123456789");
    let whole = exchange(&server, "GET /bucket/k", &[], "").await;
    let head = whole.find("\r\n\r\n").unwrap() + 4;
    for (boundary, length) in [
        (Boundary::BeforeStatus, 0),
        (Boundary::InHeaders, 24),
        (Boundary::AfterHeaders, head),
        (Boundary::InBody, head + 5),
        (Boundary::Byte(1), 1),
        (Boundary::Byte(head as u64 + 9), head + 9),
        (Boundary::Byte(9999), whole.len()),
    ] {
        server.add(Rule::new(Fault::CutAnswer(boundary)));
        let cut = exchange(&server, "GET /bucket/k", &[], "").await;
        assert_eq!(cut, whole[..length], "{boundary:?}");
    }
}

#[tokio::test]
async fn a_write_is_applied_or_not_as_the_fault_says() {
    for (fault, written, answered) in [
        (Fault::Refused(503), false, Some("503")),
        (Fault::Failed(500), true, Some("500")),
        (Fault::CutRequest, false, None),
        (Fault::LostRequest, false, None),
        (Fault::CutAnswer(Boundary::BeforeStatus), true, None),
        (Fault::Twice, true, Some("412")),
    ] {
        let server = server().await;
        server.add(Rule::new(fault));
        let answer = exchange(&server, "PUT /bucket/k", &CREATE, "1").await;
        assert_eq!(server.objects().contains_key("k"), written, "{fault:?}");
        assert_eq!(answer.split(' ').nth(1), answered, "{fault:?}");
        let [logged] = server.take_requests().try_into().unwrap();
        assert_eq!((logged.fault, logged.conditional), (Some(fault), true));
    }
}

#[tokio::test]
async fn a_late_request_is_applied_after_others() {
    let server = server().await;
    server.add(Rule::new(Fault::Late(1)).on(Verb::Put));
    assert!(
        exchange(&server, "PUT /bucket/k", &[], "late")
            .await
            .is_empty()
    );
    assert_eq!(status(&server, "GET /bucket/k", &[], "").await, 404);
    assert_eq!(status(&server, "GET /bucket/k", &[], "").await, 200);

    server.add(Rule::new(Fault::Late(u64::MAX)));
    assert!(
        exchange(&server, "PUT /bucket/l", &[], "later")
            .await
            .is_empty()
    );
    assert!(!server.objects().contains_key("l"));
    server.deliver_late().await;
    assert_eq!(server.objects()["l"], "later");
}

#[tokio::test]
async fn lengths_are_wrong_and_pieces_slow() {
    let server = server().await;
    server.insert("k", "0123456789");
    let get = async |fault| {
        server.add(Rule::new(fault));
        exchange(&server, "GET /bucket/k", &[], "").await
    };
    let longer = get(Fault::LongerLength(3)).await;
    assert!(longer.contains("content-length: 13") && longer.ends_with("\r\n\r\n0123456789"));
    let shorter = get(Fault::ShorterLength(3)).await;
    assert!(shorter.contains("content-length: 7") && shorter.ends_with("\r\n\r\n0123456"));
    let pause = Duration::from_millis(1);
    let slow = get(Fault::Slow { piece: 3, pause }).await;
    assert!(slow.contains("content-length: 10") && slow.ends_with("\r\n\r\n0123456789"));
}

#[tokio::test]
async fn a_rule_matches_by_verb_and_key_so_many_times_after_so_many() {
    let server = server().await;
    server.add(
        Rule::new(Fault::Refused(503))
            .on(Verb::Put)
            .below("log/")
            .after(1)
            .times(2),
    );
    let put = async |key: &str| status(&server, &format!("PUT /bucket/{key}"), &[], "").await;
    assert_eq!(put("other/1").await, 200);
    for expected in [200, 503, 503, 200] {
        assert_eq!(put("log/1").await, expected);
    }
    server.add(Rule::new(Fault::Refused(503)).times(u64::MAX));
    assert_eq!(put("log/1").await, 503);
    server.behave();
    assert_eq!(put("log/1").await, 200);
}

#[tokio::test]
async fn chaos_is_the_same_for_the_same_seed() {
    let statuses = async |seed| {
        let server = server().await;
        server.set_chaos(Chaos::new(
            seed,
            300,
            [Fault::Refused(500), Fault::Refused(429)],
        ));
        let mut statuses = Vec::new();
        for _ in 0..100 {
            statuses.push(status(&server, "PUT /bucket/k", &[], "").await);
        }
        statuses
    };
    let once = statuses(1).await;
    assert_eq!(once, statuses(1).await);
    assert_ne!(once, statuses(2).await);
    for status in [200, 429, 500] {
        assert!(once.contains(&status), "{once:?}");
    }
}
