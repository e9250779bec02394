//! Processes that share a database.
//!
//! A child is this test binary again, running the same test with a role in its environment.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use mainstay_core::Result;
use mainstay_store::{Key, PutOutcome, Storage, StorageExt as _};
use mainstay_store_sql::DatabaseUrl;

const URL: &str = "MAINSTAY_TEST_CHILD_URL";
const WRITER: &str = "MAINSTAY_TEST_CHILD_WRITER";
const PROCESSES: usize = 8;
const ROUNDS: usize = 100;

/// Opens a database with nothing but what its URL says.
pub(crate) async fn open(url: &str) -> Result<Arc<dyn Storage>> {
    mainstay_store_sql::open(&DatabaseUrl::parse(url)?, &BTreeMap::new()).await
}

/// Starts a child that runs `test`, which is the full name of the caller's test.
pub(crate) fn child(test: &str, url: &str, writer: usize) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(URL, url)
        .env(WRITER, writer.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// The URL and the number of the writer, in a child.
pub(crate) fn role() -> Option<(String, usize)> {
    let url = std::env::var(URL).ok()?;
    let writer = std::env::var(WRITER).unwrap().parse().unwrap();
    Some((url, writer))
}

/// Tells the parent something; the test harness shares the stream, hence the mark.
pub(crate) fn say(line: &str) {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "\n> {line}").unwrap();
    stdout.flush().unwrap();
}

pub(crate) fn said(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let lines = stdout.lines().map_while(Result::ok);
    lines.filter_map(|line| line.strip_prefix("> ").map(str::to_owned))
}

/// Lets processes create the same keys; each key must have one winner, whose bytes are there.
pub(crate) async fn race(test: &str, url: &str) {
    let mut children: Vec<_> = (0..PROCESSES)
        .map(|writer| child(test, url, writer))
        .collect();
    let mut lines: Vec<_> = children.iter_mut().map(said).collect();
    for ready in &mut lines {
        assert_eq!(ready.next().unwrap(), "ready");
    }
    // All are up: let them loose.
    for child in &mut children {
        writeln!(child.stdin.take().unwrap(), "go").unwrap();
    }
    let mut winners = vec![Vec::new(); ROUNDS];
    for (writer, lines) in lines.into_iter().enumerate() {
        for round in lines {
            winners[round.parse::<usize>().unwrap()].push(writer.to_string());
        }
    }
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let storage = open(url).await.unwrap();
    for (round, winners) in winners.iter().enumerate() {
        let bytes = storage.get_all(&round_key(round)).await.unwrap().unwrap();
        assert_eq!(winners, &[String::from_utf8(bytes.to_vec()).unwrap()]);
    }
}

/// What each child of a [`race`] does.
pub(crate) async fn take_part(url: &str, writer: usize) {
    let storage = open(url).await.unwrap();
    say("ready");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    for round in 0..ROUNDS {
        let bytes = writer.to_string().into();
        let outcome = storage.create(&round_key(round), bytes).await.unwrap();
        if outcome == PutOutcome::Written {
            say(&round.to_string());
        }
    }
}

fn round_key(round: usize) -> Key {
    Key::new(format!("log/{round:03}")).unwrap()
}
