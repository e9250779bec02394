use object_store::Error as Foreign;

use super::*;

/// An error as `object_store` makes it of an answer: the status is one level down, below a line
/// that holds the URL.
#[derive(Debug)]
struct Chain(String, Option<Box<Chain>>);

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Chain {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.1.as_deref().map(|source| source as _)
    }
}

const REQUEST: &str = "Error performing PUT https://bucket/key?X-Amz-Signature=5ec7e7 in 3ms";

fn answered(text: impl Into<String>) -> Foreign {
    let answer = Chain(text.into(), None);
    Foreign::Generic {
        store: "S3",
        source: Box::new(Chain(REQUEST.to_owned(), Some(Box::new(answer)))),
    }
}

#[test]
fn statuses_become_kinds_and_say_whether_the_write_may_have_happened() {
    for (status, kind, may_be_applied) in [
        (
            "400 Bad Request: <Key>5ec7e7</Key>",
            ErrorKind::Invalid,
            false,
        ),
        ("401 Unauthorized: ", ErrorKind::PermissionDenied, false),
        ("403 Forbidden: ", ErrorKind::PermissionDenied, false),
        ("408 Request Timeout: ", ErrorKind::Unavailable, true),
        ("413 Payload Too Large: ", ErrorKind::Invalid, false),
        ("429 Too Many Requests: ", ErrorKind::RateLimited, false),
        ("500 Internal Server Error: ", ErrorKind::Unavailable, true),
        (
            "503 Service Unavailable: 5ec7e7",
            ErrorKind::Unavailable,
            true,
        ),
        ("504 Gateway Timeout: ", ErrorKind::Unavailable, true),
        (
            "400 Bad Request: <Error><Code>RequestTimeout</Code></Error>",
            ErrorKind::Unavailable,
            true,
        ),
        ("501 Not Implemented: ", ErrorKind::Unsupported, false),
        ("307 Temporary Redirect: ", ErrorKind::Invalid, false),
    ] {
        let text = format!("Server returned non-2xx status code: {status}");
        let report = Report::of(&answered(text));
        let error = report.into_error();
        assert_eq!(error.kind(), kind, "{status}");
        assert_eq!(report.may_be_applied(), may_be_applied, "{status}");
        let cause = StdError::source(&error).unwrap().to_string();
        let told = if status.contains("Timeout</Code>") {
            "408"
        } else {
            &status[..3]
        };
        assert_eq!(cause, format!("HTTP status {told}"));
    }
}

#[test]
fn a_redirect_to_nowhere_is_a_wrong_region_and_not_tried_again() {
    let text = "Received redirect without LOCATION, this normally indicates an incorrectly \
        configured region";
    let report = Report::of(&answered(text));
    assert!(!report.may_be_applied());
    let error = report.into_error();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("region"), "{error}");
}

#[test]
fn a_failed_part_of_a_bulk_deletion_has_its_status() {
    let text = "Azure DeleteObjects request failed for key a: This is forbidden (code: 403)";
    let error = Report::of(&answered(text)).into_error();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
}

#[test]
fn an_error_without_an_answer_may_have_happened_and_is_retryable() {
    let report = Report::of(&answered("something new"));
    assert!(report.may_be_applied());
    assert!(report.into_error().is_retryable());
}

#[test]
fn neither_message_nor_cause_repeats_what_the_store_said() {
    for text in [
        "Server returned non-2xx status code: 403 Forbidden: <StringToSign>5ec7e7</StringToSign>",
        "Server returned non-2xx status code: 5ec7e7",
        "Server returned non-2xx status code: é5ec7e7",
        "something new with 5ec7e7 (code: 5ec7e7)",
    ] {
        let error = Report::of(&answered(text)).into_error();
        let told = format!("{error} {error:?}");
        assert!(
            !told.contains("5ec7e7") && !told.contains("Signature"),
            "{told}"
        );
    }
}

#[test]
fn a_full_disk_is_unavailable_and_says_why() {
    let full = io::Error::from(io::ErrorKind::StorageFull);
    let report = Report::of(&Foreign::Generic {
        store: "LocalFileSystem",
        source: Box::new(full),
    });
    let error = report.into_error();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(
        StdError::source(&error).unwrap().to_string(),
        "no storage space"
    );
}

#[test]
fn only_an_answer_of_416_or_none_at_all_can_mean_out_of_range() {
    let out_of_range = |text| Report::of(&answered(text)).may_be_out_of_range();
    assert!(out_of_range(
        "Server returned non-2xx status code: 416 Range Not Satisfiable: "
    ));
    assert!(out_of_range(
        "Wanted range starting at 5, but object was only 3 bytes long"
    ));
    assert!(!out_of_range(
        "Server returned non-2xx status code: 500 Internal Server Error: "
    ));
}
