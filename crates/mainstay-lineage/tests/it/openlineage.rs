//! Events as OpenLineage's own client reads them, where it is installed.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::exports::authored;

/// Gives events to `tests/reference/openlineage.py`; `None` without the package, and what it has against
/// them otherwise.
fn reference(events: &[Value]) -> Option<Result<(), String>> {
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/reference/openlineage.py"
    );
    let python = std::env::var("MAINSTAY_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let spawned = Command::new(python)
        .arg("-B")
        .arg(script)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut process = match spawned {
        Ok(process) => process,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => panic!("python3 does not start: {error}"),
    };
    let mut stdin = process.stdin.take().unwrap();
    let written = events
        .iter()
        .try_for_each(|event| writeln!(stdin, "{event}"));
    drop(stdin);
    let output = process.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    match output.status.code() {
        Some(77) => None,
        Some(0) => {
            written.unwrap();
            Some(Ok(()))
        }
        Some(3) => Some(Err(said)),
        _ => panic!("the reference fails: {said}"),
    }
}

#[tokio::test]
async fn the_client_of_openlineage_reads_events_and_writes_them_again() {
    let events = authored().await.to_openlineage("lab");
    let Some(read) = reference(&events) else {
        #[expect(clippy::print_stderr, reason = "a skipped test says so")]
        {
            eprintln!("SKIPPED: no Python with the package openlineage-python");
        }
        return;
    };
    assert_eq!(read, Ok(()));
    // It does look at what it reads.
    for (member, bad) in [
        ("eventTime", "today"),
        ("eventType", "DONE"),
        ("run", "none"),
    ] {
        let mut event = events[0].clone();
        event[member] = Value::from(bad);
        assert!(reference(&[event]).unwrap().is_err(), "{member}");
    }
    let mut event = events[0].clone();
    event["run"]["runId"] = Value::from("7");
    assert!(reference(&[event]).unwrap().is_err());
}
